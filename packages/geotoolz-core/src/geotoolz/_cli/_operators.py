"""``geotoolz operators``: what there is to build pipelines from."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli._options import JsonOption

if TYPE_CHECKING:
    from geotoolz.core import Operator


def operators(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="An operator: NDVI, or geotoolz.indices.NDVI.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the operators of the installed packages, or explain one.

    Example: geotoolz operators NDVI
    """
    from geotoolz._cli._console import say, say_json, table
    from geotoolz.core import json_schema, registered_operators

    if name is None:
        known = {path: _summary(cls) for path, cls in registered_operators(announced_only=True).items()}
        if as_json:
            say_json(known)
        else:
            table(("operator", "what it does"), known.items())
        return
    cls = find(name)
    if as_json:
        say_json(json_schema(cls)["$defs"][cls.target()])
        return
    say(f"{cls.target()}({', '.join(_signature(cls))})")
    say()
    say(_docstring(cls))


def find(name: str) -> type[Operator]:
    """Return an operator by its path or by its bare name.

    Raises
    ------
    UnknownOperatorError
        With the names that have it inside, or the nearest.
    """
    from geotoolz.core import find_operator, registered_operators
    from geotoolz.core._errors import UnknownOperatorError, nearest

    if "." in name:
        return find_operator(name)
    known = registered_operators(announced_only=True)
    same = [cls for path, cls in known.items() if path.rpartition(".")[2].lower() == name.lower()]
    if same:
        return same[0]
    short = [path.rpartition(".")[2] for path in known]
    inside = sorted(one for one in short if name.lower() in one.lower())
    hint = f" ({', '.join(inside[:5])} {'have' if inside[1:] else 'has'} it in the name)" if inside else ""
    raise UnknownOperatorError(
        f"operator {name!r} is not known{hint or nearest(name, short)}",
        fix="`geotoolz operators` lists them",
    )


def _summary(cls: type[Operator]) -> str:
    paragraph = (cls.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(paragraph.split())


def _signature(cls: type[Operator]) -> list[str]:
    shown = []
    for field in dataclasses.fields(cls):
        default: Any = field.default
        factory: Any = field.default_factory
        if default is dataclasses.MISSING and factory is not dataclasses.MISSING:
            default = factory()
        shown.append(field.name if default is dataclasses.MISSING else f"{field.name}={default!r}")
    return shown


def _docstring(cls: type[Operator]) -> str:
    import inspect

    return inspect.cleandoc(cls.__doc__ or "")
