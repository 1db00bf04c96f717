"""What Harmonized Landsat Sentinel-2 calls its scenes and layers, in files and in items."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from geotoolz.io._bands import BandDef, identify
from geotoolz.io._product import iso_utc

# HLS.S30.T33TWL.2023232T095031.v2.0
_SCENE = re.compile(r"HLS\.([LS])30\.T(\d\d[A-Z]{3})\.(\d{7}T\d{6})\.v2\.0", re.IGNORECASE)
# The name does not tell which of the twins: the first words of both fit the tables of bands.
_PLATFORM = {"L": "landsat-8/9", "S": "sentinel-2"}
_INSTRUMENT = {"L": "oli", "S": "msi"}
_ANGLES = {
    "SZA": "Sun zenith angle",
    "SAA": "Sun azimuth angle",
    "VZA": "View zenith angle",
    "VAA": "View azimuth angle",
}
FMASK = BandDef("fmask", "Fmask", "HLS quality flags", None, 30, "flags")


def hls_facts(identifier: str) -> dict[str, Any]:
    """Read platform, instrument, level and time out of a scene's name; empty for another product.

    Examples
    --------
    >>> hls_facts("HLS.S30.T33TWL.2023232T095031.v2.0")["when"], hls_facts("S2A_33TWL")
    ('2023-08-20T09:50:31Z', {})
    """
    match = _SCENE.match(identifier)
    if match is None:
        return {}
    kind = match[1].upper()
    return {
        "platform": _PLATFORM[kind],
        "instrument": _INSTRUMENT[kind],
        "level": f"{kind}30",
        "when": iso_utc(datetime.strptime(match[3], "%Y%jT%H%M%S")),
    }


def hls_band(key: str, platform: str) -> BandDef | None:
    """Return the band of a layer. B05 is the near infrared of L30 and a red edge of S30.

    Examples
    --------
    >>> [hls_band("B05", p).name for p in ("landsat-8/9", "sentinel-2")], hls_band("Fmask", "").name
    (['nir08', 'rededge071'], 'fmask')
    """
    if key.lower() == "fmask":
        return FMASK
    if key.upper() in _ANGLES:
        return BandDef(key.lower(), key.upper(), _ANGLES[key.upper()], None, 30, "aux")
    return identify(key, platform)
