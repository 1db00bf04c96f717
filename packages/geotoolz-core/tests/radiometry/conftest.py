"""One band whose every pixel is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import tile_from_arrays


@pytest.fixture
def one() -> Callable[..., xr.Dataset]:
    """Return a function that makes a tile of one band, or of several by name."""

    def tile(
        values: Any, nodata: Any = None, attrs: Any = None, band: str = "red", **tile_attrs: Any
    ) -> xr.Dataset:
        array = np.atleast_2d(np.asarray(values))
        box = GeoBox(array.shape[-2:], Affine(10, 0, 500_000, 0, -10, 5_100_000), "EPSG:32633")
        return tile_from_arrays(
            {band: array}, box, attrs=tile_attrs, var_attrs={band: attrs or {}}, nodata={band: nodata}
        )

    return tile
