"""What is supported and how that is checked: one case per sensor, level and provider.

`test_providers.py` runs the cases, and `scripts/docs_support.py` runs them again for the docs' table.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from _cubes import ENMAP, HLS_L30, HLS_S30, HYP3, OPERA, UTM33, emit, enmap, enmap_metadata, hls, planet
from _rasters import write

from geotoolz.core import ReadError
from geotoolz.core.testing import data_path, simulate_scene, write_landsat, write_safe
from geotoolz.io import MetadataWarning, open_tile, write_zarr


@dataclass(frozen=True)
class Case:
    """One product that is opened and whose values are compared with known ones.

    Attributes
    ----------
    sensor, level : str
    source : str
        Collection as ``"provider/collection"``, or a reader's name.
    form : str
        What is opened: item, folder, zip, tar, file.
    data : str
        ``"simulated"`` or ``"real"``.
    check : callable
        Takes an empty folder; raises where a value is wrong, skips where the data are not there.
    """

    sensor: str
    level: str
    source: str
    form: str
    data: str
    check: Callable[[Path], None]

    def __str__(self) -> str:
        return f"{self.source}-{self.sensor}-{self.level}-{self.form}-{self.data}".replace(" ", "_")


LINKS = {
    "earth-search": "https://earth-search.aws.element84.com/v1",
    "planetary-computer": "https://planetarycomputer.microsoft.com/api/stac/v1",
    "cdse": "https://stac.dataspace.copernicus.eu/v1",
    "lp-daac": "https://cmr.earthdata.nasa.gov/stac/LPCLOUD",
}


def item(
    folder: Path,
    source: str,
    name: str,
    assets: dict[str, Any],
    hosts: str = "https://host/x",
    **properties: Any,
) -> Path:
    """Write an item as a provider gives it, with its files beside it; assets may add fields."""
    provider, _, collection = source.partition("/")
    made = {}
    for key, given in assets.items():
        pixels, fields = given if isinstance(given, tuple) else (given, {})
        end = "jp2" if fields.get("type") == "image/jp2" else "tif"
        write(folder / f"{key}.{end}", pixels, UTM33)
        made[key] = {"href": f"{hosts}/{key}.{end}", "type": "image/tiff; application=geotiff", **fields}
    held = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "geometry": None,
        "bbox": [13, 44, 14, 45],
        "properties": {"datetime": "2023-06-18T10:00:31Z", **properties},
        "links": [{"rel": "root", "href": LINKS[provider]}],
        "assets": made,
    }
    path = folder / "item.json"
    path.write_text(json.dumps(held))
    return path


def dn(value: int, dtype: str = "u2") -> np.ndarray:
    """One value everywhere but in the first pixel."""
    pixels = np.full((6, 8), value, dtype)
    pixels[0, 0] = 0
    return pixels


def same(tile: xr.Dataset, **wanted: float) -> None:
    """Raise unless variables have these values."""
    for name, value in wanted.items():
        found = float(tile[name][3, 3])
        if found != np.float32(value):
            raise AssertionError(f"{name} is {found}, not {np.float32(value)}")


def require(condition: bool, told: object) -> None:
    """Raise unless something holds, also where asserts are left out."""
    if not condition:
        raise AssertionError(told)


S2 = {"platform": "sentinel-2b", "instruments": ["msi"]}
OFFSET = {"raster:bands": [{"nodata": 0, "scale": 1e-4, "offset": -0.1}]}


def s2_earth_search(folder: Path) -> None:
    """The offset is applied, whatever raster:bands says; every band stands there twice."""
    assets = {
        "red": (dn(3000), OFFSET), "red-jp2": (dn(9), OFFSET), "rededge1": (dn(2500), OFFSET),
        "scl": dn(4, "u1"), "visual": dn(7, "u1"),
    }  # fmt: skip
    more = {"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.09"}
    path = item(folder, "earth-search/sentinel-2-l2a", "S2B_33TWL_20230618_0_L2A", assets, **S2, **more)
    tile = open_tile(path)
    require(set(tile) == {"red", "rededge071", "scl"}, list(tile))
    same(tile, red=0.3, rededge071=0.25)
    require(tile.red.attrs["quantity"] == "surface_reflectance", tile.red.attrs)


def s2_earth_search_c1(folder: Path) -> None:
    """The offset is not applied."""
    assets = {"red": (dn(3000), OFFSET), "rededge3": (dn(2500), OFFSET), "cloud": dn(33, "u1")}
    path = item(
        folder, "earth-search/sentinel-2-c1-l2a", "S2B_T33TWL_20230618T100031_L2A", assets,
        **S2, **{"s2:processing_baseline": "05.00"},
    )  # fmt: skip
    same(open_tile(path), red=0.2, rededge078=0.15)
    same(open_tile(path, "cloud_probability"), cloud_probability=33)


def s2_earth_search_l1c(folder: Path) -> None:
    """Top of atmosphere."""
    more = {"s2:processing_baseline": "05.09"}
    path = item(
        folder, "earth-search/sentinel-2-l1c", "S2B_33TWL_20230618_0_L1C", {"red": dn(3000)}, **S2, **more
    )
    tile = open_tile(path)
    same(tile, red=0.2)
    require(tile.red.attrs["quantity"] == "toa_reflectance", tile.red.attrs)


def s2_planetary_computer(folder: Path) -> None:
    """Pixels as ESA made them: the baseline decides."""
    for baseline, value in (("05.09", 0.2), ("03.01", 0.3)):
        where = folder / baseline
        where.mkdir()
        assets = {"B04": dn(3000), "B8A": dn(3000), "SCL": dn(4, "u1"), "AOT": dn(120)}
        name = "S2B_MSIL2A_20230618T100031_R122_T33TWL_20230618T140031"
        more = {**S2, "s2:processing_baseline": baseline}
        path = item(where, "planetary-computer/sentinel-2-l2a", name, assets, **more)
        tile = open_tile(path)
        require(set(tile) == {"red", "nir08", "scl"}, list(tile))
        same(tile, red=value, nir08=value)


def s2_cdse(folder: Path) -> None:
    """Every pixel size stands there; the baseline is the version of the processing."""
    jp2 = {"type": "image/jp2"}
    assets = {
        "B04_10m": (dn(3000), jp2), "B04_20m": (dn(9), jp2), "B05_20m": (dn(2500), jp2),
        "SCL_20m": (dn(4, "u1"), jp2), "CLD_20m": (dn(33, "u1"), jp2), "TCI_10m": (dn(7, "u1"), jp2),
    }  # fmt: skip
    name = "S2B_MSIL2A_20230618T100031_N0511_R122_T33TWL_20230618T140031"
    path = item(
        folder,
        "cdse/sentinel-2-l2a",
        name,
        assets,
        hosts="s3://eodata/x",
        **S2,
        **{"processing:version": "05.11"},
    )
    tile = open_tile(path, ["red", "rededge071", "scl"])
    same(tile, red=0.2, rededge071=0.15, scl=4)
    same(open_tile(path, "cloud_probability"), cloud_probability=33)


def s2_cdse_l1c(folder: Path) -> None:
    """Top of atmosphere, one size per band."""
    name = "S2B_MSIL1C_20230618T100031_N0511_R122_T33TWL_20230618T140031"
    assets = {"B04": (dn(3000), {"type": "image/jp2"})}
    path = item(folder, "cdse/sentinel-2-l1c", name, assets, **S2, **{"processing:version": "05.11"})
    tile = open_tile(path)
    same(tile, red=0.2)
    require(tile.red.attrs["quantity"] == "toa_reflectance", tile.red.attrs)


def landsat_l2(source: str) -> Callable[[Path], None]:
    """Scale and offset of the assets."""

    def check(folder: Path) -> None:
        optical = {"raster:bands": [{"nodata": 0, "scale": 2.75e-5, "offset": -0.2}]}
        thermal = {"raster:bands": [{"nodata": 0, "scale": 0.00341802, "offset": 149.0, "unit": "kelvin"}]}
        assets = {"red": (dn(20000), optical), "nir08": (dn(24000), optical), "lwir11": (dn(44000), thermal),
                  "qa_pixel": dn(21824)}  # fmt: skip
        path = item(
            folder, source, "LC08_L2SP_190028_20230618_02_T1", assets,
            platform="landsat-8", instruments=["oli", "tirs"], **{"landsat:correction": "L2SP"},
        )  # fmt: skip
        tile = open_tile(path)
        same(tile, red=20000 * 2.75e-5 - 0.2, nir08=24000 * 2.75e-5 - 0.2, lwir11=44000 * 0.00341802 + 149.0)
        require(tile.qa_pixel.attrs["quantity"] == "flags", tile.qa_pixel.attrs)

    return check


def landsat_l1_mss(folder: Path) -> None:
    """Items of MSS call B3 nir08 and B4 nir09; the sun stands 30° high."""
    fields = {"raster:bands": [{"nodata": 0, "scale": 2e-3, "offset": -0.01}]}
    assets = {key: (dn(90, "u1"), fields) for key in ("green", "red", "nir08", "nir09")}
    path = item(
        folder, "planetary-computer/landsat-c2-l1", "LM05_L1TP_190028_19840618_02_T2", assets,
        platform="landsat-5", instruments=["mss"],
        **{"landsat:correction": "L1TP", "view:sun_elevation": 30.0},
    )  # fmt: skip
    tile = open_tile(path)
    require(set(tile) == {"green", "red", "nir", "nir08"}, list(tile))
    require(abs(float(tile.nir[3, 3]) - (90 * 2e-3 - 0.01) / 0.5) < 1e-6, float(tile.nir[3, 3]))


def rtc_planetary_computer(folder: Path) -> None:
    """Linear power."""
    assets = {"vv": np.full((6, 8), 0.11, "f4"), "vh": np.full((6, 8), 0.02, "f4")}
    path = item(
        folder, "planetary-computer/sentinel-1-rtc", "S1A_IW_GRDH_1SDV_20230618T050000_rtc", assets,
        platform="SENTINEL-1A",
    )  # fmt: skip
    tile = open_tile(path)
    same(tile, vv=0.11, vh=0.02)
    require(tile.vv.attrs["quantity"] == "backscatter" and tile.vv.attrs["units"] == "1", tile.vv.attrs)
    require(tile.attrs["processing_level"] == "RTC", tile.attrs)


def hls_item(source: str, name: str, red: str, nir: str) -> Callable[[Path], None]:
    """One scale, no offset; B05 is not the same band on both."""

    def check(folder: Path) -> None:
        assets = {red: dn(2000, "i2"), nir: dn(4000, "i2"), "Fmask": dn(2, "u1"), "SZA": dn(4512)}
        tile = open_tile(item(folder, source, name, assets))
        require(set(tile) == {"red", "nir08", "fmask"}, list(tile))
        same(tile, red=0.2, nir08=0.4, fmask=2)

    return check


def safe(level: str, baseline: str, zipped: bool) -> Callable[[Path], None]:
    """A simulated SAFE shows the reflectance that the scene was made of."""

    def check(folder: Path) -> None:
        scene = {"shape": (60, 60)}
        path = write_safe(scene, folder, level=level, baseline=baseline, zipped=zipped)  # type: ignore[arg-type]
        tile = open_tile(path, ["red", "nir08"], resolution=60.0)
        require(bool(np.isfinite(tile.red).all()) and 0 < float(tile.red.mean()) < 1, float(tile.red.mean()))
        other = write_safe(scene, folder / "other", level=level, baseline="02.14")  # type: ignore[arg-type]
        np.testing.assert_array_equal(
            tile.red.values, open_tile(other, ["red", "nir08"], resolution=60.0).red.values
        )

    return check


def landsat_folder(level: str, platform: str, tarred: bool) -> Callable[[Path], None]:
    """A simulated Landsat product by its MTL."""

    def check(folder: Path) -> None:
        path = write_landsat({"shape": (20, 20)}, folder, level=level, platform=platform, tarred=tarred)  # type: ignore[arg-type]
        tile = open_tile(path, "red")
        quantity = "surface_reflectance" if level == "L2SP" else "toa_reflectance"
        require(tile.red.attrs["quantity"] == quantity, tile.red.attrs)
        require(0 < float(tile.red.mean()) < 1, float(tile.red.mean()))

    return check


def landsat_real(folder: Path) -> None:
    """Cloud share by QA_PIXEL bit 3, as the MTL says it."""
    tile = open_tile(data_path("ls8_c2l2_colombia_008059_cloudy"), ["red", "qa_pixel"])
    qa = tile.qa_pixel.values
    cloud = ((qa & 8) > 0)[(qa & 1) == 0].mean()
    require(abs(float(cloud) - 0.81) < 0.01, float(cloud))


def s2_real(folder: Path) -> None:
    """Earth Search's item with the offset in its pixels already."""
    source = data_path("s2_l2a_33TWL_croatia")
    found = sorted(path for path in source.rglob("*.json") if "S2" in path.parent.name or "item" in path.name)
    require(bool(found), "no item")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetadataWarning)  # the bands were decimated, and it is said
        tile = open_tile(found[0].parent, "red")
    require(tile.red.attrs["offset_source"] == "boa_offset_applied", tile.red.attrs)


