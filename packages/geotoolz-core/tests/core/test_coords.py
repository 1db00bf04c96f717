"""Operators along time and wavelength: what a plan says of coordinates, in every driver."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from odc.geo.geobox import GeoBox

from geotoolz.core import (
    Branch,
    Coord,
    Footprint,
    Graph,
    GridMismatchError,
    Input,
    Map,
    Merge,
    Plan,
    Sequential,
    TileError,
    TileSpec,
    VarSpec,
    geobox_of,
    run,
    tile_from_arrays,
)
from geotoolz.core.testing import assert_law
from geotoolz.grid import Resample

TIMES = np.array(["2023-06-01", "2023-06-11", "2023-06-26"], "datetime64[ns]")
SUN = np.array([60.0, 61.0, 62.0])


def _stack(times: np.ndarray[Any, Any] = TIMES, shape: tuple[int, int] = (12, 10)) -> xr.Dataset:
    rng = np.random.default_rng(1)
    box = GeoBox.from_bbox(
        (500000, 5000000, 500000 + 10 * shape[1], 5000000 + 10 * shape[0]), "EPSG:32633", shape=shape
    )
    values = rng.uniform(0, 1, (times.size, *shape)).astype("f4")
    coords = {"time": ("time", times), "sun_elevation": ("time", SUN[: times.size])}
    return tile_from_arrays({"red": values, "dem": values[0]}, box, coords=coords)


def _mean(values: Any) -> Any:
    return values.astype("f8").sum(axis=0).astype("f4") if values.shape[0] else values


class Flatten(Map):
    """Sum over time."""

    keep: bool = True

    kernel = staticmethod(_mean)

    def plan(self, tile: TileSpec) -> Plan:
        tile.coordinate("time", "Flatten")
        writes = {"red": VarSpec(("y", "x"))} if self.keep else {"total": VarSpec(("y", "x"))}
        return Plan(("red",), writes, footprint=Footprint(time="all"), coords={"time": None})


def _pairs(values: Any) -> Any:
    return values[1:] - values[:-1]


class Steps(Map):
    """Differences between following dates."""

    kernel = staticmethod(_pairs)

    def plan(self, tile: TileSpec) -> Plan:
        times = tile.coordinate("time", "Steps")
        days = np.diff(times) / np.timedelta64(1, "D")
        coords = {"time": times[1:], "days": Coord("time", days, {"units": "days"})}
        return Plan(
            ("red",), {"red": VarSpec(("time", "y", "x"))}, footprint=Footprint(time=1), coords=coords
        )


def test_a_dimension_goes_away_with_what_lies_along_it() -> None:
    out = Flatten()(_stack())
    assert out.red.dims == ("y", "x") and "time" not in out.sizes
    assert "sun_elevation" not in out.coords and "time" not in out.coords
    assert geobox_of(out) == geobox_of(_stack()) and list(out.data_vars) == ["red", "dem"]
    np.testing.assert_array_equal(out.dem, _stack().dem)


def test_a_dimension_gets_other_positions() -> None:
    out = Steps()(_stack())
    np.testing.assert_array_equal(out.time, TIMES[1:])
    np.testing.assert_array_equal(out.days, [10.0, 15.0])
    assert out.days.attrs == {"units": "days"} and "sun_elevation" not in out.coords
    np.testing.assert_array_equal(out.red, np.diff(_stack().red, axis=0))


def test_steps_follow_each_other() -> None:
    out = Sequential([Steps(), Flatten()])(_stack())
    np.testing.assert_allclose(out.red, _stack().red[2] - _stack().red[0], rtol=1e-5)


@pytest.mark.parametrize("op", [Flatten(), Steps(), Sequential([Steps(), Resample(30.0)])])
def test_the_law_holds(op: Any) -> None:
    assert_law(op, _stack())


def test_the_grid_and_the_dates_may_change_in_one_pipeline() -> None:
    out = Sequential([Steps(), Resample(20.0), Flatten()])(_stack().drop_vars("dem"))
    assert out.red.shape == (6, 5) and "time" not in out.coords


def test_a_lazy_stack_stays_lazy() -> None:
    pytest.importorskip("dask")
    lazy = Steps()(_stack().chunk(y=5, x=5))
    assert lazy.red.chunks is not None
    xr.testing.assert_identical(lazy.compute(), Steps()(_stack()))


def test_windows_give_the_same() -> None:
    xr.testing.assert_identical(run(Steps(), _stack(), window=(5, 3), threads=2), Steps()(_stack()))


def test_a_variable_left_behind_is_an_error() -> None:
    with pytest.raises(TileError, match=r"Flatten changes time and leaves red as it was"):
        Flatten(keep=False)(_stack())


def test_a_tile_without_the_dimension_or_its_values_is_an_error() -> None:
    with pytest.raises(TileError, match="works along 'time'"):
        Flatten()(_stack().isel(time=0, drop=True))
    with pytest.raises(TileError, match=r"assign_coords\(time"):
        Flatten()(_stack().drop_vars("time"))


def test_a_branch_may_lose_a_dimension_and_not_change_it() -> None:
    flat = Branch({"sum": Flatten()}, prefix=True)(_stack())
    assert flat.sum_red.dims == ("y", "x") and flat.red.dims == ("time", "y", "x")
    with pytest.raises(TileError, match="2 positions along 'time' and not 3"):
        Branch({"steps": Steps()}, prefix=True)(_stack())


def test_stacks_of_other_dates_do_not_merge() -> None:
    a, b = Input("a"), Input("b")
    graph = Graph({"a": a, "b": b}, outputs={"both": Merge(prefix=True)(a, b)})
    assert "a_red" in graph(a=_stack(), b=_stack())["both"]
    with pytest.raises(TileError, match="other values along 'time'"):
        graph(a=_stack(), b=_stack(TIMES + np.timedelta64(1, "D")))
    with pytest.raises(TileError, match="2 positions along 'time' and not 3"):
        graph(a=_stack(), b=_stack(TIMES[:2]))
    with pytest.raises(GridMismatchError):
        graph(a=_stack(), b=_stack(shape=(12, 9)))


def test_coordinates_are_read_once_asked() -> None:
    spec = TileSpec.of(_stack())
    assert spec.coordinate("time").dtype == "datetime64[ns]" and not spec.coordinate("time").flags.writeable
    np.testing.assert_array_equal(spec.coords["sun_elevation"].values, SUN)
    with pytest.raises(TileError, match="one value per position"):
        Coord("time", np.zeros((2, 2)))
