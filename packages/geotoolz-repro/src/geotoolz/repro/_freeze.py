"""`freeze`: a pipeline, its inputs and what it makes of them, put together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from geotoolz.core import GeotoolzError, Operator, ParameterError, load
from geotoolz.core._lazy import xr
from geotoolz.core._memory import parse_bytes
from geotoolz.repro import _manifest as m
from geotoolz.repro._artifact import Artifact
from geotoolz.repro._describe import crate, processing_fields
from geotoolz.repro._environment import environment
from geotoolz.repro._errors import ArtifactError
from geotoolz.repro._execute import computed, input_names, reads_of
from geotoolz.repro._json import canonical
from geotoolz.repro._members import Members
from geotoolz.repro._parts import Part
from geotoolz.repro._pipeline import frozen_pipeline
from geotoolz.repro._pixels import data_of, scene_hashes
from geotoolz.repro._sources import Source, open_source, sources_of, with_files_read
from geotoolz.repro._statistics import recorded
from geotoolz.repro._tar import MANIFEST, SEAL
from geotoolz.repro._tolerance import Tolerance


def freeze(
    pipeline: Operator | str | os.PathLike[str],
    inputs: Any,
    deps_lock: str | os.PathLike[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    *,
    outputs: Any = None,
    embed_below: int | str = "1MB",
    embed_references: bool = False,
    tolerance: Tolerance | Mapping[str, Tolerance] | None = None,
    container: str | None = None,
    threads: int = 1,
) -> Artifact:
    """Freeze a computation: what is computed, from what, with what, and what comes out.

    Two freezes of the same thing give the same bytes: times, owners and orders do not enter.

    Parameters
    ----------
    pipeline : Operator or path
        The pipeline, or its YAML file.
    inputs : path, Source, GeoSlice, stack, or mapping of str to these
        Rasters, product folders, STAC items; several scenes as a `geotoolz.catalog.GeoSlice` or as a stack
        that was read or opened. A graph takes a mapping by its inputs' names.
        ``{"scene_uri": "s3://…", "scene_sha256": "ab…"}`` tells the hash of what cannot be reached here.
    deps_lock : path, optional
        The lock file of the environment (``uv.lock``, ``poetry.lock``), kept verbatim.
    metadata : mapping, optional
        Author, date, licence, DOI, title, description; anything that JSON has.
    outputs : xarray.Dataset, path, mapping of str to these, or ``()``, optional
        What the pipeline makes: by default it is run, and the results of its statistics are recorded, too. A
        tile or a written file saves that; ``()`` records no outputs, and a rerun then has nothing to compare
        with.
    embed_below : int or str
        An input whose files have together at most so many bytes is embedded, and so is each output of at
        most so many; ``0`` embeds nothing.
    embed_references : bool
        Whether models, spectra and tables are embedded; arrays in memory always are.
    tolerance : Tolerance, or mapping of variables (and paths of statistics) to these, optional
        What a rerun elsewhere may be apart; by default nothing.
    container : str, optional
        Digest of the container image; by default ``GEOTOOLZ_CONTAINER_DIGEST`` of the environment.
    threads : int
        Of the run; the result does not depend on it.

    Returns
    -------
    Artifact

    Raises
    ------
    ReadError
        If an input, reference or the lock file is missing, or is not the one whose hash was told.
    ParameterError
        If the names of the inputs are not those of the pipeline.
    ConfigError
        If the pipeline holds something that cannot be saved.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.core.testing import write_scene
    >>> from geotoolz.indices import NDVI
    >>> from geotoolz.repro import freeze
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     scene = write_scene({"shape": (32, 32), "bands": ("red", "nir")}, tmp)
    ...     artifact = freeze(NDVI(), scene)
    ...     print(artifact.rerun(f"{tmp}/again").tier)
    bit-exact
    """
    op = pipeline if isinstance(pipeline, Operator) else load(pipeline)
    sources = sources_of(inputs, input_names(op))
    limit = 0 if str(embed_below).strip() == "0" else parse_bytes(embed_below, "embed_below")
    frozen = frozen_pipeline(op, embed_references)
    made = Members(limit)
    made.parts.update(frozen.parts)
    scenes = _opened(sources, needed=outputs is None)
    ran = computed(op, scenes, threads) if outputs is None else None
    results = made.outputs(_results(outputs) if ran is None else data_of(ran.tiles, ran.wanted))
    reads = reads_of(op, scenes, results) if len(scenes) == len(sources) else {}
    pixels = {name: scene_hashes(scenes[name], names) for name, names in reads.items()}
    counted = {name: with_files_read(sources[name], scenes[name], names) for name, names in reads.items()}
    entries = {
        name: made.input(name, counted.get(name, source), pixels.get(name, {}), name in scenes)
        for name, source in sources.items()
    }
    around = environment(container)
    told = dict(metadata or {})
    made.text(m.CONFIG, frozen.yaml.encode())
    made.text(m.CANONICAL, frozen.canonical)
    made.text(m.ENVIRONMENT, canonical(around))
    made.text(m.METADATA, _json_able(told))
    made.text(m.PROCESSING, canonical(processing_fields(op, frozen, entries, around)))
    lock = made.lock(deps_lock)
    made.text(m.CRATE, canonical(crate(op, entries, results, made.members(), told)))
    manifest = m.Manifest(
        pipeline=m.PipelineEntry(hash=frozen.hash, operators=_versions(op)),
        inputs=entries,
        references=[m.ReferenceEntry(**one) for one in frozen.references],
        outputs=results,
        statistics=recorded(op, ran.statistics) if ran is not None else {},
        tolerance=_tolerances(tolerance),
        lock=lock,
        members=made.members(),
    )
    contents = {MANIFEST: Part.of(manifest.to_bytes()), SEAL: Part.of(manifest.id.encode())}
    return Artifact(manifest, {**made.parts, **contents}, trusted=True)


def _opened(sources: Mapping[str, Source], needed: bool) -> dict[str, Any]:
    """Open all inputs; where nothing is run, those with a told hash need not be there."""
    found = {}
    for name, source in sources.items():
        try:
            found[name] = open_source(source)
        except GeotoolzError as error:
            if needed or source.sha256 is None:
                if source.sha256 is not None:
                    error.fix = error.fix or "outputs=() records the input by its hash alone"
                raise
    return found


def _results(outputs: Any) -> dict[str, xr.DataArray]:
    """Return output variables that somebody gives."""
    if isinstance(outputs, tuple | list) and not outputs:
        return {}
    given = outputs if isinstance(outputs, Mapping) and not isinstance(outputs, xr.Dataset) else {"": outputs}
    tiles = {str(name): _tile(one) for name, one in given.items()}
    return data_of(tiles, {name: tuple(map(str, tile.data_vars)) for name, tile in tiles.items()})


def _tile(given: Any) -> xr.Dataset:
    if isinstance(given, xr.Dataset):
        return given
    if isinstance(given, str | os.PathLike):
        from geotoolz.io import open_tile, open_zarr

        if Path(given, "zarr.json").is_file():
            return open_zarr(given)
        return open_tile(given, raw=True)  # as the pipeline made it: packed numbers stay packed
    raise ParameterError(f"outputs holds a {type(given).__name__}", expected="a tile or the path of one")


def _versions(op: Operator) -> dict[str, int]:
    return dict(sorted((step.target(), step.version) for _, step in op.walk()))


def _json_able(metadata: Mapping[str, Any]) -> bytes:
    try:
        return canonical(metadata)
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"metadata: {error}", expected="text, numbers, lists and mappings") from error


def _tolerances(given: Any) -> dict[str, m.ToleranceEntry]:
    from dataclasses import asdict

    pairs: Iterator[tuple[str, Any]] = iter(given.items() if isinstance(given, Mapping) else [(m.ANY, given)])
    return {name: m.ToleranceEntry(**asdict(one)) for name, one in pairs if one is not None}
