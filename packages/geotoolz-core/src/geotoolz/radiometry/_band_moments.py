"""Mean and covariance as one value."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_KEYS = ("n", "mean", "covariance")


class BandMoments(Mapping[str, Any]):
    """Mean and covariance of several bands; a mapping of ``n``, ``mean`` and ``covariance``.

    Attributes
    ----------
    bands : tuple of str
        Names, in the order of the numbers; planes of a cube are ``name[0]``, ``name[1]``, …
    n : int
        Pixels that counted: those that are valid in every band.
    mean : array of float64
        Per band; NaN if there was no pixel.
    covariance : array of float64
        Bands × bands, symmetric, divided by ``n − 1``; NaN for fewer than two pixels.
    rounding : array of float64
        Per band, by how much a value was rounded at most; see `Moments`.

    Examples
    --------
    >>> import numpy as np
    >>> one = BandMoments(("red",), 2, np.array([1.5]), np.array([[0.5]]), np.zeros(1))
    >>> one.mean.tolist(), one["n"]
    ([1.5], 2)
    """

    def __init__(
        self, bands: tuple[str, ...], n: int, mean: Array, covariance: Array, rounding: Array
    ) -> None:
        self.bands, self.n = bands, n
        self.mean, self.covariance, self.rounding = (_locked(a) for a in (mean, covariance, rounding))

    def __getitem__(self, key: str) -> Any:
        if key not in _KEYS:
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __len__(self) -> int:
        return len(_KEYS)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BandMoments) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        digest = hashlib.sha256(self.mean.tobytes() + self.covariance.tobytes()).hexdigest()
        shown = ", ".join(f"{b}: {m!r}" for b, m in zip(self.bands[:4], self.mean.tolist(), strict=False))
        more = ", …" if len(self.bands) > 4 else ""
        return f"BandMoments(n={self.n}, mean=({shown}{more}), sha256={digest})"


def _locked(array: Array) -> Array:
    own = np.array(array, np.float64)
    own.flags.writeable = False
    return own
