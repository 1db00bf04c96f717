"""`write_safe`: a simulated scene as ESA delivers it, Sentinel-2 in SAFE format."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from geotoolz.core._errors import ParameterError
from geotoolz.core._grid import geobox_of
from geotoolz.core.testing import _simulate_spectra as spectra
from geotoolz.core.testing._simulate import simulate_scene
from geotoolz.core.testing._simulate_args import baseline_numbers, utm_zone
from geotoolz.core.testing._simulate_item import outline
from geotoolz.core.testing._simulate_safe_names import SafeNames
from geotoolz.core.testing._simulate_safe_xml import granule_xml, has_offset, product_xml

if TYPE_CHECKING:
    import xarray as xr

Array = npt.NDArray[Any]
Images = dict[tuple[str, int], Array]

_SIZES = (10, 20, 60)
_OFFSET = 1000
_OLD = "03.01"  # a baseline without the offset
_CLOUDY = {8: 60, 9: 95, 10: 40}  # SCL → cloud probability in percent


def write_safe(
    scene: Mapping[str, Any],
    folder: str | Path,
    *,
    level: Literal["L1C", "L2A"] = "L2A",
    baseline: str = "05.09",
    names: Literal["compact", "long"] = "compact",
    zipped: bool = False,
) -> Path:
    """Write one simulated Sentinel-2 scene in SAFE format.

    The folders, file names and metadata elements are those of real products, so that other software
    (GDAL's driver SENTINEL2, for one) reads it too; the bands are JPEG 2000 without loss. Data strip,
    manifest, previews and quality reports are left out. Products that differ in nothing but their
    baseline show the same reflectance: from 04.00 on every digital number is 1000 higher.

    Parameters
    ----------
    scene : mapping
        Arguments of `simulate_scene`: ``shape`` (rows and columns at 10 m, multiples of 6; 120 × 120 by
        default), ``seed``, ``datetime``, ``origin``, ``cloud_cover`` and so on.
    folder : str or Path
        Where the product goes.
    level : {"L2A", "L1C"}
        With surface reflectance, scene classification, aerosol, water vapour and cloud probability in
        three pixel sizes, or with the 13 bands of top-of-atmosphere reflectance.
    baseline : str
        Processing baseline.
    names : {"compact", "long"}
        The file names since 6 December 2016, or those before.
    zipped : bool
        Write ``….SAFE.zip`` instead of a folder.

    Returns
    -------
    pathlib.Path
        The ``.SAFE`` folder, or the zip.

    Raises
    ------
    ParameterError
        If the shape is no multiple of 6, the CRS no UTM zone, or an argument is not known.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     safe = write_safe({"shape": (12, 12)}, tmp, baseline="03.01")
    ...     safe.name
    'S2A_MSIL2A_20230618T100031_N0301_R079_T33TWL_20230618T140031.SAFE'
    """
    baseline_numbers(baseline)
    options = _options(scene, level, names)
    tiles: Any = simulate_scene(**options)
    attrs, box = tiles[10].attrs, geobox_of(tiles[10])
    sensed = datetime.fromisoformat(attrs["datetime"]).replace(tzinfo=None)
    called = SafeNames(
        attrs["platform"].replace("sentinel-", "S").upper(), level, baseline, _mgrs_tile(box), sensed,
        sensed + timedelta(hours=4), names == "long",
    )  # fmt: skip
    images = _images(tiles, level, _OFFSET if has_offset(baseline) else 0)
    safe = Path(folder) / f"{called.product}.SAFE"
    granule = safe / "GRANULE" / called.granule
    paths = {key: called.image(*key) for key in images}
    for key, pixels in images.items():
        _write_jp2(granule / f"{paths[key]}.jp2", pixels, box, key[1])
    facts = {**attrs, "footprint": " ".join(f"{lat} {lon}" for lon, lat in outline(box, 1))}
    cover = _cloud_cover(tiles)
    (safe / called.product_xml).write_text(
        product_xml(called, list(paths.values()), facts, cover), encoding="utf-8"
    )
    (granule / called.granule_xml).write_text(granule_xml(called, attrs, box), encoding="utf-8")
    return _zip(safe) if zipped else safe


def _options(scene: Mapping[str, Any], level: str, names: str) -> dict[str, Any]:
    if level not in ("L1C", "L2A"):
        raise ParameterError(f"level {level!r}", expected="'L1C' or 'L2A'")
    if names not in ("compact", "long"):
        raise ParameterError(f"names {names!r}", expected="'compact' or 'long'")
    taken = {"level", "baseline", "raw", "native", "bands", "sensor", "resolution", "window", "truth"}
    if wrong := taken & set(scene):
        raise ParameterError(
            f"the scene has {sorted(wrong)}", fix="the product decides that: give level= and baseline= here"
        )
    options: dict[str, Any] = {"shape": (120, 120), **scene}
    if any(size % 6 for size in options["shape"]):
        raise ParameterError(
            f"shape {options['shape']}", expected="multiples of 6: bands of 10, 20 and 60 m end together"
        )
    bands = [name for name in spectra.SENSORS["sentinel-2"] if level == "L1C" or name != "cirrus"]
    quality = ("qa60",) if level == "L1C" else ("scl",)
    return {
        **options, "bands": (*bands, *quality), "level": level, "baseline": _OLD, "raw": True, "native": True
    }  # fmt: skip


def _images(tiles: Mapping[int, xr.Dataset], level: str, offset: int) -> Images:
    """Return the images of a product by sensor's band name and pixel size."""
    found: Images = {}
    for size, tile in tiles.items():
        for name, variable in tile.data_vars.items():
            band = spectra.SENSORS["sentinel-2"].get(str(name))
            if band is not None:
                dn = variable.values
                found[band.sensor_name, size] = np.where(dn > 0, dn + np.uint16(offset), dn)
    if level == "L1C":
        return found
    found["SCL", 20] = tiles[20]["scl"].values
    found |= _auxiliary(found["SCL", 20], found["B04", 10].shape)
    coarser: Images = {}
    for (name, size), pixels in found.items():
        for other in _SIZES:
            if other > size and (name, other) not in found and name != "B08":
                coarser[name, other] = _coarser(pixels, other // size, name)
    if offset:  # since 04.00
        found["B01", 20] = found["B01", 60].repeat(3, axis=0).repeat(3, axis=1)
    return {**found, **coarser}


def _auxiliary(scl: Array, shape: tuple[int, int]) -> Images:
    """Return aerosol and water vapour that rise from west to east, and probabilities that fit the classes."""
    ramp = np.broadcast_to(np.linspace(0, 1, shape[1]), shape)
    cloud = np.zeros(scl.shape, np.uint8)
    for code, percent in _CLOUDY.items():
        cloud[scl == code] = percent
    return {
        ("AOT", 10): (100 + np.rint(60 * ramp)).astype(np.uint16),
        ("WVP", 10): (2000 + np.rint(800 * ramp)).astype(np.uint16),
        ("CLD", 20): cloud,
        ("SNW", 20): np.zeros(scl.shape, np.uint8),
    }


def _coarser(pixels: Array, factor: int, name: str) -> Array:
    """Average blocks of pixels; classes are picked, and a block with a gap is one."""
    if name == "SCL":
        return np.asarray(pixels[factor // 2 :: factor, factor // 2 :: factor])
    rows, cols = pixels.shape
    blocks = pixels.reshape(rows // factor, factor, cols // factor, factor)
    mean = np.rint(blocks.mean(axis=(1, 3)))
    gaps = (blocks == 0).any(axis=(1, 3)) & (name not in ("CLD", "SNW"))
    return np.where(gaps, 0, mean).astype(pixels.dtype)


def _write_jp2(path: Path, pixels: Array, box: Any, size: int) -> None:
    import rasterio
    from affine import Affine

    path.parent.mkdir(parents=True, exist_ok=True)
    profile: dict[str, Any] = {
        "driver": "JP2OpenJPEG", "count": 1, "dtype": pixels.dtype.name, "height": pixels.shape[0],
        "width": pixels.shape[1], "crs": box.crs.to_wkt(),
        "transform": Affine(size, 0, box.affine.c, 0, -size, box.affine.f), "QUALITY": "100",
        "REVERSIBLE": "YES",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(pixels, 1)


def _cloud_cover(tiles: Mapping[int, xr.Dataset]) -> float:
    """Return the share of clouds among pixels that have data, in percent."""
    tile = tiles[20] if "scl" in tiles[20] else tiles[60]
    if "scl" in tile:
        classes = tile["scl"].values
        cloudy, valid = np.isin(classes, list(_CLOUDY)), classes != 0
    else:
        cloudy, valid = tile["qa60"].values != 0, tile["coastal"].values != 0
    return 100.0 * float((cloudy & valid).sum()) / max(int(valid.sum()), 1)


def _mgrs_tile(box: Any) -> str:
    """Return the tile whose corner lies at the grid's, as MGRS counts squares of 100 km."""
    from pyproj import Transformer

    zone, _ = utm_zone(box.crs.epsg)
    x, y = box.affine.c + 50_000, box.affine.f - 50_000
    _, lat = Transformer.from_crs(box.crs.to_wkt(), "EPSG:4326", always_xy=True).transform(x, y)
    band = "CDEFGHJKLMNPQRSTUVWX"[min(int((lat + 80) // 8), 19)]
    columns = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")[(zone - 1) % 3]
    rows = "ABCDEFGHJKLMNPQRSTUV"
    row = rows[(int(y // 100_000) + (5 if zone % 2 == 0 else 0)) % 20]
    return f"{zone:02d}{band}{columns[min(max(int(x // 100_000), 1), 8) - 1]}{row}"


def _zip(safe: Path) -> Path:
    """Put a product into a zip, as it is (JPEG 2000 does not get smaller), and remove the folder."""
    target = safe.with_name(f"{safe.name}.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(p for p in safe.rglob("*") if p.is_file() and not p.name.endswith(".aux.xml")):
            archive.write(path, f"{safe.name}/{path.relative_to(safe).as_posix()}")
    shutil.rmtree(safe)
    return target
