"""A stranger's pipeline on a view gives the same pixels as on the whole scene, cut."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.core import ALL, Extent, Footprint, Operator, Plan, Sequential, TileSpec, freeze
from geotoolz.core.testing import simulate_scene
from geotoolz.grid import Crop, Reproject, Resample
from geotoolz.indices import NDVI
from geotoolz.io import open_tile
from geotoolz.radiometry import BoxMean, MinMax
from geotoolz.serve._errors import Problem
from geotoolz.serve._sandbox_source import Part
from geotoolz.serve._sandbox_view import View, part_of_spec, view_on
from geotoolz.serve._statistics_api import _window

SMOOTHED = Sequential((NDVI(), BoxMean(7, bands=("ndvi",))))
TILE = simulate_scene((120, 140), bands=("red", "nir"), raw=False)
TILE.red[20:35, 30:60] = np.nan
SPEC = TileSpec.of(TILE)


def seen(op: Operator, bounds: Any, names: tuple[str, ...] = ("ndvi",), margin: int = 0) -> Any:
    """Return view, pixels that are read, and what the sandbox makes of them."""
    window = _window(SPEC.geobox, bounds).clipped(SPEC.shape)
    view = view_on(op, SPEC, names, window, bounds, margin)
    read = view.needed(10**6)
    part = TILE[list(view.program.inputs)].isel(y=slice(read.y0, read.y1), x=slice(read.x0, read.x1))
    tile, found = view.run(part, read)
    return view, read, tile, found


def bounds_of(extent: Extent) -> tuple[float, float, float, float]:
    """Return the area that pixels of the scene cover, a little less on each side."""
    from pyproj import Transformer

    box = part_of_spec(SPEC, extent).geobox
    to_degrees = Transformer.from_crs(str(box.crs), "EPSG:4326", always_xy=True)
    left, bottom, right, top = box.extent.boundingbox.bbox
    west, south = to_degrees.transform(left + 3, bottom + 3)
    east, north = to_degrees.transform(right - 3, top - 3)
    return west, south, east, north


@pytest.mark.parametrize(
    "op",
    [
        SMOOTHED,
        Sequential((BoxMean(3, bands=("red", "nir")), NDVI(), BoxMean(2, bands=("ndvi",)))),
        Sequential((NDVI(), Resample(resolution=20.0), BoxMean(3, bands=("ndvi",)))),
        Sequential((NDVI(), Reproject("EPSG:3857", 14.0))),
        NDVI(),
    ],
    ids=["smoothed", "twice", "coarser", "reprojected", "pixel by pixel"],
)
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 100), st.integers(0, 120), st.integers(4, 60), st.integers(4, 60))
def test_a_view_is_a_crop_of_the_whole(op: Operator, top: int, left: int, height: int, width: int) -> None:
    bounds = bounds_of(Extent(top, min(top + height, 120), left, min(left + width, 140)))
    view, _, tile, _ = seen(op, bounds)
    whole = op(TILE)
    y0, y1, x0, x1 = view.window(TileSpec.of(whole))
    expected = whole.ndvi.isel(y=slice(y0, y1), x=slice(x0, x1))
    assert tile.ndvi.size > 0
    np.testing.assert_array_equal(tile.ndvi, expected)
    np.testing.assert_allclose(tile.x, expected.x, rtol=0, atol=1e-6)
    assert tile.ndvi.attrs == expected.attrs


def test_no_more_is_read_than_the_pipeline_looks_at() -> None:
    _, read, tile, _ = seen(SMOOTHED, bounds_of(Extent(40, 60, 50, 80)))
    rows, columns = tile.ndvi.shape
    assert read.shape == (rows + 14, columns + 14)
    _, at_the_corner, tile, _ = seen(SMOOTHED, bounds_of(Extent(0, 20, 0, 30)))
    assert at_the_corner.y0 == at_the_corner.x0 == 0
    _, alone, tile, _ = seen(NDVI(), bounds_of(Extent(40, 60, 50, 80)))
    assert alone.shape == tile.ndvi.shape


def test_statistics_are_those_of_the_view_and_its_edge_is_not() -> None:
    """Limits come from the view; what is smoothed beyond its edge comes from the scene."""
    op = Sequential((NDVI(), MinMax(bands=("ndvi",)), BoxMean(5, bands=("ndvi",))))
    bounds = bounds_of(Extent(30, 80, 40, 100))
    view, _, tile, _ = seen(op, bounds)
    y0, y1, x0, x1 = view.window(SPEC)
    frozen = freeze(op, TILE.isel(y=slice(y0, y1), x=slice(x0, x1)))
    expected = frozen(TILE).ndvi.isel(y=slice(y0, y1), x=slice(x0, x1))
    np.testing.assert_array_equal(tile.ndvi, expected)


def test_a_step_that_counts_counts_the_view_and_nothing_beside_it() -> None:
    from geotoolz.qc import AssertValidFraction

    op = Sequential((NDVI(), AssertValidFraction(0.0, bands=("ndvi",)), BoxMean(5, bands=("ndvi",))))
    view, _, _, found = seen(op, bounds_of(Extent(10, 50, 20, 70)))
    y0, y1, x0, x1 = view.window(SPEC)
    expected = float(np.isfinite(NDVI()(TILE).ndvi[y0:y1, x0:x1]).mean())
    assert expected < 1
    assert found == {"operators[1]": {"ndvi": expected}}


def test_a_step_that_looks_along_whole_rows_sees_the_view(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = BoxMean.plan

    def along_rows(self: BoxMean, tile: TileSpec) -> Plan:
        found = plan(self, tile)
        calls = tuple(replace(call, footprint=Footprint(y=0, x=ALL)) for call in found.calls)
        return replace(found, footprint=Footprint(y=0, x=ALL), calls=calls)

    monkeypatch.setattr(BoxMean, "plan", along_rows)
    op = Sequential((NDVI(), BoxMean(4, bands=("ndvi",))))
    extent = Extent(40, 70, 50, 90)
    _, read, tile, _ = seen(op, bounds_of(extent))
    y0, y1, x0, x1 = _window(SPEC.geobox, bounds_of(extent))
    assert read == (y0, y1, x0, x1)
    np.testing.assert_array_equal(tile.ndvi, op(TILE.isel(y=slice(y0, y1), x=slice(x0, x1))).ndvi)


def test_a_view_that_a_pipeline_leaves_empty_is_told() -> None:
    op = Sequential((NDVI(), Crop(bounds_of(Extent(0, 10, 0, 10)))))
    with pytest.raises(Problem, match="leaves nothing") as told:
        seen(op, bounds_of(Extent(60, 80, 60, 80)))
    assert told.value.status == 404


def test_a_neighbourhood_beyond_all_measure_is_refused_before_a_pixel_is_read() -> None:
    view = View(SMOOTHED, SPEC, ("ndvi",), bounds_of(Extent(40, 60, 50, 80)))
    with pytest.raises(Problem, match="34 × 44 pixels") as told:
        view.needed(300)
    assert told.value.status == 413


def test_over_http_with_a_margin_for_the_picture(guarded: Any) -> None:
    text = (
        "_target_: geotoolz.core.Sequential\noperators:\n- _target_: geotoolz.indices.NDVI\n"
        "- _target_: geotoolz.radiometry.BoxMean\n  radius: 9\n  bands: [ndvi]\n"
    )
    layer = guarded.state.registry.layers["ndvi"]
    west, south, east, north = layer.bounds
    wide, high = (east - west) / 4, (north - south) / 4
    bbox = [west + wide, south + high, east - wide, north - high]
    body = {"yaml": text, "layer": "ndvi", "bbox": bbox, "format": "npz"}
    answer = guarded.client.post("/sandbox/run", json={**body, "size": 2048})
    assert answer.status_code == 200, answer.text
    with np.load(io.BytesIO(answer.content)) as held:
        found = held["ndvi"]
    whole = Sequential((NDVI(), BoxMean(9, bands=("ndvi",))))(open_tile(layer.settings.source)).ndvi
    y0, y1, x0, x1 = _window(layer.scene.spec.geobox, tuple(bbox))
    np.testing.assert_array_equal(found, whole[y0:y1, x0:x1])


def test_what_a_child_asks_for_is_looked_at_again():
    """It has seen a stranger's pipeline, so the server trusts neither its window nor its size."""
    part = Part(None, 0, SPEC, Extent(0, 10, 0, 10))
    assert part.allowed((-5, 10**9, 7, 50), 10**6) == Extent(0, 120, 7, 50)
    with pytest.raises(Problem, match=r"120 × 43") as found:
        part.allowed((0, 120, 7, 50), 1000)
    assert found.value.status == 413
