"""From a command's arguments to the `CatalogPipeline` that they mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geotoolz.batch import CatalogPipeline, Job

#: what may stand before ``=`` in ``--slice``
_SLICES = ("bbox", "time", "where", "geometry")
_TIME = re.compile(r"[\d.][\dTZ:.+\-]*(/[\dTZ:.+\-]+)?")


def make_job(
    first: str,
    source: str | None,
    out: str | None,
    *,
    aoi: str | None = None,
    res: float | None = None,
    sign: str | None = None,
    sets: Sequence[str] | None = None,
    overrides: Sequence[str] | None = None,
    shard: str | None = None,
    slices: Sequence[str] | None = None,
    tile: Sequence[str] | None = None,
    tiles: Path | None = None,
    budget: Mapping[str, Any] | None = None,
    engine: Any = None,
    workers: int | None = None,
    **options: Any,
) -> CatalogPipeline:
    """Make what a command runs: of PIPELINE SOURCE OUT, or of a job's file.

    Parameters
    ----------
    first, source, out : str
        Of a job `source` and `out` are None.
    aoi, res, sign, sets, overrides, shard, slices, tile, tiles : optional
        As the user wrote them.
    budget : mapping, optional
        Bounds and prices that were given.
    engine, workers : optional
        For `geotoolz.batch.get_engine`.
    **options
        Further arguments of `CatalogPipeline`; None stands for what the job, or the default, says.

    Raises
    ------
    GeotoolzError
        For what cannot be, before anything is opened or written.
    """
    from geotoolz._cli._console import told
    from geotoolz._cli._options import parse_shard

    options["shard"] = parse_shard(shard)
    options["tiles"] = _tiles(tile, tiles)
    options["slice"] = parse_slices(slices, source)
    given = {name: value for name, value in (budget or {}).items() if value is not None}
    if source is not None:
        _refuse_overrides(overrides, out)
        options["budget"] = given
        return _of_arguments(first, source, str(out), aoi, res, sign, sets, engine, workers, options)
    job = load_job(first, sets, overrides, aoi=aoi, res=res, sign=sign, budget=given)
    if options["slice"] is not None and job.slice() is not None:
        options["slice"] = {**(job.slice() or {}), **options["slice"]}
    made = job.pipeline(engine=engine, n_workers=workers, **options)
    for problem in made.catalog.problems:
        told(f"warning: {problem}")
    return made


def _of_arguments(
    first: str,
    source: str,
    out: str,
    aoi: str | None,
    res: float | None,
    sign: str | None,
    sets: Sequence[str] | None,
    engine: Any,
    workers: int | None,
    options: dict[str, Any],
) -> CatalogPipeline:
    from geotoolz._cli._options import load_pipeline, parse_aoi
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.batch import CatalogPipeline, get_engine
    from geotoolz.core._presets import refuse_together

    refuse_together(first)
    op = load_pipeline(first, list(sets or ()))
    area = parse_aoi(aoi, source)
    if isinstance(engine, str):
        get_engine(engine, workers)  # a misspelt one is refused before anything is opened
    scenes = open_scenes(source, area)
    if engine is None:
        engine = suitable(len(scenes), workers, options.get("timeout"))
    kept = {name: value for name, value in options.items() if value is not None}
    read = {"aoi": area, "resolution": res, "sign": sign}
    return CatalogPipeline(scenes.rows, op, out, engine=engine, n_workers=workers, read=read, **kept)


def load_job(
    path: str,
    sets: Sequence[str] | None = None,
    overrides: Sequence[str] | None = None,
    *,
    aoi: str | None = None,
    res: float | None = None,
    sign: str | None = None,
    budget: Mapping[str, Any] | None = None,
) -> Job:
    """Load a job's file, with what the command says in place of the file's values."""
    from geotoolz._cli._options import parse_aoi, refuse_unplaced, set_values
    from geotoolz.batch import Job
    from geotoolz.core._errors import ParameterError, ReadError
    from geotoolz.core._presets import places_in, preset_names

    if path not in preset_names() and not Path(path).exists():
        raise ReadError(
            f"there is no file {path}",
            expected="the file of a job, or PIPELINE SOURCE OUT",
        )
    if path in preset_names():
        raise ParameterError(
            f"{path} without SOURCE and OUT",
            expected="PIPELINE SOURCE OUT, or the file of a job",
            fix=f"geotoolz run {path} scenes/ products/",
        )
    replaced = {**_overrides(overrides), **{f"budget.{name}": one for name, one in (budget or {}).items()}}
    area = parse_aoi(aoi)
    more = {"read.aoi": list(area) if isinstance(area, tuple) else area, "read.resolution": res}
    more["read.sign"] = sign
    replaced.update((name, value) for name, value in more.items() if value is not None)
    values = set_values(sets or ())
    job = Job.load(path, replaced, variables=values)
    known = places_in(Path(path).read_text("utf-8")) | job.places()
    refuse_unplaced(
        values, known, f"{path} and its pipeline have", "--override KEY=VALUE replaces a value of the job"
    )
    return job


def suitable(scenes: int, workers: int | None, timeout: float | None = None) -> str:
    """Return the engine for a number of scenes; a deadline needs somebody who ends the scene."""
    from geotoolz.batch import default_workers

    beside = scenes > 1 and (workers or default_workers()) > 1
    return "process" if beside or timeout is not None else "inline"


def _refuse_overrides(overrides: Sequence[str] | None, out: str | None) -> None:
    from geotoolz.core._errors import ParameterError

    if out is None:
        raise ParameterError("SOURCE without OUT", expected="PIPELINE SOURCE OUT, or the file of a job alone")
    if overrides:
        raise ParameterError(
            f"--override {overrides[0]} of a pipeline",
            expected="a job's file",
            fix="--set NAME=VALUE fills a place ${NAME} of a pipeline",
        )


def _overrides(entries: Sequence[str] | None) -> dict[str, Any]:
    from geotoolz.core._errors import ParameterError
    from geotoolz.core._yaml import parse

    found = {}
    for entry in entries or ():
        name, sign, value = entry.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise ParameterError(f"--override {entry}", expected="KEY=VALUE, such as read.resolution=20")
        found[name.strip()] = parse(value).value
    return found


def _tiles(tile: Sequence[str] | None, file: Path | None) -> tuple[str, ...] | None:
    """Return the ids of ``--tile`` and of the file of ``--tiles`` together."""
    from geotoolz.batch import read_tile_list

    named = (*(tile or ()), *(read_tile_list(file) if file is not None else ()))
    return tuple(dict.fromkeys(named)) or None


def parse_slices(entries: Sequence[str] | None, source: str | None = None) -> dict[str, Any] | None:
    """Return what ``--slice`` means: names of `GeoCatalog.query`, and ``where``.

    Raises
    ------
    ParameterError
        For what is neither a box, a time, nor KEY=VALUE of a known key; and for a key that stands twice.

    Examples
    --------
    >>> parse_slices(["12,45,13,46", "2023-08", "where=cloud_cover < 20"])
    {'bbox': (12.0, 45.0, 13.0, 46.0), 'time': '2023-08', 'where': 'cloud_cover < 20'}
    """
    from geotoolz._cli._options import parse_aoi, parse_box
    from geotoolz.core._errors import ParameterError, nearest

    found: dict[str, Any] = {}
    for entry in entries or ():
        key, value = _slice_key(entry)
        if key not in _SLICES:
            raise ParameterError(
                f"--slice {entry}{nearest(key, _SLICES)}",
                expected="W,S,E,N in degrees, a time such as 2023-08, or KEY=VALUE "
                f"with one of {', '.join(_SLICES)}",
            )
        if key in found:
            raise ParameterError(f"--slice {entry}: {key} is given twice", expected="each once")
        if key == "bbox":
            found[key] = parse_box(value, "--slice")
        else:
            found[key] = parse_aoi(value, source) if key == "geometry" else value
    if isinstance(found.get("geometry"), tuple):
        raise ParameterError("--slice geometry=… with a box", expected="bbox=W,S,E,N for a box")
    return found or None


def _slice_key(entry: str) -> tuple[str, str]:
    text = entry.strip()
    key, sign, value = text.partition("=")
    if sign and key.strip().isidentifier():
        return key.strip(), value.strip()
    if re.fullmatch(r"[^,]+(,[^,]+){3}", text):
        return "bbox", text
    return ("time", text) if _TIME.fullmatch(text) else (text, "")
