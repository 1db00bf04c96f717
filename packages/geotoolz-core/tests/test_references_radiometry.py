"""What the operators of geotoolz.radiometry are compared with, on real scenes where there are any."""

from __future__ import annotations

import math
import warnings
from functools import cache
from typing import Any, ClassVar

import numpy as np
import scipy.ndimage
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

import geotoolz as gz
from geotoolz.core import Sequential, freeze, tile_from_arrays
from geotoolz.core.testing import Reference, ReferenceSuite, data_path, simulate_scene
from geotoolz.io import MetadataWarning
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
    assign_mtl,
)

Array = np.ndarray[Any, Any]
CROATIA = "s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A"
COLOMBIA = "ls8_c2l2_colombia_008059_cloudy"
PARA = "ls5_tm_dem_training_para/raw_dn"


@cache
def scene(name: str, raw: bool = False) -> xr.Dataset:
    """Open a real scene; it is not written to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetadataWarning)
        return gz.open_tile(data_path(name), raw=raw)


def apart(found: Any, expected: Array) -> float:
    """Return the largest absolute difference; infinite where only one of two is a number."""
    one, two = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert one.shape == two.shape
    if not np.array_equal(np.isnan(one), np.isnan(two)):
        return math.inf
    return float(np.nanmax(np.abs(one - two), initial=0.0))


def numbers(band: xr.DataArray) -> Array:
    """Return stored numbers in float64, NaN for no-data."""
    values = band.values.astype(np.float64)
    values[band.values == band.attrs.get("_FillValue", -1)] = np.nan
    return values


# ---- scaling -----------------------------------------------------------------------------------------


def reflectance_of_sentinel_2() -> float:
    """Product specification: (DN + offset) / 10000; Earth Search has added the offset already."""
    raw = scene(CROATIA, raw=True)
    out = DNToReflectance()(raw)
    return max(apart(out[band], numbers(raw[band]) / 10000) for band in ("blue", "green", "red", "nir"))


def reflectance_of_landsat_8() -> float:
    """LSDS-1619: 0.0000275 · DN − 0.2."""
    raw = scene(COLOMBIA, raw=True)
    out = DNToReflectance()(raw)
    return max(apart(out[band], numbers(raw[band]) * 0.0000275 - 0.2) for band in ("blue", "red", "swir22"))


def reflectance_of_level_1() -> float:
    """LSDS-1574: (2e-5 · DN − 0.1) / sin(elevation), over all 16-bit numbers."""
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    attrs = {
        "platform": "landsat-8",
        "processing_level": "L1TP",
        "tile_id": "LC08_L1TP_008059_20191201_20200825_02_T1",
        "sun_elevation": 57.08727307,
    }
    tile = one_band("red", every, {"quantity": "dn"}, nodata=0, **attrs)
    expected = (2e-5 * every.astype(np.float64) - 0.1) / np.sin(np.deg2rad(57.08727307))
    expected[0, 0] = np.nan
    return apart(DNToReflectance()(tile).red, expected)


def one_band(name: str, values: Array, attrs: dict[str, Any], nodata: Any = None, **tile: Any) -> xr.Dataset:
    """Return a tile of one band."""
    box = GeoBox(values.shape, Affine(30, 0, 5e5, 0, -30, 5.1e6), "EPSG:32633")
    return tile_from_arrays({name: values}, box, var_attrs={name: attrs}, nodata={name: nodata}, attrs=tile)


@cache
def landsat_5() -> xr.Dataset:
    """Landsat-5 TM of 14 August 1988 with the numbers of its MTL file."""
    (mtl,) = data_path(PARA).glob("*MTL.txt")
    return assign_mtl(scene(PARA, raw=True), mtl)


TM = {  # RADIANCE_MULT_BAND_n, RADIANCE_ADD_BAND_n of the MTL file; ESUN of Chander et al. 2009, table 3
    "blue": (0.671, -2.19134, 1983.0),
    "green": (1.322, -4.16220, 1796.0),
    "red": (1.044, -2.21398, 1536.0),
    "nir08": (0.876, -2.38602, 1031.0),
    "swir16": (0.120, -0.49035, 220.0),
    "swir22": (0.066, -0.21555, 83.44),
}


def radiance_of_landsat_5() -> float:
    """Chander et al. 2009, equation 1, with the MTL file's numbers."""
    out = DNToRadiance()(landsat_5())
    return max(apart(out[b], gain * numbers(landsat_5()[b]) + bias) for b, (gain, bias, _) in TM.items())


