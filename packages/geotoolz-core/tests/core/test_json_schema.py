"""The JSON Schema takes what `load` takes, and refuses misspellings as `load` does."""

from __future__ import annotations

import functools
from typing import Any

import jsonschema
import pytest

from geotoolz.core import (
    Branch,
    Graph,
    Input,
    Merge,
    Operator,
    Raise,
    Sequential,
    Switch,
    json_schema,
    registered_operators,
)
from geotoolz.core._yaml import parse
from geotoolz.radiometry import BoxMean, DNToReflectance, MinMax, PercentileClip, SelectBands, ToFloat32

SCENE = Input("scene")
GOOD = [
    Sequential([]),
    Sequential([SelectBands(["red"]), Sequential([BoxMean(2)])]),
    Branch({"a": BoxMean(1), "b": MinMax()}, prefix=True),
    Switch("platform", {"a": ToFloat32()}, Raise("no")),
    Switch("platform", {"a": ToFloat32(("red",))}),
    Graph({"scene": SCENE}, outputs={"a": Merge(True)(SCENE, BoxMean(2)(SCENE))}),
    PercentileClip(limits={"red": (0.0, 1.0)}),
    MinMax(limits={"red": (0, 1)}, clip=True),
    DNToReflectance(1e-4, -0.1),
    BoxMean(),
]
BAD = [
    "_target_: geotoolz.radiometry.BoxMeen",
    "radius: 2",
    "_target_: geotoolz.radiometry.BoxMean\nraduis: 2",
    "_target_: geotoolz.radiometry.BoxMean\nradius: two",
    "_target_: geotoolz.radiometry.SelectBands",
    "_target_: geotoolz.radiometry.PercentileClip\nscope: scene",
    "_target_: geotoolz.radiometry.MinMax\nclip: 1",
    "_target_: geotoolz.core.Sequential\noperators: [{_target_: geotoolz.radiometry.BoxMean, raduis: 1}]",
    "_target_: geotoolz.core.Branch\nbranches: {a: {_target_: geotoolz.radiometry.BoxMean, raduis: 1}}",
    "_target_: geotoolz.core.Sequential\noperators: [1]",
    "_target_: geotoolz.core.Tap\nfn: print",
    "[]",
]


@functools.cache
def validator() -> Any:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("op", GOOD, ids=lambda op: repr(op)[:40])
@pytest.mark.parametrize("defaults", [False, True])
def test_what_is_dumped_is_valid(op: Operator, defaults: bool) -> None:
    validator().validate(op.config(defaults=defaults))


def test_every_registered_operator_that_has_only_defaults() -> None:
    seen = 0
    for path, cls in registered_operators(announced_only=True).items():
        try:
            op = cls()
        except (TypeError, ValueError):
            continue  # it has parameters of its own to give
        validator().validate(op.config())
        jsonschema.validate(op.config(), json_schema(cls))
        assert path == op.config()["_target_"]
        seen += 1
    assert seen >= 5


@pytest.mark.parametrize("text", BAD)
def test_mistakes_are_seen(text: str) -> None:
    assert not validator().is_valid(parse(text).value)


def test_variables_may_stand_anywhere() -> None:
    validator().validate(parse("_target_: geotoolz.radiometry.BoxMean\nradius: ${r:3}").value)
    assert not validator().is_valid(parse("_target_: geotoolz.radiometry.BoxMean\nradius: $r").value)


def test_one_operator() -> None:
    schema = json_schema(BoxMean)
    assert schema["$ref"] == "#/$defs/geotoolz.radiometry.BoxMean"
    jsonschema.validate(BoxMean(1).config(), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(MinMax().config(), schema)
    described = schema["$defs"]["geotoolz.radiometry.BoxMean"]
    assert described["description"] == "Mean of the valid pixels in a square around each pixel."
