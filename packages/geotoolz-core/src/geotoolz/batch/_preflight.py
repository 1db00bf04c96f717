"""What can be refused before the first tile: where outputs go, and whether they get in each other's way."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ._plan import PlannedTile
from ._sinks import DEFAULT_TEMPLATE, output_folder, path_fields, relative_template, render, split

if TYPE_CHECKING:
    from geotoolz.core import Operator, Sink

__all__ = ["bind_output", "refuse_collisions"]


def bind_output(
    op: Operator | str | os.PathLike[str] | None, out: str | os.PathLike[str] | None
) -> tuple[Operator, Path]:
    """Load the pipeline and settle the output folder; the sink's path is relative to it afterwards.

    Raises
    ------
    BatchError
        If there is no folder to write to, or it is not local.
    """
    from geotoolz.core import Operator, load
    from geotoolz.core._errors import BatchError, ParameterError

    if isinstance(op, (str, os.PathLike)):
        op = load(op)
    if not isinstance(op, Operator):
        raise ParameterError(
            f"a pipeline of type {type(op).__name__}", expected="an Operator or the path of a YAML file"
        )
    body, sink = split(op)
    folder = Path(out) if out is not None else output_folder(sink)
    if folder is None:
        raise BatchError(
            "neither out=… nor a sink with a path",
            expected="a place for the outputs",
            fix="give out='folder', or end the pipeline with WriteCOG('folder/{item_id}_{band}.tif')",
        )
    if "://" in os.fspath(out if out is not None else getattr(sink, "path", "")):
        raise BatchError(
            f"the output {os.fspath(folder)!r}",
            expected="a local folder",
            fix="write locally, then copy; object stores are not supported yet",
        )
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - no links are followed: the user's name for the folder stays
    if sink is None:
        return op, folder
    absolute = sink if out is not None else _absolute(sink)
    return _join(body, _with_path(sink, relative_template(absolute, folder))), folder


def _absolute(sink: Sink) -> Sink:
    return _with_path(sink, os.path.abspath(os.fspath(getattr(sink, "path"))))  # noqa: B009, PTH100 - a template


def _with_path(sink: Sink, path: str) -> Sink:
    values = {f.name: getattr(sink, f.name) for f in dataclasses.fields(sink)}
    again: Sink = type(sink)(**{**values, "path": path})
    return again


def _join(body: Operator, sink: Sink) -> Operator:
    from geotoolz.core import Sequential

    steps = body.operators if isinstance(body, Sequential) else (body,)
    return Sequential((*steps, sink))


def refuse_collisions(op: Operator, out: Path, tiles: Iterable[PlannedTile]) -> None:
    """Refuse two tiles with one output path, and a path that is taken by a file of somebody else.

    A path that depends on what only the opened tile knows is checked when it is written.

    Raises
    ------
    BatchError
    """
    from geotoolz.core._errors import BatchError

    _, sink = split(op)
    template = DEFAULT_TEMPLATE if sink is None else relative_template(sink, out)
    fields = path_fields(template)
    one_file = "band" not in fields
    seen: dict[str, str] = {}
    for tile in tiles:
        if tile.task is None:
            continue
        path = render(template, fields, tile.tile_id, dict(tile.task.facts))
        if path is None:
            continue
        if path in seen:
            raise BatchError(
                f"the tiles {seen[path]!r} and {tile.tile_id!r} would both be written to {path!r}",
                expected="one path per tile",
                fix="put {item_id} into the sink's path, and give tiles ids that differ in more than signs",
            )
        seen[path] = tile.tile_id
        if one_file and path not in dict(tile.task.owned) and _foreign(out, path, tile):
            raise BatchError(
                f"{os.fspath(out / path)!r} exists and was not written for {tile.tile_id!r}",
                expected="a free path, or an earlier output of the same tile",
                fix="move the file away, or choose another folder with out=…",
            )


def _foreign(out: Path, path: str, tile: PlannedTile) -> bool:
    from ._commit import own_files
    from ._layout import Layout

    return os.path.lexists(out / path) and path not in own_files(Layout(out), tile.tile_id)
