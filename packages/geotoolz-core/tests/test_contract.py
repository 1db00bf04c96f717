"""Every operator of the core distribution keeps the contract."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import Branch, Graph, Input, Merge, Sequential, Switch
from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.grid import Crop, MatchGrid, Reproject, Resample
from geotoolz.io import WriteCOG, WriteZarr
from geotoolz.radiometry import (
    AssignAttrs,
    BoxMean,
    BrightnessTemperature,
    ClassifyByThresholds,
    Decode,
    DNToRadiance,
    DNToReflectance,
    Encode,
    Extremes,
    Gamma,
    MeanStd,
    MinMax,
    Moments,
    PercentileClip,
    Percentiles,
    RadianceToReflectance,
    RenameBands,
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


ENCODED = {
    "red": {"quantity": "dn", "scale_factor": 1e-4, "add_offset": -0.1, "scaled_quantity": "index"},
    "nir": {"quantity": "dn", "radiance_mult": 0.01, "radiance_add": -0.5},
    "swir16": {"quantity": "dn", "scale_factor": 1.0, "add_offset": 0.0},  # what readers write that know none
    "nir08": {"quantity": "dn", "k1_constant": 607.76, "k2_constant": 1260.56, "scaled_quantity": "radiance",
              "scale_factor": 0.01, "add_offset": 0.1},
    "swir22": {"quantity": "dn", "scaled_quantity": "brightness_temperature", "scaled_units": "K",
               "scale_factor": 0.00341802, "add_offset": 149.0},
}  # fmt: skip


def stored(shape: tuple[int, int] = (37, 53), **options: Any) -> xr.Dataset:
    """A tile of stored numbers of several kinds."""
    tile = contract_tile(shape, raw=True, **options)
    for name, attrs in ENCODED.items():
        tile[name].attrs = {"units": "1", "_FillValue": 0, **attrs}
    return tile.assign_attrs(processing_level="L1C", processing_baseline="05.09")


def radiances(shape: tuple[int, int] = (37, 53), **options: Any) -> xr.Dataset:
    """A tile whose red and swir16 hold radiance."""
    tile = contract_tile(shape, **options)
    for name in ("red", "swir16"):
        tile[name].attrs |= {"quantity": "radiance", "units": "W m-2 sr-1 um-1"}
    return tile


digital_numbers = partial(contract_tile, raw=True)
BY_DATE = {"stack_equals_dates": "a date alone has lost its time; tests/radiometry/test_radiance.py"}


class TestRadiometry(ContractSuite):
    module = "geotoolz.radiometry"
    exempt: ClassVar = {"BandMath": "tests/test_contract_band_math.py"}
    cases = (
        case(SelectBands(("nir", "B04"))),
        case(ToFloat32()),
        case(DNToReflectance(), partial(contract_tile, raw=True)),
        case(DNToReflectance(1e-4, -0.1, bands=("red",)), partial(contract_tile, raw=True)),
        case(DNToReflectance(), stored),
        case(DNToReflectance(saturated="nodata", bands=("swir16",)), stored),
        case(DNToRadiance(), stored),
        case(DNToRadiance({"red": 1.044}, {"red": -2.2}), stored),
        case(RadianceToReflectance(), radiances, skip=BY_DATE),
        case(RadianceToReflectance({"red": 1536.0}, 49.8, 1.0127, ("red",)), radiances),
        case(BrightnessTemperature(bands=("nir08", "swir22")), stored),
        case(BrightnessTemperature(607.76, 1260.56, ("red",)), radiances),
        case(RenameBands({"B04": "rot", "nir": "nah"})),
        case(
            RenameBands({"nir": "swir22", "swir22": "nir"}),
            skip={"everything_else_kept": "what is called nir is another variable; test_names.py"},
        ),
        case(AssignAttrs({"B04": {"data_source": "hand"}, "scl": {"long_name": "classes", "level": 3}})),
        case(Gamma(1.8)),
        case(Gamma(0.5, ("red",))),
        case(Encode("reflectance_uint16")),
        case(
            Encode(
                {"dtype": "int16", "scale": 0.001, "nodata": -9999, "valid_range": (-200, 500)},
                ("red", "nir"),
                outside="nodata",
            )
        ),
        case(Encode("tasselled_cap_uint8", ("red",))),
        case(Decode(), stored),
        case(Decode(("red",)), stored),
        case(PercentileClip(2, 98)),
        case(PercentileClip(bands=("red",), limits={"red": (0.2, 0.6)})),
        case(MinMax(clip=True)),
        case(BoxMean(radius=3)),
        case(BoxMean(radius=0, bands=("red",))),
        case(ClassifyByThresholds("nir", (0.1, 0.3))),
        case(
            ClassifyByThresholds("B04", (900.0,), ("a", "b"), ("#000000", "#ffffff"), "two"), digital_numbers
        ),
        case(PercentileClip(sample_cell=2)),
        case(Standardize()),
        case(Standardize(moments={"red": (0.4, 0.1), "B08": (0.5, 0.2)})),
        case(Extremes()),
        case(MeanStd()),
        case(Moments()),
        case(Percentiles(("red", "foreign"), (2.0, 98.0), sample_cell=4, seed=3)),
        case(Percentiles(("red", "foreign"), (1.0, 50.0, 99.0))),
    )
