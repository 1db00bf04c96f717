"""ReadLabel keeps the contract."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
from shapely.geometry import box

from geotoolz.catalog import ReadLabel
from geotoolz.core import geobox_of
from geotoolz.core.testing import ContractSuite, case, contract_tile


def with_labels(folder: Path) -> ReadLabel:
    grid = geobox_of(contract_tile((40, 50)))
    left, bottom, right, top = grid.boundingbox.bbox
    middle = (left + right) / 2
    shapes = [box(left, bottom, middle, top), box(middle, bottom, right, (bottom + top) / 2)]
    path = folder / "labels.parquet"
    gpd.GeoDataFrame({"crop": ["maize", "wheat"]}, geometry=shapes, crs=str(grid.crs)).to_parquet(path)
    return ReadLabel(str(path), "crop")


class TestContract(ContractSuite):
    module = "geotoolz.catalog"
    cases = (case(with_labels, cls=ReadLabel),)