def toa_of_landsat_5() -> float:
    """Chander et al. 2009, equation 2, with the distance of the sun by Spencer (1971)."""
    out = Sequential([DNToRadiance(), RadianceToReflectance()])(landsat_5())
    angle = 2 * np.pi * (227 + 13 / 24 - 1) / 366
    square = 1 / (
        1.000110 + 0.034221 * np.cos(angle) + 0.001280 * np.sin(angle)
        + 0.000719 * np.cos(2 * angle) + 0.000077 * np.sin(2 * angle)
    )  # fmt: skip
    sine = np.sin(np.deg2rad(49.75588889))
    return max(
        apart(out[b], np.pi * (gain * numbers(landsat_5()[b]) + bias) * square / (esun * sine))
        for b, (gain, bias, esun) in TM.items()
    )


def toa_at_a_known_distance() -> float:
    """The same with the distance given: the arithmetic alone."""
    out = Sequential([DNToRadiance(), RadianceToReflectance(distance=1.0128)])(landsat_5())
    sine = np.sin(np.deg2rad(49.75588889))
    return max(
        apart(out[b], np.pi * (gain * numbers(landsat_5()[b]) + bias) * 1.0128**2 / (esun * sine))
        for b, (gain, bias, esun) in TM.items()
    )


def temperature_of_planck() -> float:
    """Planck's law with the sensors' K1 and K2, inverted, from 200 to 360 K."""
    kelvin = np.linspace(200, 360, 4096).reshape(64, 64)
    worst = 0.0
    for platform, band, k1, k2 in (
        ("landsat-4", "lwir", 671.62, 1284.30),
        ("landsat-5", "lwir", 607.76, 1260.56),
        ("landsat-7", "lwir", 666.09, 1282.71),
        ("landsat-8", "lwir11", 774.8853, 1321.0789),
        ("landsat-8", "lwir12", 480.8883, 1201.1442),
        ("landsat-9", "lwir11", 799.0284, 1329.2405),
        ("landsat-9", "lwir12", 475.6581, 1198.3494),
    ):
        radiance = k1 / (np.exp(k2 / kelvin) - 1)
        attrs = {"quantity": "radiance", "units": "W m-2 sr-1 um-1"}
        tile = one_band(band, radiance, attrs, platform=platform)
        worst = max(worst, apart(BrightnessTemperature()(tile)[band], kelvin))
    return worst


def temperature_of_landsat_5() -> float:
    """Chander et al. 2009, equation 3, on a real thermal band."""
    radiance = 0.055 * numbers(landsat_5().lwir) + 1.18243
    return apart(BrightnessTemperature()(landsat_5()).lwir, 1260.56 / np.log(607.76 / radiance + 1))


def surface_temperature() -> float:
    """LSDS-1619: 0.00341802 · DN + 149.0, on a real scene."""
    raw = scene(COLOMBIA, raw=True)
    return apart(BrightnessTemperature()(raw).lwir11, 0.00341802 * numbers(raw.lwir11) + 149.0)


# ---- packing -----------------------------------------------------------------------------------------


def encode_against_xarray() -> float:
    """xarray's CF encoder on a real band in float64."""
    tile = scene(CROATIA)
    worst = 0
    for scale, offset, nodata, name in ((1e-4, 0.0, -32768, "index_int16"), (1e-4, -1.0, 0, "ndvi_uint16")):
        dtype = "uint16" if nodata == 0 else "int16"
        values = tile.nir.values.astype(np.float64).clip(-0.99, 0.99)
        encoding = {"dtype": dtype, "scale_factor": scale, "add_offset": offset, "_FillValue": nodata}
        variable = xr.Variable(("y", "x"), values, encoding=encoding)
        expected = xr.conventions.encode_cf_variable(variable).values
        own = one_band("nir", values, {"quantity": "surface_reflectance"})
        worst = max(worst, int((Encode(name)(own).nir.values != expected).sum()))
    return worst


def decode_against_xarray() -> float:
    """xarray's CF decoder on the real numbers of a Landsat scene."""
    raw = scene(COLOMBIA, raw=True)
    expected = xr.decode_cf(raw[["red", "lwir11"]].astype("uint16", keep_attrs=True))
    out = Decode(("red", "lwir11"))(raw)
    spacing = {"red": 1.0, "lwir11": 300.0}
    return max(apart(out[b], expected[b].values.astype(np.float64)) / spacing[b] for b in spacing)


# ---- display and standard scores ---------------------------------------------------------------------


