"""Watch a page of the gallery: every pipeline that it runs is frozen and run again.

``scripts/gallery.py`` imports this file into the process of a page where ``GEOTOOLZ_GALLERY_WATCH`` names it,
calls `install` before the first cell and `finish` after the last one. Recorded is what a driver of the page
ran, with a small window of the pixels that it ran on; of what ran elsewhere (in workers, on lazy tiles) with
simulated pixels that fit its description. `finish` freezes each of them, and runs the artefact again with one
thread and with two, in other blocks than the freeze (in the same ones where a step's rounding depends on
them).
"""

from __future__ import annotations

import contextlib
import functools
import math
import sys
import tempfile
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 128  # rows and columns of the window
LARGEST = 24 * 2**20  # bytes of the window, where there are many dates or bands
THREADS = (1, 2)
_inside = threading.local()


@dataclass
class Ran:
    """A pipeline that a page ran."""

    op: Any
    tiles: dict[str, Any]
    simulated: bool


_ran: dict[str, Ran] = {}
_left: dict[str, str] = {}
_texts: set[str] = set()


def install() -> None:
    """Watch the drivers of this process."""
    import geotoolz.core
    from geotoolz.core import _compile, _run

    watched = ((_run, "run", _pixels), (_run, "run_detailed", _pixels), (_compile, "compile", _described))
    for module, name, note in watched:
        _replace(getattr(module, name), note)
    geotoolz.core.run
    _watch_tasks()


