"""Burn severity, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import (
    MissingVariableError,
    ParameterError,
    QuantityError,
    Sequential,
    TileError,
    tile_from_arrays,
)
from geotoolz.core.testing import simulate_scene
from geotoolz.io import WriteCOG
from geotoolz.temporal import BurnSeverity

CLASSES = (
    "enhanced_regrowth_high enhanced_regrowth_low unburned low_severity moderate_low_severity "
    "moderate_high_severity high_severity"
)


def fire(nbr_before: Any, nbr_after: Any, *, quantity: str = "surface_reflectance") -> xr.Dataset:
    """Two dates of which NBR is given: nir and swir22 that sum to 1/2."""
    nbr = np.array([nbr_before, nbr_after], np.float64)[:, None, :]
    box = GeoBox(nbr.shape[1:], Affine(20, 0, 5e5, 0, -20, 5e6), "EPSG:32633")
    dims = ("time", "y", "x")
    arrays: dict[str, Any] = {
        "nir": (dims, 0.25 * (1 + nbr)),
        "swir22": (dims, 0.25 * (1 - nbr)),
        "scl": (dims, np.zeros(nbr.shape, np.uint8)),
    }
    about = {name: {"quantity": quantity} for name in ("nir", "swir22")}
    tile = tile_from_arrays(arrays, box, var_attrs={**about, "scl": {"quantity": "flags"}})
    return tile.assign_coords(time=np.array(["2021-07-01", "2021-09-01"], "datetime64[ns]"))


def test_classes_by_hand() -> None:
    dnbr = [-0.3, -0.2, 0.0, 0.2, 0.3, 0.5, 0.7]
    burnt = BurnSeverity("2021-07-01", "2021-09-01")(fire([0.3] * 7, [0.3 - d for d in dnbr]))
    assert burnt.dnbr.values[0] == pytest.approx(dnbr, abs=1e-7)
    assert burnt.severity.values[0].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert burnt.severity.attrs["flag_meanings"] == CLASSES
    assert burnt.severity.attrs["flag_values"] == [1, 2, 3, 4, 5, 6, 7]
    assert len(burnt.severity.attrs["flag_colors"].split()) == 7
    assert burnt.severity.attrs["_FillValue"] == 0
    assert set(burnt.data_vars) == {"dnbr", "severity"}
    assert (burnt.attrs["start_datetime"], burnt.attrs["end_datetime"]) == (
        "2021-07-01T00:00:00Z",
        "2021-09-01T00:00:00Z",
    )


def test_a_limit_belongs_to_the_class_above() -> None:
    # NBR 0.5 and 0 in numbers that float32 holds: dNBR is exactly 0.5
    op = BurnSeverity(breaks=(0.25, 0.5), names=("a", "b", "c"))
    burnt = op(fire([0.5, 0.5, 0.5], [0.0, 0.25, 0.375]))
    assert burnt.severity.values[0].tolist() == [3, 2, 1]


def test_relative_numbers() -> None:
    before, after = [0.25, 0.5, -0.25, 0.0, -1.0], [0.05, 0.25, -0.5, -0.1, -1.0]
    tile = fire(before, after)
    relative = BurnSeverity(metric="rdnbr", breaks=(0.1,))(tile).rdnbr.values[0]
    assert relative[:3] == pytest.approx([0.2 / 0.5, 0.25 / np.sqrt(0.5), 0.25 / 0.5], rel=1e-6)
    assert np.isnan(relative[3])  # divided by 0
    ratio = BurnSeverity(metric="rbr", breaks=(0.1,))(tile).rbr.values[0]
    assert ratio == pytest.approx([0.2 / 1.251, 0.25 / 1.501, 0.25 / 0.751, 0.1 / 1.001, 0.0], rel=1e-6)


def test_no_data_on_either_date() -> None:
    tile = fire([0.5, 0.5, 0.5], [0.1, 0.1, 0.1])
    tile.nir.values[0, 0, 0] = np.nan
    tile.swir22.values[1, 0, 1] = np.nan
    burnt = BurnSeverity()(tile)
    assert np.isnan(burnt.dnbr.values[0]).tolist() == [True, True, False]
    assert burnt.severity.values[0].tolist() == [0, 0, 5]


def test_the_file_opens_with_names_and_colours(tmp_path: Any) -> None:
    rasterio = pytest.importorskip("rasterio")
    scene = simulate_scene((16, 16), bands=("nir", "swir22"), seed=1)
    stack = xr.concat([scene, scene], "time", combine_attrs="override")
    Sequential([BurnSeverity(), WriteCOG(str(tmp_path / "{band}.tif"), bands=("severity",))])(stack)
    with rasterio.open(tmp_path / "severity.tif") as file:
        assert (file.dtypes[0], file.nodata) == ("uint8", 0)
        assert file.colormap(1)[7] == (0xA4, 0x1F, 0xD6, 255)
    assert "high_severity" in (tmp_path / "severity.tif.aux.xml").read_text()


def test_wrong_stacks_are_refused() -> None:
    tile = fire([0.5], [0.1])
    with pytest.raises(TileError, match="no scene of 2021-08-01; the nearest is 2021-07-01"):
        BurnSeverity("2021-08-01")(tile)
    with pytest.raises(TileError, match="are the same date, position 0"):
        BurnSeverity(0, 0)(tile)
    with pytest.raises(TileError, match="the same date"):
        BurnSeverity()(tile.isel(time=[1]))
    with pytest.raises(MissingVariableError, match="swir22"):
        BurnSeverity()(tile.drop_vars("swir22"))
    raw = fire([0.5], [0.1], quantity="dn")
    raw.nir.attrs.update(scale_factor=1e-4, add_offset=-0.1)
    with pytest.raises(QuantityError, match="digital numbers with an offset"):
        BurnSeverity()(raw)


def test_parameters() -> None:
    for about, text in (
        ({"metric": "rbr"}, "metric='rbr' without breaks"),
        ({"names": ("a",)}, "names or colors without breaks"),
        ({"breaks": (0.3, 0.1)}, "each larger than the one before"),
        ({"breaks": (0.1,), "names": ("a",)}, "1 names for 1 breaks"),
        ({"name": "dnbr"}, "name='dnbr'"),
        ({"before": "July"}, "before='July'"),
    ):
        with pytest.raises(ParameterError, match=text):
            BurnSeverity(**about)
