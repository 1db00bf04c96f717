"""What an editor offers while somebody types a pipeline: operators, their parameters, values."""

from __future__ import annotations

import inspect
import math
import re
from functools import cache
from typing import Any

from geotoolz.core import Operator, json_schema, registered_operators
from geotoolz.core._config import TARGET
from geotoolz.core._load import UNTRUSTED_TAGS

_SECTION = re.compile(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-+\n|\Z)", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^(\w[\w, ]*?) *(?::[^\n]*)?\n((?:^[ \t]+[^\n]*\n?|^\n)+)", re.MULTILINE)


@cache
def completions() -> tuple[dict[str, Any], ...]:
    """Return every operator that the sandbox allows, with what its parameters may be.

    Returns
    -------
    tuple of dict
        ``path``, ``name``, ``summary`` and ``parameters``: each with ``name``, ``type`` in words,
        ``required``, ``default``, ``choices`` (where only some values are possible) and ``description``.

    Examples
    --------
    >>> raising = next(one for one in completions() if one["name"] == "Raise")
    >>> raising["path"], [one["name"] for one in raising["parameters"]][:1]
    ('geotoolz.core.Raise', ['message'])
    """
    schemas = json_schema()["$defs"]
    known = registered_operators(announced_only=True)
    allowed = {path: cls for path, cls in known.items() if not cls.tags & UNTRUSTED_TAGS}
    return tuple(_entry(path, cls, schemas[path]) for path, cls in allowed.items())


def _entry(path: str, cls: type[Operator], schema: dict[str, Any]) -> dict[str, Any]:
    told = _descriptions(inspect.cleandoc(cls.__doc__ or ""))
    required = set(schema["required"])
    parameters = [
        _parameter(name, prop["anyOf"][0], name in required, told.get(name, ""))
        for name, prop in schema["properties"].items()
        if name != TARGET
    ]
    return {
        "path": path,
        "name": path.rpartition(".")[2],
        "summary": schema["description"].replace("``", "`"),
        "parameters": parameters,
    }


def _parameter(name: str, schema: dict[str, Any], required: bool, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": _in_words(schema),
        "required": required,
        "default": _json(schema.get("default")),
        "choices": _choices(schema),
        "description": description,
    }


def _json(value: Any) -> Any:
    """Return a value as JSON can hold it: NaN and infinity become texts, as YAML writes them."""
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, list):
        return [_json(item) for item in value]
    return {key: _json(item) for key, item in value.items()} if isinstance(value, dict) else value


def _in_words(schema: dict[str, Any]) -> str:
    """Return a schema's type as people say it."""
    if "$ref" in schema:
        return "operator"
    if "enum" in schema:
        return "choice"
    if "anyOf" in schema:
        words = [_in_words(one) for one in schema["anyOf"]]
        return " or ".join(dict.fromkeys(word for word in words if word != "null"))
    kind = str(schema.get("type", "value"))
    if kind == "array":
        items = schema.get("items")
        return f"list of {_in_words(items)}" if isinstance(items, dict) and items else "list"
    return {"object": "mapping", "string": "text", "boolean": "true or false"}.get(kind, kind)


def _choices(schema: dict[str, Any]) -> list[Any]:
    """Return the only values that are possible, or nothing."""
    if "enum" in schema:
        return list(schema["enum"])
    if "const" in schema:
        return [schema["const"]]
    if schema.get("type") == "boolean":
        return [True, False]
    found: list[Any] = []
    for one in schema.get("anyOf", ()):
        found += _choices(one)
    return found


def _descriptions(docstring: str) -> dict[str, str]:
    """Return what a NumPy docstring says about each parameter."""
    section = _SECTION.search(docstring)
    told = {}
    for names, text in _FIELD.findall(section[1] + "\n") if section else ():
        words = " ".join(text.split()).replace("``", "`")
        told.update({name.strip(): words for name in names.split(",")})
    return told