def hls_folder(name: str, nir: str) -> Callable[[Path], None]:
    """A folder of band files."""

    def check(folder: Path) -> None:
        tile = open_tile(hls(folder, name, ("B04", nir, "Fmask")))
        same_at = float(tile.nir08[10, 10])
        require(same_at == np.float32(0.2) and "fmask" in tile, same_at)

    return check


def opera(folder: Path) -> None:
    """Linear gamma nought with a mask."""
    write(folder / f"{OPERA}_VV.tif", np.full((8, 8), 0.1, "f4"), UTM33)
    write(folder / f"{OPERA}_mask.tif", np.zeros((8, 8), "u1"), UTM33)
    tile = open_tile(folder)
    same(tile, vv=0.1, rtc_mask=0)


def opera_real(folder: Path) -> None:
    """One burst over California."""
    for path in data_path("s1_rtc_california_open").glob(f"{OPERA}_*.tif"):
        shutil.copy(path, folder)
    require(0 < float(open_tile(folder).vv.median()) < 1, "not linear")


def hyp3(folder: Path) -> None:
    """Decibels by the name."""
    write(folder / f"{HYP3.format('gd')}_VV.tif", np.full((8, 8), -11.0, "f4"), UTM33)
    require(open_tile(folder).vv.attrs["units"] == "dB", "units")


