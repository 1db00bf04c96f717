"""Metadata files that come with products: Sentinel-2 XML, Landsat MTL."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geotoolz.core._errors import ReadError
from geotoolz.io._bands import S2_BAND_IDS
from geotoolz.io._product import from_identifier, iso_utc, platform_name


def _root(path: Path) -> ET.Element:
    try:
        return ET.parse(path).getroot()
    except (ET.ParseError, OSError) as error:
        raise ReadError(
            f"{path} is no readable XML: {error}", expected="the product's metadata file"
        ) from error


def _text(root: ET.Element, *tags: str) -> str:
    for tag in tags:
        node = root.find(f".//{tag}")
        if node is not None and node.text:
            return node.text.strip()
    return ""


def s2_product(path: Path) -> dict[str, Any]:
    """Read ``MTD_MSIL1C.xml`` or ``MTD_MSIL2A.xml``: offsets, quantification, baseline, time.

    Parameters
    ----------
    path : Path
        The product metadata file.

    Returns
    -------
    dict
        Fields of `Product`.
    """
    root = _root(path)
    offsets: dict[str, float] = {}
    for tag in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET"):
        for node in root.iter(tag):
            index = int(node.get("band_id", "-1"))
            if 0 <= index < len(S2_BAND_IDS) and node.text:
                offsets[S2_BAND_IDS[index]] = float(node.text)
    quantification = _text(root, "BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE")
    uri = _text(root, "PRODUCT_URI")
    found: dict[str, Any] = {
        **from_identifier(uri),
        "tile_id": uri.removesuffix(".SAFE"),
        "platform": platform_name(_text(root, "SPACECRAFT_NAME")),
        "instrument": "msi",
        "baseline": _text(root, "PROCESSING_BASELINE"),
        "when": iso_utc(_text(root, "PRODUCT_START_TIME")),
        "add_offsets": offsets,
    }
    kind = _text(root, "PRODUCT_TYPE")
    if kind:
        found["level"] = {"S2MSI1C": "L1C", "S2MSI2A": "L2A"}.get(kind, kind)
    if quantification:
        found["quantification"] = float(quantification)
    return {key: value for key, value in found.items() if value not in ("", None, {})}


def s2_granule(path: Path) -> dict[str, Any]:
    """Read ``MTD_TL.xml`` (``granule_metadata.xml``): sun angles, time, grid.

    Parameters
    ----------
    path : Path
        The granule metadata file.

    Returns
    -------
    dict
        Fields of `Product`; ``extent`` is the tile's, whatever the pixel size.
    """
    root = _root(path)
    tile = _text(root, "TILE_ID")
    found: dict[str, Any] = {
        "tile_id": tile,
        "instrument": "msi",
        "when": iso_utc(_text(root, "SENSING_TIME")),
    }
    named = re.match(r"(S2[A-D])_OPER_MSI_(L1C|L2A)_.*_N(\d\d)\.(\d\d)$", tile)
    if named:
        found.update(platform=platform_name(named[1]), level=named[2], baseline=f"{named[3]}.{named[4]}")
    sun = root.find(".//Mean_Sun_Angle")
    if sun is not None:
        zenith, azimuth = _text(sun, "ZENITH_ANGLE"), _text(sun, "AZIMUTH_ANGLE")
        if zenith and azimuth:
            found.update(sun_elevation=90.0 - float(zenith), sun_azimuth=float(azimuth))
    found["crs"] = _text(root, "HORIZONTAL_CS_CODE")
    size, corner = root.find(".//Size"), root.find(".//Geoposition")
    if size is not None and corner is not None:
        rows, cols = int(_text(size, "NROWS")), int(_text(size, "NCOLS"))
        left, top = float(_text(corner, "ULX")), float(_text(corner, "ULY"))
        dx, dy = float(_text(corner, "XDIM")), float(_text(corner, "YDIM"))
        found["extent"] = (left, top, left + cols * dx, top + rows * dy)
    return {key: value for key, value in found.items() if value not in ("", None)}


Groups = Mapping[str, Mapping[str, str]]


def read_mtl(path: Path) -> Groups:
    """Read a Landsat MTL file (JSON or text) as group → key → value.

    Raises
    ------
    ReadError
        If the file is no MTL.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix.lower() == ".json":
        try:
            held = json.loads(text)
        except json.JSONDecodeError as error:
            raise ReadError(f"{path} is no readable JSON: {error}", expected="a Landsat MTL file") from error
        groups = next(iter(held.values())) if isinstance(held, dict) and held else {}
    else:
        groups = _odl(text)
    if not isinstance(groups, dict) or not any("IMAGE_ATTRIBUTES" in g or "PRODUCT" in g for g in groups):
        raise ReadError(f"{path} has none of the groups of a Landsat MTL file", expected="a Landsat MTL file")
    return groups


