"""Adapters: tiles become rows, and rows become tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from geotoolz.core import ParameterError, TileError, TileSpec
from geotoolz.core._lazy import xr
from geotoolz.learn._gather import gather
from geotoolz.learn._layout import Layout, feature_dtype, find_layout
from geotoolz.learn._part import Part

Array = np.ndarray[Any, Any]
_GRID = {"grid_mapping": "spatial_ref"}


@dataclass(frozen=True, eq=False)
class PixelTable:
    """The pixels of a tile as rows.

    Attributes
    ----------
    X : array
        ``(rows, features)`` of the pixels that have data.
    features : tuple of str
        Names of the columns.
    valid : array of bool
        Which pixels of the tile those are, ``(…, y, x)``.
    tile : xarray.Dataset
        The tile without its variables: the grid that rows go back to.
    dims : tuple of str
        Dimensions of `valid`.
    """

    X: Array
    features: tuple[str, ...]
    valid: Array
    tile: xr.Dataset = field(repr=False)
    dims: tuple[str, ...] = ("y", "x")


class Adapter(Part, abstract=True):
    """Base of what turns tiles into rows. A model carries the adapter that it was fitted with."""

    if TYPE_CHECKING:  # a field of every subclass, at the place that it chooses

        @property
        def features(self) -> tuple[str, ...] | None: ...

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one name."""
        one = values["features"]
        return {**values, "features": (one,)} if isinstance(one, str) else values

    def rows_along(self, tile: TileSpec) -> tuple[str, ...]:
        """Return the dimensions whose positions are rows of their own."""
        raise NotImplementedError(f"{type(self).__name__} has no rows")

    def layout(
        self, tile: TileSpec, features: Sequence[str] | None = None, needed_by: str = "the model"
    ) -> Layout:
        """Return which plane of which variable is which feature.

        Parameters
        ----------
        tile : TileSpec
            The tile.
        features : sequence of str, optional
            The features of a model, in order; by default those of the adapter.
        needed_by : str
            Who asks; named in errors.

        Raises
        ------
        MissingVariableError
            If a feature is missing.
        TileError
            If the tile has other dimensions, dates or bands than the model was fitted on.
        """
        along = self.rows_along(tile)
        wanted = self.features if features is None else features
        return find_layout(tile, wanted, along, needed_by, exact=features is not None)

    def shaped(self, X: Array, features: Sequence[str]) -> Array:
        """Return rows in the shape that the estimator takes."""
        return X

    def __call__(self, tile: xr.Dataset) -> PixelTable:
        """Return the pixels of a tile that have every feature, as rows.

        Parameters
        ----------
        tile : xarray.Dataset
            The tile; it is not changed.

        Returns
        -------
        PixelTable
        """
        spec = TileSpec.of(tile)
        layout = self.layout(spec)
        planes = layout.planes([np.asarray(tile[name].values) for name in layout.variables])
        shape = tuple(tile.sizes[dim] for dim in layout.dims)
        valid, X = gather(planes, feature_dtype(spec, layout))
        grid = tile.drop_vars(list(tile.data_vars))
        return PixelTable(X, layout.features, valid.reshape(shape), grid, layout.dims)


class ToPixelMajor(Adapter):
    """One row per pixel; of a stack one row per pixel and date.

    A variable with a further dimension (``wavelength``) gives a feature per position: ``cube_0``,
    ``cube_1``, ….

    Parameters
    ----------
    features : sequence of str, optional
        Variables or roles that are features, in order; by default all measurements of the tile.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((8, 9), bands=("red", "nir"), cloud_cover=0)
    >>> table = ToPixelMajor(("nir", "red"))(tile)
    >>> table.X.shape, table.features
    ((72, 2), ('nir', 'red'))
    """

    features: tuple[str, ...] | None = None

    def rows_along(self, tile: TileSpec) -> tuple[str, ...]:
        """Return ``time``: every date is a row."""
        return ("time",)


