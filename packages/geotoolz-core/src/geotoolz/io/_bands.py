"""The sensors' bands as data: wavelength, native resolution and kind of every band.

Names and common names stand in `geotoolz.core._sensors`; here is what a reader needs besides.
Sources: ESA Sentinel-2 User Handbook and S2 MSI spectral responses; USGS Landsat Collection 2
Level-1 and Level-2 product guides (LSDS-1619, LSDS-1822, LSDS-1618); STAC ``eo`` and ``raster``
extensions for the providers' asset keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from geotoolz.core._sensors import LANDSAT_MSS, LANDSAT_OLI, LANDSAT_TM, SENTINEL_1, SENTINEL_2, common_name
from geotoolz.io._providers import MSS_KEYS, keys_of

Kind = Literal["reflectance", "thermal", "backscatter", "flags", "aux"]


@dataclass(frozen=True, slots=True)
class BandDef:
    """One band of a sensor.

    Parameters
    ----------
    name : str
        STAC common name: the variable's name in a tile.
    sensor_name : str
        What the sensor calls it.
    title : str
        Human-readable name.
    wavelength : float, optional
        Centre wavelength in nanometres.
    resolution : float, optional
        Native pixel size in metres.
    kind : str
        ``"reflectance"``, ``"thermal"``, ``"backscatter"``, ``"flags"`` (integers that are never
        averaged) or ``"aux"`` (read when asked for by name).
    """

    name: str
    sensor_name: str
    title: str
    wavelength: float | None = None
    resolution: float | None = None
    kind: Kind = "reflectance"


_Row = tuple[str, float | None, float, Kind]

_S2: Mapping[str, _Row] = {
    "B01": ("Coastal aerosol", 443, 60, "reflectance"),
    "B02": ("Blue", 490, 10, "reflectance"),
    "B03": ("Green", 560, 10, "reflectance"),
    "B04": ("Red", 665, 10, "reflectance"),
    "B05": ("Red edge 705 nm", 705, 20, "reflectance"),
    "B06": ("Red edge 740 nm", 740, 20, "reflectance"),
    "B07": ("Red edge 783 nm", 783, 20, "reflectance"),
    "B08": ("Near infrared", 842, 10, "reflectance"),
    "B8A": ("Narrow near infrared", 865, 20, "reflectance"),
    "B09": ("Water vapour", 945, 60, "reflectance"),
    "B10": ("Cirrus", 1375, 60, "reflectance"),
    "B11": ("Short-wave infrared 1.6 µm", 1610, 20, "reflectance"),
    "B12": ("Short-wave infrared 2.2 µm", 2190, 20, "reflectance"),
    "SCL": ("Scene classification", None, 20, "flags"),
    "QA60": ("Cloud mask QA60", None, 60, "flags"),
}
_OLI: Mapping[str, _Row] = {
    "B1": ("Coastal aerosol", 443, 30, "reflectance"),
    "B2": ("Blue", 482, 30, "reflectance"),
    "B3": ("Green", 561, 30, "reflectance"),
    "B4": ("Red", 655, 30, "reflectance"),
    "B5": ("Near infrared", 865, 30, "reflectance"),
    "B6": ("Short-wave infrared 1.6 µm", 1609, 30, "reflectance"),
    "B7": ("Short-wave infrared 2.2 µm", 2201, 30, "reflectance"),
    "B8": ("Panchromatic", 590, 15, "reflectance"),
    "B9": ("Cirrus", 1373, 30, "reflectance"),
    "B10": ("Thermal infrared 10.9 µm", 10895, 30, "thermal"),
    "B11": ("Thermal infrared 12 µm", 12005, 30, "thermal"),
    "QA_PIXEL": ("Pixel quality", None, 30, "flags"),
    "QA_RADSAT": ("Radiometric saturation", None, 30, "flags"),
    "SR_QA_AEROSOL": ("Aerosol quality", None, 30, "flags"),
}
_TM: Mapping[str, _Row] = {
    "B1": ("Blue", 485, 30, "reflectance"),
    "B2": ("Green", 560, 30, "reflectance"),
    "B3": ("Red", 660, 30, "reflectance"),
    "B4": ("Near infrared", 830, 30, "reflectance"),
    "B5": ("Short-wave infrared 1.6 µm", 1650, 30, "reflectance"),
    "B6": ("Thermal infrared 11.5 µm", 11450, 30, "thermal"),
    "B7": ("Short-wave infrared 2.2 µm", 2215, 30, "reflectance"),
    "B8": ("Panchromatic", 710, 15, "reflectance"),
    "QA_PIXEL": ("Pixel quality", None, 30, "flags"),
    "QA_RADSAT": ("Radiometric saturation", None, 30, "flags"),
}
_MSS: Mapping[str, _Row] = {
    "B1": ("Green", 550, 60, "reflectance"),
    "B2": ("Red", 650, 60, "reflectance"),
    "B3": ("Near infrared 0.7–0.8 µm", 750, 60, "reflectance"),
    "B4": ("Near infrared 0.8–1.1 µm", 950, 60, "reflectance"),
    "QA_PIXEL": ("Pixel quality", None, 60, "flags"),
    "QA_RADSAT": ("Radiometric saturation", None, 60, "flags"),
}
_S1: Mapping[str, _Row] = {
    pol: (f"Backscatter {pol}", None, 10, "backscatter") for pol in ("VV", "VH", "HH", "HV")
}


def _table(rows: Mapping[str, _Row], names: Mapping[str, str]) -> Mapping[str, BandDef]:
    made = {
        names[sensor]: BandDef(names[sensor], sensor, title, wavelength, resolution, kind)
        for sensor, (title, wavelength, resolution, kind) in rows.items()
    }
    return MappingProxyType(made)


_S2_AUX = {
    "aot": BandDef("aot", "AOT", "Aerosol optical thickness", None, 10, "aux"),
    "wvp": BandDef("wvp", "WVP", "Water vapour", None, 10, "aux"),
    "cloud_probability": BandDef("cloud_probability", "MSK_CLDPRB", "Cloud probability", None, 20, "aux"),
    "snow_probability": BandDef("snow_probability", "MSK_SNWPRB", "Snow probability", None, 20, "aux"),
}

TABLES: Mapping[str, Mapping[str, BandDef]] = MappingProxyType(
    {
        "sentinel-2": MappingProxyType({**_table(_S2, SENTINEL_2), **_S2_AUX}),
        "landsat-8": _table(_OLI, LANDSAT_OLI),
        "landsat-9": _table(_OLI, LANDSAT_OLI),
        "landsat-7": _table(_TM, LANDSAT_TM),
        "landsat-5-mss": _table(_MSS, LANDSAT_MSS),
        "landsat-4-mss": _table(_MSS, LANDSAT_MSS),
        "landsat-5": _table(_TM, LANDSAT_TM),
        "landsat-4": _table(_TM, LANDSAT_TM),
        "sentinel-1": _table(_S1, SENTINEL_1),
    }
)

# Order of band_id in Sentinel-2 product metadata.
S2_BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")

# Asset keys that are neither a common name nor a sensor's band name, whoever provides them.
_PROVIDER_KEYS: Mapping[str, Mapping[str, str]] = {
    family: MappingProxyType(keys_of(family)) for family in ("sentinel-2", "landsat")
}
# "_10m" of the Copernicus Data Space, ".TIF" of the USGS
_SUFFIX = re.compile(r"(_\d+M|\.TIFF?|\.JP2)$", re.IGNORECASE)


def bands_of_platform(platform: str) -> Mapping[str, BandDef]:
    """Return common name → band of a platform, empty for one that is not known.

    Examples
    --------
    >>> bands_of_platform("sentinel-2b")["nir08"].sensor_name
    'B8A'
    """
    for known, table in TABLES.items():
        if platform.startswith(known):
            return table
    return MappingProxyType({})


def identify(key: str, platform: str) -> BandDef | None:
    """Tell which band a provider means by an asset key, a file suffix or a band name.

    Examples
    --------
    >>> [identify(k, "sentinel-2a").name for k in ("B05_20m", "rededge1", "B8A", "SCL", "nir")]
    ['rededge071', 'rededge071', 'nir08', 'scl', 'nir']
    >>> [identify(k, "landsat-8").name for k in ("SR_B5.TIF", "nir08", "ST_B10", "qa_pixel", "nir")]
    ['nir08', 'nir08', 'lwir11', 'qa_pixel', 'nir08']
    >>> identify("visual", "sentinel-2a") is None
    True
    """
    table = bands_of_platform(platform)
    while _SUFFIX.search(key):
        key = _SUFFIX.sub("", key)
    lower = key.lower()
    if lower in table:
        return table[lower]
    name = common_name(key.upper().replace("_VCID_1", ""), platform)
    for family, keys in _PROVIDER_KEYS.items():
        if name is None and platform.startswith(family):
            name = keys.get(lower)
    return table.get(name) if name else None


def band_of_asset(key: str, name: str, sensor: str) -> BandDef | None:
    """Return the band of an item's asset by its key, else by the name that the item gives the band.

    Examples
    --------
    >>> band_of_asset("nir08", "", "landsat-5").name, band_of_asset("nir08", "", "landsat-5-mss").name
    ('nir08', 'nir')
    """
    if sensor.endswith("-mss"):
        key = MSS_KEYS.get(key.lower(), key)
    return identify(key, sensor) or identify(name, sensor)
