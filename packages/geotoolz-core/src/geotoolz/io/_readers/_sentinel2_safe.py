"""Sentinel-2 L1C and L2A in SAFE format: folder or zip, one granule or one image of it."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

from geotoolz.core._errors import ReadError, TileError
from geotoolz.io._bands import identify
from geotoolz.io._files import finest_files, in_sensor_order
from geotoolz.io._metadata import s2_granule, s2_images, s2_product, xml_root
from geotoolz.io._product import Product, from_identifier
from geotoolz.io._radiometry import Declared
from geotoolz.io._readers._archive import Archive, open_archive
from geotoolz.io._readers._base import OpenScene, Reader
from geotoolz.io._readers._s2_angles import angle_assets, make_rasters
from geotoolz.io._readers._s2_places import (
    GRANULE_XML,
    IN_GRANULE,
    PRODUCT_XML,
    Place,
    band_of,
    found_place,
    place_of,
)
from geotoolz.io._scene import Asset, BandRequest, SceneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMPACT = re.compile(r"S2[A-D]_MSIL(?:1C|2A)_\d{8}T\d{6}_N\d{4}_R\d{3}_T\d\d[A-Z]{3}_\w+")


class Sentinel2SAFE(Reader):
    """Sentinel-2 in SAFE format, as the Copernicus Data Space delivers it.

    All baselines and both naming schemes. The path is the product's folder or zip, its product metadata
    (``MTD_MSIL2A.xml``), a granule's folder, or one image. Nothing is unpacked.
    """

    name: ClassVar[str] = "sentinel-2-safe"
    title: ClassVar[str] = "Sentinel-2 L1C and L2A in SAFE format, folder or zip"

    def recognises(self, path: Path) -> bool:
        """Tell by the folder's structure, or by the names in the zip."""
        return place_of(path) is not None

    def scene(self, path: Path) -> SceneInfo:
        """Say what the product is and where its bands are.

        The finest pixel size of every band is taken. Auxiliary bands (aerosol, water vapour, cloud and snow
        probability) and the angles of the metadata's grids are read when they are asked for.

        Raises
        ------
        ReadError
            If there is no product metadata, or a granule without bands.
        TileError
            If there are several granules.
        """
        return _Safe(found_place(path)).scene()

    def open(self, path: Path, bands: BandRequest, *more: Any) -> OpenScene | None:
        """Refuse a band that the metadata lists and that is not there; leave the reading to others.

        Raises
        ------
        ReadError
            If a band that was asked for is missing.
        """
        safe = _Safe(found_place(path))
        info = safe.scene()
        chosen = info.select(bands)
        safe.make_angles(asset.path for asset in chosen)
        gone = [asset for asset in chosen if asset.path in safe.missing]
        if gone:
            files = ", ".join(PurePosixPath(asset.path).name for asset in gone[:4])
            raise ReadError(
                f"{path} is incomplete: {len(gone)} of its bands are listed and not there: {files}",
                expected=f"the images that {safe.product_xml} lists",
                fix="download it again, or name the bands that you need: bands=[…]",
            )
        return None


