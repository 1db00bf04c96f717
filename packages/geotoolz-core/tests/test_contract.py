"""Every operator of the core distribution keeps the contract."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from geotoolz.core import Branch, Graph, Input, Merge, Sequential, Switch
from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.io import WriteCOG
from geotoolz.radiometry import (
    BoxMean,
    DNToReflectance,
    Extremes,
    MinMax,
    PercentileClip,
    Percentiles,
    SelectBands,
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
        case(Extremes()),
        case(Percentiles(("red", "foreign"), (1.0, 50.0, 99.0))),
    )
