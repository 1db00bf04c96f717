"""What providers of STAC items call the bands, and what they did to the pixels: data, no rules of a reader.

One `Collection` per provider and collection, since ids and keys collide: ``sentinel-2-l2a`` is a collection
of three providers, ``nir`` of Earth Search is B08 and of a Landsat item B5. What an item itself says always
counts more than these tables; they say what its keys mean, which of its assets are the same band twice, and
how its files are reached.

Sources: Earth Search v1 collections and Element84/earth-search issues 9, 41, 66 and 71 (offsets); Microsoft
Planetary Computer collection pages; Copernicus Data Space Ecosystem STAC catalogue and S3 documentation;
USGS Landsat STAC; HLS Product User Guide, version 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

#: Who says whether an offset stands in the pixels.
#: "property": earthsearch:boa_offset_applied of the item; "baseline": the product's, never applied;
#: "declared": scale and offset of the asset; "fixed": one scale, no offset; "none": values as they are.
OffsetRule = Literal["property", "baseline", "declared", "fixed", "none"]


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection of one provider.

    Parameters
    ----------
    provider : str
        ``"earth-search"``, ``"planetary-computer"``, ``"cdse"``, ``"lp-daac"``.
    name : str
        The collection's id.
    family : str
        First word of the platforms: ``"sentinel-2"``, ``"landsat"``, ``"sentinel-1"``, ``"hls"``.
    level : str
        Processing level.
    keys : mapping of str to str
        Asset key → variable, where the key is neither a common name nor the sensor's own name.
    offset : str
        Who says what was done to the pixels; see `OffsetRule`.
    files : str
        ``"COG"`` or ``"JPEG2000"``.
    access : str
        How the files are reached.
    twice : tuple of str
        Ends of keys of assets that are another file of a band.
    caveat : str
        What is known to be wrong there.
    """

    provider: str
    name: str
    family: str
    level: str
    keys: Mapping[str, str]
    offset: OffsetRule
    files: str = "COG"
    access: str = "https"
    twice: tuple[str, ...] = ()
    caveat: str = ""


_S2_EARTH_SEARCH = MappingProxyType(
    {
        "rededge1": "rededge071",
        "rededge2": "rededge075",
        "rededge3": "rededge078",
        "cloud": "cloud_probability",
        "snow": "snow_probability",
        "aot": "aot",
        "wvp": "wvp",
    }
)
_S2_CDSE = MappingProxyType(
    {
        "CLD": "cloud_probability",
        "SNW": "snow_probability",
        "MSK_CLDPRB": "cloud_probability",
        "MSK_SNWPRB": "snow_probability",
        "AOT": "aot",
        "WVP": "wvp",
    }
)
_S2_PC = MappingProxyType({"AOT": "aot", "WVP": "wvp"})
_LANDSAT = MappingProxyType({"nir": "nir08", "lwir": "lwir", "tir11": "lwir11", "bqa": "bqa"})
# What items of MSS (USGS, Planetary Computer) call nir08 and nir09 are B3 and B4.
MSS_KEYS = MappingProxyType({"nir08": "B3", "nir09": "B4"})
_NONE: Mapping[str, str] = MappingProxyType({})
_SIGNED = "https, sign='planetary-computer'"
_EODATA = "s3://eodata (endpoint and keys)"
_USGS = "https (USGS login), or s3://usgs-landsat (requester pays)"

COLLECTIONS: tuple[Collection, ...] = (
    Collection(
        *("earth-search", "sentinel-2-l2a", "sentinel-2", "L2A", _S2_EARTH_SEARCH, "property"),
        twice=("-jp2",),
        caveat="`raster:bands` says -0.1 even where it is applied, and the property is wrong in some items",
    ),
    Collection(
        *("earth-search", "sentinel-2-c1-l2a", "sentinel-2", "L2A", _S2_EARTH_SEARCH, "baseline"),
        twice=("-jp2",),
    ),
    Collection(
        *("earth-search", "sentinel-2-l1c", "sentinel-2", "L1C", _S2_EARTH_SEARCH, "baseline"),
        files="JPEG2000",
        access="s3://sentinel-s2-l1c (requester pays)",
    ),
    Collection("earth-search", "landsat-c2-l2", "landsat", "L2SP", _LANDSAT, "declared", access=_USGS),
    Collection(
        "planetary-computer", "sentinel-2-l2a", "sentinel-2", "L2A", _S2_PC, "baseline", access=_SIGNED
    ),
    Collection(
        "planetary-computer", "landsat-c2-l2", "landsat", "L2SP", _LANDSAT, "declared", access=_SIGNED
    ),
    Collection(
        "planetary-computer", "landsat-c2-l1", "landsat", "L1TP", _LANDSAT, "declared", access=_SIGNED
    ),
    Collection("planetary-computer", "sentinel-1-rtc", "sentinel-1", "RTC", _NONE, "none", access=_SIGNED),
    Collection("planetary-computer", "hls2-l30", "hls", "L30", _NONE, "fixed", access=_SIGNED),
    Collection("planetary-computer", "hls2-s30", "hls", "S30", _NONE, "fixed", access=_SIGNED),
    Collection(
        *("cdse", "sentinel-2-l2a", "sentinel-2", "L2A", _S2_CDSE, "baseline"),
        files="JPEG2000",
        access=_EODATA,
    ),
    Collection(
        *("cdse", "sentinel-2-l1c", "sentinel-2", "L1C", _S2_CDSE, "baseline"),
        files="JPEG2000",
        access=_EODATA,
    ),
    Collection("lp-daac", "HLSL30_2.0", "hls", "L30", _NONE, "fixed", access="https (Earthdata login)"),
    Collection("lp-daac", "HLSS30_2.0", "hls", "S30", _NONE, "fixed", access="https (Earthdata login)"),
)

