"""Kernels compiled by numba, imported and compiled when the first pixel needs them."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

# SVML picks other code for other vector lengths: the last elements of a block would get other bits
# than its middle, and the cut would show in the pixels.
os.environ.setdefault("NUMBA_DISABLE_INTEL_SVML", "1")

_lock = threading.RLock()


class Kernel:
    """A function that is compiled by numba at its first call.

    Compiled kernels release the GIL, are serial inside, divide like NumPy (no exception for 0/0)
    and never reorder floating-point operations. The compiled code is cached on disk where that is
    possible.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *args: Any) -> Any:
        """Call the compiled function."""
        compiled = self._compiled
        if compiled is None:
            compiled = self.compile()
        return compiled(*args)

    def compile(self) -> Callable[..., Any]:
        """Return the compiled function, compiling it if need be."""
        with _lock:
            if self._compiled is None:
                self._compiled = self._build()
            return self._compiled

    def _build(self) -> Callable[..., Any]:
        import numba

        options = {"nogil": True, "error_model": "numpy", "fastmath": False}
        compiled: Callable[..., Any] = _cached(numba.njit, self.fn, options)
        return compiled

    def __reduce__(self) -> str:
        return self.fn.__qualname__


class ElementwiseKernel(Kernel):
    """A scalar function that becomes a NumPy ufunc: any dims, any strides, broadcasting.

    There is one ufunc per combination of argument types: a ufunc with several loops would pick one
    that was compiled earlier for other types and cast, so that the result's type depended on what
    ran before.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        super().__init__(fn)
        self._ufuncs: dict[tuple[np.dtype[Any], ...], Callable[..., Any]] = {}

    def __call__(self, *args: Any) -> Any:
        """Call the compiled ufunc; what is invalid is no-data by design and no warning."""
        types = tuple(_dtype_of(arg) for arg in args)
        ufunc = self._ufuncs.get(types) or self._compile_for(types)
        with np.errstate(all="ignore"):
            return ufunc(*args)

    def _compile_for(self, types: tuple[np.dtype[Any], ...]) -> Callable[..., Any]:
        import numba

        with _lock:
            if types not in self._ufuncs:
                signature = tuple(numba.from_dtype(dtype) for dtype in types)
                decorate = functools.partial(numba.vectorize, [signature])
                self._ufuncs[types] = _cached(decorate, self.fn, {})
            return self._ufuncs[types]


_SCALARS = {float: np.dtype(np.float64), int: np.dtype(np.int64), bool: np.dtype(np.bool_)}


def _dtype_of(arg: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] | None = getattr(arg, "dtype", None)
    return _SCALARS[type(arg)] if dtype is None else dtype


def _cached(decorator: Any, fn: Callable[..., Any], options: dict[str, Any]) -> Any:
    try:
        return decorator(cache=True, **options)(fn)
    except RuntimeError:  # numba finds no folder that it can write its cache to
        return decorator(**options)(fn)


def kernel(fn: Callable[..., Any]) -> Kernel:
    """Mark a function on arrays as a kernel.

    Examples
    --------
    >>> import numpy as np
    >>> @kernel
    ... def total(a):
    ...     out = 0.0
    ...     for value in a.flat:
    ...         out += value
    ...     return out
    >>> total(np.ones(3))
    3.0
    """
    return Kernel(fn)


def elementwise(fn: Callable[..., Any]) -> ElementwiseKernel:
    """Mark a function on scalars as an elementwise kernel.

    Examples
    --------
    >>> import numpy as np
    >>> @elementwise
    ... def twice(a):
    ...     return a + a
    >>> twice(np.array([1.0, 2.0], "f4"))
    array([2., 4.], dtype=float32)
    """
    return ElementwiseKernel(fn)
