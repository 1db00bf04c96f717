"""Whether a docstring says what a user needs."""

from __future__ import annotations

import dataclasses
import inspect
import re

from geotoolz.core._operator import Operator

_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\s*$", re.MULTILINE)


def docstring_problems(cls: type[Operator]) -> list[str]:
    """Return what is missing in the docstring of an operator.

    Expected are a summary that ends in a full stop, a section ``Parameters`` that describes every
    field, and ``Examples``.
    """
    text = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    if not text or text.startswith(f"{cls.__name__}("):  # what dataclasses write of their own
        return ["there is no docstring"]
    problems = []
    summary = text.split("\n\n")[0]
    if not summary.rstrip().endswith((".", ".``")):
        problems.append("the summary does not end in a full stop")
    sections = {match[1].strip(): match.end() for match in _SECTION.finditer(text)}
    if "Examples" not in sections:
        problems.append("there is no section Examples")
    fields = [f.name for f in dataclasses.fields(cls)]
    if fields and "Parameters" not in sections:
        problems.append("there is no section Parameters")
    elif fields:
        body = _body(text, sections, "Parameters")
        for name in fields:
            if not re.search(rf"^(?:\w+, )*{re.escape(name)}(?:, \w+)* :", body, re.MULTILINE):
                problems.append(f"the parameter {name!r} is not described")
    return problems


def _body(text: str, sections: dict[str, int], name: str) -> str:
    start = sections[name]
    following = _SECTION.search(text, start)
    return text[start : following.start() if following else len(text)]