class _Safe:
    """One granule of a SAFE product.

    Attributes
    ----------
    product_xml : str
        The name of its product metadata.
    missing : frozenset of str
        Paths of images that the metadata lists and that are not there.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._archive: Archive = open_archive(place.root)
        self.missing: frozenset[str] = frozenset()
        names = self._archive.names
        tops = [name for name in names if PRODUCT_XML.fullmatch(name.rsplit("/", 1)[-1])]
        if not tops:
            raise ReadError(
                f"{place.root} has no MTD_MSIL1C.xml or MTD_MSIL2A.xml",
                expected="the product metadata, which says offset and scale",
                fix="the product is incomplete: download it again",
            )
        if len(tops) > 1:
            raise TileError(
                f"{place.root} holds {len(tops)} products: {', '.join(tops[:3])}",
                expected="one product",
                fix="give each its own zip or folder",
            )
        self.product_xml = tops[0]
        self._prefix = tops[0].rpartition("/")[0] + "/" if "/" in tops[0] else ""
        self._granule, self._files = self._one_granule(names)

    @property
    def _where(self) -> str:
        return str(self._place.root)

    def _one_granule(self, names: Iterable[str]) -> tuple[str, dict[str, str]]:
        """Return the granule's name, and its files: path in the granule → name in the archive."""
        granules: dict[str, dict[str, str]] = {}
        for name in names:
            match = IN_GRANULE.fullmatch(name)
            if match is not None and match["root"] == self._prefix:
                granules.setdefault(match["granule"], {})[match["rest"]] = name
        chosen = [self._place.granule] if self._place.granule else sorted(granules)
        if len(chosen) > 1:
            fix = f"open one by its folder, {self._where}/GRANULE/{chosen[0]}"
            raise TileError(
                f"{self._where} holds {len(chosen)} granules: {', '.join(chosen[:4])}",
                expected="one granule",
                fix=fix if self._archive.kind == "folder" else f"unzip it, and {fix.replace('.zip/', '/')}",
            )
        if not chosen or not any(band_of(rest) for rest in granules.get(chosen[0], {})):
            what = f"the granule {chosen[0]} without a band" if chosen else "no granule"
            raise ReadError(
                f"{self._where} has {what}",
                expected="images in GRANULE/…/IMG_DATA",
                fix="the product is incomplete: download it again",
            )
        return chosen[0], granules[chosen[0]]

    def scene(self) -> SceneInfo:
        """Return the granule's bands and metadata."""
        facts, images = _product_facts(self._archive, self.product_xml, self._archive.stamp(self.product_xml))
        product = self._product(facts)
        assets = list(self._assets(product))
        if self._place.image:
            wanted = self._archive.gdal_path(self._place.image)
            return SceneInfo(wanted, product, tuple(a for a in assets if a.path == wanted))
        have = {(asset.name, asset.key) for asset in assets}
        listed = [one for one in self._listed(images, product) if (one.name, one.key) not in have]
        self.missing = frozenset(asset.path for asset in listed)
        bands = in_sensor_order(finest_files([*assets, *listed]), product)
        return SceneInfo(self._where, product, (*bands, *self._angles(product)))

    def _product(self, facts: dict[str, Any]) -> Product:
        folder = (self._prefix.rstrip("/") or self._place.root.name).removesuffix(".SAFE")
        merged = {**from_identifier(folder), **self._granule_facts(), "tile_id": folder, **facts}
        # the old name of a product names none of its granules
        if not _COMPACT.fullmatch(merged["tile_id"]):
            merged["tile_id"] = self._granule
        return Product(**merged)

    @property
    def _granule_xml(self) -> str:
        return next((name for rest, name in self._files.items() if GRANULE_XML.fullmatch(rest)), "")

    def _granule_facts(self) -> dict[str, Any]:
        """Read the granule metadata; without it the angles are unknown, the pixels are right all the same."""
        name = self._granule_xml
        return _tile_facts(self._archive, name, self._archive.stamp(name)) if name else {}

    def _angles(self, product: Product) -> list[Asset]:
        """Make bands of the grids of angles, where there are such grids and a place to lay them."""
        name = self._granule_xml
        if (
            not name
            or product.extent is None
            or not product.crs
            or "view_zenith" not in self._granule_facts()
        ):
            return []
        return angle_assets(f"{self._archive.gdal_path(name)} {self._archive.stamp(name)}")

    def make_angles(self, paths: Iterable[str]) -> None:
        """Make the rasters of the angles among these paths."""
        wanted = [path for path in paths if path.startswith("/vsimem/")]
        if wanted:
            name = self._granule_xml
            root = xml_root(self._archive.read(name), f"{self._where}/{name}")
            make_rasters(wanted, root, Product(**self._granule_facts()))

    def _assets(self, product: Product) -> Iterable[Asset]:
        for rest, name in self._files.items():
            if (asset := _asset(rest, self._archive.gdal_path(name), product)) is not None:
                yield asset

    def _listed(self, images: Iterable[str], product: Product) -> Iterable[Asset]:
        """Make bands of what the metadata lists for this granule, there or not."""
        for image in images:
            match = IN_GRANULE.fullmatch(f"{image}.jp2")
            if match is not None and match["granule"] != self._granule:
                continue
            rest = match["rest"] if match else f"IMG_DATA/{image}.jp2"
            path = self._archive.gdal_path(f"{self._prefix}GRANULE/{self._granule}/{rest}")
            if (asset := _asset(rest, path, product)) is not None:
                yield asset


# a product is asked for its metadata when it is opened and again when its bands are
@lru_cache(maxsize=16)
def _product_facts(archive: Archive, name: str, stamp: tuple[int, int]) -> tuple[dict[str, Any], list[str]]:
    root = xml_root(archive.read(name), f"{archive.path}/{name}")
    return s2_product(root), s2_images(root)


@lru_cache(maxsize=16)
def _tile_facts(archive: Archive, name: str, stamp: tuple[int, int]) -> dict[str, Any]:
    return s2_granule(xml_root(archive.read(name), f"{archive.path}/{name}"))


def _asset(rest: str, path: str, product: Product) -> Asset | None:
    """Make a band of a file of a granule."""
    named = band_of(rest)
    band = identify(named[0], product.sensor) if named else None
    if named is None or band is None:
        return None
    sensor_name, size = named
    made = Asset(
        band.name,
        path,
        band=band,
        key=f"{sensor_name}_{size}m" if size else sensor_name,
        extent=product.extent,
        default=band.kind != "aux",
    )
    quantification = product.extra.get(f"{band.name}_quantification")
    if not quantification:
        return made
    units = "cm" if band.name == "wvp" else "1"
    return replace(
        made, declared=Declared(1.0 / quantification, 0.0, units=units, said_by="product metadata")
    )