# Whose item it is: part of an address among its links or assets.
_HOSTS: tuple[tuple[str, str], ...] = (
    ("earth-search.aws.element84.com", "earth-search"),
    ("sentinel-cogs.s3", "earth-search"),
    ("e84-earth-search-sentinel-data", "earth-search"),
    ("planetarycomputer.microsoft.com", "planetary-computer"),
    (".blob.core.windows.net", "planetary-computer"),
    ("dataspace.copernicus.eu", "cdse"),
    ("s3://eodata/", "cdse"),
    ("cmr.earthdata.nasa.gov", "lp-daac"),
    ("data.lpdaac.earthdatacloud.nasa.gov", "lp-daac"),
)

# What to do where an address cannot be read as it stands.
_HINTS: tuple[tuple[str, str], ...] = (
    (
        "s3://eodata/",
        "set AWS_S3_ENDPOINT=eodata.dataspace.copernicus.eu, AWS_VIRTUAL_HOSTING=FALSE and the S3 keys of "
        "your Copernicus Data Space account",
    ),
    ("s3://usgs-landsat/", "set AWS_REQUEST_PAYER=requester and your AWS keys: the bucket's readers pay"),
    ("s3://sentinel-s2-", "set AWS_REQUEST_PAYER=requester and your AWS keys: the bucket's readers pay"),
    (".blob.core.windows.net/", "say sign='planetary-computer': the address wants a signature"),
    ("landsatlook.usgs.gov", "the USGS wants a login: take the asset's s3 alternate, or another provider"),
    (
        "earthdatacloud.nasa.gov",
        "set GDAL_HTTP_COOKIEFILE and GDAL_HTTP_COOKIEJAR, and your Earthdata login in ~/.netrc",
    ),
)


def provider_of(item: Mapping[str, Any]) -> str:
    """Return whose item it is, by its links, properties and the addresses of its assets; empty if unknown.

    Examples
    --------
    >>> provider_of({"properties": {"earthsearch:boa_offset_applied": True}, "assets": {}})
    'earth-search'
    """
    if any(str(key).startswith("earthsearch:") for key in item.get("properties", ())):
        return "earth-search"
    links = [link.get("href") for link in item.get("links", ()) if isinstance(link, Mapping)]
    assets = [asset.get("href") for asset in item.get("assets", {}).values() if isinstance(asset, Mapping)]
    for href in (*links, *assets):
        for part, provider in _HOSTS:
            if part in str(href):
                return provider
    return ""


def collection_of(item: Mapping[str, Any]) -> Collection | None:
    """Return the table for an item, None where provider and collection are not known together."""
    provider, name = provider_of(item), str(item.get("collection") or "").replace(".v", "_")
    return next((one for one in COLLECTIONS if (one.provider, one.name) == (provider, name)), None)


def keys_of(family: str) -> dict[str, str]:
    """Return the asset keys of all providers for a family of satellites, in lower case.

    Examples
    --------
    >>> keys_of("sentinel-2")["rededge1"], keys_of("landsat")["nir"]
    ('rededge071', 'nir08')
    """
    found: dict[str, str] = {}
    for one in COLLECTIONS:
        if one.family == family:
            found |= {key.lower(): name for key, name in one.keys.items()}
    return found


#: what ends the keys of second files, whoever provides them
_TWICE = tuple(sorted({end for one in COLLECTIONS for end in one.twice}))


def is_twice(key: str, collection: Collection | None) -> bool:
    """Tell an asset that is another file of a band; without a table, by what any provider does.

    Examples
    --------
    >>> is_twice("red-jp2", None), is_twice("red", None)
    (True, False)
    """
    ends = collection.twice if collection else _TWICE
    return bool(ends) and key.lower().endswith(ends)


def access_hint(path: str) -> str:
    """Return what to do to reach an address, empty where nothing is known.

    Examples
    --------
    >>> access_hint("s3://usgs-landsat/collection02/a.TIF")
    "set AWS_REQUEST_PAYER=requester and your AWS keys: the bucket's readers pay"
    """
    return next((hint for part, hint in _HINTS if part in path), "")
