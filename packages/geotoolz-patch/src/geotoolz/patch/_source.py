"""Where the pixels of chips come from: anything that can be read in windows."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from geotoolz.core import MissingVariableError, ParameterError, TileError, TileSpec, nearest
from geotoolz.core._lazy import xr

Array = np.ndarray[Any, Any]
_ALL = slice(None)


@runtime_checkable
class Source(Protocol):
    """A scene that is read in windows: what `geotoolz.io.open_scene` gives, or a `DatasetSource`.

    Attributes
    ----------
    spec : TileSpec
        The whole scene without its pixels.
    """

    spec: TileSpec

    def arrays(
        self, names: Iterable[str] | None = None, rows: slice = ..., cols: slice = ...
    ) -> dict[str, Array]:
        """Read a window of some variables; called by several threads at once."""


class DatasetSource:
    """A Dataset as a source: in memory, lazy (dask), or on disk (Zarr).

    Parameters
    ----------
    ds : xarray.Dataset
        A tile. Of a lazy one only what a window needs is computed.

    Raises
    ------
    TileError
        If it is no tile.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import DatasetSource
    >>> source = DatasetSource(simulate_scene((64, 64), bands=("red",)))
    >>> source.arrays(["red"], slice(0, 16), slice(8, 16))["red"].shape
    (16, 8)
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self.spec = concrete(TileSpec.of(ds))
        self._ds = ds
        self._held: dict[str, Array] = {}
        for name, spec in self.spec.variables.items():
            if spec.dims[-2:] != ("y", "x"):
                raise TileError(
                    f"variable {name!r} has dims {spec.dims}",
                    expected="(y, x) or (time, y, x)",
                    fix="transpose it, or call geotoolz.core.as_tile(ds)",
                )
            data = ds.variables[name]._data
            if isinstance(data, np.ndarray):
                held = data.view() if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))
                held.flags.writeable = False  # chips overlap: who wrote into one would write into others
                self._held[name] = held

    @property
    def held(self) -> dict[str, Array]:
        """The variables that are in memory."""
        return dict(self._held)

    @property
    def itself(self) -> xr.Dataset:
        """The Dataset."""
        return self._ds

    def arrays(
        self, names: Iterable[str] | None = None, rows: slice = _ALL, cols: slice = _ALL
    ) -> dict[str, Array]:
        """Return a window of some variables; of what is in memory views that cannot be written to."""
        found: dict[str, Array] = {}
        lazy: dict[str, Any] = {}
        for name in self.spec.variables if names is None else names:
            if name in self._held:
                found[name] = self._held[name][..., rows, cols]
            elif name in self.spec.variables:
                lazy[name] = self._ds.variables[name][{"y": rows, "x": cols}]
            else:
                have = ", ".join(self.spec.variables)
                raise MissingVariableError(
                    f"the tile has no {name!r}{nearest(name, self.spec.variables)}; it has {have}"
                )
        if lazy:  # in one go: variables may share what they are computed from
            loaded = xr.Dataset(lazy).compute(scheduler="synchronous")
            for name in lazy:
                values = loaded.variables[name].values
                found[name] = values.astype(values.dtype.newbyteorder("="), copy=False)
        return found


def concrete(spec: TileSpec) -> TileSpec:
    """Return a description that holds its grid and coordinates, not functions that find them."""
    return TileSpec(
        dict(spec.variables), dict(spec.sizes), spec.geobox, spec.offset, dict(spec.attrs), dict(spec.coords)
    )


def as_source(value: Any) -> Source:
    """Return what can be read in windows.

    Parameters
    ----------
    value : xarray.Dataset, path, STAC item, GeoSlice, or Source
        A path that ends in ``.zarr`` is a tile of `geotoolz.io.write_zarr`; any other is opened by
        `geotoolz.io.open_scene`.

    Returns
    -------
    Source

    Raises
    ------
    ParameterError
        If it is none of these.
    """
    if isinstance(value, xr.Dataset):
        return DatasetSource(value)
    if isinstance(value, Source):
        return value
    if isinstance(value, str | os.PathLike) and os.fspath(value).rstrip("/").endswith(".zarr"):
        from geotoolz.io import open_zarr

        return DatasetSource(open_zarr(os.fspath(value), chunks={}))  # lazy: chips read what they need
    if callable(getattr(value, "open", None)) and not isinstance(value, str | os.PathLike):
        return as_source(value.open())
    if isinstance(value, str | os.PathLike | dict | list | tuple) or hasattr(value, "assets"):
        from geotoolz.io import open_scene

        return open_scene(value)
    raise ParameterError(
        f"the source is {type(value).__name__}",
        expected="a tile (xr.Dataset), a path, a STAC item, a scene of open_scene",
        fix="for a catalog: CatalogPatches(catalog, sampler)",
    )
