"""EnMAP Level-2A: the folder of one tile as a cube with its quality layers."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core._coord import Coord
from geotoolz.core._errors import MissingCRSError, ReadError
from geotoolz.io._bands import BandDef
from geotoolz.io._gdal import Header, read_header
from geotoolz.io._product import Product, iso_utc
from geotoolz.io._radiometry import Radiometry
from geotoolz.io._readers._array_scene import (
    ArrayScene,
    Contents,
    Layered,
    layered,
    refuse_offset,
)
from geotoolz.io._readers._base import OpenScene, Reader
from geotoolz.io._readers._blocks import BlockSource, RasterBlocks
from geotoolz.io._readers._names import matching, one_scene
from geotoolz.io._scene import Asset, BandRequest, SceneInfo

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.io._variables import Offset

# ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z-METADATA.XML
_FILE = re.compile(
    r"(ENMAP\d\d-____L2A-DT\d+_(\d{8}T\d{6})Z_\d{3}_V\d+_\d{8}T\d{6}Z)-"
    r"(METADATA|SPECTRAL_IMAGE|QL_QUALITY_(?:CLASSES|CLOUD|CLOUDSHADOW|HAZE|CIRRUS|SNOW))"
    r"\.(XML|TIFF?|GEOTIFF|BSQ|BIL|BIP)",
    re.IGNORECASE,
)
CUBE = "reflectance"
#: bands of a Level-2A product that hold no data: the water vapour absorption at 1.35–1.42 µm
EMPTY_BANDS = range(130, 136)
_ALL_BANDS = 224
_NODATA = -32768
# no quality layer has this value: it is what a grid beyond the tile is filled with
_OUTSIDE = 255


@dataclass(frozen=True)
class Characteristics:
    """What the metadata say of the bands, one entry per band.

    Parameters
    ----------
    centres, widths : tuple of float
        Wavelength and full width at half maximum in nanometres.
    gains, offsets : tuple of float
        ``reflectance = DN * gain + offset``.
    """

    centres: tuple[float, ...]
    widths: tuple[float, ...]
    gains: tuple[float, ...]
    offsets: tuple[float, ...]


class EnMAP(Reader):
    """EnMAP Level-2A tile: ``reflectance`` along ``wavelength``, and the quality layers by name.

    Bands 130 to 135 of the 224, which hold no data, are left out of the cube (attribute
    ``bands_left_out``); ``raw=True`` keeps all of them, with a coordinate ``good_wavelengths``. Values are
    DN × gain + offset of the metadata, no-data is -32768. The bands keep the order of the file: the two
    detectors overlap between 902 and 993 nm.

    References
    ----------
    DLR: EnMAP HSI Level 1B / 1C / 2A Product Specification, EN-PCV-ICD-2009-2.
    """

    name = "enmap-l2a"
    title = "EnMAP Level-2A tile (METADATA.XML, SPECTRAL_IMAGE.TIF)"

    def recognises(self, path: Path) -> bool:
        """Tell by the names of the files."""
        return any(match[3].upper() in ("METADATA", "SPECTRAL_IMAGE") for _, match in matching(path, _FILE))

    def scene(self, path: Path) -> SceneInfo:
        """Say what the product is and where its files are."""
        product, files = _product(path)
        assets = [Asset(CUBE, str(files["SPECTRAL_IMAGE"]), key="SPECTRAL_IMAGE")]
        assets += [Asset(_quality_name(key), str(file), key=key) for key, file in _quality(files)]
        return SceneInfo(str(path), product, tuple(assets))

    def open(
        self,
        path: Path,
        bands: BandRequest,
        aoi: Any,
        resolution: float | None,
        raw: bool,
        offset: Offset,
        geobox: GeoBox | None,
    ) -> OpenScene:
        """Open the cube and its quality layers on the wanted grid."""
        refuse_offset(offset, str(path))
        product, files = _product(path)
        spectral = read_header(str(files["SPECTRAL_IMAGE"]))
        told = _characteristics(files["METADATA"], len(spectral.dtypes))
        empty = EMPTY_BANDS if len(told.centres) == _ALL_BANDS else range(0)
        kept = [i for i in range(1, len(told.centres) + 1) if raw or i not in empty]
        variables = {CUBE: _cube(spectral, told, kept, raw)}
        variables |= {_quality_name(key): _flags(read_header(str(f)), key) for key, f in _quality(files)}
        attrs = product.attrs()
        if len(kept) < len(told.centres):
            attrs["bands_left_out"] = f"{empty[0]}-{empty[-1]} (no data)"
        contents = Contents(
            str(path),
            variables,
            _coords(told, kept, empty, raw),
            attrs,
            tuple(str(file) for file in files.values()),
        )
        return ArrayScene(contents, bands, aoi, resolution, geobox)


def _product(path: Path) -> tuple[Product, dict[str, Path]]:
    """Return what the product is, and its files by kind.

    Raises
    ------
    ReadError
        If the metadata or the spectral image is missing.
    """
    folder = path if path.is_dir() else path.parent
    found = matching(folder, _FILE)
    if not path.is_dir():
        mine = _FILE.fullmatch(path.name)
        found = [(file, match) for file, match in found if mine and match[1] == mine[1]]
    name = one_scene(folder, (match[1] for _, match in found))
    files = {match[3].upper(): file for file, match in found}
    for kind, what in (("METADATA", "-METADATA.XML"), ("SPECTRAL_IMAGE", "-SPECTRAL_IMAGE.TIF")):
        if kind not in files:
            raise ReadError(
                f"{folder} has no {name}{what}",
                expected="a complete EnMAP Level-2A product",
                fix="unpack or download the product again",
            )
    root = _root(files["METADATA"])
    elevation = root.findtext(".//sunElevationAngle/center")
    azimuth = root.findtext(".//sunAzimuthAngle/center")
    product = Product(
        tile_id=name,
        platform="enmap",
        instrument="hsi",
        level="L2A",
        when=iso_utc(root.findtext(".//temporalCoverage/startTime")),
        sun_elevation=float(elevation) if elevation else None,
        sun_azimuth=float(azimuth) if azimuth else None,
    )
    return product, files


def _root(path: Path) -> ET.Element:
    try:
        return ET.parse(path).getroot()
    except (ET.ParseError, OSError) as error:
        raise ReadError(
            f"{path} is no readable XML: {error}", expected="the product's metadata", fix="download it again"
        ) from error


def _characteristics(path: Path, count: int) -> Characteristics:
    """Read centres, widths, gains and offsets of the bands.

    Raises
    ------
    ReadError
        If they are not there for every band of the image.
    """
    root = _root(path)
    columns = []
    for tag in ("wavelengthCenterOfBand", "FWHMOfBand", "GainOfBand", "OffsetOfBand"):
        texts = [node.text or "" for node in root.findall(f".//bandCharacterisation/bandID/{tag}")]
        try:
            values = tuple(float(text) for text in texts)
        except ValueError as error:
            raise ReadError(f"{path}: {tag} is no number: {error}", expected="a number per band") from error
        if len(values) != count:
            raise ReadError(
                f"{path} has {tag} of {len(values)} bands, the image has {count} bands",
                expected="metadata and image of one product",
                fix="unpack or download the product again",
            )
        columns.append(values)
    return Characteristics(*columns)


def _source(
    header: Header, indexes: tuple[int, ...], nodata: float | int | None, nearest: bool
) -> BlockSource:
    """Return the first of some bands of a raster.

    Raises
    ------
    MissingCRSError
        If the raster has no place.
    """
    if header.transform is None or header.crs is None:
        raise MissingCRSError(
            f"{header.path} has no {'geotransform' if header.transform is None else 'CRS'}",
            expected="an orthorectified EnMAP Level-2A image",
            fix="download the product again as GeoTIFF",
        )
    from odc.geo.geobox import GeoBox

    dtype = np.dtype(header.dtypes[indexes[0] - 1])
    grid = GeoBox(header.shape, header.transform, header.crs)
    blocks = RasterBlocks(header.path, indexes, dtype)
    return BlockSource(header.path, 1, grid, dtype, nodata, nearest, blocks=blocks)


def _cube(header: Header, told: Characteristics, kept: list[int], raw: bool) -> Layered:
    nodata = header.nodata[0] if header.nodata[0] is not None else _NODATA
    fill = int(nodata) if float(nodata).is_integer() else nodata
    radiometry = {
        i: Radiometry(
            told.gains[band - 1], told.offsets[band - 1], fill, "1", "surface_reflectance", "product metadata"
        )
        for i, band in enumerate(kept)
    }
    attrs = {"long_name": "EnMAP surface reflectance", "data_source": Path(header.path).name}
    source = _source(header, tuple(kept), fill, nearest=False)
    return layered(CUBE, source, radiometry, ("wavelength", "y", "x"), attrs, raw)


def _flags(header: Header, key: str) -> Layered:
    band = BandDef(
        _quality_name(key), key, key.removeprefix("QL_").replace("_", " ").capitalize(), kind="flags"
    )
    nodata = header.nodata[0] if header.nodata[0] is not None else _OUTSIDE
    source = _source(header, (1,), nodata, nearest=True)
    attrs = {"long_name": band.title, "sensor_band": key, "data_source": Path(header.path).name}
    return layered(
        band.name, source, Radiometry(nodata=nodata, quantity="flags"), ("y", "x"), attrs, raw=True
    )


def _quality(files: dict[str, Path]) -> list[tuple[str, Path]]:
    return [(key, file) for key, file in files.items() if key.startswith("QL_")]


def _quality_name(key: str) -> str:
    return key.removeprefix("QL_").lower()


def _coords(told: Characteristics, kept: list[int], empty: range, raw: bool) -> dict[str, Coord]:
    centres = np.array([told.centres[i - 1] for i in kept])
    widths = np.array([told.widths[i - 1] for i in kept])
    coords = {
        "wavelength": Coord("wavelength", centres, {"units": "nm", "long_name": "wavelength"}),
        "fwhm": Coord("wavelength", widths, {"units": "nm", "long_name": "full width at half maximum"}),
    }
    if raw:
        good = np.array([i not in empty for i in kept])
        coords["good_wavelengths"] = Coord("wavelength", good, {"long_name": "bands that hold data"})
    return coords
