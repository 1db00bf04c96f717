"""Metadata files that come with products: Sentinel-2 XML, Landsat MTL."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geotoolz.core._errors import ReadError
from geotoolz.io._bands import S2_BAND_IDS
from geotoolz.io._product import from_identifier, iso_utc, platform_name


def xml_root(content: bytes, where: str) -> ET.Element:
    """Parse a product's metadata.

    Parameters
    ----------
    content : bytes
        The file's content.
    where : str
        The file, for messages.

    Raises
    ------
    ReadError
        If it is no XML.
    """
    try:
        return ET.fromstring(content)
    except ET.ParseError as error:
        raise ReadError(
            f"{where} is no readable XML: {error}",
            expected="the product's metadata file",
            fix="the download may have been cut off: download it again",
        ) from error


def _text(root: ET.Element, *tags: str) -> str:
    for tag in tags:
        node = root.find(f".//{tag}")
        if node is not None and node.text:
            return node.text.strip()
    return ""


def _number(root: ET.Element, tag: str) -> float | None:
    try:
        return float(_text(root, tag))
    except ValueError:
        return None


def s2_product(root: ET.Element) -> dict[str, Any]:
    """Read ``MTD_MSIL1C.xml`` or ``MTD_MSIL2A.xml``: offsets, quantification, baseline, time.

    Parameters
    ----------
    root : Element
        The product metadata.

    Returns
    -------
    dict
        Fields of `Product`; ``extra`` has the cloud cover in percent, and DN per unit of the aerosol
        optical thickness and of the water vapour column (cm).
    """
    offsets: dict[str, float] = {}
    for tag in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET"):
        for node in root.iter(tag):
            index = int(node.get("band_id", "-1"))
            if 0 <= index < len(S2_BAND_IDS) and node.text:
                offsets[S2_BAND_IDS[index]] = float(node.text)
    uri = _text(root, "PRODUCT_URI", "PRODUCT_URI_2A", "PRODUCT_URI_1C")
    quality = {
        "cloud_cover": _number(root, "Cloud_Coverage_Assessment"),
        "aot_quantification": _number(root, "AOT_QUANTIFICATION_VALUE"),
        "wvp_quantification": _number(root, "WVP_QUANTIFICATION_VALUE"),
    }
    kind = _text(root, "PRODUCT_TYPE")
    found: dict[str, Any] = {
        **from_identifier(uri),
        "tile_id": uri.removesuffix(".SAFE"),
        "platform": platform_name(_text(root, "SPACECRAFT_NAME")),
        "instrument": "msi",
        "level": {"S2MSI1C": "L1C", "S2MSI2A": "L2A", "S2MSI2Ap": "L2A"}.get(kind, kind),
        "baseline": _text(root, "PROCESSING_BASELINE"),
        "when": iso_utc(_text(root, "PRODUCT_START_TIME")),
        "add_offsets": offsets,
        # products of Sen2Cor before 02.05 say L2A_BOA_…
        "quantification": next(
            (
                value
                for tag in (
                    "BOA_QUANTIFICATION_VALUE",
                    "L2A_BOA_QUANTIFICATION_VALUE",
                    "QUANTIFICATION_VALUE",
                )
                if (value := _number(root, tag)) is not None
            ),
            None,
        ),
        "extra": {key: value for key, value in quality.items() if value is not None},
    }
    return {key: value for key, value in found.items() if value not in ("", None, {})}


def s2_images(root: ET.Element) -> list[str]:
    """Return the images that the product metadata lists, without their ending: paths, or names alone."""
    return [
        node.text.strip()
        for tag in ("IMAGE_FILE", "IMAGE_ID", "IMAGE_FILE_2A", "IMAGE_ID_2A")
        for node in root.iter(tag)
        if node.text
    ]


def s2_granule(root: ET.Element) -> dict[str, Any]:
    """Read ``MTD_TL.xml`` (``granule_metadata.xml``): sun and view angles, time, grid.

    Parameters
    ----------
    root : Element
        The granule metadata.

    Returns
    -------
    dict
        Fields of `Product`; ``extent`` is the tile's, whatever the pixel size.
    """
    tile = _text(root, "TILE_ID", "TILE_ID_2A")
    found: dict[str, Any] = {
        "tile_id": tile,
        "instrument": "msi",
        "when": iso_utc(_text(root, "SENSING_TIME")),
        "crs": _text(root, "HORIZONTAL_CS_CODE"),
    }
    named = re.match(r"(S2[A-D])_(?:OPER|USER)_MSI_(L1C|L2A)_.*_N(\d\d)\.(\d\d)$", tile)
    if named:
        found.update(platform=platform_name(named[1]), level=named[2], baseline=f"{named[3]}.{named[4]}")
    found |= _s2_angles(root)
    size, corner = root.find(".//Size"), root.find(".//Geoposition")
    if size is not None and corner is not None:
        rows, cols = int(_text(size, "NROWS")), int(_text(size, "NCOLS"))
        left, top = float(_text(corner, "ULX")), float(_text(corner, "ULY"))
        dx, dy = float(_text(corner, "XDIM")), float(_text(corner, "YDIM"))
        found["extent"] = (left, top, left + cols * dx, top + rows * dy)
    return {key: value for key, value in found.items() if value not in ("", None)}


def _s2_angles(root: ET.Element) -> dict[str, float]:
    """Return the mean angles of sun and view in degrees; the view's are means over the bands."""
    found: dict[str, float] = {}
    sun = root.find(".//Mean_Sun_Angle")
    if sun is not None:
        zenith, azimuth = _number(sun, "ZENITH_ANGLE"), _number(sun, "AZIMUTH_ANGLE")
        if zenith is not None and azimuth is not None:
            found.update(sun_elevation=90.0 - zenith, sun_azimuth=azimuth)
    views = [
        (zenith, math.radians(azimuth))
        for node in root.iter("Mean_Viewing_Incidence_Angle")
        if (zenith := _number(node, "ZENITH_ANGLE")) is not None
        and (azimuth := _number(node, "AZIMUTH_ANGLE")) is not None
    ]
    if views:
        found["view_zenith"] = math.fsum(zenith for zenith, _ in views) / len(views)
        # 359° and 1° are 0° on the mean, not 180°
        east, north = (math.fsum(f(azimuth) for _, azimuth in views) for f in (math.sin, math.cos))
        found["view_azimuth"] = math.degrees(math.atan2(east, north)) % 360.0
    return found


