"""Checks against NumPy and pyproj: the verdicts of another implementation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import POSTPROCESSED, PREPROCESSED, QCError, TileSpec, run_detailed, tile_from_arrays
from geotoolz.core.testing import Reference, ReferenceSuite, contract_tile
from geotoolz.qc import (
    AssertCRSEquals,
    AssertGridAligned,
    AssertResolutionWithin,
    AssertSchema,
    AssertValidFraction,
    AssertValueRange,
)


def passes(op: Any, ds: xr.Dataset) -> bool:
    try:
        op(ds)
    except QCError:
        return False
    return True


def grid(transform: Affine, crs: str, shape: tuple[int, int] = (3, 4)) -> xr.Dataset:
    return tile_from_arrays({"red": np.ones(shape, "f4")}, GeoBox(shape, transform, crs))


def crs() -> float:
    from pyproj import CRS

    codes = [32633, 32630, 4326, 3857, 28355, 2263]
    wrong = 0
    for a in codes:
        ds = grid(Affine(1, 0, 0, 0, -1, 0), CRS(a).to_wkt())
        for b in codes:
            wrong += passes(AssertCRSEquals(CRS(b).to_wkt("WKT1_GDAL")), ds) != (CRS(a) == CRS(b))
    return wrong


def resolution() -> float:
    """Meridian and parallel arcs from the ellipsoid's radii of curvature (WGS84)."""
    a, f = 6378137.0, 1 / 298.257223563
    e2, step, worst = f * (2 - f), 1e-4, 0.0
    for latitude in (0.0, 30.0, 60.0, 85.0):
        ds = grid(Affine(step, 0, 10, 0, -step, latitude + step), "EPSG:4326", (2, 2))
        w = math.sqrt(1 - e2 * math.sin(math.radians(latitude)) ** 2)
        across = math.radians(step) * a * (1 - e2) / w**3
        along = math.radians(step) * a / w * math.cos(math.radians(latitude))
        for low, high, good in ((0.999, 1.001, True), (1.0005, 2, False), (0.5, 0.9995, False)):
            limits = (low * min(along, across), high * max(along, across))
            worst += passes(AssertResolutionWithin(limits), ds) != good
    return worst


def aligned() -> float:
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        step, shift = rng.choice([10.0, 30.0, 60.0]), rng.choice([0.0, 5.0, 15.0])
        x, y = (rng.integers(-1000, 1000, 2) * 5.0).tolist()
        ds = grid(Affine(step, 0, x, 0, -step, y), "EPSG:32633")
        edges = [x + step * np.arange(5), y - step * np.arange(4)]
        expected = all(((edge - shift) % step == 0).all() for edge in edges)
        wrong += passes(AssertGridAligned((shift, shift)), ds) != expected
    return wrong


def schema() -> float:
    ds, wrong = contract_tile((3, 3)), 0
    for names, good in ((("red", "B08"), True), (("red", "B10"), False)):
        wrong += passes(AssertSchema(names), ds) != good
    for stage in (PREPROCESSED, POSTPROCESSED):
        problems = stage.problems(TileSpec.of(ds))
        wrong += passes(AssertSchema(schema=stage.name), ds) == bool(problems)  # type: ignore[arg-type]
    return wrong


def statistic(op: Any, ds: xr.Dataset) -> Any:
    return run_detailed(op, ds).statistics[""]


def fraction() -> float:
    ds = contract_tile()
    found = statistic(AssertValidFraction(0.0), ds)
    return max(abs(share - float(np.isfinite(ds[name]).mean())) for name, share in found.items())


def value_range() -> float:
    ds, worst = contract_tile(), 0.0
    for name, count in statistic(AssertValueRange(0.2, 0.7, max_outside=1.0), ds).items():
        values = ds[name].values[np.isfinite(ds[name].values)].astype("f8")
        outside = int(((values < 0.2) | (values > 0.7)).sum())
        worst = max(
            worst, abs(count.outside - outside), abs(count.low - values.min()), abs(count.high - values.max())
        )
    return worst


class TestQCReferences(ReferenceSuite):
    module = "geotoolz.qc"
    references = (
        Reference(AssertCRSEquals, "pyproj.CRS, 36 pairs", crs, 0.0, "verdicts that differ",
                  bad_input="test_plan_checks.py::test_what_names_no_crs_is_refused"),
        Reference(AssertResolutionWithin, "radii of curvature of WGS84, ± 0.05 %", resolution, 0.0,
                  "verdicts that differ",
                  bad_input="test_plan_checks.py::test_limits_that_are_none_are_refused"),
        Reference(AssertGridAligned, "every edge modulo the resolution in numpy, 200 grids", aligned, 0.0,
                  "verdicts that differ",
                  bad_input="test_plan_checks.py::test_lattices_that_are_none_are_refused"),
        Reference(AssertSchema, "the stages' TileSchema.problems", schema, 0.0, "verdicts that differ",
                  bad_input="test_assertions.py::test_schema"),
        Reference(AssertValidFraction, "numpy.isfinite(…).mean()", fraction, 0.0, "1",
                  bad_input="test_assertions.py::test_shares_are_shares"),
        Reference(AssertValueRange, "numpy comparisons, min and max", value_range, 0.0, "pixels that differ",
                  bad_input="test_assertions.py::test_shares_are_shares"),
    )  # fmt: skip
