"""Constants of sensors' calibration: exoatmospheric irradiances and thermal constants.

Sources, checked against the numbers that products carry themselves:

- Landsat 4–7: Chander, G., Markham, B. L., Helder, D. L. (2009). Summary of current radiometric
  calibration coefficients for Landsat MSS, TM, ETM+, and EO-1 ALI sensors. Remote Sensing of
  Environment 113, 893–903 (ESUN after Chance–Kurucz; K1 and K2).
- Landsat 8 and 9 TIRS: the group ``LEVEL1_THERMAL_CONSTANTS`` of their MTL files.
- Sentinel-2: ``SOLAR_IRRADIANCE`` of ``MTD_MSIL1C.xml`` (after Thuillier 2003).

Landsat 8 and 9 have no table of irradiances: they are calibrated in reflectance, and their MTL
files hold both scales, whose ratio gives ESUN (`geotoolz.radiometry.assign_mtl`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_TM = ("blue", "green", "red", "nir08", "swir16", "swir22")
_MSI = (
    "coastal", "blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08", "nir09",
    "cirrus", "swir16", "swir22",
)  # fmt: skip


def _table(names: tuple[str, ...], *values: float) -> Mapping[str, float]:
    return MappingProxyType(dict(zip(names, values, strict=True)))


ESUN: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "landsat-4": _table(_TM, 1983, 1795, 1539, 1028, 219.8, 83.49),
        "landsat-5": _table(_TM, 1983, 1796, 1536, 1031, 220.0, 83.44),
        "landsat-7": _table((*_TM, "pan"), 1997, 1812, 1533, 1039, 230.8, 84.90, 1362),
        "sentinel-2a": _table(
            _MSI, 1884.69, 1959.66, 1823.24, 1512.06, 1424.64, 1287.61, 1162.08, 1041.63, 955.32, 812.92,
            367.15, 245.59, 85.25,
        ),
        "sentinel-2b": _table(
            _MSI, 1874.30, 1959.75, 1824.93, 1512.79, 1425.78, 1291.13, 1175.57, 1041.28, 953.93, 817.58,
            365.41, 247.08, 87.75,
        ),
    }
)  # fmt: skip
"""Mean solar irradiance outside the atmosphere at 1 AU by platform and band, W m⁻² µm⁻¹."""

THERMAL: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "landsat-4": {"lwir": (671.62, 1284.30)},
        "landsat-5": {"lwir": (607.76, 1260.56)},
        "landsat-7": {"lwir": (666.09, 1282.71)},
        "landsat-8": {"lwir11": (774.8853, 1321.0789), "lwir12": (480.8883, 1201.1442)},
        "landsat-9": {"lwir11": (799.0284, 1329.2405), "lwir12": (475.6581, 1198.3494)},
    }
)
"""K1 (W m⁻² sr⁻¹ µm⁻¹) and K2 (K) by platform and band."""

RADIANCE_UNITS = "W m-2 sr-1 um-1"
_SPELLINGS = frozenset(
    {
        "wm-2sr-1um-1", "w/m2/sr/um", "w/(m2srum)", "w/(m^2srum)", "w/m^2/sr/um", "wm^-2sr^-1um^-1",
        "wm**-2sr**-1um**-1", "watts/(m2*sr*um)", "w/(m2*sr*um)", "w/(m^2*sr*um)",
        # a thousandth of the power in a thousandth of the band
        "mwm-2sr-1nm-1", "mw/m2/sr/nm", "mw/m^2/sr/nm", "mw/(m2srnm)",
    }
)  # fmt: skip


def is_radiance_unit(units: str) -> bool:
    """Whether units are W m⁻² sr⁻¹ µm⁻¹, or numerically equal to it.

    Examples
    --------
    >>> [is_radiance_unit(u) for u in ("W m-2 sr-1 um-1", "W/m2/sr/µm", "uW cm-2 sr-1 nm-1", "1")]
    [True, True, False, False]
    """
    plain = units.lower().replace("µ", "u").replace("μ", "u").replace("²", "2").replace("·", "")
    return "".join(plain.split()) in _SPELLINGS


def for_platform(table: Mapping[str, Mapping[str, object]], platform: object) -> Mapping[str, object]:
    """Return a platform's part of a table, empty for one that is not in it."""
    return table.get(str(platform or "").lower().replace("_", "-"), {})
