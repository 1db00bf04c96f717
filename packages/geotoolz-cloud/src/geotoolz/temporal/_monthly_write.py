"""Images of periods as files, with STAC items and their collection beside them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Extent, GeotoolzError, ParameterError, Sink, TileSpec, tile_from_arrays
from geotoolz.core._grid import grid_label
from geotoolz.core._provenance import made_by
from geotoolz.temporal._monthly_make import Making, Pixels

if TYPE_CHECKING:
    from geotoolz.batch._commit import OutputFile
    from geotoolz.temporal._monthly_plan import Recipe


def sink_of(out: str | os.PathLike[str] | Sink, recipe: Recipe) -> Any:
    """Return the sink that `out` means.

    Raises
    ------
    ParameterError
        If it is a sink of another kind.
    """
    from geotoolz.io import WriteCOG, WriteZarr

    if isinstance(out, WriteCOG | WriteZarr):
        return out.replace(bands=out.bands or recipe.outputs)
    if isinstance(out, Sink):
        raise ParameterError(f"out is {type(out).__name__}", expected="WriteCOG, WriteZarr, or a path")
    path = os.fspath(out)
    if path.lower().endswith(".zarr"):
        return WriteZarr(path, recipe.outputs)
    if is_folder(out):
        path = os.fspath(Path(path) / "{tile_id}_{band}.tif")
    return WriteCOG(path, recipe.outputs)


def is_folder(out: Any) -> bool:
    """Tell whether `out` names a folder of files, and no file."""
    return isinstance(out, str | os.PathLike) and not os.fspath(out).lower().endswith(
        (".tif", ".tiff", ".zarr")
    )


def refuse_same_paths(makings: Sequence[Making], sink: Any) -> None:
    """Refuse two periods with one path."""
    from geotoolz.io._template import expand

    seen: dict[str, str] = {}
    for making in makings:
        path = expand(sink.path, making.tile.attrs, "band")
        if path in seen:
            raise ParameterError(
                f"{making.period.label} and {seen[path]} would both be written to {path}",
                expected="a path per period",
                fix="put {tile_id} into the path",
            )
        seen[path] = making.period.label


class Files:
    """Takes windows into files; each image appears complete or not at all.

    Parameters
    ----------
    sink : WriteCOG or WriteZarr
        Where and how.
    recipe : Recipe
        What is computed, for the items.
    folder : Path, optional
        Where ``items/`` and ``collection.json`` are written; None for none.
    threads : int
        That encode.
    """

    def __init__(self, sink: Any, recipe: Recipe, folder: Path | None, threads: int) -> None:
        self._sink, self._recipe, self._folder, self._threads = sink, recipe, folder, threads
        self._open: dict[int, tuple[Any, ExitStack]] = {}
        self._paths: dict[str, tuple[str, ...]] = {}

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *error: object) -> None:
        for _, stack in self._open.values():  # nothing of an unfinished image stays
            stack.close()

    def put(self, making: Making, extent: Extent, found: Pixels) -> None:
        """Write a window."""
        key = id(making)
        if key not in self._open:
            stack = ExitStack()
            self._open[key] = (stack.enter_context(_end(self._sink, making.tile, making.slots)), stack)
        end, _ = self._open[key]
        for name in end.names:
            end.put(making.slots[name], extent, found[name])

    def finish(self, making: Making) -> None:
        """Encode an image, move it into place, and describe it."""
        end, stack = self._open.pop(id(making))
        reader = making.reader
        told = made_by(self._recipe.pipeline, source=reader.recipe, files=reader.inputs)
        with stack, told:
            end.finish(self._threads)
            self._paths[making.period.label] = tuple(end.publish())
        if self._folder is not None:
            _write_item(self._folder, self._sink, self._recipe, making)

    def paths(self, makings: Sequence[Making]) -> tuple[str, ...]:
        """Return the files in the order of the periods; the collection is written first."""
        if self._folder is not None:
            from geotoolz.batch import write_collection

            write_collection(self._folder)
        return tuple(path for making in makings for path in self._paths[making.period.label])


def _end(sink: Any, tile: TileSpec, slots: Mapping[str, int]) -> Any:
    from geotoolz.io import WriteZarr
    from geotoolz.io._stream_cog import CogStream
    from geotoolz.io._stream_zarr import ZarrStream

    kind = ZarrStream if isinstance(sink, WriteZarr) else CogStream
    return kind(sink, tile, sink.bands, slots)


def _write_item(folder: Path, sink: Any, recipe: Recipe, making: Making) -> None:
    """Write the STAC item of one image; it names its files with their checksums."""
    from geotoolz.batch import Layout, fingerprint, task_key
    from geotoolz.batch._commit import typed, write_atomic
    from geotoolz.batch._item import build_item

    out = Path(os.path.abspath(folder))  # noqa: PTH100 - no links are followed
    layout = Layout(out)
    bands: dict[str, list[str]] = {}
    for name, path in sink.output_paths(making.tile, sink.bands).items():
        bands.setdefault(Path(os.path.relpath(path, folder)).as_posix(), []).append(name)
    stamps = fingerprint(making.reader.inputs)
    config_hash, pipeline = _identity(recipe)
    read = {"grid": grid_label(making.tile.geobox), "period": making.period.label, "min_obs": recipe.min_obs}
    with typed(layout.out):
        item = build_item(
            _without_pixels(making.tile),
            str(making.tile.attrs["tile_id"]),
            _sealed(out, bands),
            key=task_key(config_hash, stamps, read=read),
            config_hash=config_hash,
            stamps=stamps,
            facts={
                "period": making.period.label,
                "min_obs": recipe.min_obs,
                "dates": len(making.period.positions),
            },
            source="",
            bands=bands,
            pipeline=pipeline,
            files_read=making.reader.inputs,
            collection=layout.collection_id,
        )
        path = layout.item(str(making.tile.attrs["tile_id"]))
        write_atomic(path, (json.dumps(item, indent=1) + "\n").encode())


def _identity(recipe: Recipe) -> tuple[str, Any]:
    """Return the hash of mask and composite, and the two; a mask that has no configuration has neither."""
    try:
        return recipe.told.config_hash(), recipe.told
    except GeotoolzError:
        return "", None


def _without_pixels(tile: TileSpec) -> Any:
    """Return a Dataset of a tile's names, types and grid that takes no memory."""
    shape = tile.shape
    return tile_from_arrays(
        {name: np.broadcast_to(np.zeros((), spec.dtype), shape) for name, spec in tile.variables.items()},
        tile.require_geobox("an item"),
        attrs=tile.attrs,
        var_attrs={name: spec.attrs for name, spec in tile.variables.items()},
        nodata={name: spec.nodata for name, spec in tile.variables.items()},
    )


def _sealed(folder: Path, names: Mapping[str, Any]) -> tuple[OutputFile, ...]:
    """Return files below a folder, and what stands beside them, with bytes and SHA-256."""
    from geotoolz.batch._commit import OutputFile

    every = [one for name in names for one in (name, f"{name}.aux.xml", f"{Path(name).with_suffix('')}.qml")]
    found = []
    for name in sorted({Path(one).as_posix() for one in every}):
        path = folder / name
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                found.append(OutputFile(name, os.fstat(file.fileno()).st_size, digest))
    return tuple(found)
