"""Inputs that are several scenes: slices of many sources, STAC items in no file, stacks of dates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from geotoolz.core import GeotoolzError, ParameterError, ReadError, TileSpec
from geotoolz.core._lazy import xr

if TYPE_CHECKING:
    from geotoolz.io import OpenScene

_WHOLE = slice(None)


class Loaded:
    """A tile in memory that is read like an open scene."""

    def __init__(self, tile: xr.Dataset, inputs: tuple[str, ...]) -> None:
        self.spec, self.inputs, self._tile = TileSpec.of(tile), inputs, tile

    def arrays(self, names: Any, rows: slice = _WHOLE, cols: slice = _WHOLE) -> dict[str, Any]:
        """Return windows of variables."""
        return {name: self._tile[name].values[..., rows, cols] for name in names}

    def read(self, names: Any) -> xr.Dataset:
        """Return whole variables."""
        return self._tile[list(names)]


def described(given: Any) -> dict[str, Any] | None:
    """Return what is to be frozen as several scenes in words that JSON has; None for anything else.

    Parameters
    ----------
    given : object
        A `geotoolz.catalog.GeoSlice`, an open stack (`geotoolz.catalog.open_stack`), a stack that was read, a
        STAC item as a mapping, or what one of these was described by.

    Raises
    ------
    ParameterError
        For a tile that is no longer what was read.
    """
    from geotoolz.catalog import GeoSlice, StackReader

    if isinstance(given, GeoSlice):
        return {"kind": "slice", **given.to_dict()}
    if isinstance(given, StackReader):
        return given.recipe or None
    if isinstance(given, xr.Dataset):
        recipe = given.encoding.get("several")
        shape = [given.sizes.get(dim) for dim in ("time", "y", "x")]
        if recipe and shape == [len(recipe["dates"]), *recipe["shape"]]:
            return dict(recipe)
        raise ParameterError(
            "inputs is a tile in memory",
            expected="a path, a GeoSlice, an open stack",
            fix="write it with geotoolz.io.write_tile or write_zarr first",
        )
    if not isinstance(given, Mapping):
        return None
    if "kind" in given and given["kind"] in ("slice", "stack", "item"):
        return dict(given)
    if "bounds" in given and "crs" in given:
        return {"kind": "slice", **given}
    return {"kind": "item", "item": dict(given)} if isinstance(given.get("assets"), Mapping) else None


def title(told: Mapping[str, Any]) -> str:
    """Return what a description is called where an address would stand."""
    if told["kind"] == "stack":
        scenes = sum(map(len, told["dates"]))
        return f"stack of {scenes} scenes on {len(told['dates'])} dates"
    name = told["item"].get("id", "") if told["kind"] == "item" else told.get("tile_id", "")
    return f"{told['kind']} {name}".rstrip()


def opened(told: Mapping[str, Any], read: Mapping[str, Any]) -> OpenScene | Loaded:
    """Open what was described.

    Raises
    ------
    ReadError
        If a scene is gone, or the description is none.
    """
    from geotoolz.catalog._stack_recipe import reopened
    from geotoolz.io import open_scene

    try:
        if told["kind"] == "stack":
            return reopened(told)
        if told["kind"] == "item":
            return open_scene(told["item"], **read)
        return _slice({name: value for name, value in told.items() if name != "kind"}, read)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, GeotoolzError):
            raise
        raise ReadError(
            f"{title(told)} cannot be read: {error}", expected="a description that is whole"
        ) from error


def _slice(told: Mapping[str, Any], read: Mapping[str, Any]) -> Loaded:
    from geotoolz.catalog import GeoSlice

    part = GeoSlice.from_dict(told)
    chosen = {key: value for key, value in read.items() if key in ("bands", "raw")}
    return Loaded(part.load(**chosen), part.open().inputs)


def files_named(scene: Any) -> tuple[str, ...]:
    """Return the files that an open scene is read from, in a fixed order."""
    return tuple(sorted({str(name) for name in scene.inputs}))
