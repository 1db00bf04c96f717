"""PlanetScope: an ortho asset of four or eight bands with its metadata and its usable data mask."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geotoolz.core._errors import ReadError, TileError
from geotoolz.io._bands import BandDef
from geotoolz.io._product import Product, iso_utc
from geotoolz.io._radiometry import Declared
from geotoolz.io._readers._base import Reader
from geotoolz.io._readers._names import matching, one_scene
from geotoolz.io._scene import Asset, SceneInfo

# 20230820_095123_45_2475_3B_AnalyticMS_SR_8b_harmonized_clip.tif
_ASSET = re.compile(
    r"(\d{8}_\d{6}_\w+?)_3[AB]_(AnalyticMS(?:_SR)?)(_8b)?((?:_harmonized)?(?:_clip)?)\.tiff?",
    re.IGNORECASE,
)
_UDM2 = ("clear", "snow", "shadow", "haze_light", "haze_heavy", "cloud", "confidence", "udm1")

_Bands = tuple[tuple[str, str, float], ...]
# Name, title, centre in nm, in the order of the file.
_PS2: _Bands = (
    ("blue", "Blue", 485),
    ("green", "Green", 545),
    ("red", "Red", 630),
    ("nir", "Near infrared", 820),
)
_PS2_SD: _Bands = (
    ("blue", "Blue", 490),
    ("green", "Green", 566),
    ("red", "Red", 666),
    ("nir", "Near infrared", 867),
)
_EIGHT: _Bands = (
    ("coastal", "Coastal blue", 443),
    ("blue", "Blue", 490),
    ("green_i", "Green I", 531),
    ("green", "Green", 565),
    ("yellow", "Yellow", 610),
    ("red", "Red", 665),
    ("rededge071", "Red edge", 705),
    ("nir", "Near infrared", 865),
)


class PlanetScope(Reader):
    """PlanetScope ``AnalyticMS`` and ``AnalyticMS_SR`` assets (ortho scenes, 3A and 3B).

    ``_SR`` is surface reflectance, DN × 1e-4. ``AnalyticMS`` becomes top-of-atmosphere reflectance by the
    coefficients of its ``*_metadata.xml``; without that file its DN are returned, and it is said. No-data is
    0. The usable data mask comes as ``udm2_clear`` to ``udm2_cloud``, one flag each, as `geotoolz.cloud`
    reads them; ``udm2_confidence`` (percent) and ``udm2_udm1`` (bits) when asked for by name.

    References
    ----------
    Planet Labs: Planet Imagery Product Specifications; UDM2 specification.
    """

    name = "planetscope"
    title = "PlanetScope ortho scenes: AnalyticMS, AnalyticMS_SR, 4 and 8 bands, UDM2"

    def recognises(self, path: Path) -> bool:
        """Tell by the names of the files."""
        return bool(matching(path, _ASSET))

    def scene(self, path: Path) -> SceneInfo:
        """Say where the bands are, and which coefficients they have.

        Raises
        ------
        TileError
            If the folder holds several scenes or assets.
        ReadError
            If the metadata cannot be read.
        """
        found = matching(path, _ASSET)
        name = one_scene(path, (match[1] for _, match in found))
        if len(found) > 1:
            raise TileError(
                f"{path} holds {len(found)} assets of {name}: {', '.join(f.name for f, _ in found)}",
                expected="one asset: AnalyticMS or AnalyticMS_SR",
                fix="name the file that is wanted",
            )
        file, match = found[0]
        surface = match[2].lower().endswith("_sr")
        facts, coefficients = _facts(file.parent, name)
        instrument = facts.get("instrument", "")
        bands = _EIGHT if match[3] is not None else _PS2 if instrument == "ps2" else _PS2_SD
        product = Product(
            tile_id=name,
            platform="planetscope",
            level="SR" if surface else "TOA",
            **{"when": _when(name), **facts},
        )
        assets = [
            _asset(file, index, band, _declared(surface, coefficients.get(index)))
            for index, band in enumerate(bands, start=1)
        ]
        return SceneInfo(str(path), product, (*assets, *_udm2(file.parent, name)))


def _facts(folder: Path, name: str) -> tuple[dict[str, Any], Mapping[int, float]]:
    """Return fields of `Product` by the files beside the asset, and reflectance coefficients by band."""
    facts = _json_facts(folder, name)
    found = sorted(folder.glob(f"{name}_3[AB]_AnalyticMS*metadata*.xml"))
    if not found:
        return facts, {}
    said, coefficients = _xml_facts(found[0])
    return {**said, **facts}, coefficients


def _asset(file: Path, index: int, band: tuple[str, str, float], declared: Declared) -> Asset:
    name, title, centre = band
    known = BandDef(name, f"B{index}", title, centre, 3)
    return Asset(name, str(file), index, known, declared, key=f"B{index}")


def _declared(surface: bool, coefficient: float | None) -> Declared:
    if surface:
        return Declared(1e-4, 0.0, 0, "1", "surface_reflectance", "PlanetScope SR")
    if coefficient is not None:
        return Declared(coefficient, 0.0, 0, "1", "toa_reflectance", "reflectanceCoefficient")
    doubt = "no *_metadata.xml with reflectance coefficients beside the asset: the values are DN"
    return Declared(nodata=0, units="1", quantity="dn", doubt=doubt)


def _udm2(folder: Path, name: str) -> list[Asset]:
    files = [p for p in sorted(folder.glob(f"{name}_3[AB]_udm2*.tif")) if p.is_file()]
    if not files:
        return []
    made = []
    for index, layer in enumerate(_UDM2, start=1):
        kind = "flags" if index <= 6 else "aux"
        title = f"UDM2 {layer.replace('_', ' ')}"
        band = BandDef(f"udm2_{layer}", layer, title, None, 3, kind)  # type: ignore[arg-type]
        units = "percent" if layer == "confidence" else ""
        declared = Declared(nodata=255, units=units)  # no layer has it: what lies beyond the scene
        made.append(
            Asset(band.name, str(files[0]), index, band, declared, key=band.name, default=kind == "flags")
        )
    return made


def _xml_facts(path: Path) -> tuple[dict[str, Any], dict[int, float]]:
    """Return fields of `Product`, and reflectance coefficients by band."""
    try:
        root = ET.parse(path).getroot()
    except (ET.ParseError, OSError) as error:
        raise ReadError(
            f"{path} is no readable XML: {error}", expected="the asset's metadata", fix="download it again"
        ) from error
    coefficients = {}
    for node in root.findall(".//{*}bandSpecificMetadata"):
        index, value = node.findtext("{*}bandNumber"), node.findtext("{*}reflectanceCoefficient")
        if index and value:
            coefficients[int(index)] = float(value)
    facts: dict[str, Any] = {"when": iso_utc(root.findtext(".//{*}acquisitionDateTime"))}
    for key, tag in (
        ("sun_azimuth", "illuminationAzimuthAngle"),
        ("sun_elevation", "illuminationElevationAngle"),
    ):
        text = root.findtext(f".//{{*}}{tag}")
        facts[key] = float(text) if text else None
    facts["instrument"] = (root.findtext(".//{*}Instrument/{*}shortName") or "").lower()
    return {key: value for key, value in facts.items() if value not in ("", None)}, coefficients


def _json_facts(folder: Path, name: str) -> dict[str, Any]:
    """Return fields of `Product` from the item that Planet's API gives, where it lies beside."""
    path = folder / f"{name}_metadata.json"
    if not path.is_file():
        return {}
    try:
        properties = json.loads(path.read_text(encoding="utf-8"))["properties"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReadError(
            f"{path} is no item of Planet: {error!r}",
            expected="JSON with properties",
            fix="download it again",
        ) from error
    facts: dict[str, Any] = {
        "when": iso_utc(properties.get("acquired")),
        "sun_azimuth": properties.get("sun_azimuth"),
        "sun_elevation": properties.get("sun_elevation"),
        "instrument": str(properties.get("instrument") or "").lower(),
    }
    return {key: value for key, value in facts.items() if value not in ("", None)}


def _when(name: str) -> str:
    day, clock = name.split("_")[:2]
    return iso_utc(f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:6]}")
