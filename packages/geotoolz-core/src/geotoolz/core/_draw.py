"""Pictures of a pipeline for the terminal and the notebook."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterator

from geotoolz.core._operator import Operator, is_default


def draw(op: Operator) -> str:
    """Return a pipeline as a tree of text.

    Parameters
    ----------
    op : Operator
        The pipeline.

    Returns
    -------
    str

    Examples
    --------
    >>> from geotoolz.core import Raise, Sequential, Switch, draw
    >>> print(draw(Sequential([Switch("platform", {"a": Sequential([])}, Raise("no"))])))
    Sequential
    └─ operators[0]  Switch(key='platform')
       ├─ cases[a]  Sequential
       └─ default  Raise(message='no')
    """
    return "\n".join([label(op), *_branches(op, "")])


def _branches(op: Operator, indent: str) -> Iterator[str]:
    children = list(op.children())
    for index, (step, child) in enumerate(children):
        last = index == len(children) - 1
        yield f"{indent}{'└─' if last else '├─'} {step}  {label(child)}"
        yield from _branches(child, indent + ("   " if last else "│  "))


def label(op: Operator) -> str:
    """Return an operator's name with the parameters that are not operators and not defaults."""
    inner = {path.partition("[")[0] for path, _ in op.children()}
    shown = [
        f"{f.name}={getattr(op, f.name)!r}"
        for f in dataclasses.fields(op)
        if f.name not in inner and not is_default(op, f)
    ]
    return f"{type(op).__name__}({', '.join(shown)})" if shown else type(op).__name__


def draw_html(op: Operator) -> str:
    """Return a pipeline as nested boxes of HTML; no scripts, styles inline."""
    inner = "".join(
        f"<div style='margin:4px 0 4px 14px'><small style='color:#777'>{html.escape(step)}</small>"
        f"{draw_html(child)}</div>"
        for step, child in op.children()
    )
    return (
        "<div style='border:1px solid #9ab;border-radius:6px;padding:4px 8px;display:inline-block;"
        f"font-family:monospace;background:#f7fafc;color:#123'>{html.escape(label(op))}{inner}</div>"
    )
