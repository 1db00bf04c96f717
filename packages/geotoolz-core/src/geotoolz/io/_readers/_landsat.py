"""Landsat Collection 2: a product's folder with its MTL, or its tar."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from geotoolz.core._errors import ReadError, TileError
from geotoolz.io._files import RASTER_ENDS, band_asset, from_files, in_sensor_order, rasters_in
from geotoolz.io._metadata import landsat_files, landsat_product, parse_mtl
from geotoolz.io._product import Product
from geotoolz.io._readers._archive import first_names, is_tar, open_archive
from geotoolz.io._readers._base import OpenScene, Reader
from geotoolz.io._scene import Asset, BandRequest, SceneInfo

_MTL = re.compile(r"(?P<product>.+)_MTL\.(?:txt|json)", re.IGNORECASE)
_NAME = re.compile(r"L[COTEM]0?[1-9]_?(?:L[12]\w{2}_)?\d{6}")


class LandsatMTL(Reader):
    """Landsat Level-1 and Level-2 products of the USGS: MSS, TM, ETM+, OLI, TIRS.

    The path is the product's folder, its tar (also compressed), or its MTL file. A tar is read where it
    lies; one that is compressed is decompressed anew from its start for every band, so unpack it if it
    is read often.
    """

    name: ClassVar[str] = "landsat"
    title: ClassVar[str] = "Landsat Level-1 and Level-2 with MTL, folder or tar"

    def recognises(self, path: Path) -> bool:
        """Tell by the MTL in the folder, or by the name of the tar or of its first file."""
        if is_tar(path):
            return path.is_file() and any(map(_NAME.match, (path.name, *map(_last, first_names(path)))))
        if path.is_dir():
            return bool(_mtls(path)) and bool(rasters_in(path))
        return _MTL.fullmatch(path.name) is not None and path.is_file() and bool(rasters_in(path.parent))

    def scene(self, path: Path) -> SceneInfo:
        """Say what the product is and where its bands are.

        Raises
        ------
        ReadError
            If there is no MTL, or no band.
        TileError
            If there are several products.
        """
        return _scene(path)[0]

    def open(self, path: Path, bands: BandRequest, *more: Any) -> OpenScene | None:
        """Refuse a band that the MTL lists and that is not there; else leave it to others.

        Raises
        ------
        ReadError
            If a band that was asked for is missing.
        """
        info, listed = _scene(path)
        names = {asset.name for asset in info.assets}
        gone = [asset for asset in listed if asset.name not in names]
        if not gone:
            return None
        whole = SceneInfo(info.origin, info.product, (*info.assets, *gone))
        lacking = [asset for asset in whole.select(bands) if asset in gone]
        if lacking:
            files = ", ".join(_last(asset.path) for asset in lacking[:4])
            raise ReadError(
                f"{path} is incomplete: {len(lacking)} of its bands are listed and not there: {files}",
                expected="all bands of the product",
                fix="download it again, or name the bands that you need: bands=[…]",
            )
        return None


def _last(name: str) -> str:
    return PurePosixPath(name).name


def _mtls(folder: Path) -> dict[str, Path]:
    """Return product → MTL; of the text and the JSON, which say the same, the text."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*_MTL.*")):
        if (match := _MTL.fullmatch(path.name)) is not None:
            found[match["product"]] = path
    return found


def _scene(path: Path) -> tuple[SceneInfo, list[Asset]]:
    """Return the scene, and the bands that its MTL lists."""
    return _of_tar(path) if is_tar(path) else _of_folder(path)


def _of_folder(path: Path) -> tuple[SceneInfo, list[Asset]]:
    folder = path if path.is_dir() else path.parent
    mtls = _mtls(folder)
    if len(mtls) > 1 and path.is_dir():
        first = next(iter(mtls.values()))
        raise _several(path, list(mtls), f"open one by its MTL, {first}")
    match = _MTL.fullmatch(path.name)
    product_id = match["product"] if match and not path.is_dir() else next(iter(mtls))
    rasters = rasters_in(folder)
    if len(mtls) > 1:
        rasters = [raster for raster in rasters if raster.name.startswith(product_id)]
    mtl = path if match and not path.is_dir() else mtls[product_id]
    if not rasters:
        raise _no_band(path)
    info = from_files(rasters, folder, mtl=mtl)
    return info, _listed(landsat_files(parse_mtl(mtl.read_bytes(), str(mtl))), info.product)


def _of_tar(path: Path) -> tuple[SceneInfo, list[Asset]]:
    archive = open_archive(path)
    mtls: dict[str, str] = {}
    for name in archive.names:
        if (match := _MTL.fullmatch(_last(name))) is not None:
            mtls[match["product"]] = name
    if not mtls:
        raise ReadError(
            f"{path} has no file …_MTL.txt",
            expected="the product's metadata, which say its scales",
            fix="the product is incomplete: download it again",
        )
    if len(mtls) > 1:
        raise _several(path, list(mtls), "give each its own tar or folder")
    mtl = next(iter(mtls.values()))
    groups = parse_mtl(archive.read(mtl), f"{path}/{mtl}")
    product = Product(**landsat_product(groups))
    rasters = [name for name in archive.names if name.lower().endswith(RASTER_ENDS)]
    assets = [
        asset
        for name in rasters
        if (asset := band_asset(_last(name), archive.gdal_path(name), product)) is not None
    ]
    if not assets:
        raise _no_band(path)
    return SceneInfo(str(path), product, tuple(in_sensor_order(assets, product))), _listed(
        landsat_files(groups), product
    )


def _listed(files: Sequence[str], product: Product) -> list[Asset]:
    found = (band_asset(name, name, product) for name in files)
    return [asset for asset in found if asset is not None]


def _several(path: Path, products: list[str], fix: str) -> TileError:
    return TileError(
        f"{path} holds {len(products)} products: {', '.join(sorted(products)[:3])}",
        expected="one product",
        fix=f"{fix}; or build a catalog: geotoolz catalog build FOLDER",
    )


def _no_band(path: Path) -> ReadError:
    return ReadError(
        f"{path} has an MTL and no band",
        expected="the product's GeoTIFFs",
        fix="the product is incomplete: download it again",
    )