def gamma_against_numpy() -> float:
    """NumPy's power in float64, on a real scene."""
    tile = scene(CROATIA)
    shown = Gamma(1.8)(tile)
    return max(
        apart(shown[b], np.clip(tile[b].values.astype(np.float64), 0, 1) ** (1 / 1.8)) for b in ("red", "nir")
    )


def clip_against_numpy() -> float:
    """numpy.nanpercentile and numpy.clip in float64, on a real scene."""
    tile = scene(COLOMBIA)[["red", "nir08"]]
    out = PercentileClip(2, 98)(tile)
    worst = 0.0
    for band in ("red", "nir08"):
        values = tile[band].values.astype(np.float64)
        worst = max(worst, apart(out[band], np.clip(values, *np.nanpercentile(values, [2, 98]))))
    return worst


def min_max_against_numpy() -> float:
    """(x − min) / (max − min) in float64, on a real scene."""
    tile = scene(COLOMBIA)[["red", "nir08"]]
    out, worst = MinMax()(tile), 0.0
    for band in ("red", "nir08"):
        values = tile[band].values.astype(np.float64)
        low, high = np.nanmin(values), np.nanmax(values)
        worst = max(worst, apart(out[band], (values - low) / (high - low)))
    return worst


def standardize_against_numpy() -> float:
    """(x − mean) / std in float64, on a real scene."""
    tile = scene(COLOMBIA)[["red", "nir08"]]
    out, worst = Standardize()(tile), 0.0
    for band in ("red", "nir08"):
        values = tile[band].values.astype(np.float64)
        worst = max(worst, apart(out[band], (values - np.nanmean(values)) / np.nanstd(values)))
    return worst


def frozen_standardize_against_numpy() -> float:
    """Moments of one scene bound, and taken to another date of the same place."""
    other = scene("s2_l2a_33TWL_croatia/S2A_33TWL_20230815_0_L2A")[["red"]]
    op = freeze(Standardize(("red",)), scene(CROATIA)[["red"]])
    values = scene(CROATIA).red.values.astype(np.float64)
    expected = (other.red.values.astype(np.float64) - np.nanmean(values)) / np.nanstd(values)
    return apart(op(other).red, expected)


# ---- neighbourhoods and statistics -------------------------------------------------------------------


def box_mean_against_scipy() -> float:
    """scipy.ndimage.uniform_filter in float64; gaps and edges as normalised convolution."""
    worst = 0.0
    for tile, band in ((scene(COLOMBIA), "red"), (scene(CROATIA), "nir")):
        values = tile[band].values.astype(np.float64)
        valid = np.isfinite(values).astype(np.float64)
        for radius in (1, 3):
            size = 2 * radius + 1
            total = scipy.ndimage.uniform_filter(np.nan_to_num(values), size, mode="constant")
            share = scipy.ndimage.uniform_filter(valid, size, mode="constant")
            with np.errstate(invalid="ignore", divide="ignore"):
                expected = np.where(valid == 1, total / share, np.nan)
            worst = max(worst, apart(BoxMean(radius, (band,))(tile)[band], expected))
    return worst


def extremes_against_numpy() -> float:
    """numpy.nanmin and numpy.nanmax."""
    tile = scene(COLOMBIA)[["red", "nir08", "lwir11"]]
    return max(
        apart(found, np.array([np.nanmin(tile[band]), np.nanmax(tile[band])]))
        for band, found in Extremes()(tile).items()
    )


def percentiles_against_numpy() -> float:
    """numpy.nanpercentile in float64, linear interpolation."""
    tile, q = scene(COLOMBIA)[["red", "nir08"]], (0.0, 1.0, 2.0, 33.3, 50.0, 98.0, 100.0)
    return max(
        apart(found, np.nanpercentile(tile[band].values.astype(np.float64), q))
        for band, found in Percentiles(("red", "nir08"), q)(tile).items()
    )


def mean_std_against_numpy() -> float:
    """numpy.nanmean and numpy.nanstd in float64."""
    tile = scene(COLOMBIA)[["red", "nir08"]]
    worst = 0.0
    for band, found in MeanStd()(tile).items():
        values = tile[band].values.astype(np.float64)
        worst = max(worst, apart(found, np.array([np.nanmean(values), np.nanstd(values)])))
    return worst


def moments_against_numpy() -> float:
    """numpy.cov and numpy.mean in float64 over the pixels that are valid in all bands."""
    tile = scene(COLOMBIA)[["blue", "red", "nir08", "swir16"]]
    found = Moments()(tile)
    columns = np.stack([tile[band].values.ravel().astype(np.float64) for band in found.bands])
    columns = columns[:, np.isfinite(columns).all(axis=0)]
    assert found.n == columns.shape[1]
    return max(apart(found.mean, columns.mean(axis=1)), apart(found.covariance, np.cov(columns)))