class ToTemporalPixelMajor(Adapter):
    """Rows of a stack ``(time, y, x)``.

    Parameters
    ----------
    time_handling : {"features", "samples", "panel"}
        ``"features"``: one row per pixel, a feature per band and date (``ndvi_0``, ``ndvi_1``, …; a
        variable without time is one feature). ``"samples"``: one row per pixel and date. ``"panel"``: as
        ``"features"``, and the estimator gets ``(rows, bands, dates)``, as time-series classifiers take it.
    features : sequence of str, optional
        Variables or roles that are features, in order; by default all measurements of the tile.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> stack = contract_tile((4, 5), times=3, gaps=False)
    >>> ToTemporalPixelMajor("features", ("red", "nir"))(stack).features
    ('red_0', 'red_1', 'red_2', 'nir_0', 'nir_1', 'nir_2')
    >>> ToTemporalPixelMajor("samples", ("red", "nir"))(stack).X.shape
    (60, 2)
    """

    time_handling: Literal["features", "samples", "panel"] = "features"
    features: tuple[str, ...] | None = None

    def rows_along(self, tile: TileSpec) -> tuple[str, ...]:
        """Return ``time`` where dates are rows."""
        if "time" not in tile.sizes:
            raise TileError(
                f"ToTemporalPixelMajor works along 'time', and the tile has {', '.join(tile.sizes)}",
                expected="a stack (time, y, x)",
                fix="xr.concat([tile, …], 'time') puts tiles on one grid into a stack, or use ToPixelMajor",
            )
        if self.time_handling == "samples":
            return ("time",)
        _require_order(tile)
        return ()

    def shaped(self, X: Array, features: Sequence[str]) -> Array:
        """Return ``(rows, bands, dates)`` for a panel."""
        if self.time_handling != "panel":
            return X
        stems = [name.rpartition("_")[0] for name in features]
        bands = list(dict.fromkeys(stems))
        counts = {stems.count(band) for band in bands}
        if len(counts) != 1:
            raise TileError(
                f"the bands have {sorted(counts)} dates", expected="a panel of bands with the same dates"
            )
        return X.reshape(len(X), len(bands), counts.pop())


class FromPixelMajor(Part):
    """Rows become variables of a tile again.

    Parameters
    ----------
    names : sequence of str
        A name per column; one name for values without columns.
    nodata : float or int
        What pixels without a row get; NaN by default, which integers cannot hold.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((8, 9), bands=("red", "nir"), cloud_cover=0)
    >>> table = ToPixelMajor(("nir", "red"))(tile)
    >>> again = FromPixelMajor(table.features)(table.X, table)
    >>> bool((again.red == tile.red).all())
    True
    """

    names: tuple[str, ...]
    nodata: float | int = float("nan")

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one name."""
        one = values["names"]
        return {**values, "names": (one,)} if isinstance(one, str) else values

    def __call__(self, values: Array, table: PixelTable) -> xr.Dataset:
        """Put a value per row back to where the row came from.

        Parameters
        ----------
        values : array
            ``(rows,)`` or ``(rows, columns)``.
        table : PixelTable
            Whose rows they are.

        Returns
        -------
        xarray.Dataset
            A tile on the table's grid with the values' dtype.

        Raises
        ------
        ParameterError
            If there are other rows or columns, or integers cannot hold the no-data value.
        """
        found = np.asarray(values)
        columns = found.reshape(len(found), -1) if found.size else found.reshape(len(found), len(self.names))
        if columns.shape != (len(table.X), len(self.names)):
            raise ParameterError(
                f"the values have shape {found.shape}", expected=f"({len(table.X)}, {len(self.names)})"
            )
        _require_fill(columns.dtype, self.nodata)
        made = {}
        for number, name in enumerate(self.names):
            plane = np.full(table.valid.shape, self.nodata, columns.dtype)
            plane[table.valid] = columns[:, number]
            made[name] = xr.Variable(table.dims, plane, {"_FillValue": self.nodata}, _GRID)
        return table.tile.assign(made)


def _require_order(tile: TileSpec) -> None:
    """Raise where dates do not follow each other: features go by their positions."""
    known = tile.coords.get("time")
    times = None if known is None else known.values
    if times is not None and times.dtype.kind == "M" and (np.diff(times) < np.timedelta64(0)).any():
        raise TileError(
            f"the dates of the stack are not in order: {times[0].astype('M8[D]')} is first, and "
            f"{times[-1].astype('M8[D]')} last",
            expected="the earliest first: features along time go by position",
            fix="ds.sortby('time')",
        )


def _require_fill(dtype: np.dtype[Any], nodata: float) -> None:
    if dtype.kind == "f":
        return
    limits = np.iinfo(dtype) if dtype.kind in "iu" else None
    if limits is None or nodata != nodata or not limits.min <= nodata <= limits.max:
        raise ParameterError(
            f"{dtype} cannot hold the no-data value {nodata}", expected="a value of its own, such as 255"
        )
