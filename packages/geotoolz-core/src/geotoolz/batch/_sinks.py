"""The end of a pipeline as the driver sees it: where a sink writes, and how it writes elsewhere first."""

from __future__ import annotations

import dataclasses
import os
import posixpath
import re
import string
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.io._object_path import ObjectPath, Place, is_object, place

if TYPE_CHECKING:
    from geotoolz.core import Operator, Sink

__all__ = [
    "DEFAULT_TEMPLATE",
    "default_sink",
    "output_folder",
    "path_fields",
    "relative_template",
    "render",
    "split",
    "staged_sink",
    "wanted_by",
]

DEFAULT_TEMPLATE = "{item_id}_{band}.tif"
_UNSAFE = re.compile(r"[^\w.+-]")
#: fields of a path whose fact has another name
_FACT_OF = {"date": "datetime", "level": "processing_level"}
#: too much trouble for a check before the run; the check at the commit sees them
_PARTS_OF_TIME = frozenset({"datetime", "year", "month", "day"})


def split(op: Operator) -> tuple[Operator, Sink | None]:
    """Return a pipeline without its sink, and the sink.

    Parameters
    ----------
    op : Operator

    Returns
    -------
    body : Operator
    sink : Sink or None
    """
    from geotoolz.core import Sequential, Sink

    if isinstance(op, Sink):
        return Sequential(()), op
    if isinstance(op, Sequential) and len(op.operators):
        last = op.operators[-1]
        if isinstance(last, Sink):
            return Sequential(op.operators[:-1]), last
        if isinstance(last, Sequential):
            inner, sink = split(last)
            if sink is not None:
                return Sequential((*op.operators[:-1], inner)), sink
    return op, None


def default_sink() -> Sink:
    """Return the sink of a pipeline that has none: one COG per variable."""
    from geotoolz.io import WriteCOG

    sink: Sink = WriteCOG(DEFAULT_TEMPLATE)
    return sink


def wanted_by(sink: Sink, created: tuple[str, ...], present: tuple[str, ...]) -> tuple[str, ...]:
    """Return the variables that a sink will write: its `bands`, else what the pipeline created."""
    bands = getattr(sink, "bands", None)
    if bands is None:
        return created or present
    names = (bands,) if isinstance(bands, str) else tuple(bands)
    unknown = [name for name in names if name not in present]
    if unknown:
        from geotoolz.core._errors import MissingVariableError

        raise MissingVariableError(
            f"{type(sink).__name__} writes {', '.join(unknown)}",
            expected=f"some of {', '.join(present)}",
            fix="correct `bands` of the sink",
        )
    return names


def output_folder(sink: Sink | None) -> Place | None:
    """Return the fixed part of a sink's path, for runs without ``out=``."""
    template = getattr(sink, "path", None)
    if not isinstance(template, (str, os.PathLike)):
        return None
    head = os.fspath(template).split("{", 1)[0]
    if is_object(head):
        return place(head.rpartition("/")[0])
    folder = head if head.endswith(("/", os.sep)) else os.path.dirname(head)  # noqa: PTH120 - keeps the text
    return Path(folder or ".")


def relative_template(sink: Sink, out: Place) -> str:
    """Return a sink's path below the output folder or address.

    Raises
    ------
    BatchError
        If it lies elsewhere.
    """
    template = os.fspath(getattr(sink, "path"))  # noqa: B009 - not every sink has one; the caller knows
    if isinstance(out, ObjectPath):
        return _relative_name(template, out)
    base = os.path.abspath(out)  # noqa: PTH100 - no links are followed
    full = os.path.normpath(os.path.join(base, template))  # noqa: PTH118
    if is_object(template) or full == base or not full.startswith(base.rstrip(os.sep) + os.sep):
        raise _elsewhere(template, out)
    return os.path.relpath(full, base)


def _relative_name(template: str, out: ObjectPath) -> str:
    start = f"{out}/"
    below = template[len(start) :] if template.startswith(start) else template
    name = posixpath.normpath(below)
    if is_object(below) or name.startswith(("/", "..")) or name == ".":
        raise _elsewhere(template, out)
    return name


def _elsewhere(template: str, out: Place) -> Exception:
    from geotoolz.core._errors import BatchError

    return BatchError(
        f"the sink writes to {template!r}",
        expected=f"a path below the output folder {str(out)!r}",
        fix="make the path relative to out=…, or leave out=… away",
    )


def staged_sink(sink: Sink, out: Path, staged: Path) -> Sink:
    """Return the sink, writing the same tree below `staged`."""
    if not isinstance(getattr(sink, "path", None), (str, os.PathLike)):
        from geotoolz.core._errors import BatchError

        raise BatchError(
            f"{type(sink).__name__} has no `path`",
            expected="a sink whose `path` is a template of file names",
            fix="give the class a field `path: str`; a batch run writes elsewhere first, then commits",
        )
    folder = os.fspath(staged).replace("{", "{{").replace("}", "}}")  # no field of the template
    moved = os.path.join(folder, relative_template(sink, out))  # noqa: PTH118 - the template is text
    values = {f.name: getattr(sink, f.name) for f in dataclasses.fields(sink)}
    again: Sink = type(sink)(**{**values, "path": moved})
    return again


def path_fields(template: str) -> frozenset[str]:
    """Return the names in a template.

    Examples
    --------
    >>> sorted(path_fields("{tile_id}/{date}_{band}.tif"))
    ['band', 'date', 'tile_id']
    """
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)


def render(template: str, fields: frozenset[str], tile_id: str, facts: Mapping[str, Any]) -> str | None:
    """Fill in what is known of a tile before it is opened; None where that is not enough to know its path.

    ``{band}`` stays. Characters that no file name should have become ``_``, as in `geotoolz.io.WriteCOG`.

    Examples
    --------
    >>> render("{item_id}_{band}.tif", frozenset({"item_id", "band"}), "a/b", {})
    'a_b_{band}.tif'
    """
    values = {"band": "{band}"}
    for name in fields - {"band"}:
        found = tile_id if name in ("item_id", "tile_id") else facts.get(_FACT_OF.get(name, name))
        if not isinstance(found, str) or name in _PARTS_OF_TIME:
            return None
        values[name] = _UNSAFE.sub("_", found[:10] if name == "date" else found)
    return template.format_map(values)
