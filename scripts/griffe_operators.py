"""Give operators their signature in the docs.

Operators are frozen dataclasses without a decorator (their base class sees to it), which griffe cannot know:
it would show ``NDVI()`` and call every documented parameter unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import griffe

_BASE = "geotoolz.core._operator.Operator"


class OperatorSignatures(griffe.Extension):
    """Add ``__init__`` to every subclass of ``Operator``, from its annotated fields."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Treat every class of a package once it is loaded."""
        for cls in list(_classes(pkg, set())):
            if "__init__" in cls.members or not _is_operator(cls):
                continue
            fields: dict[str, griffe.Parameter] = {}
            for base in [*reversed(cls.mro()), cls]:
                fields.update((parameter.name, parameter) for parameter in _fields(base))
            init = griffe.Function(
                "__init__",
                parameters=griffe.Parameters(
                    griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword),
                    *fields.values(),
                ),
                lineno=0,
                endlineno=0,
            )
            cls.set_member("__init__", init)


def _classes(owner: Any, seen: set[str]) -> Iterator[griffe.Class]:
    for member in owner.members.values():
        if member.is_alias or member.path in seen:
            continue
        seen.add(member.path)
        if member.is_class:
            yield member
        if member.is_class or member.is_module:
            yield from _classes(member, seen)


def _is_operator(cls: griffe.Class) -> bool:
    try:
        return any(base.path == _BASE for base in cls.mro())
    except ValueError:  # griffe cannot order the bases
        return False


def _fields(cls: Any) -> Iterator[griffe.Parameter]:
    for member in cls.members.values():
        # griffe calls class variables and properties attributes too; only fields are the instance's own
        own = "instance-attribute" in member.labels and "property" not in member.labels
        if not member.is_attribute or member.annotation is None or not own:
            continue
        yield griffe.Parameter(
            member.name,
            annotation=member.annotation,
            kind=griffe.ParameterKind.positional_or_keyword,
            default=None if member.value is None else member.value,
        )
