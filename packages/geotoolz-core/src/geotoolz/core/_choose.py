"""A choice between two values that compiled loops make without a branch."""

from __future__ import annotations

import functools
import importlib
from typing import Any


def choose(condition: Any, one: Any, other: Any) -> Any:
    """Return ``one if condition else other``; in a kernel both are computed, and the result picked.

    A conditional expression is a branch to the compiler, which moves into it whatever only one side needs:
    even the reading of a pixel, which then waits for the comparison. A loop over pixels that come from memory
    takes twice as long then, for nothing.

    Parameters
    ----------
    condition : bool
        What decides.
    one, other : number
        The value where it holds, and where it does not; of one dtype, or of two that share one.

    Returns
    -------
    number

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core import choose, pixelwise
    >>> @pixelwise()
    ... def positive(out, a):
    ...     for i in range(out.size):
    ...         out[i] = choose(a[i] > 0, a[i], np.nan)
    >>> positive(np.array([2.0, -1.0]))
    array([ 2., nan])
    """
    return one if condition else other


@functools.cache
def teach_choose() -> None:
    """Tell numba what `choose` is; done before the first kernel is compiled, because it brings numba."""
    extending: Any = importlib.import_module("numba.extending")  # without types
    types: Any = importlib.import_module("numba.core.types")
    signature: Any = importlib.import_module("numba.core.typing").signature

    def typed(context: Any) -> Any:
        def typer(condition: Any, one: Any, other: Any) -> Any:
            if not isinstance(condition, types.Boolean):
                return None
            both = context.unify_types(types.unliteral(one), types.unliteral(other))
            if not isinstance(both, types.Number | types.Boolean):  # None, or arrays
                return None
            return signature(both, types.boolean, both, both)

        return typer

    def lowered(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    extending.type_callable(choose)(typed)
    extending.lower_builtin(choose, types.Boolean, types.Any, types.Any)(lowered)