def planetscope(asset: str, bands: int, value: float) -> Callable[[Path], None]:
    """The near infrared by its scale or coefficient."""

    def check(folder: Path) -> None:
        same(open_tile(planet(folder, asset, bands)), nir=value)

    return check


def enmap_simulated(folder: Path) -> None:
    """A small tile."""
    tile = open_tile(enmap(folder))
    require(tile.reflectance.sizes["wavelength"] == 6 and "quality_cloud" in tile, tile.sizes)


def enmap_real(folder: Path) -> None:
    """The cube over Potsdam, under the product's names."""
    source = data_path("hsi_enmap_potsdam_open")
    (folder / f"{ENMAP}-SPECTRAL_IMAGE.TIF").symlink_to(source / "enmap_l2a_20220724_224bands_int16.tif")
    centres = np.loadtxt(source / "wavelengths_nm.txt").tolist()
    (folder / f"{ENMAP}-METADATA.XML").write_text(enmap_metadata(centres))
    require(open_tile(folder).reflectance.sizes["wavelength"] == 218, "bands")


def emit_simulated(folder: Path) -> None:
    """A small granule on its map grid."""
    path, _, glt = emit(folder)
    values = open_tile(path).reflectance.values
    require(bool(np.isnan(values[:, glt[0] == 0]).all()) and bool(np.isfinite(values).any()), "lookup table")


