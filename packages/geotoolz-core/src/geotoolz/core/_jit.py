"""Kernels compiled by numba, imported and compiled when the first pixel needs them."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from geotoolz.core._choose import teach_choose

# SVML picks other code for other vector lengths: the last elements of a block would get other bits
# than its middle, and the cut would show in the pixels.
os.environ.setdefault("NUMBA_DISABLE_INTEL_SVML", "1")

_lock = threading.RLock()
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": False}
F = TypeVar("F", bound=Callable[..., Any])


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
        from numba.core import config

        if vars(config).get("DISABLE_JIT"):  # set at import time, unknown to type checkers
            return _interpreted(self.fn)
        teach_choose()
        built: Callable[..., Any] = _cached(numba.njit, self.fn, _OPTIONS)
        return built

    def __reduce__(self) -> str:
        return self.fn.__qualname__


class PixelKernel(Kernel):
    """A loop over pixels that becomes a function on arrays of any shape.

    The loop sees flat, contiguous, read-only arrays and a flat output; the compiler turns it into
    vector instructions, which it does not do for NumPy ufuncs made by numba (ten times slower).
    """

    def __init__(self, fn: Callable[..., Any], dtype: Any, arrays: int) -> None:
        super().__init__(fn)
        self.dtype = None if dtype is None else np.dtype(dtype)
        self.arrays = arrays
        self.outputs = 1

    def __call__(self, *args: Any) -> Any:
        """Return the loop's output for these arrays and scalars."""
        planes = args[: self.arrays]
        first = planes[0]
        for plane in planes[1:]:
            if plane.shape != first.shape:
                planes = np.broadcast_arrays(*planes)
                first = planes[0]
                break
        out = np.empty(first.shape, first.dtype if self.dtype is None else self.dtype)
        loop = self._compiled or self.compile()
        loop(out.reshape(-1), *map(flat_view, planes), *args[self.arrays :])
        return out

    def into(self, outs: tuple[Any, ...], *args: Any) -> bool:
        """Write the loop's outputs into contiguous arrays; return False where they do not fit there."""
        planes = args[: self.arrays]
        dtype = planes[0].dtype if self.dtype is None else self.dtype
        shape = planes[0].shape
        for out in outs:
            if out.dtype != dtype or out.shape != shape or not out.flags.c_contiguous:
                return False
        for plane in planes:
            if plane.shape != shape:
                return False
        loop = self._compiled or self.compile()
        loop(*(out.reshape(-1) for out in outs), *map(flat_view, planes), *args[self.arrays :])
        return True


def flat_view(array: Any) -> Any:
    """Return an array flat, contiguous and read-only; a copy only where it has to be.

    Kernels that are handed such arrays are compiled once per dtype, whatever the array came from.

    Examples
    --------
    >>> import numpy as np
    >>> flat_view(np.zeros((2, 3))).shape
    (6,)
    """
    flat = array.reshape(-1)  # always a new object
    if not flat.flags.c_contiguous:
        flat = np.ascontiguousarray(flat)
    flat.flags.writeable = False
    return flat


def _interpreted(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return the plain function with the arithmetic of compiled ones, which never warn."""

    def quiet(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return fn(*args)

    return quiet


def _cached(decorator: Any, fn: Callable[..., Any], options: dict[str, Any]) -> Any:
    try:
        return decorator(cache=True, **options)(fn)
    except RuntimeError:  # numba finds no folder that it can write its cache to
        return decorator(**options)(fn)


def compiled(fn: F) -> F:
    """Compile a function for use by other compiled functions of its module.

    The module is imported when its first kernel runs, never with the package: this brings numba.
    """
    import numba
    from numba.core import config

    if vars(config).get("DISABLE_JIT"):
        return fn
    teach_choose()
    built: F = _cached(numba.njit, fn, _OPTIONS)
    return built


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


def pixelwise(dtype: Any = None, *, arrays: int = 1) -> Callable[[Callable[..., None]], PixelKernel]:
    """Mark a loop over pixels as a kernel.

    Parameters
    ----------
    dtype : dtype, optional
        Type of the result; by default that of the first array.
    arrays : int
        How many of the arguments after ``out`` are arrays; the others are scalars.

    Returns
    -------
    callable
        Decorator for ``fn(out, *arrays, *scalars)`` with flat arrays; the kernel is then called as
        ``fn(*arrays, *scalars)`` and returns an array of their shape.

    Examples
    --------
    >>> import numpy as np
    >>> @pixelwise(np.float32, arrays=2)
    ... def total(out, a, b, weight):
    ...     for i in range(out.size):
    ...         out[i] = a[i] + weight * b[i]
    >>> total(np.ones((1, 2), "u1"), np.ones((1, 2), "f4"), 0.5)
    array([[1.5, 1.5]], dtype=float32)
    """
    return lambda fn: PixelKernel(fn, dtype, arrays)
