"""Roles find variables by common name, stand-in and the sensor's own name; never by position."""

from __future__ import annotations

import numpy as np
import pytest

from geotoolz.core import MissingVariableError, TileSpec, VarSpec
from geotoolz.core._sensors import SENSOR_BANDS, bands_of, common_name, sensor_of


def spec(*names: str, platform: object = "sentinel-2a") -> TileSpec:
    attrs = {} if platform is None else {"platform": platform}
    return TileSpec(
        {n: VarSpec(dtype=np.dtype("u2"), nodata=0) for n in names}, {"y": 2, "x": 2}, attrs=attrs
    )


@pytest.mark.parametrize(
    ("have", "platform", "role", "found"),
    [
        (("red", "nir"), "sentinel-2a", "nir", "nir"),
        (("nir", "nir08"), "sentinel-2a", "nir", "nir"),
        (("nir08", "nir"), "sentinel-2a", "nir08", "nir08"),
        (("red", "nir08"), "landsat-8", "nir", "nir08"),
        (("red", "nir08"), None, "nir", "nir08"),
        (("red", "nir"), "sentinel-2b", "B04", "red"),
        (("red", "nir"), "sentinel-2b", "b4", "red"),
        (("B04", "B08"), "Sentinel-2C", "red", "B04"),
        (("B04", "B8A"), "sentinel-2a", "nir", "B8A"),
        (("SR_B4", "SR_B5"), "LANDSAT_9", "nir", "SR_B5"),
        (("SR_B4", "SR_B5"), "landsat-9", "red", "SR_B4"),
        (("red", "nir08"), "landsat-5", "B4", "nir08"),
        (("red", "nir08"), "landsat-8", "B4", "red"),
        (("rededge075",), "sentinel-2a", "rededge", "rededge075"),
        (("VV",), "sentinel-1a", "vv", "VV"),
    ],
)
def test_found(have: tuple[str, ...], platform: object, role: str, found: str) -> None:
    assert spec(*have, platform=platform).find(role) == found


@pytest.mark.parametrize(
    ("have", "platform", "role"),
    [
        (("red", "nir"), "sentinel-2a", "nir08"),  # who asks for 865 nm does not want 842
        (("B04",), None, "red"),  # without a platform B04 could be anything
        (("B04",), "aqua", "red"),
        (("red", "nir"), "landsat-8", "B99"),
        (("red",), 8, "nir"),
        ((), "sentinel-2a", "red"),
        (("red",), "sentinel-2a", ""),
    ],
)
def test_not_found(have: tuple[str, ...], platform: object, role: str) -> None:
    assert spec(*have, platform=platform).lookup(role) is None


@pytest.mark.parametrize("platform", ["landsat-4", "LANDSAT_5"])
@pytest.mark.parametrize(
    "more", [{"instrument": "mss"}, {"tile_id": "LM05_L1TP_008059_19900701_20200825_02_T2"}]
)
def test_mss_on_a_satellite_that_has_tm_too(platform: str, more: dict[str, str]) -> None:
    bands = {f"B{i}": VarSpec(dtype=np.dtype("u1"), nodata=0) for i in (1, 2, 3, 4)}
    tile = TileSpec(bands, {"y": 2, "x": 2}, attrs={"platform": platform, **more})
    found = {role: tile.lookup(role) for role in ("blue", "green", "red", "nir", "nir08", "swir16")}
    assert found == {"blue": None, "green": "B1", "red": "B2", "nir": "B3", "nir08": "B4", "swir16": None}
    thematic = TileSpec(bands, {"y": 2, "x": 2}, attrs={"platform": platform, "instrument": "tm"})
    assert thematic.lookup("red") == "B3" and thematic.lookup("nir") == "B4"


def test_only_landsat_4_and_5_have_two_sensors() -> None:
    assert sensor_of({"platform": "landsat-7", "instrument": "mss"}) == "landsat-7"
    assert sensor_of({}) == "" and sensor_of({"tile_id": "LM05_L1TP"}) == ""


def test_error_names_who_what_and_the_nearest() -> None:
    with pytest.raises(MissingVariableError) as info:
        spec("green", "red").find("rad", "NDVI")
    text = str(info.value)
    assert "NDVI reads 'rad'" in text
    assert "green, red" in text
    assert "did you mean 'red'?" in text
    with pytest.raises(KeyError):
        spec("red")["nir"]


def test_tables_agree_with_each_other() -> None:
    for platform, bands in SENSOR_BANDS.items():
        assert bands_of(platform.upper().replace("-", "_") + "X") == bands
        for own, common in bands.items():
            assert common_name(own, platform) == common
    assert common_name("B8A", "sentinel-2a") == "nir08"
    assert common_name("B8", "sentinel-2a") == "nir"
