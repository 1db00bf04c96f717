"""Verb functions: the same operator, spelt as a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from geotoolz.core._lazy import xr

P = ParamSpec("P")


def verb(operator: Callable[P, Any], name: str) -> Callable[Concatenate[xr.Dataset, P], xr.Dataset]:
    """Return the function ``name(tile, *parameters)`` of an operator class.

    Parameters
    ----------
    operator : type of Operator
        The class.
    name : str
        Name of the function, a verb: ``"compute_ndvi"``.

    Examples
    --------
    >>> from geotoolz.core import verb
    >>> from geotoolz.radiometry import SelectBands
    >>> from geotoolz.core.testing import simulate_scene
    >>> select_bands = verb(SelectBands, "select_bands")
    >>> list(select_bands(simulate_scene((8, 8)), ("red",)).data_vars)
    ['red']
    """

    def function(tile: xr.Dataset, /, *args: P.args, **kwargs: P.kwargs) -> xr.Dataset:
        result: xr.Dataset = operator(*args, **kwargs)(tile)
        return result

    label = getattr(operator, "__name__", str(operator))
    signature = inspect.signature(operator)
    tile = inspect.Parameter("tile", inspect.Parameter.POSITIONAL_ONLY, annotation="xr.Dataset")
    parameters = list(signature.parameters.values())
    function.__signature__ = inspect.Signature([tile, *parameters], return_annotation="xr.Dataset")  # type: ignore[attr-defined]
    function.__name__ = function.__qualname__ = name
    function.__module__ = getattr(operator, "__module__", function.__module__)
    function.__doc__ = (
        f"Apply `{label}` to a tile; see there for the parameters.\n\n"
        f"``{name}(tile, ...)`` is ``{label}(...)(tile)``.\n\n"
        "Parameters\n----------\ntile : xarray.Dataset\n    The tile; it is not changed.\n"
        f"*args, **kwargs\n    The parameters of `{label}`.\n\n"
        "Returns\n-------\nxarray.Dataset\n"
    )
    return function