def _odl(text: str) -> dict[str, dict[str, str]]:
    """Parse ``GROUP = X … END_GROUP``; keys outside a leaf group are of no use here."""
    groups: dict[str, dict[str, str]] = {}
    now = ""
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        if key == "GROUP":
            now = value
            groups.setdefault(now, {})
        elif key == "END":
            break
        elif value and now and key != "END_GROUP":
            groups[now][key] = value.strip('"')
    return groups


def landsat_product(groups: Groups) -> dict[str, Any]:
    """Turn a Landsat MTL into fields of `Product`.

    Collection 2 Level-2 gives reflectance and temperature scales, Level-1 the top-of-atmosphere
    scales and the thermal constants.
    """
    image = {**groups.get("PRODUCT_METADATA", {}), **groups.get("IMAGE_ATTRIBUTES", {})}
    contents = groups.get("PRODUCT_CONTENTS", {}) or groups.get("METADATA_FILE_INFO", {})
    identifier = contents.get("LANDSAT_PRODUCT_ID") or contents.get("LANDSAT_SCENE_ID", "")
    level = contents.get("PROCESSING_LEVEL") or image.get("DATA_TYPE") or image.get("PROCESSING_LEVEL", "")
    found: dict[str, Any] = {
        "tile_id": identifier,
        "platform": platform_name(image.get("SPACECRAFT_ID")),
        "instrument": image.get("SENSOR_ID", "").lower().split("_")[0],
        "level": level,
        "when": iso_utc(f"{image.get('DATE_ACQUIRED', '')}T{image.get('SCENE_CENTER_TIME', '').strip()}"),
    }
    for key in ("sun_azimuth", "sun_elevation"):
        if key.upper() in image:
            found[key] = float(image[key.upper()])
    found["rescaling"], found["thermal"] = _rescaling(groups, level.startswith("L2"))
    return {key: value for key, value in found.items() if value not in ("", None, {})}


def _rescaling(
    groups: Groups, level2: bool
) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
    scales: dict[str, tuple[float, float]] = {}
    level1 = ("LEVEL1_RADIOMETRIC_RESCALING", "RADIOMETRIC_RESCALING")
    places = [(group, word) for group in level1 for word in ("REFLECTANCE", "RADIANCE")]
    if level2:
        places = [
            ("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", "REFLECTANCE"),
            ("LEVEL2_SURFACE_TEMPERATURE_PARAMETERS", "TEMPERATURE"),
        ]
    constants: dict[str, tuple[float, float]] = {}
    for group in ("LEVEL1_THERMAL_CONSTANTS", "TIRS_THERMAL_CONSTANTS", "THERMAL_CONSTANTS"):
        held = groups.get(group, {})
        for key in held:
            if match := re.fullmatch(r"K1_CONSTANT_BAND_(\w+)", key):
                constants[f"B{match[1]}"] = (float(held[key]), float(held[f"K2_CONSTANT_BAND_{match[1]}"]))
    for group, word in places:
        held = groups.get(group, {})
        for key, value in held.items():
            match = re.fullmatch(rf"{word}_MULT_BAND_(?:ST_)?(B?\w+)", key)
            if not match:
                continue
            band = match[1] if match[1].startswith("B") else f"B{match[1]}"
            if word == "RADIANCE" and band not in constants:
                continue  # radiance of a reflective band is not what is wanted
            scales[band] = (float(value), float(held[key.replace("_MULT_", "_ADD_")]))
    return scales, ({} if level2 else constants)
