"""What is known of a product besides its pixels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from affine import Affine

from geotoolz.core._errors import QuantityError
from geotoolz.core._sensors import sensor_of

# From 25 January 2022 on Sentinel-2 products carry the offset (baseline 04.00).
S2_OFFSET_SINCE = date(2022, 1, 25)


@dataclass(frozen=True)
class Product:
    """A product's metadata, whichever file or item it came from.

    Parameters
    ----------
    tile_id : str
        The item's or product's identifier.
    platform, instrument, level, baseline : str
        Empty where unknown.
    when : str
        ISO 8601, UTC.
    sun_azimuth, sun_elevation, view_azimuth, view_zenith : float, optional
        Degrees, means over the scene (those of the view: over the bands, too).
    collection : str
        The provider's collection.
    offset_applied : bool, optional
        Whether the provider has added the offset already (``earthsearch:boa_offset_applied``).
    add_offsets : mapping of str to float
        Offset in DN by sensor band, from the product's own metadata.
    quantification : float, optional
        DN per unit of reflectance, from the product's own metadata.
    rescaling : mapping of str to (float, float)
        Landsat MTL: scale and offset by sensor band (``"B4"``, ``"ST_B10"``).
    thermal : mapping of str to (float, float)
        Landsat Level-1: K1 and K2 by sensor band.
    crs : str
        The declared CRS.
    extent : tuple, optional
        Declared ``(left, top, right, bottom)`` in that CRS, for files without georeference.
    extra : mapping
        What else the metadata says: ``cloud_cover`` in percent, quantification of auxiliary bands.
    """

    tile_id: str = ""
    platform: str = ""
    instrument: str = ""
    level: str = ""
    baseline: str = ""
    when: str = ""
    sun_azimuth: float | None = None
    sun_elevation: float | None = None
    view_azimuth: float | None = None
    view_zenith: float | None = None
    collection: str = ""
    offset_applied: bool | None = None
    add_offsets: Mapping[str, float] = field(default_factory=dict)
    quantification: float | None = None
    rescaling: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    thermal: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    crs: str = ""
    extent: tuple[float, float, float, float] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def harmonised(self) -> bool:
        """Whether the collection is known to be shifted to the old radiometry."""
        return "harmoni" in self.collection.lower()

    @property
    def sensor(self) -> str:
        """The platform as band tables know it: ``landsat-5-mss`` for MSS on a satellite that has TM too."""
        return sensor_of({"platform": self.platform, "instrument": self.instrument, "tile_id": self.tile_id})

    @property
    def is_hls(self) -> bool:
        """Whether it is a product of Harmonized Landsat Sentinel-2, which has one scale for all."""
        return self.tile_id.upper().startswith("HLS.")

    def attrs(self) -> dict[str, Any]:
        """Return the tile attributes; what is unknown is left out."""
        found = {
            "tile_id": self.tile_id,
            "datetime": self.when,
            "platform": self.platform,
            "instrument": self.instrument,
            "processing_level": self.level,
            "processing_baseline": self.baseline,
            "sun_azimuth": self.sun_azimuth,
            "sun_elevation": self.sun_elevation,
            "view_azimuth": self.view_azimuth,
            "view_zenith": self.view_zenith,
        }
        return {key: value for key, value in found.items() if value not in ("", None)}


def iso_utc(value: object) -> str:
    """Return a date or time as ISO 8601 in UTC, empty for what is none.

    Examples
    --------
    >>> iso_utc("2023-08-20T11:58:11.072+02:00"), iso_utc("2019-12-01"), iso_utc(None)
    ('2023-08-20T09:58:11.072000Z', '2019-12-01T00:00:00Z', '')
    """
    if isinstance(value, datetime):
        moment = value
    else:
        # Landsat writes seven digits of a second
        text = re.sub(r"(\.\d{6})\d+", r"\1", str(value or "").strip().strip('"'))
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return ""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat().replace("+00:00", "Z")


# N0509, 509; 05.09, 5.1, 5, 05.00.0
_NUMBERS = re.compile(r"N?(\d{1,2})(\d{2})|N?(\d{1,2})(?:\.(\d{1,2}))?(?:\.\d+)*", re.IGNORECASE)


def baseline_number(told: object) -> int | None:
    """Return a processing baseline as an integer: ``"05.09"`` → 509; None where there is none.

    Strings compare wrongly (``"10.00" < "04.00"``), so they are never compared. A baseline that became a
    number on its way has lost its zeros: 5.1 is 05.10.

    Raises
    ------
    QuantityError
        If something is told that is no baseline.

    Examples
    --------
    >>> baseline_number("05.09"), baseline_number("N0400"), baseline_number(5.1), baseline_number("")
    (509, 400, 510, None)
    """
    text = "" if told is None else str(told).strip()
    if text.lower() in ("", "nan", "none"):
        return None
    match = _NUMBERS.fullmatch(text)
    if match is None:
        raise QuantityError(
            f"the processing baseline {told!r} cannot be read",
            expected="two numbers, such as '05.09' or 'N0509'",
            fix="ds.attrs['processing_baseline'] = '05.09', or offset= of DNToReflectance and open_tile",
        )
    major, minor = (match[1], match[2]) if match[1] else (match[3], (match[4] or "0").ljust(2, "0"))
    return int(major) * 100 + int(minor)


def platform_name(text: object) -> str:
    """Return a platform as geotoolz writes it: ``"Sentinel-2A"`` and ``"LANDSAT_8"`` alike.

    Examples
    --------
    >>> platform_name("LANDSAT_8"), platform_name("Sentinel-2A"), platform_name("S2B"), platform_name("s1a")
    ('landsat-8', 'sentinel-2a', 'sentinel-2b', 'sentinel-1a')
    """
    lower = str(text or "").lower().replace("_", "-").strip()
    short = re.fullmatch(r"s([12])([a-d])", lower)
    return f"sentinel-{short[1]}{short[2]}" if short else lower


_LANDSAT_ID = re.compile(r"L[COTEM](0[45789])_(L\w{3})_\d{6}_(\d{8})_\d{8}_(\d\d)_(T1|T2|RT|A1|A2)")
_S2_LEVEL = re.compile(r"(?:MSI|_)(L1C|L2A)(?:_|$|\b)")
_SENTINEL = re.compile(r"(?:^|_)(S[12][A-D])(?=_)")
_BASELINE = re.compile(r"_N(\d{2})\.?(\d{2})(?:_|\b)")
_TIME = re.compile(r"_(\d{8}T\d{6})")


def from_identifier(text: str) -> dict[str, Any]:
    """Read platform, level, baseline and time out of a product's name.

    Examples
    --------
    >>> found = from_identifier("S2B_MSIL2A_20230820T094549_N0509_R079_T33TWL_20230820T124817")
    >>> found["platform"], found["level"], found["baseline"], found["when"]
    ('sentinel-2b', 'L2A', '05.09', '2023-08-20T09:45:49Z')
    """
    landsat = _LANDSAT_ID.search(text)
    if landsat:
        platform = f"landsat-{int(landsat[1])}"
        others = "mss" if landsat[0][1] == "M" else "tm"
        instrument = {"8": "oli", "9": "oli", "7": "etm"}.get(platform[-1], others)
        when = iso_utc(f"{landsat[3][:4]}-{landsat[3][4:6]}-{landsat[3][6:]}")
        return {"platform": platform, "instrument": instrument, "level": landsat[2], "when": when}
    old = re.match(r"L([ETM])([457])\d{6}(\d{4})(\d{3})", text)
    if old:
        moment = datetime.strptime(old[3] + old[4], "%Y%j")
        return {
            "platform": f"landsat-{old[2]}",
            "instrument": "etm" if old[2] == "7" else "mss" if old[1] == "M" else "tm",
            "when": iso_utc(moment),
        }
    found: dict[str, Any] = {}
    sentinel = _SENTINEL.search(text)
    if not sentinel:
        return found
    found["platform"] = platform_name(sentinel[1])
    found["instrument"] = "msi" if sentinel[1][1] == "2" else "c-sar"
    if level := _S2_LEVEL.search(text):
        found["level"] = level[1]
    if baseline := _BASELINE.search(text):
        found["baseline"] = f"{baseline[1]}.{baseline[2]}"
    if moment_text := _TIME.search(text):
        found["when"] = iso_utc(datetime.strptime(moment_text[1], "%Y%m%dT%H%M%S"))
    if "RTC" in text:
        found["level"] = "RTC"
    return found


def extent_of(transform: Affine, shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return (left, top, right, bottom) of a grid."""
    height, width = shape
    return (transform.c, transform.f, transform.c + transform.a * width, transform.f + transform.e * height)
