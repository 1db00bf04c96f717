"""From probabilities to what is handed on: percent, and objects."""

from __future__ import annotations

from typing import Literal

import numpy as np

from geotoolz.core import (
    Call,
    Footprint,
    Map,
    ParameterError,
    Plan,
    QuantityError,
    Role,
    TileSpec,
    VarSpec,
)
from geotoolz.learn import _postprocess_kernels as _kernels

_MOST = 100_000


class Postprocess(Map):
    """Turn the probabilities of one class into whole percent, and into objects.

    Writes ``probabilities_percent`` (uint8, 0 to 100, 255 for no-data; rounded to the nearest, ties to the
    even one) and ``binarized_segmentation`` (uint8: 1 in objects, 0 elsewhere, no-data included), as the
    schema `geotoolz.core.POSTPROCESSED` says. All other variables stay. Values outside 0 … 1 are no
    probabilities and count as no-data. The threshold is compared with the probability, not with the percent.

    Parameters
    ----------
    threshold : float
        Pixels with this probability or more belong to objects.
    min_pixels : int
        Smaller objects are dropped. At the tile's border an object is cut off and counts as what is left.
    erosion : int
        Pixels whose centre lies within so many pixels of no-data are no-data too: next to a gap
        a model sees half of its surroundings only. The tile's border is no gap.
    connectivity : {8, 4}
        Whether pixels that touch at a corner belong to one object.
    probabilities : str
        Role or name of the variable.
    valid : str, optional
        A mask, False where there is no data: ``"valid_data_mask"``.

    Raises
    ------
    ParameterError
        If the threshold is no probability, or a number of pixels is out of range.
    MissingVariableError
        If the tile lacks a variable.
    QuantityError
        If the probabilities are no floats, or the mask is not bool.

    Notes
    -----
    The footprint is finite: with ``N = min_pixels``, pixels further than ``N − 1`` steps away are not needed
    to know that an object has ``N`` of them.

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core import geobox_of, tile_from_arrays
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import Postprocess
    >>> given = np.array([[0.996, 0.5, 0.004], [np.nan, 0.2, 0.8]], np.float32)
    >>> grid = geobox_of(simulate_scene((2, 3)))
    >>> out = Postprocess(min_pixels=2)(tile_from_arrays({"probabilities": given}, grid))
    >>> out.probabilities_percent.values.tolist()
    [[100, 50, 0], [255, 20, 80]]
    >>> out.binarized_segmentation.values.tolist()
    [[1, 1, 0], [0, 0, 1]]
    """

    threshold: float = 0.5
    min_pixels: int = 1
    erosion: int = 0
    connectivity: Literal[8, 4] = 8
    probabilities: Role = "probabilities"
    valid: Role | None = None

    def validate(self) -> None:
        """Check the numbers."""
        if not 0 < self.threshold <= 1:
            raise ParameterError(f"threshold={self.threshold}", expected="more than 0, at most 1")
        if not 1 <= self.min_pixels <= _MOST:
            raise ParameterError(f"min_pixels={self.min_pixels}", expected=f"1 to {_MOST}")
        if not 0 <= self.erosion <= _MOST:
            raise ParameterError(f"erosion={self.erosion}", expected=f"0 to {_MOST} pixels")

    def plan(self, tile: TileSpec) -> Plan:
        """Read the probabilities; write percent and objects."""
        name = tile.find(self.probabilities, "Postprocess")
        given = tile.variables[name]
        if given.dtype.kind != "f":
            raise QuantityError(f"{name!r} holds {given.dtype}", expected="probabilities as floats, 0 to 1")
        reads = (name, *self._mask(tile))
        reach, far = self.erosion, self.min_pixels - 1
        diagonal = self.connectivity == 8
        percent, binary = "probabilities_percent", "binarized_segmentation"
        calls = (
            Call(
                reads, (percent,), _kernels.percent, (given.nodata_scalar, reach), Footprint(y=reach, x=reach)
            ),
            Call((name, percent), ("~found",), _kernels.above, (self.threshold,)),
            Call(
                ("~found",), (binary,), _kernels.objects, (self.min_pixels, diagonal), Footprint(y=far, x=far)
            ),
        )
        return Plan(writes=_writes(given.dims, self.threshold), calls=calls)

    def _mask(self, tile: TileSpec) -> tuple[str, ...]:
        if self.valid is None:
            return ()
        mask = tile.find(self.valid, "Postprocess")
        if tile.variables[mask].dtype.kind != "b":
            raise QuantityError(
                f"{mask!r} holds {tile.variables[mask].dtype}",
                expected="a bool mask, False where there is no data",
            )
        return (mask,)


def _writes(dims: tuple[str, ...], threshold: float) -> dict[str, VarSpec]:
    classes = {"flag_values": np.array([0, 1], np.uint8), "flag_meanings": "background object"}
    return {
        "probabilities_percent": VarSpec(
            dims, np.dtype(np.uint8), _kernels.NO_PERCENT, {"long_name": "probability", "units": "%"}
        ),
        "binarized_segmentation": VarSpec(
            dims, np.dtype(np.uint8), None,
            {"long_name": f"objects: probability of {threshold:g} or more", **classes},
        ),
    }  # fmt: skip
