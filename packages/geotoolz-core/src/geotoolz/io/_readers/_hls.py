"""Harmonized Landsat Sentinel-2, version 2.0: a folder of single-band GeoTIFFs, L30 or S30."""

from __future__ import annotations

import re
from pathlib import Path

from geotoolz.io._hls import FMASK, hls_band, hls_facts
from geotoolz.io._product import Product
from geotoolz.io._radiometry import Declared
from geotoolz.io._readers._base import Reader
from geotoolz.io._readers._names import matching, number, one_scene, tagged
from geotoolz.io._scene import Asset, SceneInfo

# HLS.S30.T33TWL.2023232T095031.v2.0.B04.tif
_FILE = re.compile(
    r"(HLS\.[LS]30\.T\d\d[A-Z]{3}\.\d{7}T\d{6}\.v2\.0)\.(B\d\d|B8A|Fmask|SZA|SAA|VZA|VAA)\.tiff?",
    re.IGNORECASE,
)
_ANGLE = Declared(scale=0.01, nodata=40000, units="degree", said_by="HLS")


class HLS(Reader):
    """HLS L30 and S30 as NASA's LP DAAC distributes them.

    Reflectance is DN × 1e-4 without an offset, thermal bands are in hundredths of a °C and come in
    kelvin; no-data is -9999, of ``Fmask`` 255. The angles are read when asked for by name. Which satellite
    it was stands in the files' tags; without them the platform is ``landsat-8/9`` or ``sentinel-2``.

    References
    ----------
    Masek, J. et al.: Harmonized Landsat Sentinel-2 Product User Guide, version 2.0.
    """

    name = "hls"
    title = "Harmonized Landsat Sentinel-2 v2.0 (L30, S30): folder of band files"

    def recognises(self, path: Path) -> bool:
        """Tell by the names of the files."""
        return bool(matching(path, _FILE))

    def scene(self, path: Path) -> SceneInfo:
        """Say where the bands are.

        Raises
        ------
        TileError
            If the folder holds several scenes.
        """
        found = matching(path, _FILE)
        name = one_scene(path, (match[1] for _, match in found))
        product = _product(name, found[0][0])
        assets = [asset for file, match in found if (asset := _asset(file, match[2], product))]
        return SceneInfo(str(path), product, tuple(assets))


def _product(name: str, file: Path) -> Product:
    wanted = ("LANDSAT_PRODUCT_ID", "MEAN_SUN_AZIMUTH_ANGLE", "MEAN_SUN_ZENITH_ANGLE", "PRODUCT_URI")
    tags = tagged(file, *wanted)
    zenith = number(tags.get("MEAN_SUN_ZENITH_ANGLE"))
    facts = hls_facts(name)
    return Product(
        tile_id=name,
        platform=_satellite(tags) or facts.pop("platform"),
        **{key: value for key, value in facts.items() if key != "platform"},
        sun_azimuth=number(tags.get("MEAN_SUN_AZIMUTH_ANGLE")),
        sun_elevation=None if zenith is None else 90.0 - zenith,
    )


def _satellite(tags: dict[str, str]) -> str:
    """Return the satellite by the products that the file says it was made from; empty where they differ."""
    landsat = set(re.findall(r"L[CO]0([89])_", tags.get("LANDSAT_PRODUCT_ID", "")))
    sentinel = set(re.findall(r"S2([A-D])_", tags.get("PRODUCT_URI", "")))
    if len(landsat) == 1:
        return f"landsat-{landsat.pop()}"
    return f"sentinel-2{sentinel.pop().lower()}" if len(sentinel) == 1 else ""


def _asset(file: Path, key: str, product: Product) -> Asset | None:
    band = hls_band(key, product.platform)
    if band is None:
        return None
    declared = _ANGLE if band.kind == "aux" else Declared(nodata=255) if band is FMASK else Declared()
    return Asset(band.name, str(file), band=band, key=key, declared=declared, default=band.kind != "aux")
