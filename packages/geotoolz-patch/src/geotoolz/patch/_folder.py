"""Chips as files: a folder that other programs can work on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from geotoolz.core import TileError, WriteError
from geotoolz.patch._catalog import CatalogPatches
from geotoolz.patch._grid import PatchGrid

INDEX = "chips.json"
SCENES = "scenes.json"


def write_chips(patches: PatchGrid | CatalogPatches, folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Write every chip as a GeoTIFF of its own, and an index that says how they lie.

    Parameters
    ----------
    patches : PatchGrid or CatalogPatches
        The chips; bands of one type.
    folder : path
        Made if it does not exist. Chip 12 is ``0000012.tif``; the index is ``chips.json``. The chips of a
        catalog lie in one folder per scene, ``00003/0000012.tif`` beside their ``chips.json``, numbered
        through; ``scenes.json`` names the scenes.

    Returns
    -------
    tuple of str
        The files, in the order of the chips.

    Raises
    ------
    TileError
        If the bands have several types.
    WriteError
        If the folder cannot be written.
    """
    for grid in patches.grids:
        _require_one_kind(grid)
    target = Path(folder)
    if isinstance(patches, PatchGrid):
        return _write_scene(patches, target, 0)
    paths: list[str] = []
    scenes: list[dict[str, Any]] = []
    for number, grid in enumerate(patches.grids):
        name, first = f"{number:05d}", patches.first(number)
        paths.extend(_write_scene(grid, target / name, first))
        tile_id = grid.source.spec.attrs.get("tile_id")
        scenes.append({"folder": name, "tile_id": tile_id, "first": first, "chips": len(grid)})
    _write_json(target / SCENES, {"epoch": patches.epoch, "scenes": scenes})
    return tuple(paths)


def _write_scene(grid: PatchGrid, target: Path, first: int) -> tuple[str, ...]:
    from geotoolz.io import write_tile

    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{target} cannot be made: {error}") from error
    paths = [write_tile(patch.tile, target / f"{first + patch.index:07d}.tif")[0] for patch in grid]
    spec = grid.source.spec
    box = spec.require_geobox("write_chips") if spec.window_geobox is None else spec.window_geobox
    chips = [{"file": Path(p).name, "window": list(patch.chip.extent), "origin": patch.chip.origin}
             for p, patch in zip(paths, grid, strict=True)]  # fmt: skip
    index = {
        "shape": list(spec.shape),
        "transform": list(box.affine)[:6],
        "crs": None if box.crs is None else box.crs.to_wkt(),
        "sampler": grid.sampler.config(),
        "epoch": grid.epoch,
        "dropped": grid.dropped,
        "chips": chips,
    }
    _write_json(target / INDEX, index)
    return tuple(paths)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_text(json.dumps(content, indent=1), "utf-8")
    temporary.replace(path)


def _require_one_kind(grid: PatchGrid) -> None:
    """Raise for bands that do not go into one file, in words of chips and not of files."""
    variables = grid.source.spec.variables
    if len({(variables[n].dtype, repr(variables[n].nodata)) for n in grid.bands}) < 2:
        return
    listed = ", ".join(f"{n} ({variables[n].dtype}, no-data {variables[n].nodata})" for n in grid.bands)
    raise TileError(
        f"a chip would hold {listed}",
        expected="bands of one type and one no-data value: a chip is one file",
        fix="PatchGrid(…, bands=…), or --bands, and another folder for the others",
    )
