"""Every operator of the core distribution keeps the contract."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import Branch, Graph, Input, Merge, Sequential, Switch
from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.grid import Crop, MatchGrid, Reproject, Resample
from geotoolz.io import WriteCOG, WriteZarr
from geotoolz.radiometry import (
    BoxMean,
    DNToReflectance,
    Extremes,
    MeanStd,
    MinMax,
    Moments,
    PercentileClip,
    Percentiles,
    SelectBands,
    Standardize,
    ToFloat32,
)


class TestCore(ContractSuite):
    module = "geotoolz.core"
    cases = (
        case(
            Sequential(
                [ToFloat32(), BoxMean(radius=2, bands=("red",)), BoxMean(radius=1, bands=("red", "nir"))]
            )
        ),
        case(
            Branch({"smooth": BoxMean(radius=1, bands=("red",)), "stretched": MinMax(("red",))}, prefix=True)
        ),
        case(Switch("platform", {"sentinel-2a": BoxMean(radius=1)}, ToFloat32())),
        case(Graph({"scene": (scene := Input("scene"))}, outputs={"smooth": BoxMean(radius=2)(scene)})),
        case(Merge()),
    )
    exempt: ClassVar = {
        "FromFunction": "runs whole tiles only; tests/core/test_function.py",
        "Raise": "always raises; tests/core/test_switch.py",
        "Tap": "holds a function and refuses configuration; tests/core/test_function.py",
    }


FILL = {"scl": 0, "qa60": 0, "qa_pixel": 1, "foreign": -32768, "foreign_flag": 255}
WEB = GeoBox((31, 17), Affine(14.5, 0, 1669792, 0, -14.5, 5788929), "EPSG:3857")


class TestGrid(ContractSuite):
    module = "geotoolz.grid"
    cases = (
        case(Reproject("EPSG:3857", resolution=15.0, fill=FILL)),
        case(Reproject("EPSG:32634", method="cubic", fill=FILL)),
        case(Resample(factor=2, fill=FILL)),
        case(Resample(resolution=7.5, method="bilinear", fill=FILL)),
        case(MatchGrid.like(WEB, "mode", FILL)),
        case(MatchGrid.like(WEB, "average", FILL)),
        case(Crop((500015.0, 5099830.0, 500095.0, 5099987.0), crs="EPSG:32633")),
    )


class TestIo(ContractSuite):
    module = "geotoolz.io"
    cases = (
        case(
            lambda folder: WriteCOG(str(folder / "{tile_id}_{band}.tif"), bands=("red", "scl")),
            cls=WriteCOG,
            skip={
                "stack_equals_dates": "a COG has no time; write_zarr keeps stacks",
                "small_tiles": "see tests/io",
            },
        ),
        case(
            lambda folder: WriteZarr(str(folder / "{tile_id}.zarr"), bands=("red", "scl")),
            cls=WriteZarr,
            skip={"small_tiles": "see tests/io"},
        ),
    )


class TestRadiometry(ContractSuite):
    module = "geotoolz.radiometry"
    cases = (
        case(SelectBands(("nir", "B04"))),
        case(ToFloat32()),
        case(DNToReflectance(), partial(contract_tile, raw=True)),
        case(DNToReflectance(1e-4, -0.1, bands=("red",)), partial(contract_tile, raw=True)),
        case(PercentileClip(2, 98)),
        case(PercentileClip(bands=("red",), limits={"red": (0.2, 0.6)})),
        case(MinMax(clip=True)),
        case(BoxMean(radius=3)),
        case(BoxMean(radius=0, bands=("red",))),
        case(PercentileClip(sample_cell=2)),
        case(Standardize()),
        case(Standardize(moments={"red": (0.4, 0.1), "B08": (0.5, 0.2)})),
        case(Extremes()),
        case(MeanStd()),
        case(Moments()),
        case(Percentiles(("red", "foreign"), (2.0, 98.0), sample_cell=4, seed=3)),
        case(Percentiles(("red", "foreign"), (1.0, 50.0, 99.0))),
    )
