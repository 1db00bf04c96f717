"""`write_landsat`: a simulated scene as the USGS delivers it, Landsat Collection 2 with its MTL."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from geotoolz.core._errors import ParameterError, nearest
from geotoolz.core._grid import geobox_of
from geotoolz.core.testing._simulate import simulate_scene
from geotoolz.core.testing._simulate_args import utm_zone

Array = npt.NDArray[Any]
Groups = dict[str, dict[str, Any]]

# instrument → band of the file → the simulated band (of the OLI) that it shows
_BANDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "oli": {
            "1": "coastal",
            "2": "blue",
            "3": "green",
            "4": "red",
            "5": "nir08",
            "6": "swir16",
            "7": "swir22",
        },
        "etm": {"1": "blue", "2": "green", "3": "red", "4": "nir08", "5": "swir16", "7": "swir22"},
        "tm": {"1": "blue", "2": "green", "3": "red", "4": "nir08", "5": "swir16", "7": "swir22"},
        "mss": {"1": "green", "2": "red", "3": "nir08", "4": "nir08"},
    }
)
_PLATFORMS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    # platform → first letters of its products by instrument, and the sensor's name in the MTL
    {
        "landsat-9": ("oli", "LC09", "OLI_TIRS"),
        "landsat-8": ("oli", "LC08", "OLI_TIRS"),
        "landsat-7": ("etm", "LE07", "ETM"),
        "landsat-5": ("tm", "LT05", "TM"),
        "landsat-4": ("tm", "LT04", "TM"),
        "landsat-5-mss": ("mss", "LM05", "MSS"),
        "landsat-4-mss": ("mss", "LM04", "MSS"),
    }
)
# of Level-1 products of 8 bits; the real ones differ from scene to scene
_SCALE_8 = (0.0025, -0.01)
_K = (666.09, 1282.71)
_RADIANCE = (0.055, 1.18)


def write_landsat(
    scene: Mapping[str, Any],
    folder: str | Path,
    *,
    level: Literal["L2SP", "L1TP"] = "L2SP",
    platform: str = "landsat-8",
    tarred: bool | Literal["gz"] = False,
) -> Path:
    """Write one simulated Landsat scene as a Collection 2 product.

    Files and metadata groups are named as in real products; the MTL is written as text and as JSON. The
    older instruments show what the OLI's bands show, in 8 bits at Level-1.

    Parameters
    ----------
    scene : mapping
        Arguments of `simulate_scene`: ``shape`` (rows and columns at 30 m, 120 × 120 by default), ``seed``,
        ``datetime``, ``origin``, ``cloud_cover`` and so on.
    folder : str or Path
        Where the product goes.
    level : {"L2SP", "L1TP"}
        Surface reflectance and temperature, or top-of-atmosphere. There is no Level-2 of MSS.
    platform : str
        ``"landsat-4"`` to ``"landsat-9"``; ``"landsat-5-mss"`` for the other instrument.
    tarred : bool or "gz"
        Write a ``.tar`` (``.tar.gz``) instead of a folder.

    Returns
    -------
    pathlib.Path
        The product's folder, or the tar.

    Raises
    ------
    ParameterError
        If an argument is not known, or the CRS no UTM zone.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     out = write_landsat({"shape": (16, 16)}, tmp, level="L1TP", platform="landsat-5-mss")
    ...     out.name, len(list(out.glob("*_B?.TIF")))
    ('LM05_L1TP_190028_20230618_20230702_02_T1', 4)
    """
    if platform not in _PLATFORMS:
        raise ParameterError(
            f"platform {platform!r}{nearest(platform, _PLATFORMS)}",
            expected=f"one of {', '.join(_PLATFORMS)}",
        )
    instrument, start, sensor_id = _PLATFORMS[platform]
    if level not in ("L2SP", "L1TP") or (level == "L2SP" and instrument == "mss"):
        raise ParameterError(f"level {level!r} of {platform}", expected="'L2SP' or 'L1TP'; 'L1TP' of MSS")
    tile = _simulated(scene, level)
    attrs, box = tile.attrs, geobox_of(tile)
    day = datetime.fromisoformat(attrs["datetime"])
    product = f"{start}_{level}_190028_{day:%Y%m%d}_{day + timedelta(days=14):%Y%m%d}_02_T1"
    out = Path(folder) / product
    out.mkdir(parents=True, exist_ok=True)
    files = _files(tile, instrument, level)
    for name, pixels in files.items():
        _write(out / f"{product}_{name}.TIF", pixels, box, {"QA_PIXEL": 1, "QA_RADSAT": None}.get(name, 0))
    facts = {"SPACECRAFT_ID": platform.removesuffix("-mss").upper().replace("-", "_"), "SENSOR_ID": sensor_id}
    groups = _groups(product, list(files), facts, tile, instrument)
    (out / f"{product}_MTL.txt").write_text(_odl(groups), encoding="utf-8")
    texts = {group: {key: str(value) for key, value in held.items()} for group, held in groups.items()}
    (out / f"{product}_MTL.json").write_text(
        json.dumps({"LANDSAT_METADATA_FILE": texts}, indent=2), encoding="utf-8"
    )
    return _tar(out, tarred == "gz") if tarred else out


def _simulated(scene: Mapping[str, Any], level: str) -> Any:
    taken = {
        "level",
        "raw",
        "native",
        "bands",
        "sensor",
        "resolution",
        "window",
        "truth",
        "baseline",
        "platform",
    }
    if wrong := taken & set(scene):
        raise ParameterError(
            f"the scene has {sorted(wrong)}", fix="the product decides that: give level= and platform= here"
        )
    bands = [*_BANDS["oli"].values(), *(["lwir11"] if level == "L2SP" else []), "qa_pixel"]
    options: dict[str, Any] = {"shape": (120, 120), **scene, "sensor": "landsat-8", "level": level}
    return simulate_scene(**options, bands=bands, raw=True)


def _files(tile: Any, instrument: str, level: str) -> dict[str, Array]:
    """Return the pixels of every file by what stands behind the product's name."""
    files: dict[str, Array] = {}
    for number, name in _BANDS[instrument].items():
        dn = tile[name].values
        if level == "L2SP":
            files[f"SR_B{number}"] = dn
        else:
            files[f"B{number}"] = dn if instrument == "oli" else _as_bytes(dn * 2e-5 - 0.1, dn == 0)
    if level == "L2SP":
        files["ST_B10" if instrument == "oli" else "ST_B6"] = tile["lwir11"].values
    elif instrument in ("etm", "tm"):
        shape = tile["red"].shape
        warm = np.broadcast_to(np.linspace(120, 160, shape[1]), shape).astype(np.uint8)
        for name in ("B6_VCID_1", "B6_VCID_2") if instrument == "etm" else ("B6",):
            files[name] = warm
    files["QA_PIXEL"] = tile["qa_pixel"].values
    files["QA_RADSAT"] = np.zeros_like(files["QA_PIXEL"])
    return files


