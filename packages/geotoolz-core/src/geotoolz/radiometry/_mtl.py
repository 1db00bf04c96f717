"""The numbers of a Landsat MTL file, put where the operators look for them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geotoolz.core import ParameterError, TileError, TileSpec
from geotoolz.core._lazy import xr

_LEVEL1 = ("LEVEL1_RADIOMETRIC_RESCALING", "RADIOMETRIC_RESCALING")
_CONSTANTS = ("LEVEL1_THERMAL_CONSTANTS", "TIRS_THERMAL_CONSTANTS", "THERMAL_CONSTANTS")
_KEYS = {
    "RADIANCE_MULT_BAND": "radiance_mult",
    "RADIANCE_ADD_BAND": "radiance_add",
    "REFLECTANCE_MULT_BAND": "reflectance_mult",
    "REFLECTANCE_ADD_BAND": "reflectance_add",
    "K1_CONSTANT_BAND": "k1_constant",
    "K2_CONSTANT_BAND": "k2_constant",
}


def assign_mtl(tile: xr.Dataset, path: str | os.PathLike[str]) -> xr.Dataset:
    """Return a tile with the radiometric numbers of a Landsat MTL file among its attributes.

    Tile: ``platform``, ``datetime``, ``processing_level``, ``tile_id``, ``sun_elevation``,
    ``sun_azimuth``, ``earth_sun_distance``, as far as the file has them. Bands of Level-1 numbers:
    ``radiance_mult``, ``radiance_add``, ``reflectance_mult``, ``reflectance_add``, ``k1_constant``,
    ``k2_constant``, and ``esun = π d² · radiance_mult / reflectance_mult``. A Level-2 file repeats
    the scales of the Level-1 scene it was made from; they are left out, because they are not those
    of its numbers.

    Parameters
    ----------
    tile : xarray.Dataset
        A Landsat scene; it is not changed.
    path : path
        The MTL file, text or JSON.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    ReadError
        If the file is no MTL.
    TileError
        If the tile says that it is of another platform.
    ParameterError
        If the file does not exist.

    Examples
    --------
    ::

        raw = assign_mtl(open_tile(folder, raw=True), folder / "LT05_…_MTL.txt")
        toa = Sequential([DNToRadiance(), RadianceToReflectance()])(raw)
    """
    from geotoolz.io._metadata import landsat_product, read_mtl
    from geotoolz.io._product import Product

    file = Path(path)
    if not file.is_file():
        raise ParameterError(f"{file} is no file", expected="the MTL file of a Landsat scene")
    groups = read_mtl(file)
    found = Product(**landsat_product(groups)).attrs()
    mine = str(tile.attrs.get("platform") or found.get("platform", "")).lower().replace("_", "-")
    if mine != found.get("platform", mine):
        raise TileError(
            f"{file.name} belongs to {found['platform']}, and the tile to {mine}",
            fix="take the MTL file of the same scene",
        )
    distance = _distance(groups)
    if distance is not None:
        found["earth_sun_distance"] = distance
    out = tile.assign_attrs(found)
    if str(found.get("processing_level", "")).upper().startswith("L1"):
        _mark_bands(out, groups, distance)
    return out


def _mark_bands(out: xr.Dataset, groups: Mapping[str, Mapping[str, str]], distance: float | None) -> None:
    spec = TileSpec.of(out)
    for sensor_band, attrs in _by_band(groups).items():
        name = spec.lookup(sensor_band)
        if name is None:
            continue
        if distance is not None and {"radiance_mult", "reflectance_mult"} <= attrs.keys():
            attrs["esun"] = math.pi * distance**2 * attrs["radiance_mult"] / attrs["reflectance_mult"]
        out[name] = out[name].assign_attrs(attrs)


def _by_band(groups: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for group in (*_LEVEL1, *_CONSTANTS):
        for key, value in groups.get(group, {}).items():
            # ETM+ has its thermal band twice, at low (6_VCID_1) and high gain
            match = re.fullmatch(r"([A-Z0-9_]+?_BAND)_(\d+)(?:_VCID_1)?", key)
            if match and match[1] in _KEYS:
                found.setdefault(f"B{match[2]}", {})[_KEYS[match[1]]] = float(value)
    return found


def _distance(groups: Mapping[str, Mapping[str, str]]) -> float | None:
    for group in ("IMAGE_ATTRIBUTES", "PRODUCT_METADATA"):
        if "EARTH_SUN_DISTANCE" in groups.get(group, {}):
            return float(groups[group]["EARTH_SUN_DISTANCE"])
    return None
