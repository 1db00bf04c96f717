"""Formulas as kernels: several in one pass over the bands, compiled when the first pixel needs them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from geotoolz.core._choose import choose, teach_choose
from geotoolz.core._expression import Expression
from geotoolz.core._expression_source import layout, source_of
from geotoolz.core._jit import _OPTIONS, PixelKernel, _interpreted, flat_view

_kernels: dict[str, ExpressionKernel] = {}
_lock = threading.Lock()


class ExpressionKernel(PixelKernel):
    """A loop over pixels whose source was written from formulas.

    Called with the bands, their no-data values and the constants, it returns one float32 array per
    formula. Arithmetic is float64 inside, and rounds once to float32. No-data and NaN of every band
    that a formula reads, divisions by 0, and whatever is not finite are NaN.
    """

    def __init__(self, source: str, outputs: int, bands: int) -> None:
        super().__init__(_unbuilt, np.float32, bands)
        self.source = source
        self.outputs = outputs

    def _build(self) -> Callable[..., Any]:
        import numba
        from numba.core import config

        from geotoolz.core import _expression_math as functions

        space: dict[str, Any] = {"np": np, "NAN": np.nan, "__builtins__": {}}
        space.update(abs=abs, range=range, choose=choose)
        space.update(
            {name: getattr(functions, name) for name in ("exp", "decay", "log", "power", "root", "cbrt")}
        )
        # the source holds names and numbers that were written here, nothing of the user's text
        exec(compile(self.source, "<formula>", "exec"), space)
        loop: Callable[..., Any] = space["loop"]
        if vars(config).get("DISABLE_JIT"):
            return _interpreted(loop)
        teach_choose()
        built: Callable[..., Any] = numba.njit(**_OPTIONS)(loop)
        return built

    def __call__(self, *args: Any) -> Any:
        """Return one array per formula; the array alone where there is one formula."""
        if self.outputs == 1:
            return super().__call__(*args)
        planes = np.broadcast_arrays(*args[: self.arrays])
        made = tuple(np.empty(planes[0].shape, np.float32) for _ in range(self.outputs))
        loop = self._compiled or self.compile()
        flat = (out.reshape(-1) for out in made)
        loop(*flat, *map(flat_view, planes), *args[self.arrays :])
        return made

    def __reduce__(self) -> Any:
        return (kernel_of, (self.source, self.outputs, self.arrays))


def _unbuilt(*args: Any) -> None:
    """Stand in for a loop that is written when it is compiled."""


def kernel_of(source: str, outputs: int, bands: int) -> ExpressionKernel:
    """Return the one kernel of a source in this process."""
    with _lock:
        if source not in _kernels:
            _kernels[source] = ExpressionKernel(source, outputs, bands)
        return _kernels[source]


def expression_kernel(
    expressions: Sequence[Expression],
    bands: Sequence[str],
    constants: Mapping[str, float] | None = None,
    nodata: Sequence[Any] | None = None,
) -> tuple[ExpressionKernel, tuple[np.float64, ...]]:
    """Return the kernel of some formulas, and the constants that it is to be called with.

    Parameters
    ----------
    expressions : sequence of Expression
        The formulas; one output each.
    bands : sequence of str
        The names in the formulas that are bands, in the order in which their arrays are handed in.
    constants : mapping of str to float, optional
        The other names, and their values.
    nodata : sequence of numbers, optional
        The no-data values with which the kernel will be called: for those that are NaN the loop needs no
        comparison.

    Returns
    -------
    kernel : callable
        ``kernel(*arrays, *nodata, *constants)``.
    constants : tuple of float
        The values to call it with; formulas that differ in nothing else share one kernel.

    Raises
    ------
    ParameterError
        For a name that is neither, and for exponents that depend on a band or are too large.

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core._expression import parse
    >>> kernel, values = expression_kernel([parse("k * (a - b)")], ("a", "b"), {"k": 2})
    >>> kernel(np.array([5, 3], "u2"), np.array([6, 1], "u2"), np.uint16(0), np.uint16(0), *values)
    array([-2.,  4.], dtype=float32)
    """
    gaps = (True,) * len(bands) if nodata is None else tuple(bool(value == value) for value in nodata)
    return _prepared(tuple(expressions), tuple(bands), tuple((constants or {}).items()), gaps)


@lru_cache(maxsize=512)
def _prepared(
    expressions: tuple[Expression, ...],
    bands: tuple[str, ...],
    constants: tuple[tuple[str, float], ...],
    gaps: tuple[bool, ...],
) -> tuple[ExpressionKernel, tuple[np.float64, ...]]:
    given = dict(constants)
    plan = layout(expressions, bands, given)
    kernel = kernel_of(source_of(plan, gaps), len(plan.trees), len(plan.bands))
    return kernel, tuple(np.float64(given[name]) for name in plan.constants)