def _as_bytes(values: Array, gap: Array) -> Array:
    scale, add = _SCALE_8
    dn = np.clip(np.rint((values - add) / scale), 1, 255)
    return np.where(gap, 0, dn).astype(np.uint8)


def _write(path: Path, pixels: Array, box: Any, nodata: int | None) -> None:
    import rasterio

    profile: dict[str, Any] = {
        "driver": "GTiff", "count": 1, "dtype": pixels.dtype.name, "height": pixels.shape[0],
        "width": pixels.shape[1], "crs": box.crs.to_wkt(), "transform": box.affine, "compress": "deflate",
        "tiled": True, "blockxsize": 256, "blockysize": 256, "nodata": nodata,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(pixels, 1)


def _groups(product: str, files: list[str], facts: dict[str, str], tile: Any, instrument: str) -> Groups:
    """Return the MTL's groups that say what the pixels are."""
    attrs, box, qa = tile.attrs, geobox_of(tile), tile["qa_pixel"].values
    level, bands = product.split("_")[1], [name for name in files if not name.startswith("QA")]
    when = datetime.fromisoformat(attrs["datetime"])
    contents = {"LANDSAT_PRODUCT_ID": product, "PROCESSING_LEVEL": level, "COLLECTION_NUMBER": "02"}
    contents |= {"COLLECTION_CATEGORY": "T1", "OUTPUT_FORMAT": "GEOTIFF"}
    for name in files:
        key = f"BAND_{_key(name)}" if name in bands else f"QUALITY_L1_{_QUALITY[name]}"
        contents[f"FILE_NAME_{key}"] = f"{product}_{name}.TIF"
    valid = qa != 1
    image: dict[str, Any] = {
        **facts, "WRS_TYPE": 2, "WRS_PATH": 190, "WRS_ROW": 28, "DATE_ACQUIRED": f"{when:%Y-%m-%d}",
        "SCENE_CENTER_TIME": f"{when:%H:%M:%S}.0000000Z",
        "CLOUD_COVER": round(100.0 * float(((qa & 8) > 0)[valid].mean()) if valid.any() else 0.0, 2),
        "SUN_AZIMUTH": attrs["sun_azimuth"], "SUN_ELEVATION": attrs["sun_elevation"],
    }  # fmt: skip
    rows, cols = box.shape
    grid = {
        "MAP_PROJECTION": "UTM", "DATUM": "WGS84", "UTM_ZONE": utm_zone(box.crs.epsg if box.crs else None)[0],
        "GRID_CELL_SIZE_REFLECTIVE": 30.0, "REFLECTIVE_LINES": rows, "REFLECTIVE_SAMPLES": cols,
        "ORIENTATION": "NORTH_UP",
    }  # fmt: skip
    return {
        "PRODUCT_CONTENTS": contents, "IMAGE_ATTRIBUTES": image, "PROJECTION_ATTRIBUTES": grid,
        **(_level2(bands) if level == "L2SP" else _level1(bands, instrument)),
    }  # fmt: skip


_QUALITY = {"QA_PIXEL": "PIXEL", "QA_RADSAT": "RADIOMETRIC_SATURATION"}


def _key(name: str) -> str:
    """Return how the MTL calls a band: ``SR_B4`` and ``B4`` are 4, ``ST_B10`` stays."""
    return name if name.startswith("ST_") else name.removeprefix("SR_").removeprefix("B")


def _level2(bands: list[str]) -> Groups:
    reflective = [_key(name) for name in bands if name.startswith("SR_")]
    thermal = [name for name in bands if name.startswith("ST_")]
    surface = {f"REFLECTANCE_MULT_BAND_{key}": 2.75e-05 for key in reflective}
    surface |= {f"REFLECTANCE_ADD_BAND_{key}": -0.2 for key in reflective}
    warm = {f"TEMPERATURE_MULT_BAND_{key}": 0.00341802 for key in thermal}
    warm |= {f"TEMPERATURE_ADD_BAND_{key}": 149.0 for key in thermal}
    # the Level-1 values stand in real products, too: they must not be taken
    level1 = {f"REFLECTANCE_MULT_BAND_{key}": 2.0e-05 for key in reflective}
    level1 |= {f"REFLECTANCE_ADD_BAND_{key}": -0.1 for key in reflective}
    return {
        "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS": surface,
        "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS": warm,
        "LEVEL1_RADIOMETRIC_RESCALING": level1,
    }


def _level1(bands: list[str], instrument: str) -> Groups:
    scale, add = (2.0e-05, -0.1) if instrument == "oli" else _SCALE_8
    warm = [_key(name) for name in bands if instrument != "oli" and name.startswith("B6")]
    reflective = [key for name in bands if (key := _key(name)) not in warm]
    scales: dict[str, Any] = {f"RADIANCE_MULT_BAND_{key}": _RADIANCE[0] for key in warm}
    scales |= {f"RADIANCE_ADD_BAND_{key}": _RADIANCE[1] for key in warm}
    scales |= {f"REFLECTANCE_MULT_BAND_{key}": scale for key in reflective}
    scales |= {f"REFLECTANCE_ADD_BAND_{key}": add for key in reflective}
    groups: Groups = {"LEVEL1_RADIOMETRIC_RESCALING": scales}
    if warm:
        constants = zip(("K1", "K2"), _K, strict=True)
        groups["LEVEL1_THERMAL_CONSTANTS"] = {
            f"{name}_CONSTANT_BAND_{key}": value for name, value in constants for key in warm
        }
    return groups


def _odl(groups: Groups) -> str:
    lines = ["GROUP = LANDSAT_METADATA_FILE"]
    for group, held in groups.items():
        lines.append(f"  GROUP = {group}")
        for key, value in held.items():
            bare = not isinstance(value, str) or key in ("DATE_ACQUIRED", "COLLECTION_NUMBER")
            lines.append(f"    {key} = {value}" if bare else f'    {key} = "{value}"')
        lines.append(f"  END_GROUP = {group}")
    return "\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END", ""])


def _tar(folder: Path, compressed: bool) -> Path:
    """Put a product into a tar, its files at the top, and remove the folder."""
    target = folder.with_name(f"{folder.name}.tar{'.gz' if compressed else ''}")
    with tarfile.open(target, "w:gz" if compressed else "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    shutil.rmtree(folder)
    return target
