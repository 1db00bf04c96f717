"""What a product's name says: platform, level, date, tile, band."""

from __future__ import annotations

import re
from typing import Any

from geotoolz.catalog._time import parse_instant
from geotoolz.core._errors import ParameterError

_S2_SAFE = re.compile(r"(S2[A-D])_MSI(L1C|L2A)_(\d{8}T\d{6})_N(\d\d)(\d\d)_R\d{3}_T(\d\d[A-Z]{3})", re.I)
_S2_COG = re.compile(r"(S2[A-D])_T?(\d\d[A-Z]{3})_(\d{8}(?:T\d{6})?)_(?:\d+_)?(L1C|L2A)", re.I)
_LANDSAT = re.compile(r"L([COTEM])0?([4-9])_(L\d[A-Z]{2})_(\d{6})_(\d{8})(?=_|$)", re.I)
_OPERA = re.compile(r"OPERA_L2_RTC-S1_(T\d{3}-\d{6}-IW\d)_(\d{8}T\d{6})Z_\d{8}T\d{6}Z_(S1[A-D])", re.I)
_S1 = re.compile(r"(S1[A-D])_(?:IW|EW|SM|S\d)_+(GRD|SLC|RTC)\w?_\w{4}_(\d{8}T\d{6})_", re.I)
_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_]?(0[1-9]|1[0-2])[-_]?(0[1-9]|[12]\d|3[01])(?:T?(\d{6})Z?)?(?!\d)"
)

_SENSOR = {"C": "oli", "O": "oli", "T": "tm", "E": "etm+", "M": "mss"}

# Band names at the end of a file's name. Longest first where one is the beginning of another.
_BAND = (
    r"(?:SR|ST|TOA)_B\d{1,2}|B8A|B\d{1,2}|SR_QA_AEROSOL|ST_QA|ST_[A-Z]{4,5}|QA_PIXEL|QA_RADSAT|PIXELQA|BQA|QA60|"
    r"SCL|AOT|WVP|TCI|VV|VH|HH|HV|MSK_[A-Z0-9_]+|"
    r"coastal|blue|green|red|rededge\d*|nir\d*|cirrus|swir\d\d|pan|lwir\d*|scl|dem"
)
_SUFFIX = re.compile(rf"(?:(?P<scene>.+?)[_.\-])?(?P<band>{_BAND})(?:_\d\dm)?", re.I)


def facts_of_name(name: str) -> dict[str, Any]:
    """Return what a product's or file's name tells, as columns of a row.

    Examples
    --------
    >>> facts = facts_of_name("S2B_33TWL_20230820_0_L2A")
    >>> facts["platform"], facts["tile"], facts["datetime"].date().isoformat()
    ('sentinel-2b', '33TWL', '2023-08-20')
    """
    for pattern, read in _READERS:
        match = pattern.search(name)
        if match is not None:
            return _timed(read(*match.groups()))
    match = _DATE.search(name)
    if match is None:
        return {}
    year, month, day, clock = match.groups()
    return _timed({"datetime": f"{year}{month}{day}" + (f"T{clock}" if clock else "")})


def _timed(facts: dict[str, Any]) -> dict[str, Any]:
    try:
        facts["datetime"] = parse_instant(facts["datetime"])
    except ParameterError:  # 20230231: digits, but no date
        del facts["datetime"]
    return facts


def _safe(unit: str, level: str, when: str, major: str, minor: str, tile: str) -> dict[str, Any]:
    baseline = f"{major}.{minor}"
    return {**_s2(unit, tile, when, level), "processing_baseline": baseline}


def _s2(unit: str, tile: str, when: str, level: str) -> dict[str, Any]:
    return {
        "platform": f"sentinel-{unit[1:].lower()}",
        "instrument": "msi",
        "processing_level": level.upper(),
        "tile": tile.upper(),
        "datetime": when,
    }


def _landsat(sensor: str, number: str, level: str, tile: str, when: str) -> dict[str, Any]:
    return {
        "platform": f"landsat-{number}",
        "instrument": _SENSOR[sensor.upper()],
        "processing_level": level.upper(),
        "tile": tile,
        "datetime": when,
    }


def _opera(burst: str, when: str, unit: str) -> dict[str, Any]:
    return {**_s1(unit, "RTC", when), "tile": burst.upper()}


def _s1(unit: str, level: str, when: str) -> dict[str, Any]:
    return {
        "platform": f"sentinel-{unit[1:].lower()}",
        "instrument": "c-sar",
        "processing_level": level.upper(),
        "datetime": when,
    }


_READERS: tuple[tuple[re.Pattern[str], Any], ...] = (
    (_S2_SAFE, _safe),
    (_S2_COG, _s2),
    (_LANDSAT, _landsat),
    (_OPERA, _opera),
    (_S1, _s1),
)


def split_band(stem: str) -> tuple[str, str] | None:
    """Return scene and band where a file's stem ends in a band's name, else None.

    The scene is empty where the stem is nothing but a band.

    Examples
    --------
    >>> split_band("LC08_L2SP_008059_20191201_20200825_02_T1_SR_B4")
    ('LC08_L2SP_008059_20191201_20200825_02_T1', 'SR_B4')
    >>> split_band("B02"), split_band("cog")
    (('', 'B02'), None)
    """
    match = _SUFFIX.fullmatch(stem)
    return None if match is None else (match["scene"] or "", match["band"])
