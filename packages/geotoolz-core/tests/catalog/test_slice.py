from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.catalog import GeoSlice
from geotoolz.core import MissingCRSError, ParameterError

BOUNDS = (500000.0, 5099000.0, 501000.0, 5100000.0)
FULL = GeoSlice(
    BOUNDS,
    "EPSG:32633",
    10,
    time=("2023-08-01T00:00:00Z", "2023-08-02T12:00:00.5Z"),
    sources=("/data/a b.tif",),
    tile_id="a",
    bands=("red", "nir"),
    attrs={"platform": "sentinel-2a", "cloud_cover": 0.1, "n": 3, "ok": True},
    item={"type": "Feature", "assets": {"red": {"href": "x.tif"}}},
)


def test_round_trips_exactly_through_json() -> None:
    again = GeoSlice.from_dict(json.loads(json.dumps(FULL.to_dict())))
    assert again == FULL
    assert hash(again) == hash(FULL)
    assert again.key == FULL.key
    assert pickle.loads(pickle.dumps(FULL)) == FULL


@given(
    left=st.floats(-1e6, 1e6),
    top=st.floats(-1e6, 1e6),
    res=st.floats(1e-3, 1e3),
    shape=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
)
def test_a_grid_survives_bit_for_bit(left: float, top: float, res: float, shape: tuple[int, int]) -> None:
    box = GeoBox(shape, Affine(res, 0, left, 0, -res, top), "EPSG:32633")
    part = GeoSlice.from_geobox(box)
    assert part.geobox == box
    assert GeoSlice.from_dict(json.loads(json.dumps(part.to_dict()))).geobox == box


def test_key_is_the_same_in_every_process() -> None:
    part = GeoSlice(BOUNDS, "EPSG:32633", 10.0, tile_id="a")
    assert part.key == "sha256:3dbe8c5e3f599ef2a671d9343216b3f767c51a3a5e309c265ff63e3bd571b822"
    assert part.key != GeoSlice(BOUNDS, "EPSG:32633", 20.0, tile_id="a").key


def test_shape_and_resolution_follow_from_each_other() -> None:
    assert GeoSlice(BOUNDS, "EPSG:32633", 10).shape == (100, 100)
    assert GeoSlice(BOUNDS, "EPSG:32633", shape=(50, 100)).resolution == (10.0, 20.0)
    assert GeoSlice(BOUNDS, 32633, (10, 20)).crs == "EPSG:32633"


def test_time_is_utc() -> None:
    part = GeoSlice(BOUNDS, "EPSG:32633", 10, time="2023-08-01T02:00:00+02:00")
    assert part.time == datetime(2023, 8, 1, tzinfo=UTC)
    assert part.interval == (part.time, part.time)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"bounds": (1, 0, 0, 1)}, "left < right"),
        ({"bounds": (0, 0, float("nan"), 1)}, "finite"),
        ({"bounds": (0, 0, 1)}, "4 numbers"),
        ({"bounds": "0011"}, "4 numbers"),
        ({"crs": "EPSG:0"}, "EPSG:32633"),
        ({"resolution": None}, "one of the two"),
        ({"resolution": -10}, "positive"),
        ({"resolution": 7}, "whole numbers of pixels"),
        ({"shape": (3, 3)}, "shape"),
        ({"resolution": None, "shape": (0, 3)}, "at least one row"),
        ({"resolution": None, "shape": (2.5, 3)}, "whole numbers"),
        ({"time": "yesterday"}, "ISO 8601"),
        ({"time": ("2023-02-01", "2023-01-01")}, "ends before"),
        ({"sources": "a.tif"}, "tuple of strings"),
        ({"sources": ("",)}, "not empty"),
        ({"bands": ("red", "red")}, "each once"),
        ({"tile_id": 3}, "string"),
        ({"attrs": {"a": [1]}}, "strings, numbers"),
        ({"attrs": {"a": float("inf")}}, "finite"),
        ({"item": {"type": "Feature"}}, "STAC item"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object], word: str) -> None:
    good: dict[str, object] = {"bounds": BOUNDS, "crs": "EPSG:32633", "resolution": 10}
    with pytest.raises(ParameterError, match=word):
        GeoSlice(**{**good, **change})  # type: ignore[arg-type]


def test_unknown_and_missing_fields_are_named() -> None:
    with pytest.raises(ParameterError, match="did you mean 'bounds'"):
        GeoSlice.from_dict({"bound": [], "crs": "EPSG:4326"})
    with pytest.raises(ParameterError, match="no 'crs'"):
        GeoSlice.from_dict({"bounds": [0, 0, 1, 1]})


def test_odd_grids_are_refused() -> None:
    with pytest.raises(ParameterError, match="north-up"):
        GeoSlice.from_geobox(GeoBox((2, 2), Affine(10, 0, 0, 0, 10, 0), "EPSG:32633"))
    with pytest.raises(MissingCRSError):
        GeoSlice.from_geobox(GeoBox((2, 2), Affine(10, 0, 0, 0, -10, 0), None))
