"""The operators of geotoolz.vector keep the contract."""

from __future__ import annotations

from pathlib import Path

import geopandas
from shapely.geometry import Polygon, box

from geotoolz.core import Ref
from geotoolz.core.testing import ContractSuite, case
from geotoolz.vector import ClipToArea, MaskArea

UTM = {"type": "name", "properties": {"name": "EPSG:32633"}}
FILL = {"scl": 0, "qa60": 0, "qa_pixel": 1, "foreign": -32768, "foreign_flag": 255}
# contract_tile covers 499980 … 500510, 5099630 … 5100000
TRIANGLE = {
    **Polygon([(499981.0, 5099999.0), (500398.0, 5099801.0), (500113.0, 5099655.0)]).__geo_interface__,
    "crs": UTM,
}
HOLED = Polygon(
    box(499900, 5099500, 500400, 5099997).exterior, [box(500100, 5099700, 500207, 5099900).exterior.coords]
)


def of_a_file(folder: Path) -> MaskArea:
    path = folder / "fields.gpkg"
    frame = geopandas.GeoDataFrame(geometry=[HOLED, box(500450, 5099900, 500500, 5099990)], crs="EPSG:32633")
    frame.to_crs(4326).to_file(path, layer="fields")
    return MaskArea(Ref.of(path), layer="fields", all_touched=True, fill=FILL)


class TestContract(ContractSuite):
    module = "geotoolz.vector"
    cases = (
        case(MaskArea(TRIANGLE, fill=FILL)),
        case(MaskArea(TRIANGLE, invert=True, all_touched=True, fill=FILL)),
        case(of_a_file, cls=MaskArea),
        case(ClipToArea({**HOLED.__geo_interface__, "crs": UTM}, fill=FILL)),
        case(ClipToArea(TRIANGLE, all_touched=True, fill=FILL)),
    )
