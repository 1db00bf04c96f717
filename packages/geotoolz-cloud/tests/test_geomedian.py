"""Geometric median and medoid: by hand, by brute force, and as what they are defined to be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import tile_from_arrays
from geotoolz.core.testing import contract_tile
from geotoolz.temporal import Composite

NAN = np.nan


def stack(**bands: Any) -> xr.Dataset:
    """A stack of one row, or of what is given; bands as (time, x) or (time, y, x)."""
    arrays = {}
    for name, values in bands.items():
        values = np.asarray(values)
        arrays[name] = ("time", "y", "x"), values if values.ndim == 3 else values[:, None, :]
    box = GeoBox(next(iter(arrays.values()))[1].shape[1:], Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    return tile_from_arrays(arrays, box)


def f4(values: Any) -> Any:
    return np.array(values, np.float32)


def brute_medoid(spectra: Any) -> int:
    """Date of the least sum of distances; −1 without one."""
    usable = [i for i, s in enumerate(spectra) if np.isfinite(s).all()]
    sums = [sum(math.dist(spectra[i], spectra[k]) for k in usable) for i in usable]
    return usable[int(np.argmin(sums))] if usable else -1


def test_medoid_by_hand_and_by_brute_force() -> None:
    tile = stack(a=f4([[0], [1], [9], [NAN]]), b=f4([[0], [1], [9], [1]]))
    out = Composite("medoid", date="chosen")(tile)
    assert (out.chosen.item(), out.a.item(), out["count"].item()) == (1, 1.0, 3)
    rng = np.random.default_rng(3)
    bands = {name: f4(rng.random((9, 6, 40))) for name in "abcd"}
    for band in bands.values():
        band[rng.random(band.shape) < 0.15] = NAN
    out = Composite("medoid", date="chosen")(stack(**bands))
    spectra = np.stack(list(bands.values()), axis=1).astype("f8")
    expected = [[brute_medoid(spectra[:, :, y, x]) for x in range(40)] for y in range(6)]
    assert out.chosen.values.tolist() == expected


def geometric_median(points: Any) -> Any:
    """Weiszfeld's iteration in float64 until nothing moves, or the best observation."""
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 3:
        return points.mean(axis=0) if len(points) else np.full(points.shape[1], NAN)
    centre = points.mean(axis=0)
    for _ in range(50_000):
        away = np.linalg.norm(points - centre, axis=1)
        if not away.all():
            break
        new = (points / away[:, None]).sum(axis=0) / (1 / away).sum()
        moved, centre = np.abs(new - centre).max(), new
        if moved < 1e-15:
            break
    return min([centre, *points], key=lambda p: np.linalg.norm(points - p, axis=1).sum())


def test_geomedian_by_hand() -> None:
    def of(*points: tuple[float, float]) -> list[float]:
        tile = stack(a=np.array([[p[0]] for p in points]), b=np.array([[p[1]] for p in points]))
        out = Composite("geomedian", tolerance=1e-9)(tile)
        return [out.a.item(), out.b.item()]

    # equilateral: the centre; an angle of 120 degrees or more: its corner; a square: its centre
    assert of((0, 0), (1, 0), (0.5, 3**0.5 / 2)) == pytest.approx([0.5, 3**0.5 / 6], abs=1e-9)
    assert of((0, 0), (2, 0), (1, 0.1)) == [1, 0.1]
    assert of((0, 0), (1, 0), (1, 1), (0, 1)) == pytest.approx([0.5, 0.5])
    # the Fermat point of a right isosceles triangle
    x = (1 - 1 / 3**0.5) / 2
    assert of((0, 0), (1, 0), (0, 1)) == pytest.approx([x, x], abs=1e-9)
    assert of((3, 4)) == [3, 4]
    assert of((0, 0), (2, 4)) == [1, 2]
    assert of((5, 5), (5, 5), (0, 0)) == [5, 5]
    assert of((1, 1), (1, 1), (1, 1)) == [1, 1]
    assert of((0, 0), (1, 1), (5, 5)) == [1, 1]  # on a line: the median


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), dates=st.integers(1, 14), bands=st.integers(2, 7))
def test_geomedian_has_the_least_sum_of_distances(seed: int, dates: int, bands: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0.2, 0.05, (bands, dates, 1, 12)) + (rng.random((1, dates, 1, 12)) < 0.2) * 0.5
    values[:, rng.random((dates, 1, 12)) < 0.2] = NAN
    tile = stack(**{f"b{i}": values[i] for i in range(bands)})
    out = Composite("geomedian", tolerance=1e-9)(tile)
    found = np.stack([out[f"b{i}"].values[0] for i in range(bands)], axis=1)
    for x in range(12):
        points = values[:, :, 0, x].T
        expected = geometric_median(points)
        usable = points[np.isfinite(points).all(axis=1)]
        if not len(usable):
            assert np.isnan(found[x]).all()
            continue
        sums = [np.linalg.norm(usable - p, axis=1).sum() for p in (found[x], expected)]
        assert sums[0] <= sums[1] * (1 + 1e-9)


def test_a_step_that_leads_beyond_a_kink_is_shortened() -> None:
    # four corners: the median is where the diagonals cross, and Newton's whole step leads past a corner
    corners = np.array([[0.20171, 0.22639], [0.73402, 0.68748], [0.60398, 0.69110], [0.22723, 0.26509]])
    out = Composite("geomedian", tolerance=1e-9)(stack(a=corners[:, :1], b=corners[:, 1:]))
    found = np.array([out.a.item(), out.b.item()])
    sums = [np.linalg.norm(corners - p, axis=1).sum() for p in (found, geometric_median(corners))]
    assert sums[0] <= sums[1] * (1 + 1e-12)


def test_pixels_beside_it_do_not_matter() -> None:
    tile = contract_tile((9, 61), times=9)
    op = Composite("geomedian", ("blue", "red", "nir"))
    whole = op(tile)
    for x in (0, 5, 15, 16, 40):
        part = op(tile.isel(x=slice(x, x + 3)))
        np.testing.assert_array_equal(part.red.values, whole.red.values[:, x : x + 3])
