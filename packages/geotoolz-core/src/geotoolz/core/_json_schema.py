"""JSON Schema of pipelines, for editors."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from geotoolz.core import _registry
from geotoolz.core._config import REF_TARGET, TARGET
from geotoolz.core._operator import Operator, model_of

if TYPE_CHECKING:
    from pydantic.json_schema import GenerateJsonSchema

_PLACE = {"type": "string", "pattern": r"^\$\{.+\}$", "description": "a variable: ${name} or ${name:default}"}


def json_schema(cls: type[Operator] | None = None) -> dict[str, Any]:
    """Return the JSON Schema of a pipeline file, or of one operator.

    Parameters
    ----------
    cls : type of Operator, optional
        Only this operator; by default any registered one.

    Returns
    -------
    dict
        Draft 2020-12. ``yaml-language-server`` completes names and checks ranges with it.

    Examples
    --------
    >>> schema = json_schema()
    >>> schema["$ref"]
    '#/$defs/Operator'
    """
    operators = _registry.registered()
    defs: dict[str, Any] = {}
    for path, one in operators.items():
        defs[path] = _operator_schema(path, one, defs)
    defs["Operator"] = {"oneOf": [{"$ref": f"#/$defs/{path}"} for path in operators]}
    root = "Operator" if cls is None else cls.target()
    if cls is not None and not _mentions(defs[root], "#/$defs/Operator"):
        defs = {root: defs[root], **({"Ref": defs["Ref"]} if _mentions(defs[root], "#/$defs/Ref") else {})}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "geotoolz pipeline",
        "$ref": f"#/$defs/{root}",
        "$defs": defs,
    }


def _mentions(schema: Any, reference: str) -> bool:
    """Whether a schema refers to a definition."""
    if isinstance(schema, dict):
        return schema.get("$ref") == reference or any(_mentions(v, reference) for v in schema.values())
    return isinstance(schema, list) and any(_mentions(v, reference) for v in schema)


def _operator_schema(path: str, cls: type[Operator], defs: dict[str, Any]) -> dict[str, Any]:
    schema = model_of(cls).model_json_schema(
        ref_template="#/$defs/{model}", mode="validation", schema_generator=_generator()
    )
    for name, inner in schema.pop("$defs", {}).items():
        defs.setdefault(name, _ref_schema() if name == "Ref" else inner)
    schema = _with_operators(schema)
    properties = {
        name: {"anyOf": [_untitled(prop), _PLACE]} for name, prop in schema.get("properties", {}).items()
    }
    summary = (cls.__doc__ or "").strip().split("\n\n")[0]
    return {
        "type": "object",
        "description": " ".join(summary.split()),
        "properties": {TARGET: {"const": path}, **properties},
        "required": [TARGET, *schema.get("required", [])],
        "additionalProperties": False,
    }


@cache
def _generator() -> type[GenerateJsonSchema]:
    from pydantic.json_schema import GenerateJsonSchema

    class Generator(GenerateJsonSchema):
        def callable_schema(self, schema: Any) -> dict[str, Any]:
            """No text holds a function: nothing is valid."""
            return {"not": {}}

        def encode_default(self, dft: Any) -> Any:
            """Write an operator that is the default of a field as its config."""
            return dft.config() if isinstance(dft, Operator) else super().encode_default(dft)

    return Generator


def _with_operators(schema: Any) -> Any:
    """Return a schema with references where pydantic left the mark of an operator."""
    if isinstance(schema, dict):
        if "x-operator" in schema:
            return {"$ref": "#/$defs/Operator"}
        return {key: _with_operators(value) for key, value in schema.items()}
    return [_with_operators(value) for value in schema] if isinstance(schema, list) else schema


def _untitled(prop: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in prop.items() if key != "title"}


def _ref_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            TARGET: {"const": REF_TARGET},
            "uri": {"type": "string"},
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        },
        "required": [TARGET, "uri", "sha256"],
        "additionalProperties": False,
    }