def netcdf(folder: Path) -> None:
    """A tile that xarray wrote."""
    tile = simulate_scene((12, 12), bands=("red", "nir"))
    tile.to_netcdf(folder / "tile.nc", engine="h5netcdf")
    np.testing.assert_array_equal(open_tile(folder / "tile.nc").red.values, tile.red.values)


def zarr(folder: Path) -> None:
    """A tile that geotoolz wrote."""
    tile = simulate_scene((12, 12), bands=("red", "nir"))
    write_zarr(tile, folder / "tile.zarr")
    np.testing.assert_array_equal(open_tile(folder / "tile.zarr").red.values, tile.red.values)


def refused(name: str, start: bytes, tool: str) -> Callable[[Path], None]:
    """What is known and cannot be read names the tool that reads it."""

    def check(folder: Path) -> None:
        path = folder / name
        if start:
            path.write_bytes(start + bytes(100))
        else:
            path.mkdir()
            (path / "manifest.safe").write_text("<xfdu/>")
        try:
            open_tile(path)
        except ReadError as error:
            require(tool in str(error), error)
        else:
            raise AssertionError(f"{name} was opened")

    return check


_S2L1, _S2L2 = ("Sentinel-2", "L1C"), ("Sentinel-2", "L2A")
CASES: tuple[Case, ...] = (
    Case(*_S2L2, "earth-search/sentinel-2-l2a", "item", "simulated", s2_earth_search),
    Case(*_S2L2, "earth-search/sentinel-2-l2a", "item", "real", s2_real),
    Case(*_S2L2, "earth-search/sentinel-2-c1-l2a", "item", "simulated", s2_earth_search_c1),
    Case(*_S2L1, "earth-search/sentinel-2-l1c", "item", "simulated", s2_earth_search_l1c),
    Case(*_S2L2, "planetary-computer/sentinel-2-l2a", "item", "simulated", s2_planetary_computer),
    Case(*_S2L2, "cdse/sentinel-2-l2a", "item", "simulated", s2_cdse),
    Case(*_S2L1, "cdse/sentinel-2-l1c", "item", "simulated", s2_cdse_l1c),
    *(
        Case("Landsat 8", "L2SP", source, "item", "simulated", landsat_l2(source))
        for source in ("earth-search/landsat-c2-l2", "planetary-computer/landsat-c2-l2")
    ),
    Case("Landsat 5 MSS", "L1TP", "planetary-computer/landsat-c2-l1", "item", "simulated", landsat_l1_mss),
    Case(
        "Sentinel-1", "RTC", "planetary-computer/sentinel-1-rtc", "item", "simulated", rtc_planetary_computer
    ),
    *(
        Case("HLS", level, source, "item", "simulated", hls_item(source, name, "B04", nir))
        for level, name, nir, sources in (
            ("L30", HLS_L30, "B05", ("planetary-computer/hls2-l30", "lp-daac/HLSL30_2.0")),
            ("S30", HLS_S30, "B8A", ("planetary-computer/hls2-s30", "lp-daac/HLSS30_2.0")),
        )
        for source in sources
    ),
    Case(*_S2L2, "sentinel-2-safe", "folder", "simulated", safe("L2A", "05.09", False)),
    Case(*_S2L2, "sentinel-2-safe", "zip", "simulated", safe("L2A", "05.09", True)),
    Case(*_S2L1, "sentinel-2-safe", "folder", "simulated", safe("L1C", "04.00", False)),
    Case("Landsat 8", "L2SP", "landsat", "folder", "simulated", landsat_folder("L2SP", "landsat-8", False)),
    Case("Landsat 8", "L2SP", "landsat", "folder", "real", landsat_real),
    Case("Landsat 9", "L1TP", "landsat", "tar", "simulated", landsat_folder("L1TP", "landsat-9", True)),
    Case(
        *("Sentinel-1", "GRD", "sentinel-1-safe", "refused", "simulated"),
        refused("S1A_IW_GRDH_1SDV_20230618T050000_20230618T050025_049000_05E000_1234.SAFE", b"", "SNAP"),
    ),
    Case("any", "HDF4", "hdf4", "refused", "simulated", refused("MOD13Q1.hdf", b"\x0e\x03\x13\x01", "gdal")),
    Case("HLS", "L30", "hls", "folder", "simulated", hls_folder(HLS_L30, "B05")),
    Case("HLS", "S30", "hls", "folder", "simulated", hls_folder(HLS_S30, "B8A")),
    Case("Sentinel-1 OPERA", "RTC", "sentinel-1-rtc", "folder", "simulated", opera),
    Case("Sentinel-1 OPERA", "RTC", "sentinel-1-rtc", "folder", "real", opera_real),
    Case("Sentinel-1 HyP3", "RTC", "sentinel-1-rtc", "folder", "simulated", hyp3),
    Case("PlanetScope", "SR", "planetscope", "folder", "simulated", planetscope("AnalyticMS_SR", 4, 0.4)),
    Case(
        "PlanetScope", "TOA", "planetscope", "folder", "simulated", planetscope("AnalyticMS", 8, 8000 * 8e-5)
    ),
    Case("EnMAP", "L2A", "enmap-l2a", "folder", "simulated", enmap_simulated),
    Case("EnMAP", "L2A", "enmap-l2a", "folder", "real", enmap_real),
    Case("EMIT", "L2A", "emit-l2a", "file", "simulated", emit_simulated),
    Case("any", "CF", "cf", "NetCDF", "simulated", netcdf),
    Case("any", "CF", "cf", "Zarr", "simulated", zarr),
)