def _watch_tasks() -> None:
    """Note the pipelines of catalog runs: the tiles may be made in other processes."""
    from geotoolz.batch import _task

    original = _task.TileTask.__init__

    @functools.wraps(original)
    def made(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        if self.pipeline not in _texts:
            _planned(self)

    _task.TileTask.__init__ = made  # type: ignore[method-assign]


def _planned(task: Any) -> None:
    from geotoolz.batch._source import open_source
    from geotoolz.core import GeotoolzError, load

    outer = not getattr(_inside, "deep", False)
    _inside.deep = True
    try:
        _described(load(task.pipeline), open_source(task).spec)
        _texts.add(task.pipeline)
    except (GeotoolzError, OSError):  # a scene that is broken on purpose: the next one will do
        return
    finally:
        if outer:
            _inside.deep = False


def _replace(original: Any, note: Any) -> None:
    @functools.wraps(original)
    def watched(op: Any, tile: Any = None, *args: Any, **options: Any) -> Any:
        outer = not getattr(_inside, "deep", False)
        _inside.deep = True
        try:
            found = original(op, tile, *args, **options)
        finally:
            if outer:
                _inside.deep = False
        if outer:
            note(op, tile)
        return found

    for module in [one for name, one in sys.modules.items() if name.startswith("geotoolz")]:
        for name, value in list(vars(module).items()):
            if value is original:
                setattr(module, name, watched)


def _hash(op: Any) -> str | None:
    """Return the pipeline's hash; None, with the reason noted, where it cannot be saved."""
    from geotoolz.core import GeotoolzError

    try:
        return str(op.config_hash())
    except GeotoolzError as error:
        _left[_name(op)] = f"not to be saved: {str(error).splitlines()[0]}"
        return None


def _pixels(op: Any, tile: Any) -> None:
    key = _hash(op)
    if key is None or (key in _ran and not _ran[key].simulated):
        return
    tiles = dict(tile) if not hasattr(tile, "data_vars") else {"scene": tile}
    small = {name: _window(one) for name, one in tiles.items()}
    if all(one is not None for one in small.values()):
        _ran[key] = Ran(op, small, False)
    else:
        from geotoolz.core import TileSpec

        specs = {name: TileSpec.of(one) for name, one in tiles.items()}
        _described(op, specs if len(specs) > 1 else next(iter(specs.values())))


def _described(op: Any, spec: Any) -> None:
    key = _hash(op)
    if key is None or key in _ran:
        return
    specs = dict(spec) if isinstance(spec, dict) else {"scene": spec}
    _ran[key] = Ran(op, {name: simulated(one) for name, one in specs.items()}, True)


def _side(leads: int, height: int, width: int) -> tuple[int, int]:
    side = min(SIDE, max(16, math.isqrt(LARGEST // max(leads, 1))))
    return min(side, height), min(side, width)


def _window(tile: Any) -> Any:
    """Return a copy of the middle of a tile; None for a lazy one."""
    if any(variable.chunks is not None for variable in tile.variables.values()):
        return None
    bytes_per_pixel = sum(v.dtype.itemsize * math.prod(v.shape[:-2]) for v in tile.data_vars.values())
    rows, cols = _side(bytes_per_pixel, tile.sizes["y"], tile.sizes["x"])
    y, x = (tile.sizes["y"] - rows) // 2, (tile.sizes["x"] - cols) // 2
    return tile.isel(y=slice(y, y + rows), x=slice(x, x + cols)).copy(deep=True)


def simulated(spec: Any) -> Any:
    """Return a tile that fits a description: numbers of the kind that its variables hold."""
    from geotoolz.core import tile_from_arrays

    rng = np.random.default_rng(0)
    leads = sum(
        v.dtype.itemsize * math.prod(spec.sizes[d] for d in v.dims[:-2]) for v in spec.variables.values()
    )
    rows, cols = _side(leads, *spec.shape)
    arrays = {}
    for name, variable in spec.variables.items():
        shape = (*(spec.sizes[d] for d in variable.dims[:-2]), rows, cols)
        arrays[name] = (variable.dims, _values(variable, shape, rng))
    return tile_from_arrays(
        arrays,
        spec.window_geobox[:rows, :cols],
        attrs=dict(spec.attrs),
        var_attrs={name: dict(one.attrs) for name, one in spec.variables.items()},
        nodata={name: one.nodata for name, one in spec.variables.items()},
        coords={name: coord.variable() for name, coord in spec.coords.items()},
    )


def _values(variable: Any, shape: tuple[int, ...], rng: Any) -> Any:
    flags = variable.attrs.get("flag_values")
    if variable.dtype.kind == "b":
        return rng.random(shape) < 0.3
    if flags is not None and len(np.ravel(flags)):
        return rng.choice(np.ravel(flags), shape).astype(variable.dtype)
    if variable.dtype.kind in "iu":
        return rng.integers(1, min(np.iinfo(variable.dtype).max, 4000), shape).astype(variable.dtype)
    return rng.uniform(0.02, 0.6, shape).astype(variable.dtype)


def _name(op: Any) -> str:
    from geotoolz.repro._describe import steps_of

    return steps_of(op)


def finish() -> dict[str, Any]:
    """Freeze and run again; return what became of every pipeline, for JSON.

    Returns
    -------
    dict
        ``reruns``: pipeline, hash, whether the pixels were simulated, tier by number of threads, findings.
        ``left``: pipeline → why it was not run again: it cannot be saved, or refuses a part of its scene.
    """
    from geotoolz.core import GeotoolzError

    told: list[dict[str, Any]] = []
    _inside.deep = True  # what is run now is nobody's page
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the page has said what is doubtful about its scene
        for number, (key, one) in enumerate(list(_ran.items())):
            place = Path(folder) / str(number)
            try:
                told.append({"pipeline": _name(one.op), "hash": key, **_again_somehow(one, place)})
            except (
                GeotoolzError
            ) as error:  # a check of the whole scene, a chip that is larger than the window
                _left[_name(one.op)] = f"refuses a part of its scene: {str(error).splitlines()[0]}"
            except Exception as error:  # noqa: BLE001 - named, and judged by the test
                _left[_name(one.op)] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return {"reruns": told, "left": _left}


@contextlib.contextmanager
def _small_blocks() -> Any:
    """Cut tiles of a few thousand pixels into blocks, as the runner cuts tiles of millions."""
    from geotoolz.core import _blocks

    before = _blocks._ONE_BLOCK, _blocks._LEAST_PIXELS, _blocks.BLOCK_PIXELS
    _blocks._ONE_BLOCK, _blocks._LEAST_PIXELS, _blocks.BLOCK_PIXELS = 0, 1024, 4096
    try:
        yield
    finally:
        _blocks._ONE_BLOCK, _blocks._LEAST_PIXELS, _blocks.BLOCK_PIXELS = before


def _again_somehow(one: Ran, place: Path) -> dict[str, Any]:
    """Run on the window that was kept; where the pipeline refuses that, on simulated pixels."""
    from geotoolz.core import GeotoolzError, TileSpec

    try:
        return _again(one, place / "own")
    except GeotoolzError:
        if one.simulated:
            raise
    tiles = {name: simulated(TileSpec.of(tile)) for name, tile in one.tiles.items()}
    return _again(Ran(one.op, tiles, True), place / "simulated")


def _again(one: Ran, place: Path) -> dict[str, Any]:
    from geotoolz.io import write_zarr
    from geotoolz.repro import Source, freeze, load
    from geotoolz.repro._execute import is_approximate

    inputs = {}
    for name, tile in one.tiles.items():
        path = write_zarr(tile, place / f"{name or 'scene'}.zarr")
        inputs[name or "scene"] = Source(path, read={"raw": True})
    artifact = load(freeze(one.op, inputs).save(place / "a.gtar"), trusted=True)
    with contextlib.nullcontext() if is_approximate(one.op) else _small_blocks():
        reports = {n: artifact.rerun(place / f"w{n}", threads=n) for n in THREADS}
    return {
        "simulated": one.simulated,
        "outputs": {name: entry.sha256 for name, entry in artifact.outputs.items()},
        "statistics": len(artifact.statistics),
        "tiers": {str(n): str(report.tier) for n, report in reports.items()},
        "findings": [str(finding) for report in reports.values() for finding in report.differences],
    }
