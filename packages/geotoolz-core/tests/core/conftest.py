"""Small tiles whose every pixel is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import tile_from_arrays

Make = Callable[..., xr.Dataset]


def grid(shape: tuple[int, int] = (6, 7), *, x0: float = 500_000.0, res: float = 10.0) -> GeoBox:
    return GeoBox(shape, Affine(res, 0, x0, 0, -res, 5_100_000.0), "EPSG:32633")


@pytest.fixture
def make() -> Make:
    """Return a function that makes a Sentinel-2-like reflectance tile of float32 bands."""

    def tile(
        shape: tuple[int, int] = (6, 7),
        *,
        bands: tuple[str, ...] = ("red", "nir"),
        times: int = 0,
        dtype: str = "f4",
        attrs: Mapping[str, Any] | None = None,
        seed: int = 0,
        scl: bool = False,
        x0: float = 500_000.0,
    ) -> xr.Dataset:
        rng = np.random.default_rng(seed)
        full = (times, *shape) if times else shape
        kind = np.dtype(dtype).kind
        arrays: dict[str, Any] = {
            b: (rng.random(full) * (0.9 if kind == "f" else 9000) + 0.05).astype(dtype) for b in bands
        }
        if scl:
            arrays["scl"] = rng.integers(0, 12, full).astype("u1")
        var_attrs: dict[str, dict[str, Any]] = {
            b: {"units": "1", "quantity": "surface_reflectance" if kind == "f" else "dn"} for b in bands
        }
        if scl:
            var_attrs["scl"] = {"quantity": "flags"}
        own = {"tile_id": "t1", "platform": "sentinel-2a", "processing_level": "L2A", **(attrs or {})}
        nodata = dict.fromkeys(bands, np.nan if kind == "f" else 0)
        return tile_from_arrays(arrays, grid(shape, x0=x0), attrs=own, var_attrs=var_attrs, nodata=nodata)

    return tile
