"""What can be refused before the first tile: where outputs go, and whether they get in each other's way."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Container, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from geotoolz.io._object_path import ObjectPath, Place, place

from ._plan import PlannedTile
from ._sinks import DEFAULT_TEMPLATE, output_folder, path_fields, relative_template, render, split

if TYPE_CHECKING:
    from geotoolz.core import Operator, Sink

    from ._engine import Engine

__all__ = ["bind_output", "refuse_collisions", "refuse_overwritten", "refuse_unshared"]


def bind_output(
    op: Operator | str | os.PathLike[str] | None, out: str | os.PathLike[str] | ObjectPath | None
) -> tuple[Operator, Place]:
    """Load the pipeline and settle where outputs go; the sink's path is relative to that afterwards.

    Raises
    ------
    BatchError
        If there is nothing to write to.
    ParameterError
        If it is an address of an unknown kind, or the pipeline is none.
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
    folder = place(out) if out is not None else output_folder(sink)
    if folder is None:
        raise BatchError(
            "neither out=… nor a sink with a path",
            expected="a place for the outputs",
            fix="give out='folder', or end the pipeline with WriteCOG('folder/{item_id}_{band}.tif')",
        )
    if isinstance(folder, Path):  # no links are followed: the user's name for the folder stays
        folder = Path(os.path.abspath(folder))  # noqa: PTH100
    if sink is None:
        return op, folder
    absolute = sink if out is not None or isinstance(folder, ObjectPath) else _absolute(sink)
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


def refuse_collisions(op: Operator, out: Place, tiles: Iterable[PlannedTile], files: Container[str]) -> None:
    """Refuse two tiles with one output path, and a path that is taken by a file of somebody else.

    A path that depends on what only the opened tile knows is checked when it is written.

    Parameters
    ----------
    op : Operator
    out : Path or ObjectPath
    tiles : iterable of PlannedTile
    files : container of str
        The names of what stands below `out`.

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
        if one_file and path not in dict(tile.task.owned) and path in files and _foreign(out, path, tile):
            raise BatchError(
                f"{str(out / path)!r} exists and was not written for {tile.tile_id!r}",
                expected="a free path, or an earlier output of the same tile",
                fix="move the file away, or choose another folder with out=…",
            )


def refuse_unshared(out: Place, engine: str | Engine) -> None:
    """Refuse outputs in this process' memory for workers in other processes.

    Raises
    ------
    ParameterError
    """
    from geotoolz.core._errors import ParameterError

    name = engine if isinstance(engine, str) else engine.name
    if isinstance(out, ObjectPath) and out.store.scheme == "memory" and name != "inline":
        raise ParameterError(
            f"out={str(out)!r} with engine={name!r}: memory:// is seen by one process only",
            expected="engine='inline', or another address",
        )


def refuse_overwritten(op: Operator) -> None:
    """Refuse a pipeline whose models or tables have other content than it pins: every tile would fail.

    Raises
    ------
    ReadError
        Naming the file.
    """
    from geotoolz.core._errors import ReadError

    from ._configs import described
    from ._planner import overwritten

    told = overwritten(described(op))
    if told:
        raise ReadError(
            told,
            expected="the content that the pipeline was made with",
            fix="restore the file, or bind the new one with Ref.of(path) and save the pipeline again",
        )


def _foreign(out: Place, path: str, tile: PlannedTile) -> bool:
    from ._commit import own_files
    from ._layout import Layout

    return path not in own_files(Layout(out), tile.tile_id)
