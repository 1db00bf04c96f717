"""Simulated products with the names and metadata of real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from _rasters import write
from affine import Affine
from odc.geo.geobox import GeoBox

ENMAP = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
HLS_S30 = "HLS.S30.T33TWL.2023232T095031.v2.0"
HLS_L30 = "HLS.L30.T33TWL.2023233T094512.v2.0"
OPERA = "OPERA_L2_RTC-S1_T137-292324-IW1_20211119T015911Z_20250830T120333Z_S1A_30_v1.0"
HYP3 = "S1A_IW_20211119T015911_DVP_RTC30_G_{}uned_1A2B"
PLANET = "20230820_095123_45_2475"
EMIT = "EMIT_L2A_RFL_001_20220903T163129_2224611_012"
UTM33 = Affine(30, 0, 399960, 0, -30, 5_000_040)


def hls(
    folder: Path, name: str, keys: tuple[str, ...], shape: tuple[int, int] = (20, 24), **tags: str
) -> Path:
    """Write an HLS folder; band number i holds 1000·i but for a corner of fill."""
    for number, key in enumerate(keys, start=1):
        if key == "Fmask":
            pixels, nodata = np.full(shape, 0b01000010, "u1"), 255
        elif key in ("SZA", "SAA", "VZA", "VAA"):
            pixels, nodata = np.full(shape, 4512, "u2"), 40000
        else:
            pixels, nodata = np.full(shape, 1000 * number, "i2"), -9999
        pixels[:3, :4] = nodata
        write(folder / f"{name}.{key}.tif", pixels, UTM33, nodata=nodata)
    if tags:
        import rasterio

        for path in folder.glob("*.tif"):
            with rasterio.open(path, "r+") as raster:
                raster.update_tags(**tags)
    return folder


def planet(
    folder: Path, asset: str = "AnalyticMS_SR", bands: int = 4, *, xml: bool = True, udm2: bool = True
) -> Path:
    """Write a PlanetScope scene; band i holds 1000·i, the first column nothing."""
    pixels = np.stack([np.full((12, 10), 1000 * i, "u2") for i in range(1, bands + 1)])
    pixels[:, :, 0] = 0
    suffix = "_8b" if bands == 8 else ""
    write(
        folder / f"{PLANET}_3B_{asset}{suffix}.tif", pixels, Affine(3, 0, 500_000, 0, -3, 5_000_000), nodata=0
    )
    if udm2:
        mask = np.zeros((8, 12, 10), "u1")
        mask[0] = 1  # clear but for two rows: one of cloud, one of light haze
        mask[0, :2] = 0
        mask[5, 0] = 1
        mask[3, 1] = 1
        mask[6] = 87
        write(folder / f"{PLANET}_3B_udm2.tif", mask, Affine(3, 0, 500_000, 0, -3, 5_000_000))
    if xml:
        rows = "".join(
            f"<ps:bandSpecificMetadata><ps:bandNumber>{i}</ps:bandNumber>"
            f"<ps:radiometricScaleFactor>0.01</ps:radiometricScaleFactor>"
            f"<ps:reflectanceCoefficient>{i}e-05</ps:reflectanceCoefficient></ps:bandSpecificMetadata>"
            for i in range(1, bands + 1)
        )
        (folder / f"{PLANET}_3B_AnalyticMS{suffix}_metadata.xml").write_text(
            '<ps:EarthObservation xmlns:ps="http://p" xmlns:eop="http://e" xmlns:opt="http://o">'
            "<eop:Instrument><eop:shortName>PS2.SD</eop:shortName></eop:Instrument>"
            "<ps:acquisitionDateTime>2023-08-20T09:51:23+00:00</ps:acquisitionDateTime>"
            '<opt:illuminationAzimuthAngle uom="deg">151.5</opt:illuminationAzimuthAngle>'
            '<opt:illuminationElevationAngle uom="deg">52.25</opt:illuminationElevationAngle>'
            f"{rows}</ps:EarthObservation>"
        )
    item = {"id": PLANET, "properties": {"acquired": "2023-08-20T09:51:23.45Z", "instrument": "PS2.SD"}}
    (folder / f"{PLANET}_metadata.json").write_text(json.dumps(item))
    return folder


def enmap_metadata(centres: list[float], gain: float = 1e-4, offset: float = 0.0) -> str:
    """Return a METADATA.XML with the parts that are read."""
    rows = "".join(
        f'<bandID number="{i}"><wavelengthCenterOfBand>{centre}</wavelengthCenterOfBand>'
        f"<FWHMOfBand>{6 + i / 100}</FWHMOfBand><GainOfBand>{gain}</GainOfBand>"
        f"<OffsetOfBand>{offset}</OffsetOfBand></bandID>"
        for i, centre in enumerate(centres, start=1)
    )
    return (
        "<level_X><base><temporalCoverage><startTime>2022-07-24T10:45:26.000Z</startTime></temporalCoverage>"
        "</base><specific><sunElevationAngle><center>56.5</center></sunElevationAngle>"
        "<sunAzimuthAngle><center>158.0</center></sunAzimuthAngle>"
        f"<bandCharacterisation>{rows}</bandCharacterisation></specific></level_X>"
    )


def enmap(folder: Path, bands: int = 6, shape: tuple[int, int] = (24, 30), **more: Any) -> Path:
    """Write an EnMAP L2A folder of random DN with a corner of fill."""
    pixels = np.random.default_rng(3).integers(1, 6000, (bands, *shape)).astype("i2")
    pixels[:, :4, :5] = -32768
    write(folder / f"{ENMAP}-SPECTRAL_IMAGE.TIF", pixels, UTM33, nodata=-32768)
    for key, value in (("CLASSES", 1), ("CLOUD", 0), ("CIRRUS", 2)):
        write(folder / f"{ENMAP}-QL_QUALITY_{key}.TIF", np.full(shape, value, "u1"), UTM33)
    centres = [420.0 + 8 * i for i in range(bands)]
    (folder / f"{ENMAP}-METADATA.XML").write_text(enmap_metadata(centres, **more))
    return folder


def emit(
    folder: Path, shape: tuple[int, int] = (14, 11), bands: int = 5
) -> tuple[Path, np.ndarray, np.ndarray]:
    """Write an EMIT granule whose map is a turned swath; return the file, the swath and the lookup table."""
    rng = np.random.default_rng(7)
    swath = rng.uniform(0, 0.6, (*shape, bands)).astype("f4")
    swath[2, 3] = -9999
    swath[..., 2] = -0.01  # as in the water vapour bands: marked, not filled
    rows, cols = np.meshgrid(np.arange(18), np.arange(20), indexing="ij")
    down, across = rows - 2 + cols // 8, cols - 4 + rows // 9
    inside = (down >= 0) & (down < shape[0]) & (across >= 0) & (across < shape[1])
    glt = np.stack([np.where(inside, across + 1, 0), np.where(inside, down + 1, 0)]).astype("i4")
    path = folder / f"{EMIT}.nc"
    root = xr.Dataset(
        {"reflectance": (("downtrack", "crosstrack", "bands"), swath, {"_FillValue": np.float32(-9999)})},
        attrs={
            "geotransform": np.array([-120.0, 0.0005, 0.0, 37.0, 0.0, -0.0005]),
            "spatial_ref": GeoBox((1, 1), Affine.identity(), "EPSG:4326").crs.to_wkt(),
            "time_coverage_start": "2022-09-03T16:31:29+0000",
        },
    )
    root.to_netcdf(path, engine="h5netcdf")
    good = np.array([1, 1, 0, 1, 1], "u1")[:bands]
    bands_of = xr.Dataset(
        {
            "wavelengths": ("bands", np.linspace(450, 2400, bands).astype("f4")),
            "fwhm": ("bands", np.full(bands, 8.5, "f4")),
            "good_wavelengths": ("bands", good),
        }
    )
    bands_of.to_netcdf(path, group="sensor_band_parameters", mode="a", engine="h5netcdf")
    xr.Dataset(
        {"glt_x": (("ortho_y", "ortho_x"), glt[0]), "glt_y": (("ortho_y", "ortho_x"), glt[1])}
    ).to_netcdf(path, group="location", mode="a", engine="h5netcdf")
    return path, swath, glt
