"""Where a model may be believed: how far pixels are from what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from geotoolz.core import (
    ArrayParam,
    Call,
    Footprint,
    FrozenArray,
    Map,
    ParameterError,
    Plan,
    QuantityError,
    Ref,
    TileSpec,
    VarSpec,
    as_array,
)
from geotoolz.learn._adapters import Adapter, ToPixelMajor
from geotoolz.learn._gather import fill_rows, validity
from geotoolz.learn._layout import quantities

Array = np.ndarray[Any, Any]
_ROWS = 65_536  # pixels whose features are held at once


class AreaOfApplicability(Map):
    """Dissimilarity from the training rows, and the area where a model is applicable.

    The dissimilarity index (DI) of a pixel is its distance to the nearest training row, in the space of the
    standardised features weighted by their importance, divided by the mean distance between training rows.
    The area of applicability (AOA) is where the DI is at most the threshold that cross-validation found for
    the training rows: there, and only there, the cross-validated error says what to expect. Made by
    `training_dissimilarity`.

    Reads the features, which are found by name. Adds the DI as float32, units 1, NaN where a feature has no
    data or is infinite, and the AOA as a bool mask, False there. Dates of a stack are treated one by one,
    unless the adapter makes features of them. The nearest neighbour is exact (a k-d tree): windows, threads
    and chunks change no bit.

    Parameters
    ----------
    features : sequence of str
        Names of the features, in the order of the columns of `training`.
    training : array
        Training rows, standardised and weighted: float64 ``(rows, features)``.
    center : sequence of float
        Mean of each feature over the training rows.
    factor : sequence of float
        What the difference from the mean is multiplied with: weight / (standard deviation · mean distance).
    threshold : float
        Largest DI inside the area.
    adapter : Adapter
        How tiles become rows: that of the model.
    di, aoa : str
        Names of the new variables.
    quantities : mapping of str to str, optional
        Feature → what its values were in training (``"surface_reflectance"``), where it was said.

    Raises
    ------
    MissingVariableError
        If the tile lacks a feature.
    TileError
        If a feature holds no numbers, or the tile has other dates or bands than the model.
    QuantityError
        If a feature holds something else than in training (digital numbers for reflectance).
    ParameterError
        If the parameters do not fit together.

    References
    ----------
    Meyer, H., Pebesma, E. (2021). Predicting into unknown space? Estimating the area of applicability of
    spatial prediction models. Methods in Ecology and Evolution 12, 1620–1633.

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import training_dissimilarity
    >>> tile = simulate_scene((32, 32), bands=("red", "nir"), cloud_cover=0)
    >>> rows = np.column_stack([tile[name].values[:16].ravel() for name in ("red", "nir")])
    >>> known = training_dissimilarity(rows, ("red", "nir"))
    >>> bool(known.operator()(tile).aoa.values[:16].all())
    True
    """

    features: tuple[str, ...]
    training: ArrayParam
    center: tuple[float, ...]
    factor: tuple[float, ...]
    threshold: float
    adapter: Adapter = ToPixelMajor()
    di: str = "di"
    aoa: str = "aoa"
    quantities: Mapping[str, str] | None = None

    def validate(self) -> None:
        """Check that the parameters fit together."""
        count = len(self.features)
        if not count or len(set(self.features)) < count:
            raise ParameterError(f"features={self.features}", expected="one name at least, each once")
        if not len(self.center) == len(self.factor) == count:
            raise ParameterError(
                f"{count} features, {len(self.center)} centers and {len(self.factor)} factors",
                expected="one of each per feature",
            )
        if not all(np.isfinite([*self.center, *self.factor])) or not 0 <= self.threshold < np.inf:
            raise ParameterError("a center, factor or the threshold is not finite", expected="numbers")
        if self.training is None:
            raise ParameterError("training is missing", fix="training_dissimilarity(…).operator()")
        if isinstance(self.training, FrozenArray):
            _check_rows(self.training.values, count)
        if self.di == self.aoa or not self.di or not self.aoa:
            raise ParameterError(f"di={self.di!r}, aoa={self.aoa!r}", expected="two names")

    def plan(self, tile: TileSpec) -> Plan:
        """Read the features, write index and mask."""
        layout = self.adapter.layout(tile, self.features, type(self).__name__)
        self._require_quantities(quantities(tile, layout))
        lead = tuple(tile.sizes[dim] for dim in layout.lead)
        di = {"long_name": "dissimilarity from the training data", "units": "1", "quantity": "index"}
        aoa = {"long_name": "area of applicability", "quantity": "mask", "threshold": self.threshold}
        writes = {
            self.di: VarSpec(layout.dims, attrs=di),
            self.aoa: VarSpec(layout.dims, np.dtype(np.bool_), None, aoa),
        }
        args = (layout, lead, self.training, self.center, self.factor, self.threshold)
        call = Call(layout.variables, (self.di, self.aoa), _dissimilarity, args)
        dated = any("time" in tile.variables[name].dims for name in layout.variables)
        reach = Footprint(time="all") if dated and "time" not in layout.lead else Footprint()
        return Plan(writes=writes, calls=(call,), footprint=reach)

    def _require_quantities(self, now: Mapping[str, str]) -> None:
        for name, then in (self.quantities or {}).items():
            if now.get(name, then) != then:
                raise QuantityError(
                    f"{type(self).__name__} reads {name!r}, which holds {now[name]}",
                    expected=f"{then}, as in training",
                    fix="prepare the tile as the training scenes were prepared",
                )


def _dissimilarity(*args: Any) -> tuple[Array, Array]:
    """Return the index and the mask of every pixel."""
    *arrays, layout, lead, training, center, factor, threshold = args
    planes = layout.planes(arrays)
    valid, _ = validity(planes, np.dtype(np.float64))
    di, aoa = np.full(valid.size, np.nan, np.float32), np.zeros(valid.size, np.bool_)
    index = np.flatnonzero(valid)
    for first in range(0, index.size, _ROWS):
        pixels = index[first : first + _ROWS]
        rows = np.empty((pixels.size, len(planes)))
        fill_rows(planes, pixels, rows, blank=False)
        rows -= np.array(center)
        rows *= np.array(factor)
        distance, _ = _tree(training, len(planes)).query(rows)
        di[pixels], aoa[pixels] = distance, distance <= threshold
    shape = (*lead, *arrays[0].shape[-2:])
    return di.reshape(shape), aoa.reshape(shape)


@lru_cache(maxsize=4)
def _tree(training: FrozenArray | Ref, features: int) -> Any:
    """Return the k-d tree of the training rows, built once in a process."""
    from scipy.spatial import KDTree

    values = as_array(training)
    _check_rows(values, features)
    return KDTree(values)


def _check_rows(values: Array, features: int) -> None:
    if values.ndim != 2 or values.shape[1] != features or not len(values) or not np.isfinite(values).all():
        raise ParameterError(
            f"training is {values.dtype} {values.shape}", expected=f"finite numbers, (rows, {features})"
        )