# ---- names and types ---------------------------------------------------------------------------------


def rename_against_xarray() -> float:
    """xarray.Dataset.rename."""
    tile = scene(CROATIA)
    expected, out = tile.rename({"red": "a", "nir": "b"}), RenameBands({"B04": "a", "nir": "b"})(tile)
    xr.testing.assert_identical(out, expected)
    return max(apart(out[name], expected[name].values) for name in ("a", "b", "blue"))


def assign_attrs_against_xarray() -> float:
    """xarray.DataArray.assign_attrs."""
    tile = scene(CROATIA)
    expected = tile.assign(red=tile.red.assign_attrs(data_source="hand"))
    out = AssignAttrs({"B04": {"data_source": "hand"}})(tile)
    xr.testing.assert_identical(out, expected)
    return apart(out.red, expected.red.values)


def select_against_xarray() -> float:
    """xarray.Dataset.__getitem__."""
    tile = scene(CROATIA)
    expected, out = tile[["nir", "red"]], SelectBands(("nir", "B04"))(tile)
    xr.testing.assert_identical(out, expected)
    return max(apart(out[name], expected[name].values) for name in ("nir", "red"))


def float32_against_numpy() -> float:
    """numpy's cast, of 16-bit numbers and of float64."""
    raw = scene(COLOMBIA, raw=True)
    worst = apart(ToFloat32()(raw).red, numbers(raw.red))
    wide = simulate_scene((64, 64), bands=("red",)).astype("f8") / 3
    return max(worst, apart(ToFloat32()(wide).red, wide.red.values.astype("f4")))


def classes_as_digitized() -> float:
    """Return how many pixels of a real scene get another class than from numpy.digitize."""
    tile = scene(CROATIA)
    breaks = (0.02, 0.1, 0.25, 0.4)
    nir = tile.nir.values
    expected = np.where(np.isnan(nir), 0, np.digitize(nir, np.array(breaks, "f4")) + 1)
    return float((ClassifyByThresholds("nir", breaks)(tile).nir_class.values != expected).sum())


SCALE = "radiometry/test_product_scale.py::"
RADIANCE = "radiometry/test_radiance.py::"


