"""Arrays as parameters of operators: immutable, compared by content, kept in files of fixed bytes."""

from __future__ import annotations

import hashlib
import io
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from geotoolz.core._errors import ParameterError, ReadError
from geotoolz.core._ref import Ref

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_ALIGN = 64


class FrozenArray:
    """An array that cannot be changed, and is equal to another by shape, dtype and bytes.

    Operators hold arrays that are too large for a configuration's text in a field annotated
    `ArrayParam`; a plain array given for it becomes one of these. Its identity is the SHA-256 of
    the file that `geotoolz.core.save` writes for it.

    Parameters
    ----------
    values : array_like
        Booleans, integers or floats; copied.

    Raises
    ------
    ParameterError
        For anything that is no array of numbers.

    Examples
    --------
    >>> a = FrozenArray([[1.0, 0.5], [0.5, 2.0]])
    >>> a == FrozenArray(a.values), a.shape, a.dtype.str
    (True, (2, 2), '<f8')
    """

    def __init__(self, values: ArrayLike | FrozenArray) -> None:
        given = np.asarray(values)
        if given.dtype.kind not in "biuf" or given.dtype.itemsize > 8:
            raise ParameterError(
                f"an array of {given.dtype} cannot be a parameter", expected="booleans, integers or floats"
            )
        own = np.array(given, given.dtype.newbyteorder("<"), order="C", copy=True)
        own.flags.writeable = False
        self._values = own

    @property
    def values(self) -> NDArray[Any]:
        """The numbers, read-only."""
        return self._values

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every dimension."""
        return self._values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type."""
        return self._values.dtype

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of `to_bytes`, in hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """Return the array as a NumPy file (format 1.0), the same bytes with every version of NumPy."""
        shape = f"({', '.join(map(str, self.shape))}{',' if len(self.shape) == 1 else ''})"
        header = f"{{'descr': '{self.dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
        room = -(-(len(header) + 11) // _ALIGN) * _ALIGN - 10  # magic, version and length take 10 bytes
        text = header.ljust(room - 1) + "\n"
        return (
            b"\x93NUMPY\x01\x00" + room.to_bytes(2, "little") + text.encode("latin1") + self._values.tobytes()
        )

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the data") -> FrozenArray:
        """Return the array of a NumPy file; objects are never unpickled.

        Raises
        ------
        ReadError
            If it is no NumPy file of numbers.
        """
        try:
            return cls(np.load(io.BytesIO(data), allow_pickle=False))
        except (ValueError, EOFError, OSError) as error:
            raise ReadError(
                f"{name} is no NumPy file of numbers: {error}",
                expected="a file that geotoolz.core.save wrote",
            ) from error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self._values, dtype) if copy or dtype is not None else self._values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrozenArray) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        return f"FrozenArray({self.dtype}, {self.shape}, sha256={self.sha256[:16]}…)"

    def __reduce__(self) -> tuple[Any, ...]:
        return (FrozenArray, (self._values,))

    def __dask_tokenize__(self) -> str:
        return self.sha256

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        def made(value: Any) -> FrozenArray:
            if isinstance(value, FrozenArray):
                return value
            if not isinstance(value, np.ndarray):
                raise ValueError(f"expected an array, got {type(value).__name__}")
            return cls(value)

        return core_schema.no_info_plain_validator_function(made)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"not": {}}  # no text holds an array


ArrayParam = Annotated[FrozenArray | Ref | None, "array"]
"""A field that holds an array: in memory, in a file that is pinned by its content, or none yet."""


def as_array(parameter: FrozenArray | Ref | NDArray[Any]) -> NDArray[Any]:
    """Return the read-only array of an operator's parameter; a file is read and checked at first use.

    Kernels call it on what their operator's field holds, so that planning touches no file.

    Parameters
    ----------
    parameter : FrozenArray or Ref
        As the field holds it.

    Returns
    -------
    numpy.ndarray
        Little-endian, C order, read-only.

    Raises
    ------
    ReadError
        If the file is missing, has other content than was pinned, or holds no array of numbers.

    Examples
    --------
    >>> as_array(FrozenArray([1, 2])).flags.writeable
    False
    """
    if isinstance(parameter, Ref):
        return _of_file(parameter).values
    if isinstance(parameter, FrozenArray):
        return parameter.values
    return FrozenArray(parameter).values


@lru_cache(maxsize=16)
def _of_file(ref: Ref) -> FrozenArray:
    # what was checked is what is parsed: the file is read once
    return FrozenArray.from_bytes(ref.read_bytes(), ref.uri)
