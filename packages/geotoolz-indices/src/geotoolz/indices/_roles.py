"""Roles of bands on MODIS, whose names geotoolz's sensor tables do not have."""

from __future__ import annotations

from collections.abc import Iterator

from geotoolz.core import TileSpec
from geotoolz.core._sensors import ROLES

_MODIS = {"red": 1, "nir08": 2, "blue": 3, "green": 4, "swir16": 6, "swir22": 7, "green05": 11}
_PLATFORMS = ("modis", "terra", "aqua")


def find_band(tile: TileSpec, role: str, needed_by: str) -> str:
    """Return the variable that plays a role; on MODIS also under the product's own names.

    Raises
    ------
    MissingVariableError
        If no variable does.
    """
    found = tile.lookup(role)
    if found is None and str(tile.attrs.get("platform", "")).lower().startswith(_PLATFORMS):
        found = next((name for name in _modis_names(role) if name in tile.variables), None)
    return found if found is not None else tile.find(role, needed_by)


def _modis_names(role: str) -> Iterator[str]:
    for name in ROLES.get(role, (role,)):
        number = _MODIS.get(name)
        if number is not None:
            yield f"sur_refl_b{number:02d}"
            yield f"sur_refl_b{number:02d}_1"
            yield f"Nadir_Reflectance_Band{number}"
            yield f"B{number:02d}"
            yield f"B{number}"
