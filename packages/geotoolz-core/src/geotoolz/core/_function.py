"""Steps that hold a Python function: `Tap` and `from_function`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from geotoolz.core._errors import ConfigError, ExecutorError
from geotoolz.core._lazy import xr
from geotoolz.core._map import TileOperator

if TYPE_CHECKING:
    from geotoolz.core._builder import Builder, State


class _Opaque(TileOperator, abstract=True):
    """A step that is only known by running it: whole tiles, no windows, no lazy graph."""

    opaque: ClassVar[bool] = True

    def apply(self, tile: xr.Dataset) -> xr.Dataset:
        """Run the function."""
        raise NotImplementedError(f"{type(self).__name__} has no function")

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Refuse: nothing is known before it runs."""
        raise ExecutorError(
            f"{type(self).__name__} holds a Python function, of which nothing is known before it runs",
            fix="call the pipeline on a tile in memory, or write the step as an operator (Map)",
        )


class Tap(_Opaque):
    """Call a function with the tile and let the tile pass: a print or a plot inside a pipeline.

    For notebooks. A pipeline with a `Tap` runs step by step on whole tiles and cannot be saved as
    YAML; leave it out of what goes into production, or watch from outside with an observer.

    Parameters
    ----------
    fn : callable
        ``fn(tile)``; what it returns is ignored.

    Examples
    --------
    >>> from geotoolz.core import Sequential, Tap
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((16, 16))
    >>> _ = Sequential([Tap(lambda ds: print(dict(ds.sizes)))])(tile)
    {'y': 16, 'x': 16}
    """

    unsaveable: ClassVar[str] = "it holds a Python function; take it out before saving"

    fn: Callable[[xr.Dataset], Any]

    def apply(self, tile: xr.Dataset) -> xr.Dataset:
        """Call the function and return the tile."""
        self.fn(tile)
        return tile


class FromFunction(_Opaque):
    """A step made of a Dataset → Dataset function; see `from_function`.

    Parameters
    ----------
    function : str
        Import path of the function, ``"package.module.function"``.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"loads_code"})

    function: str

    def apply(self, tile: xr.Dataset) -> xr.Dataset:
        """Call the function."""
        import importlib

        module, _, name = self.function.rpartition(".")
        try:
            fn = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigError(f"the function {self.function!r} cannot be imported: {error}") from error
        result: xr.Dataset = fn(tile)
        return result


class _FromLocal(_Opaque):
    unsaveable: ClassVar[str] = "its function cannot be imported; move it into a module"

    fn: Callable[[xr.Dataset], xr.Dataset]

    def apply(self, tile: xr.Dataset) -> xr.Dataset:
        return self.fn(tile)


def from_function(fn: Callable[[xr.Dataset], xr.Dataset]) -> TileOperator:
    """Turn any Dataset → Dataset function into a step of a pipeline.

    Nothing is known of such a step before it runs: it sees the whole tile, and windows, lazy
    arrays and checks stop at it. It can be saved as YAML only if the function can be imported by
    name, which then stands in the configuration.

    Parameters
    ----------
    fn : callable
        Takes a tile and returns a tile.

    Returns
    -------
    TileOperator

    Examples
    --------
    >>> from geotoolz.core import from_function
    >>> step = from_function(lambda ds: ds.assign(twice=ds.red * 2))
    >>> type(step).__name__
    '_FromLocal'
    """
    import sys

    module, name = getattr(fn, "__module__", None), getattr(fn, "__qualname__", "")
    held = getattr(sys.modules.get(module or ""), name, None)
    if held is fn and module != "__main__":
        return FromFunction(f"{module}.{name}")
    return _FromLocal(fn)
