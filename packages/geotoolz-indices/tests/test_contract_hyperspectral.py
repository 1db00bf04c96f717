"""Every hyperspectral operator keeps the contract."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import xarray as xr

from geotoolz.core import Operator, load, save
from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.core.testing._contract import Case
from geotoolz.hyperspectral import ACE, SAM, Background, Mag1c, MatchedFilter, SpectralResample, ToCube

WAVELENGTHS = np.array([460.0, 560.0, 660.0, 860.0, 1610.0, 2190.0])
TARGET = (0.1, 0.2, 0.7, 0.9, 0.5, 0.3)
GAS = np.column_stack([WAVELENGTHS, [-0.1, -0.2, -0.9, -0.3, -0.5, -0.1]])
MakeTile = Callable[..., xr.Dataset]


def cube_tile(
    shape: tuple[int, int] = (37, 53), *, seed: int = 0, times: int = 0, raw: bool = False
) -> xr.Dataset:
    """Return a tile with one cube of six bands, patches of no-data, and variables to leave alone."""
    base = contract_tile(shape, seed=seed, times=times, raw=raw)
    names = ("blue", "green", "red", "nir", "swir16", "swir22")
    cube = xr.concat([base[name] for name in names], "wavelength", combine_attrs="override")
    cube = cube.transpose(*(["time"] if times else []), "wavelength", "y", "x")
    kept = base.drop_vars([n for n in base.data_vars if n not in ("scl", "mask", "foreign", "foreign_flag")])
    cube.attrs.update(long_name="cube")
    made = kept.assign(cube=cube)
    return made.assign_coords(wavelength=("wavelength", WAVELENGTHS, {"units": "nm"}))


def background() -> np.ndarray:
    """Return frozen statistics that leave the fifth band out."""
    out = np.full((6, 8), np.nan)
    out[:, 0] = WAVELENGTHS
    used = np.array([0, 1, 2, 3, 5])
    mix = np.random.default_rng(1).normal(size=(5, 5)) * 0.1
    out[used, 1] = (0.1, 0.15, 0.2, 0.4, 0.3)
    out[np.ix_(used, used + 2)] = mix @ mix.T + 0.01 * np.eye(5)
    return out


SMALL = {"small_tiles": "a covariance needs more pixels than bands: tested in test_hyperspectral.py"}


def saved(op: Operator, tile: MakeTile = cube_tile, **skip: str) -> Case:
    """Return the case of an operator whose arrays stand in files, as a configuration has them."""
    made = case(lambda folder: load(save(op, folder / "saved")), tile, cls=type(op), skip=skip)
    return dataclasses.replace(made, label=repr(op)[:60])


class TestContract(ContractSuite):
    module = "geotoolz.hyperspectral"
    cases = (
        case(Background(), cube_tile),
        case(Background(ranges=((400.0, 900.0),), sample_cell=4), cube_tile),
        saved(MatchedFilter(TARGET), cube_tile, **SMALL),
        saved(MatchedFilter(TARGET, background=background()), cube_tile),
        saved(MatchedFilter(TARGET, shrinkage=0.1, sample_cell=2), cube_tile, **SMALL),
        saved(
            MatchedFilter(GAS, "cube", "score", ((400.0, 1000.0),), background=background()),
            functools.partial(cube_tile, raw=True),
        ),
        saved(ACE(TARGET), cube_tile, **SMALL),
        saved(ACE(TARGET, background=background()), cube_tile),
        saved(SAM(TARGET), cube_tile),
        saved(SAM(TARGET, ranges=((500.0, 1700.0),), units="degree"), cube_tile),
        saved(Mag1c(GAS, ranges=None, iterations=3, scale=1.0), cube_tile, **SMALL),
        saved(Mag1c(GAS, ranges=None, iterations=0, albedo=False, sparse=False), cube_tile, **SMALL),
        case(SpectralResample((500.0, 600.0, 700.0), (80.0, 90.0, 150.0)), cube_tile),
        case(SpectralResample((500.0, 610.0), method="linear", names=("blue", "red")), cube_tile),
        case(ToCube((490.0, 560.0, 665.0, 842.0, 865.0, 1610.0, 2190.0))),
        case(
            ToCube((560.0, 665.0), (36.0, 31.0), ("green", "red"), "pair"),
            functools.partial(contract_tile, raw=True),
        ),
        case(SpectralResample((500.0, 700.0, 1700.0), 300.0, least=0.5), cube_tile),
    )
