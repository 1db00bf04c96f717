# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What a user writes, as pyright sees it on installed wheels: `scripts/types_installed.sh`. Never run."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
import xarray as xr

import geotoolz as gz
from geotoolz.batch import BatchReport
from geotoolz.cloud import MaskClouds
from geotoolz.core import Map, Plan, Role, TileSpec, VarSpec, verb
from geotoolz.indices import NDVI, compute_ndvi
from geotoolz.io import WriteCOG

Array = np.ndarray[Any, Any]


class Ratio(Map):
    """An operator of one's own."""

    over: Role = "nir"
    under: Role = "red"
    name: str = "ratio"

    def plan(self, tile: TileSpec) -> Plan:
        """Read two bands, write their ratio."""
        over, under = tile.find(self.over, "Ratio"), tile.find(self.under, "Ratio")
        return Plan(reads=(over, under), writes={self.name: VarSpec(tile.variables[over].dims)})

    @staticmethod
    def kernel(over: Array, under: Array) -> Array:
        """Divide."""
        return (over / under).astype(np.float32)


compute_ratio = verb(Ratio, "compute_ratio")

tile = gz.open_tile("scene", bands=["red", "nir", "scl"])
assert_type(tile, xr.Dataset)
assert_type(Ratio(name="r").name, str)
assert_type(compute_ratio(tile, over="swir16"), xr.Dataset)
assert_type(compute_ndvi(tile, red="red", name="vegetation"), xr.Dataset)

pipeline = gz.Sequential([MaskClouds(), NDVI(), Ratio(), WriteCOG("{item_id}.tif")])
assert_type(pipeline(tile), xr.Dataset)
assert_type(gz.dump(pipeline), str)

report = gz.CatalogPipeline(gz.GeoCatalog.from_folder("scenes"), pipeline, "out", n_workers=2).run()
assert_type(report, BatchReport)
assert_type(report.counts, dict[str, int])

# what must be found: each of these lines is an error, and pyright says so where one is not
NDVI(nmae="ndvi")  # pyright: ignore[reportCallIssue]
gz.dump(7)  # pyright: ignore[reportArgumentType]
compute_ndvi("scene")  # pyright: ignore[reportArgumentType]
