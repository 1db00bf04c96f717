"""Operators that turn a tile into a tile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, overload

from geotoolz.core._lazy import xr
from geotoolz.core._operator import Operator
from geotoolz.core._specs import Plan, TileSpec

if TYPE_CHECKING:
    from geotoolz.core._builder import Builder, State
    from geotoolz.core._graph import Node


class TileOperator(Operator, abstract=True):
    """An operator that takes a tile and returns a tile."""

    @overload
    def __call__(self, tile: xr.Dataset, /) -> xr.Dataset: ...
    @overload
    def __call__(self, tile: Node, /, *more: Node) -> Node: ...
    def __call__(self, tile: xr.Dataset | Node, /, *more: Node) -> xr.Dataset | Node:
        """Apply the operator to a tile, or add it to a graph.

        Parameters
        ----------
        tile : xarray.Dataset or Node
            A tile with dims ``(y, x)`` or ``(time, y, x)``; it is not changed. A lazy (dask) tile
            gives a lazy result. A `Node` (from `Input`) gives a node of a `Graph`.

        Returns
        -------
        xarray.Dataset or Node
        """
        from geotoolz.core._graph import Node

        if isinstance(tile, Node):
            return Node.of(self, (tile, *more))
        from geotoolz.core._run import run

        result = run(self, tile)
        if not isinstance(result, xr.Dataset):  # only a Graph returns several tiles
            raise TypeError(f"{type(self).__name__} returned {type(result).__name__}")
        return result


class Map(TileOperator, abstract=True):
    """Base of operators that compute pixels: declare fields, a `plan` and a `kernel`.

    Attributes
    ----------
    kernel : callable
        ``kernel(*arrays, *args)`` returns one array or a tuple of arrays in the order of
        ``plan.writes``. It gets what the plan reads, never an xarray object; the arrays may be
        read-only, empty, or a window of the tile.

    Examples
    --------
    A complete operator:

    >>> import numpy as np
    >>> from geotoolz.core import Map, Plan, Role, TileSpec, VarSpec
    >>> class Brightness(Map):
    ...     red: Role = "red"
    ...     green: Role = "green"
    ...
    ...     def plan(self, tile: TileSpec) -> Plan:
    ...         reads = (tile.find(self.red, "Brightness"), tile.find(self.green, "Brightness"))
    ...         return Plan(reads, {"brightness": VarSpec(attrs={"units": "1"})})
    ...
    ...     @staticmethod
    ...     def kernel(red, green):
    ...         return (red + green) / np.float32(2)
    """

    if TYPE_CHECKING:  # a method that may be overridden by one of any signature

        @staticmethod
        def kernel(*args: Any, **kwargs: Any) -> Any: ...

    else:
        kernel: ClassVar[Callable[..., Any] | None] = None

    def plan(self, tile: TileSpec) -> Plan:
        """Say what will be read and written, without pixels.

        Parameters
        ----------
        tile : TileSpec
            The tile that the step will get.

        Returns
        -------
        Plan
        """
        raise NotImplementedError(f"{type(self).__name__} has no plan")

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Add this operator's calls to a program."""
        return builder.apply(self, self.plan(state.spec), state, path)