class TestRadiometry(ReferenceSuite):
    module = "geotoolz.radiometry"
    exempt: ClassVar[dict[str, str]] = {"BandMath": "has a suite of its own: test_references_band_math.py"}
    references = (
        Reference(
            ClassifyByThresholds,
            "numpy.digitize with breaks of the band's type, real L2A scene",
            classes_as_digitized,
            0,
            "pixels that differ",
            "radiometry/test_classify.py::test_mistakes",
        ),
        Reference(
            DNToReflectance,
            "Sentinel-2 specification, (DN + offset) / 10000 in float64, real L2A scene",
            reflectance_of_sentinel_2,
            6e-8,
            bad_input=SCALE + "test_missing_metadata_is_named_with_where_to_give_it",
        ),
        Reference(
            DNToReflectance,
            "LSDS-1619, 2.75e-5 · DN − 0.2 in float64, real Landsat-8 C2 L2 scene",
            reflectance_of_landsat_8,
            6e-8,
            bad_input=SCALE + "test_an_offset_in_digital_numbers_is_refused",
        ),
        Reference(
            DNToReflectance,
            "LSDS-1574, (2e-5 · DN − 0.1) / sin(elevation) in float64, every 16-bit number",
            reflectance_of_level_1,
            6e-8,
            bad_input=SCALE + "test_one_offset_for_both_sides_of_baseline_4_is_refused",
        ),
        Reference(
            DNToRadiance,
            "Chander 2009 eq. 1 in float64 with the MTL file's numbers, real Landsat-5 scene",
            radiance_of_landsat_5,
            4e-6,
            "W m-2 sr-1 um-1",
            RADIANCE + "test_missing_gains_are_named",
        ),
        Reference(
            RadianceToReflectance,
            "Chander 2009 eq. 2 in float64, distance given, real Landsat-5 scene",
            toa_at_a_known_distance,
            6e-8,
            bad_input=RADIANCE + "test_a_sun_that_is_missing_or_below_the_horizon",
        ),
        Reference(
            RadianceToReflectance,
            "the same with the distance of the sun after Spencer 1971, ours by the date",
            toa_of_landsat_5,
            3e-4,
            bad_input=RADIANCE + "test_what_is_no_radiance",
        ),
        Reference(
            BrightnessTemperature,
            "Planck's law in float64, K1 and K2 of TM, ETM+ and TIRS, 200–360 K",
            temperature_of_planck,
            1.6e-5,
            "K",
            RADIANCE + "test_what_is_no_thermal_band",
        ),
        Reference(
            BrightnessTemperature,
            "Chander 2009 eq. 3 in float64, real Landsat-5 band 6",
            temperature_of_landsat_5,
            1.6e-5,
            "K",
            RADIANCE + "test_what_is_no_thermal_band",
        ),
        Reference(
            BrightnessTemperature,
            "LSDS-1619, 0.00341802 · DN + 149.0 in float64, real Landsat-8 ST_B10",
            surface_temperature,
            1.6e-5,
            "K",
            RADIANCE + "test_what_is_no_thermal_band",
        ),
        Reference(
            Encode,
            "xarray's CF encoder in float64, real scene",
            encode_against_xarray,
            0,
            "pixels that differ",
            "radiometry/test_packing.py::test_what_cannot_be_packed",
        ),
        Reference(
            Decode,
            "xarray's CF decoder, real Landsat-8 scene, relative to 1 and 300 K",
            decode_against_xarray,
            6e-8,
            bad_input="radiometry/test_packing.py::test_what_cannot_be_packed",
        ),
        Reference(
            Gamma,
            "numpy.power in float64, real scene",
            gamma_against_numpy,
            6e-8,
            bad_input="radiometry/test_names.py::test_gamma_of_what_is_no_share",
        ),
        Reference(
            PercentileClip,
            "numpy.nanpercentile and numpy.clip in float64, real scene",
            clip_against_numpy,
            6e-8,
            bad_input="radiometry/test_percentiles.py::test_two_limits_for_one_band",
        ),
        Reference(
            MinMax,
            "numpy in float64, real scene",
            min_max_against_numpy,
            6e-8,
            bad_input="radiometry/test_percentiles.py::test_two_limits_for_one_band",
        ),
        Reference(
            Standardize,
            "numpy.nanmean and numpy.nanstd in float64, real scene",
            standardize_against_numpy,
            1e-6,
            bad_input="radiometry/test_moments.py::test_wrong_moments",
        ),
        Reference(
            Standardize,
            "the same, frozen on one date and taken to another",
            frozen_standardize_against_numpy,
            1e-6,
            bad_input="radiometry/test_moments.py::test_wrong_moments",
        ),
        Reference(
            BoxMean,
            "scipy.ndimage.uniform_filter in float64 with gaps and edges, real scenes",
            box_mean_against_scipy,
            6e-8,
            bad_input="radiometry/test_scaling.py::test_box_mean_refuses_a_negative_radius",
        ),
        Reference(
            Extremes,
            "numpy.nanmin and numpy.nanmax, real scene",
            extremes_against_numpy,
            0,
            bad_input="radiometry/test_statistics_input.py::test_text_is_refused",
        ),
        Reference(
            Percentiles,
            "numpy.nanpercentile in float64, real scene",
            percentiles_against_numpy,
            1e-15,
            bad_input="radiometry/test_percentiles.py::test_wrong_percentiles",
        ),
        Reference(
            MeanStd,
            "numpy.nanmean and numpy.nanstd in float64, real scene",
            mean_std_against_numpy,
            1e-9,
            bad_input="radiometry/test_statistics_input.py::test_text_is_refused",
        ),
        Reference(
            Moments,
            "numpy.mean and numpy.cov in float64, real scene",
            moments_against_numpy,
            1e-7,
            bad_input="radiometry/test_statistics_input.py::test_bands_with_and_without_dates_are_refused",
        ),
        Reference(
            RenameBands,
            "xarray.Dataset.rename",
            rename_against_xarray,
            0,
            "pixels that differ",
            "radiometry/test_names.py::test_clashes_are_refused",
        ),
        Reference(
            AssignAttrs,
            "xarray.DataArray.assign_attrs",
            assign_attrs_against_xarray,
            0,
            "pixels that differ",
            "radiometry/test_names.py::test_attributes_that_are_more_than_a_description",
        ),
        Reference(
            SelectBands,
            "xarray.Dataset.__getitem__",
            select_against_xarray,
            0,
            "pixels that differ",
            "radiometry/test_scaling.py::test_select_bands",
        ),
        Reference(
            ToFloat32,
            "numpy.astype, every 16-bit number of a scene, and float64",
            float32_against_numpy,
            0,
            bad_input="radiometry/test_statistics_input.py::test_text_is_refused",
        ),
    )
