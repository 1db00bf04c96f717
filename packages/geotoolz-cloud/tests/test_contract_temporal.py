"""Every temporal operator keeps the contract."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr

from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.temporal import (
    BurnSeverity,
    Composite,
    CountDates,
    Difference,
    LinearGapFill,
    MannKendall,
    RequireObservations,
    ResampleTime,
    TheilSenTrend,
)

SKIP = {"stack_equals_dates": "one date alone is no series"}
COUNTS = {**SKIP, "nodata_honoured": "the share of clear dates is made of counts, not of the bands"}


def stack(
    shape: tuple[int, int] = (37, 53), *, seed: int = 0, times: int = 7, raw: bool = False
) -> xr.Dataset:
    """An irregular series with clouds of its own on every date."""
    tile = contract_tile(shape, seed=seed, times=times, raw=raw)
    rng = np.random.default_rng([seed, 7])
    cloudy = rng.random((times, *shape)) < 0.3
    for name, band in tile.data_vars.items():
        if band.attrs["quantity"] in ("surface_reflectance", "dn"):
            band.values[cloudy] = band.attrs["_FillValue"]
            if name == "red":
                band.values[rng.random(cloudy.shape) < 0.1] = band.attrs["_FillValue"]
    days = np.cumsum(rng.integers(1, 30, times))
    return tile.assign_coords(time=np.datetime64("2024-01-01T10:00", "ns") + days * np.timedelta64(1, "D"))


def counted(shape: tuple[int, int] = (37, 53), *, seed: int = 0, times: int = 0) -> xr.Dataset:
    """A composite with the counts of dates that `RequireObservations` looks at."""
    tile, rng = contract_tile(shape, seed=seed), np.random.default_rng([seed, 11])
    seen = rng.integers(0, 6, shape)
    clear = np.minimum(rng.integers(0, 6, shape), seen)
    counts = {"seen_dates": seen, "clear_dates": clear, "observations": clear}
    about = {"units": "1", "quantity": "flags"}
    return tile.assign({n: (("y", "x"), v.astype(np.uint16), about) for n, v in counts.items()})


digital = partial(stack, raw=True)
one = partial(stack, times=1)


class TestTemporal(ContractSuite):
    module = "geotoolz.temporal"
    cases = (
        case(LinearGapFill(), stack, skip=SKIP),
        case(LinearGapFill(bands=("red", "nir"), max_gap=20.0), stack, skip=SKIP),
        case(LinearGapFill(), digital, skip=SKIP),
        case(LinearGapFill(), one, skip=SKIP),
        case(Composite(), stack, skip=SKIP),
        case(Composite("median", ("red", "nir"), count=None), digital, skip=SKIP),
        case(Composite("mean", count="observations"), stack, skip=SKIP),
        case(Composite("geomedian", ("blue", "red", "nir")), stack, skip=SKIP),
        case(Composite("geomedian", tolerance=1e-8), digital, skip=SKIP),
        case(Composite("medoid", ("blue", "red", "nir"), date="chosen"), stack, skip=SKIP),
        case(Composite("max_ndvi", date="chosen"), stack, skip=SKIP),
        case(Composite("max_ndvi", ("green",), count=None), digital, skip=SKIP),
        case(Composite("best_pixel", quality="nir", prefer="lowest"), stack, skip=SKIP),
        case(Composite("best_pixel", ("red", "nir"), target_date="2024-02-20"), digital, skip=SKIP),
        case(
            Composite(
                "best_pixel", target_date="2024-02-20", clear_distance=35.0, quality="blue", date="chosen"
            ),
            stack,
            skip=SKIP,
        ),
        case(Composite("median"), one, skip=SKIP),
        case(ResampleTime("monthly"), stack, skip=SKIP),
        case(ResampleTime("weekly", "mean", ("red", "nir"), count=None), digital, skip=SKIP),
        case(ResampleTime("10D", "max_ndvi", start="2024-01-01", end="2024-06-01"), digital, skip=SKIP),
        case(ResampleTime("3M", "geomedian", ("red", "nir")), stack, skip=SKIP),
        case(ResampleTime("2M", "medoid", ("red", "nir")), stack, skip=SKIP),
        case(Difference(), stack, skip=SKIP),
        case(Difference(1, -2, ("red", "nir"), relative=True), digital, skip=SKIP),
        case(Difference("2024-01-01", "2024-06-01", sign="before-after", max_days=99.0), stack, skip=SKIP),
        case(CountDates(), stack, skip=SKIP),
        case(CountDates("nir", "dates"), digital, skip=SKIP),
        case(RequireObservations(("red", "nir"), 3), counted, skip=COUNTS),
        case(RequireObservations(("red",)), counted, skip=COUNTS),
        case(TheilSenTrend(), digital, skip=SKIP),
        case(TheilSenTrend(("red", "nir"), 2, 0.9, "2020-01-01"), stack, skip=SKIP),
        case(MannKendall(min_obs=3), stack, skip=SKIP),
        case(MannKendall(("nir",), season="month"), digital, skip=SKIP),
        case(BurnSeverity(), stack, skip=SKIP),
        case(BurnSeverity(1, -2, "rdnbr", (0.1, 0.3), ("a", "b", "c"), name="classes"), digital, skip=SKIP),
        case(BurnSeverity(0, 3, "rbr", (0.1,), colors=("#000000", "#ff0000")), stack, skip=SKIP),
    )
