"""Windows: how much a pixel counts by its place in the chip."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.patch._axis import Axis

Weights = np.ndarray[Any, np.dtype[np.float64]]


class Window(Axis, abstract=True):
    """Base of windows: a positive weight for every pixel along one axis.

    Rows and columns have weights of their own, and a pixel's weight is their product. No weight is 0, so
    whatever lies in a chip counts; the weights of all chips over a pixel are divided by their sum, which
    makes them a partition of unity up to the outermost pixel.
    """

    def weights(self, size: int) -> Weights:
        """Return the weight of every pixel along an axis of `size` pixels, in float64, all above 0."""
        raise NotImplementedError(f"{type(self).__name__} has no weights")


class Boxcar(Window):
    """Every pixel of a chip counts the same.

    Examples
    --------
    >>> from geotoolz.patch import Boxcar
    >>> Boxcar().weights(3)
    array([1., 1., 1.])
    """

    def weights(self, size: int) -> Weights:
        """Return ones."""
        return np.ones(size)


class Hann(Window):
    """Weights that rise from the edge to the middle like a squared sine.

    ``sin²(π (k + ½) / n)``, taken at pixel centres: unlike ``numpy.hanning``, whose first and last values
    are 0, the outermost ring of a chip counts, and the scene's border is not lost.

    Examples
    --------
    >>> from geotoolz.patch import Hann
    >>> Hann().weights(4).round(3)
    array([0.146, 0.854, 0.854, 0.146])
    """

    def weights(self, size: int) -> Weights:
        """Return the squared sine at pixel centres."""
        return np.array([math.sin(math.pi * (k + 0.5) / size) ** 2 for k in range(size)])


class Tukey(Window):
    """Flat in the middle, with a squared sine towards the edges.

    Parameters
    ----------
    taper : float
        Share of the chip, both sides together, where the weight rises; 1 gives `Hann`.

    Raises
    ------
    ParameterError
        If the share is not above 0 and at most 1.

    Examples
    --------
    >>> from geotoolz.patch import Tukey
    >>> Tukey(0.5).weights(8).round(3)
    array([0.146, 0.854, 1.   , 1.   , 1.   , 1.   , 0.854, 0.146])
    """

    taper: float = 0.5

    def validate(self) -> None:
        """Check the share."""
        if not 0 < self.taper <= 1:
            raise ParameterError(
                f"taper={self.taper}", expected="above 0 and at most 1", fix="Boxcar() has no taper"
            )

    def weights(self, size: int) -> Weights:
        """Return the weights at pixel centres."""
        rise = self.taper * size
        near = (min(k + 0.5, size - k - 0.5) for k in range(size))
        return np.array([math.sin(math.pi * d / rise) ** 2 if 2 * d < rise else 1.0 for d in near])


class Gaussian(Window):
    """Weights of a bell curve around the middle of the chip.

    Parameters
    ----------
    sigma : float
        Standard deviation as a share of the chip's size; MONAI's sliding window has 0.125.

    Raises
    ------
    ParameterError
        If it is below 0.02 (the edge would weigh nothing) or not finite.

    Examples
    --------
    >>> from geotoolz.patch import Gaussian
    >>> Gaussian(0.25).weights(4).round(3)
    array([0.325, 0.882, 0.882, 0.325])
    """

    sigma: float = 0.125

    def validate(self) -> None:
        """Check the width."""
        if not 0.02 <= self.sigma < math.inf:
            raise ParameterError(f"sigma={self.sigma}", expected="at least 0.02 of the chip's size")

    def weights(self, size: int) -> Weights:
        """Return the bell curve at pixel centres."""
        middle, width = (size - 1) / 2, self.sigma * size
        return np.array([math.exp(-0.5 * ((k - middle) / width) ** 2) for k in range(size)])
