"""Several operators on one tile; one of several operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import xarray as xr

from geotoolz.core import (
    Branch,
    ParameterError,
    Raise,
    RaisedError,
    Sequential,
    Snapshot,
    Switch,
    TileError,
    run,
)
from geotoolz.radiometry import BoxMean, MinMax, SelectBands, ToFloat32

Make = Callable[..., xr.Dataset]


def test_every_branch_starts_from_the_same_tile(make: Make) -> None:
    ds = make()
    out = Branch({"far": BoxMean(2), "near": Sequential([BoxMean(1), MinMax()])}, prefix=True)(ds)
    assert list(out.data_vars) == ["red", "nir", "far_red", "far_nir", "near_red", "near_nir"]
    xr.testing.assert_identical(out[["red", "nir"]], ds)
    xr.testing.assert_equal(out.far_red.rename("red"), BoxMean(2)(ds).red)
    xr.testing.assert_equal(out.near_nir.rename("nir"), MinMax()(BoxMean(1)(ds)).nir)


@pytest.mark.parametrize("watched", [False, True])
def test_collisions(make: Make, watched: bool) -> None:
    observers = [Snapshot()] if watched else []
    inner = Branch({"x": BoxMean(1, ("red",))}, prefix=True)
    cases: list[tuple[Branch, str]] = [
        (Branch({"a": BoxMean(1, ("red",))}), r"branch 'a' writes 'red'.*prefix=True"),
        (Branch({"a": inner, "b": inner}), "branch 'b' writes 'x_red'"),
        (Branch({"a": inner, "a_x": BoxMean(2, ("red",))}, prefix=True), "branch 'a_x' writes 'a_x_red'"),
    ]
    for op, text in cases:
        with pytest.raises(TileError, match=text):
            run(op, make(), observers=observers)
    assert "x_red" in run(Branch({"a": inner}), make(), observers=observers)


def test_what_a_branch_drops_or_keeps_stays(make: Make) -> None:
    ds = make()
    for observers in ([], [Snapshot()]):
        out = run(Branch({"a": SelectBands(["red"]), "b": Sequential([])}), ds, observers=observers)
        xr.testing.assert_identical(out, ds)


def test_empty_prefix_names(make: Make) -> None:
    assert "_red" in Branch({"": BoxMean(1)}, prefix=True)(make())


def test_switch_by_attribute(make: Make) -> None:
    op = Switch("platform", {"sentinel-2a": SelectBands(["red"]), "landsat-8": SelectBands(["nir"])})
    assert list(op(make())) == ["red"]
    assert list(op(make(attrs={"platform": "landsat-8"}))) == ["nir"]
    numbers = Switch("orbit", {"7": SelectBands(["red"])})
    assert list(numbers(make(attrs={"orbit": 7}))) == ["red"]


def test_switch_unknown_or_absent(make: Make) -> None:
    op = Switch("platform", {"sentinel-2a": ToFloat32(), "landsat-8": ToFloat32()})
    with pytest.raises(TileError) as info:
        op(make(attrs={"platform": "sentinel-2b"}))
    for part in ("platform is 'sentinel-2b'", "did you mean 'sentinel-2a'", "landsat-8", "default"):
        assert part in str(info.value)
    with pytest.raises(TileError, match=r"no attribute 'orbit'.*tile\.attrs\['orbit'\]"):
        op.replace(key="orbit")(make())
    fallback = op.replace(default=SelectBands(["nir"]))
    assert list(fallback(make(attrs={"platform": "aqua"}))) == ["nir"]
    assert list(fallback.replace(key="orbit")(make())) == ["nir"]


def test_raise_explains(make: Make) -> None:
    op = Sequential(
        [Switch("platform", {"landsat-8": ToFloat32()}, Raise("{tile_id}: no rule for {platform}"))]
    )
    for observers in ([], [Snapshot()]):
        with pytest.raises(
            RaisedError, match=r"^operators\[0\]\.default \(Raise\): t1: no rule for sentinel-2a$"
        ):
            run(op, make(), observers=observers)
    with pytest.raises(RuntimeError):
        op(make())


def test_sinks_come_last() -> None:
    from geotoolz.core import Sink

    class Nowhere(Sink):
        pass

    with pytest.raises(ParameterError, match=r"operators\[0\] \(Nowhere\) writes files and is not the last"):
        Sequential([Nowhere(), ToFloat32()])


def test_a_pipeline_is_a_sequence() -> None:
    op = Sequential([ToFloat32(), BoxMean(1)])
    assert len(op) == 2
    assert list(op) == [op[0], op[-1]]
    nothing: Any = Sequential([])
    assert len(nothing) == 0