Groups = Mapping[str, Mapping[str, str]]


def read_mtl(path: Path) -> Groups:
    """Read a Landsat MTL file (JSON or text) as group → key → value.

    Raises
    ------
    ReadError
        If the file is no MTL.
    """
    return parse_mtl(path.read_bytes(), str(path))


def parse_mtl(content: bytes, where: str) -> Groups:
    """Parse a Landsat MTL file (JSON or text) as group → key → value.

    Parameters
    ----------
    content : bytes
        The file's content.
    where : str
        The file, for messages.

    Raises
    ------
    ReadError
        If it is no MTL.
    """
    text = content.decode("utf-8", errors="replace")
    if text.lstrip()[:1] == "{":
        try:
            held = json.loads(text)
        except json.JSONDecodeError as error:
            raise ReadError(f"{where} is no readable JSON: {error}", expected="a Landsat MTL file") from error
        groups = next(iter(held.values())) if isinstance(held, dict) and held else {}
    else:
        groups = _odl(text)
    if not isinstance(groups, dict) or not any("IMAGE_ATTRIBUTES" in g or "PRODUCT" in g for g in groups):
        raise ReadError(
            f"{where} has none of the groups of a Landsat MTL file",
            expected="a Landsat MTL file",
            fix="the download may have been cut off: download it again",
        )
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
    if "CLOUD_COVER" in image and float(image["CLOUD_COVER"]) >= 0:  # -1: not assessed
        found["extra"] = {"cloud_cover": float(image["CLOUD_COVER"])}
    found["rescaling"], found["thermal"] = _rescaling(groups, level.startswith("L2"))
    return {key: value for key, value in found.items() if value not in ("", None, {})}


def landsat_files(groups: Groups) -> list[str]:
    """Return the rasters that an MTL lists as the product's own."""
    contents = {**groups.get("PRODUCT_METADATA", {}), **groups.get("PRODUCT_CONTENTS", {})}
    return [
        value
        for key, value in contents.items()
        if key.startswith("FILE_NAME_") and value.upper().endswith((".TIF", ".TIFF"))
    ]


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
    for found in (scales, constants):
        if "B6_VCID_1" in found:  # the low gain of ETM+ is the band that is called B6
            found["B6"] = found["B6_VCID_1"]
    return scales, ({} if level2 else constants)
