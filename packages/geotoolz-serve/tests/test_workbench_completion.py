"""What the editor offers."""

from __future__ import annotations

import json

from geotoolz.core import registered_operators
from geotoolz.serve._completion import completions


def of(name: str) -> dict[str, object]:
    return next(one for one in completions() if one["name"] == name)


def test_only_what_the_sandbox_allows_is_offered() -> None:
    paths = {one["path"] for one in completions()}
    refused = {
        path
        for path, cls in registered_operators(announced_only=True).items()
        if cls.tags & {"loads_code", "reads_files", "writes_files"}
    }
    assert "geotoolz.io.WriteCOG" in refused
    assert paths == set(registered_operators(announced_only=True)) - refused


def test_parameters_come_with_type_default_and_meaning() -> None:
    ndvi = of("NDVI")
    assert ndvi["path"] == "geotoolz.indices.NDVI"
    assert ndvi["summary"] == "Normalised difference vegetation index: `(nir − red) / (nir + red)`."
    assert ndvi["parameters"] == [
        {"name": "red", "type": "text", "required": False, "default": "red", "choices": [],
         "description": "Roles of the bands."},
        {"name": "nir", "type": "text", "required": False, "default": "nir", "choices": [],
         "description": "Roles of the bands."},
        {"name": "name", "type": "text", "required": False, "default": "ndvi", "choices": [],
         "description": "Name of the new variable."},
    ]  # fmt: skip


def test_choices_required_and_nested_operators_are_told() -> None:
    colormap = {one["name"]: one for one in of("Colormap")["parameters"]}  # type: ignore[attr-defined]
    assert colormap["band"]["required"]
    assert colormap["scope"]["choices"] == ["tile", "catalog"]
    assert colormap["rgba"]["choices"] == [True, False]
    assert colormap["vmin"]["type"] == "number"
    (steps,) = of("Sequential")["parameters"]  # type: ignore[misc]
    assert steps["type"] == "list of operator"


def test_all_of_it_is_strict_json() -> None:
    json.dumps(completions(), allow_nan=False)
