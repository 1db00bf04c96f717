"""How the files of a SAFE product are called, and what part of a product a path means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from geotoolz.core._errors import ReadError
from geotoolz.io._readers._archive import first_names

PRODUCT_XML = re.compile(r"MTD_MSIL(?:1C|2A)\.xml|S2[A-D]_(?:OPER|USER)_MTD_SAFL(?:1C|2A)_.+\.xml")
GRANULE_XML = re.compile(r"MTD_TL\.xml|S2[A-D]_(?:OPER|USER)_MTD_L(?:1C|2A)_TL_.+\.xml")
IN_GRANULE = re.compile(r"(?P<root>(?:[^/]+/)*?)GRANULE/(?P<granule>[^/]+)/(?P<rest>.+)")
_NAMED = re.compile(r"S2[A-D]_(?:(?:OPER|USER)_PRD_)?MSIL(?:1C|2A)_")
# T33TWL_…_B02_10m.jp2, S2A_OPER_MSI_L1C_TL_…_B02.jp2; S2A_USER_SCL_L2A_TL_…_20m.jp2
_IMAGES = (
    re.compile(r"_(B\d\d|B8A|SCL|AOT|WVP|CLD|SNW)(?:_(\d\d)m)?\.jp2$"),
    re.compile(r"_(SCL|AOT|WVP|CLD|SNW)_L2A_TL_.+_(\d\d)m\.jp2$"),
)
# MSK_CLDPRB_20m.jp2, of older products L2A_T33TWL_…_CLD_20m.jp2; the other masks are per band and detector
_QUALITY = (re.compile(r"(?:^|_)(CLD|SNW)(?:PRB)?_(\d\d)m\.jp2$"), _IMAGES[1])
_SENSOR_NAMES = {"CLD": "MSK_CLDPRB", "SNW": "MSK_SNWPRB"}


@dataclass(frozen=True)
class Place:
    """What a path means: a product, perhaps one granule of it, perhaps one image."""

    root: Path
    granule: str = ""
    image: str = ""


def found_place(path: Path) -> Place:
    """Tell what a path means.

    Raises
    ------
    ReadError
        If it is no part of a SAFE product.
    """
    place = place_of(path)
    if place is None:
        raise ReadError(f"{path} is no Sentinel-2 product in SAFE format", expected="a .SAFE folder or zip")
    return place


def place_of(path: Path) -> Place | None:
    """Tell what a path means, None where it is no part of a SAFE product."""
    name = path.name
    if path.suffix.lower() == ".zip":
        known = path.is_file() and (_NAMED.match(name) or any(_belongs(one) for one in first_names(path)))
        return Place(path) if known else None
    if path.is_dir():
        if path.parent.name == "GRANULE" and _is_root(path.parent.parent):
            return Place(path.parent.parent, granule=name)
        return Place(path) if _is_root(path) else None
    if PRODUCT_XML.fullmatch(name) and path.is_file():
        return Place(path.parent)
    match = IN_GRANULE.fullmatch(path.as_posix().lstrip("/"))
    if match is None or not (GRANULE_XML.fullmatch(name) or band_of(match["rest"])) or not path.is_file():
        return None
    root = path.parents[match["rest"].count("/") + 2]
    if not any(PRODUCT_XML.fullmatch(one.name) for one in root.glob("*.xml")):
        return None  # a band that lies alone is a plain raster
    image = "" if name.endswith(".xml") else path.relative_to(root).as_posix()
    return Place(root, match["granule"], image)


def _is_root(folder: Path) -> bool:
    named = folder.name.upper()
    if named.endswith(".SAFE"):
        return named.startswith("S2")
    return (folder / "GRANULE").is_dir() or any(
        PRODUCT_XML.fullmatch(one.name) for one in folder.glob("*MTD_*.xml")
    )


def _belongs(name: str) -> bool:
    """Tell whether a name in a zip is that of a Sentinel-2 product's file."""
    return bool(PRODUCT_XML.fullmatch(name.rsplit("/", 1)[-1])) or (
        name.endswith(".jp2") and IN_GRANULE.fullmatch(name) is not None
    )


def band_of(rest: str) -> tuple[str, str] | None:
    """Return the sensor's name and the pixel size ("" where the name has none) of a file in a granule."""
    folder, _, name = rest.rpartition("/")
    for pattern in _QUALITY if folder.startswith("QI_DATA") else _IMAGES:
        if match := pattern.search(name):
            return _SENSOR_NAMES.get(match[1], match[1]), match[2] or ""
    return None
