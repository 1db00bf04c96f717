"""Radiometrically terrain-corrected Sentinel-1: OPERA RTC-S1 and ASF HyP3 (GAMMA)."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from geotoolz.core._errors import ReadError
from geotoolz.io._bands import BandDef
from geotoolz.io._product import Product, iso_utc
from geotoolz.io._radiometry import Declared
from geotoolz.io._readers._base import Reader
from geotoolz.io._readers._names import matching, one_scene
from geotoolz.io._scene import Asset, SceneInfo

_LAYER = r"(VV|VH|HH|HV|mask|inc_map|dem)\.tiff?"
# OPERA_L2_RTC-S1_T137-292324-IW1_20211119T015911Z_20250830T120333Z_S1A_30_v1.0_VV.tif
_OPERA = re.compile(
    r"(OPERA_L2_RTC-S1_T\d{3}-\d{6}-IW\d_(\d{8}T\d{6})Z_\d{8}T\d{6}Z_(S1[A-D])_30_v\d+\.\d+)_" + _LAYER,
    re.IGNORECASE,
)
# S1A_IW_20211119T015911_DVP_RTC30_G_gpuned_1A2B_VV.tif: gamma or sigma, power or decibel or amplitude
_HYP3 = re.compile(
    r"((S1[A-D])_\w\w_(\d{8}T\d{6})_\w{3}_RTC\d\d_\w_([gs])([pda])\w{4}_\w{4})_" + _LAYER, re.IGNORECASE
)
_MASK = BandDef("rtc_mask", "mask", "Layover and shadow", None, 30, "flags")
_AUX = {
    "inc_map": BandDef("local_incidence", "inc_map", "Local incidence angle", None, None, "aux"),
    "dem": BandDef("dem", "dem", "Elevation", None, None, "aux"),
}


class Sentinel1RTC(Reader):
    """Sentinel-1 RTC as OPERA and the Alaska Satellite Facility (HyP3) distribute it.

    Backscatter is linear power (units ``"1"``), or decibels where the name of a HyP3 product says so;
    ``_mask`` of OPERA comes as ``rtc_mask`` (0 valid, 1 shadow, 2 layover, 3 both).

    References
    ----------
    OPERA Product Specification for RTC-S1, JPL D-108758. ASF HyP3 Sentinel-1 RTC Product Guide, "Naming
    Convention".
    """

    name = "sentinel-1-rtc"
    title = "Sentinel-1 RTC: OPERA RTC-S1, ASF HyP3"

    def recognises(self, path: Path) -> bool:
        """Tell by the names of the files."""
        return bool(matching(path, _OPERA) or matching(path, _HYP3))

    def scene(self, path: Path) -> SceneInfo:
        """Say where the layers are, and in what scale.

        Raises
        ------
        TileError
            If the folder holds several scenes.
        ReadError
            If the values are amplitudes.
        """
        opera = matching(path, _OPERA)
        found = opera or matching(path, _HYP3)
        name = one_scene(path, (match[1] for _, match in found))
        first = found[0][1]
        sort, scale = ("g", "p") if opera else (first[4].lower(), first[5].lower())
        if scale == "a":
            raise ReadError(
                f"{name} holds amplitudes",
                expected="power or decibels",
                fix="order the product in power (HyP3: scale=power)",
            )
        moment, platform = (first[2], first[3]) if opera else (first[3], first[2])
        product = Product(
            tile_id=name,
            platform=f"sentinel-{platform[1]}{platform[2].lower()}",
            instrument="c-sar",
            level="RTC",
            when=iso_utc(datetime.strptime(moment, "%Y%m%dT%H%M%S")),
        )
        units = "dB" if scale == "d" else "1"
        measure = "Gamma nought" if sort == "g" else "Sigma nought"
        assets = [_asset(file, match[match.re.groups], measure, units) for file, match in found]
        return SceneInfo(str(path), product, tuple(sorted(assets, key=_rank)))


def _rank(asset: Asset) -> int:
    """Put co-polarised backscatter first and what is no backscatter last."""
    order = ("vv", "hh", "vh", "hv", "rtc_mask")
    return order.index(asset.name) if asset.name in order else len(order)


def _asset(file: Path, key: str, measure: str, units: str) -> Asset:
    lower = key.lower()
    if lower == "mask":
        return Asset(_MASK.name, str(file), band=_MASK, key="mask", declared=Declared(nodata=255))
    if lower in _AUX:
        band = _AUX[lower]
        unit = "radian" if lower == "inc_map" else "m"
        return Asset(band.name, str(file), band=band, key=lower, declared=Declared(units=unit), default=False)
    band = BandDef(lower, key.upper(), f"{measure} {key.upper()}", None, None, "backscatter")
    return Asset(lower, str(file), band=band, key=key.upper(), declared=Declared(units=units))
