"""The stages' tables to the letter; pictures; `check` before a pixel is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from geotoolz.core import (
    POSTPROCESSED,
    PREPROCESSED,
    SEGMENTED,
    Branch,
    Finding,
    Merge,
    Raise,
    Sequential,
    Switch,
    TileSchema,
    TileSpec,
    VarSchema,
    VarSpec,
    check,
    draw,
)
from geotoolz.core.testing import simulate_scene
from geotoolz.radiometry import BoxMean, DNToReflectance, MinMax, PercentileClip, SelectBands

Make = Callable[..., xr.Dataset]
NAN = math.nan
D, U = ("data_source", "long_name"), ("data_source", "long_name", "units")
# seeds/tile-architecture.txt, "Preprocessing Output"
TABLE = {
    "blue": ("uint16", 0, U),
    "green": ("uint16", 0, U),
    "red": ("uint16", 0, U),
    "nir": ("uint16", 0, U),
    "ndvi": ("uint16", 0, D),
    "relative_elevation": ("int16", 0, U),
    "slope": ("float32", NAN, D),
    "tc_brightness": ("uint8", None, D),
    "tc_greenness": ("uint8", None, D),
    "tc_wetness": ("uint8", None, D),
    "valid_data_mask": ("bool", None, D),
    "quality_data_mask": ("bool", None, D),
}
SEGMENTATION = {
    "probabilities": ("float32", NAN, ("long_name",)),
    "probabilities-model-*": ("float32", NAN, ("long_name",)),
}
POSTPROCESSING = {
    "probabilities_percent": ("uint8", 255, ("long_name", "units")),
    "binarized_segmentation": ("uint8", None, ("long_name",)),
}


@pytest.mark.parametrize(
    ("schema", "table"),
    [(PREPROCESSED, TABLE), (SEGMENTED, TABLE | SEGMENTATION), (POSTPROCESSED, TABLE | POSTPROCESSING)],
    ids=["preprocessed", "segmented", "postprocessed"],
)
def test_the_tables_are_those_of_the_source(schema: TileSchema, table: dict[str, Any]) -> None:
    got = {n: (v.dtype, v.nodata, tuple(sorted(v.attrs))) for n, v in schema.variables.items()}
    assert repr(got) == repr(table)  # NaN by its spelling, and the order too
    text = schema.to_markdown()
    assert all(f"`{name}`" in text for name in table)
    assert SEGMENTED.variables["probabilities-model-*"].required is False
    assert POSTPROCESSED.variables["probabilities_percent"].valid_range == (0, 100)


def spec(**changes: VarSpec | None) -> TileSpec:
    made: dict[str, VarSpec] = {
        n: VarSpec(dtype=np.dtype(d), nodata=f, attrs=dict.fromkeys(a, "x")) for n, (d, f, a) in TABLE.items()
    }
    made.update({k: v for k, v in changes.items() if v is not None})
    for name in [k for k, v in changes.items() if v is None]:
        del made[name]
    return TileSpec(made, {"y": 2, "x": 2})


def test_what_a_schema_finds() -> None:
    good = VarSpec(dtype=np.dtype("u2"), nodata=0, attrs=dict.fromkeys(U, "x"))
    assert PREPROCESSED.problems(spec(further=good)) == []
    assert PREPROCESSED.problems(spec(blue=None)) == ["blue is missing"]
    bad = VarSpec(("x", "y"), np.dtype("u1"), None, {"units": "1"})
    assert PREPROCESSED.problems(spec(red=bad)) == [
        "red has dtype uint8, expected uint16",
        "red has no-data None, expected 0",
        "red lacks the attribute(s) data_source, long_name",
        "red has dims ('x', 'y'), expected (…, y, x)",
    ]
    assert PREPROCESSED.problems(spec(slope=VarSpec(nodata=-1.0, attrs=dict.fromkeys(D, "x")))) == [
        "slope has no-data -1.0, expected nan"
    ]


def test_stars_stand_for_any_text() -> None:
    model = TileSchema("m", {"probabilities-model-*": VarSchema("float32", NAN, required=False)})
    assert model.problems(spec()) == []
    wrong = spec(**{"probabilities-model-unet": VarSpec(dtype=np.dtype("u1"), nodata=NAN)})
    assert any("probabilities-model-unet has dtype uint8" in p for p in model.problems(wrong))
    assert TileSchema("m", {"p-*": VarSchema("float32")}).problems(spec()) == ["p-* is missing"]


def test_draw() -> None:
    op = Sequential(
        [
            BoxMean(2),
            Branch({"a": MinMax(), "b": Sequential([PercentileClip(1.0)])}),
            Switch("platform", {"x": BoxMean()}, Raise("<no>")),
        ]
    )
    assert draw(op).splitlines() == [
        "Sequential",
        "├─ operators[0]  BoxMean(radius=2)",
        "├─ operators[1]  Branch",
        "│  ├─ branches[a]  MinMax",
        "│  └─ branches[b]  Sequential",
        "│     └─ operators[0]  PercentileClip(p_min=1.0)",
        "└─ operators[2]  Switch(key='platform')",
        "   ├─ cases[x]  BoxMean",
        "   └─ default  Raise(message='<no>')",
    ]
    page = op._repr_html_()
    assert "&lt;no&gt;" in page
    assert "<no>" not in page
    assert "<script" not in page
    assert page.count("<div") == page.count("</div>")


def test_a_good_pipeline_has_no_findings(make: Make) -> None:
    assert check(Sequential([BoxMean(1), SelectBands(["red"])]), make()) == ()
    assert check(BoxMean(1), [make(), TileSpec.of(make())]) == ()


def test_findings_say_where_what_and_for_which_tile(make: Make) -> None:
    op = Sequential([BoxMean(1), Branch({"a": SelectBands(["rad"])})])
    (finding,) = check(op, [make(), make()])
    assert (finding.level, finding.path, finding.operator, finding.tile) == (
        "error",
        "operators[1].branches[a]",
        "SelectBands",
        "t1",
    )
    assert str(finding).startswith("error: operators[1].branches[a] (SelectBands): SelectBands reads 'rad'")
    assert "did you mean 'red'" in finding.message
    assert str(finding).endswith("[tile t1]")


def test_unfrozen_warns_or_is_an_error_by_scope(make: Make) -> None:
    op = Sequential([PercentileClip(), MinMax(scope="catalog")])
    found = check(op, make())
    assert [(f.level, f.path) for f in found] == [("error", "operators[1]"), ("warning", "operators[0]")]
    assert "freeze" in found[1].message


def test_reflectance_is_not_made_twice(make: Make) -> None:
    (finding,) = check(Sequential([DNToReflectance()]), make())
    assert finding.level == "error"
    assert "leave DNToReflectance out" in finding.message


def test_each_tile_is_checked(make: Make) -> None:
    tiles = [make(attrs={"tile_id": t, "platform": p}) for t, p in (("a", "x"), ("b", "y"), ("c", "x"))]
    found = check(Switch("platform", {"x": BoxMean()}), tiles)
    assert [(f.tile, f.level) for f in found] == [("b", "error")]
    assert isinstance(found[0], Finding)


def test_no_pixel_is_read(make: Make) -> None:
    import dask.array as da

    ds = make()
    untouchable = da.from_array(ds.red.values).map_blocks(
        lambda a: pytest.fail("read"), dtype="f4", meta=np.empty((0, 0), "f4")
    )
    assert check(BoxMean(1), ds.assign(red=(("y", "x"), untouchable))) == ()


def test_a_join_is_checked_on_tiles_by_name() -> None:
    tiles = {"a": simulate_scene((8, 8), bands=("red",)), "b": simulate_scene((9, 8), bands=("nir",))}
    (finding,) = check(Merge(), tiles)
    assert finding.level == "error" and "lies on another grid" in finding.message
    assert check(Merge(), {"a": tiles["a"], "b": tiles["a"][["red"]].rename(red="nir")}) == ()
