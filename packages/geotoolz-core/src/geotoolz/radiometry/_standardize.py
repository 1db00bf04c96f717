"""Standard scores."""

from __future__ import annotations

from collections.abc import Mapping

from geotoolz.core import Freezable, ParameterError, Plan, Reduce, TileSpec, chosen_bands
from geotoolz.radiometry import _kernels
from geotoolz.radiometry._mean_std import MeanStd
from geotoolz.radiometry._stretch import Scope, plan_stretch


class Standardize(Freezable):
    """Scale each band to mean 0 and standard deviation 1: ``(value − mean) / std``.

    For a model's input (standard scores, "z-scores"). The result is marked as stretched, and what
    needs physical values refuses it.

    Reads the chosen bands, writes them as float32 with NaN for no-data. A band without any spread
    becomes no-data (0/0). Mean and standard deviation (of the population, as scikit-learn's
    ``StandardScaler`` takes it) are those of `MeanStd`: no-data, NaN and infinities do not count.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements.
    moments : mapping of str to (mean, std), optional
        Frozen mean and standard deviation per band. Set by `geotoolz.core.freeze`, or given.
    scope : {"tile", "catalog"}
        As for `PercentileClip`.

    Raises
    ------
    ParameterError
        If a standard deviation is negative.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import Standardize
    >>> red = Standardize()(simulate_scene((64, 64), bands=("red",))).red.astype("f8")
    >>> abs(float(red.mean())) < 1e-6, abs(float(red.std()) - 1) < 1e-6
    (True, True)
    """

    bands: tuple[str, ...] | None = None
    moments: Mapping[str, tuple[float, float]] | None = None
    scope: Scope = "tile"

    def validate(self) -> None:
        """Check the standard deviations."""
        for band, (mean, std) in (self.moments or {}).items():
            if std < 0:
                raise ParameterError(
                    f"{type(self).__name__}: the moments of {band!r} are ({mean}, {std})",
                    expected="(mean, standard deviation ≥ 0)",
                )

    @property
    def is_frozen(self) -> bool:
        """Whether the moments are known."""
        return self.moments is not None

    def statistics(self, tile: TileSpec) -> Reduce:
        """Return the means and standard deviations to gather."""
        return MeanStd(chosen_bands(tile, self.bands, type(self).__name__))

    def freeze(self, result: Mapping[str, tuple[float, float]]) -> Standardize:
        """Return the step with its moments bound."""
        return self.replace(moments=dict(result))

    def plan(self, tile: TileSpec) -> Plan:
        """Scale every band."""
        return plan_stretch(self, tile, self.moments, _kernels.standardize)
