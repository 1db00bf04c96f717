"""What sensors call their bands, and what geotoolz calls them.

STAC common names are the vocabulary of tiles. `ROLES` tells which variables may play a role, best
first; `SENSOR_BANDS` tells the common name of a sensor's own band name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ROLES: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        # A narrow near-infrared band stands in for a wide one, never the other way round: who asks
        # for nir08 wants 865 nm.
        "nir": ("nir", "nir08"),
        "rededge": ("rededge071", "rededge075", "rededge078", "rededge"),
        "lwir": ("lwir11", "lwir12", "lwir"),
        "swir": ("swir16", "swir22"),
    }
)

SENTINEL_2: MappingProxyType[str, str] = MappingProxyType(
    {
        "B01": "coastal",
        "B02": "blue",
        "B03": "green",
        "B04": "red",
        "B05": "rededge071",
        "B06": "rededge075",
        "B07": "rededge078",
        "B08": "nir",
        "B8A": "nir08",
        "B09": "nir09",
        "B10": "cirrus",
        "B11": "swir16",
        "B12": "swir22",
        "SCL": "scl",
        "QA60": "qa60",
        "MSK_QA60": "qa60",
    }
)
LANDSAT_OLI: MappingProxyType[str, str] = MappingProxyType(
    {
        "B1": "coastal",
        "B2": "blue",
        "B3": "green",
        "B4": "red",
        "B5": "nir08",
        "B6": "swir16",
        "B7": "swir22",
        "B8": "pan",
        "B9": "cirrus",
        "B10": "lwir11",
        "B11": "lwir12",
        "QA_PIXEL": "qa_pixel",
        "QA_RADSAT": "qa_radsat",
        "SR_QA_AEROSOL": "qa_aerosol",
    }
)
LANDSAT_TM: MappingProxyType[str, str] = MappingProxyType(
    {
        "B1": "blue",
        "B2": "green",
        "B3": "red",
        "B4": "nir08",
        "B5": "swir16",
        "B6": "lwir",
        "B7": "swir22",
        "B8": "pan",
        "QA_PIXEL": "qa_pixel",
        "QA_RADSAT": "qa_radsat",
    }
)
# Of Landsat 4 and 5. No band is blue; B3 is 0.7–0.8 µm, B4 0.8–1.1 µm.
LANDSAT_MSS: MappingProxyType[str, str] = MappingProxyType(
    {
        "B1": "green",
        "B2": "red",
        "B3": "nir",
        "B4": "nir08",
        "QA_PIXEL": "qa_pixel",
        "QA_RADSAT": "qa_radsat",
    }
)
SENTINEL_1: MappingProxyType[str, str] = MappingProxyType({"VV": "vv", "VH": "vh", "HH": "hh", "HV": "hv"})

SENSOR_BANDS: MappingProxyType[str, MappingProxyType[str, str]] = MappingProxyType(
    {
        "sentinel-2": SENTINEL_2,
        "landsat-8": LANDSAT_OLI,
        "landsat-9": LANDSAT_OLI,
        "landsat-7": LANDSAT_TM,
        # two instruments on one satellite, and the longer key first: the first that fits counts
        "landsat-5-mss": LANDSAT_MSS,
        "landsat-4-mss": LANDSAT_MSS,
        "landsat-5": LANDSAT_TM,
        "landsat-4": LANDSAT_TM,
        "sentinel-1": SENTINEL_1,
    }
)

# Collection 2 puts the product in front of the band's name.
_PREFIXES = ("SR_", "ST_")


def sensor_of(attrs: Mapping[str, object]) -> str:
    """Return which sensor's band names a tile or product has: its platform, and ``-mss`` where that matters.

    Landsat 4 and 5 carry TM and MSS, whose B1 to B4 are other colours. The attribute ``instrument`` tells,
    or the product's name (``LM05_…``).

    Examples
    --------
    >>> sensor_of({"platform": "LANDSAT_5", "instrument": "mss"}), sensor_of({"platform": "landsat-5"})
    ('landsat-5-mss', 'landsat-5')
    """
    platform = str(attrs.get("platform") or "").lower().replace("_", "-")
    instrument = str(attrs.get("instrument") or "").lower()
    name = str(attrs.get("tile_id") or "").upper()
    is_mss = instrument.startswith("mss") or (
        not instrument and name.startswith(("LM04", "LM05", "LM4", "LM5"))
    )
    return f"{platform}-mss" if is_mss and platform in ("landsat-4", "landsat-5") else platform


def bands_of(platform: object) -> MappingProxyType[str, str]:
    """Return band name → common name of a platform, empty for one that is not known.

    Examples
    --------
    >>> bands_of("sentinel-2b")["B04"]
    'red'
    >>> bands_of("aqua")
    mappingproxy({})
    """
    text = str(platform or "").lower().replace("_", "-")
    for known, bands in SENSOR_BANDS.items():
        if text.startswith(known):
            return bands
    return MappingProxyType({})


def common_name(band: str, platform: object) -> str | None:
    """Return the common name of a sensor's own band name, or None.

    Examples
    --------
    >>> common_name("SR_B4", "landsat-9"), common_name("B4", "landsat-5"), common_name("B8A", "sentinel-2a")
    ('red', 'nir08', 'nir08')
    """
    bands = bands_of(platform)
    upper = band.upper()
    if upper in bands:
        return bands[upper]
    for prefix in _PREFIXES:
        if upper.startswith(prefix) and upper[len(prefix) :] in bands:
            return bands[upper[len(prefix) :]]
    if upper.startswith("B") and upper[1:].isdigit():  # B4 of Sentinel-2, B04 of Landsat
        number = int(upper[1:])
        return bands.get(f"B{number:02d}") or bands.get(f"B{number}")
    return None
