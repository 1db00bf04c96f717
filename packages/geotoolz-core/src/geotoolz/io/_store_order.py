"""The order of the variables of a Zarr folder, which lists them in any order, another one each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geotoolz.core._lazy import xr
from geotoolz.io._tags import ORDER_TAG


def told(ds: xr.Dataset) -> dict[str, list[str]]:
    """Return the attribute of a group that keeps the order of a tile's variables."""
    return {ORDER_TAG: [str(name) for name in ds.data_vars]}


def in_order(store: xr.Dataset) -> xr.Dataset:
    """Return a store with its variables in the order in which they were written, without the note of it.

    Variables that the note does not name (all of them, where another library has written the store) follow in
    the order of their names; coordinates are in that order, too. Steps that take bands by their place
    (`geotoolz.hyperspectral.ToCube`) would find others in each run if the order were left to the listing.
    """
    names = _noted(store.attrs)
    places = {name: place for place, name in enumerate(names)}

    def place(name: Any) -> tuple[int, str]:
        return places.get(str(name), len(places)), str(name)

    ordered = xr.Dataset(
        {name: store[name].variable for name in sorted(store.data_vars, key=place)},
        {name: store[name].variable for name in sorted(store.coords, key=place)},
        {name: value for name, value in store.attrs.items() if name != ORDER_TAG},
    )
    ordered.encoding = store.encoding
    ordered.set_close(store.close)
    return ordered


def _noted(attrs: Mapping[Any, Any]) -> list[str]:
    note = attrs.get(ORDER_TAG)
    return [str(name) for name in note] if isinstance(note, list | tuple) else []
