"""The steps of `monthly_composite` around its composite: counting dates, asking for enough of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import ALL, Call, Footprint, Map, Plan, Role, TileSpec, VarSpec
from geotoolz.temporal._monthly_kernels import counted_dates, kept_where_enough, share
from geotoolz.temporal._times import stacked_bands

OBSERVATIONS, CLEAR_SHARE = "observations", "clear_share"
SEEN, CLEAR = "seen_dates", "clear_dates"


class CountDates(Map):
    """The number of dates on which a band has data.

    Adds one variable ``(y, x)``, uint16, without no-data. `monthly_composite` counts before and after
    its masks with it.

    Parameters
    ----------
    band : str
        Role of the band.
    name : str
        Name of the new variable.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.temporal import CountDates
    >>> int(CountDates("red", "dates")(contract_tile((8, 8), times=3)).dates.max())
    3
    """

    band: Role = "red"
    name: str = SEEN

    def plan(self, tile: TileSpec) -> Plan:
        """Read all dates of the band."""
        (band,) = stacked_bands(tile, (self.band,), type(self).__name__)
        attrs = {"long_name": f"dates with data in {band}", "units": "1", "quantity": "flags"}
        return Plan(
            reads=(band,),
            writes={self.name: VarSpec(("y", "x"), np.dtype(np.uint16), None, attrs)},
            calls=(Call((band,), (self.name,), counted_dates, (tile.variables[band].nodata_scalar,)),),
            footprint=Footprint(time=ALL),
        )


class RequireObservations(Map):
    """No-data where a composite is made of too few dates, and the share of the dates that were clear.

    Reads the bands and the counts; writes the bands in their own dtype, and ``clear_share``, float32: NaN
    where no date has data. The counts of dates are gone afterwards, the observations stay. The last step of
    `monthly_composite`: it wants the variables ``seen_dates`` and ``clear_dates`` of two `CountDates`, and
    ``observations`` of `Composite`.

    Parameters
    ----------
    bands : sequence of str
        The composite's bands.
    least : int
        Observations that a pixel must have.

    Examples
    --------
    >>> from geotoolz.temporal import RequireObservations
    >>> RequireObservations(("red",), least=2).least
    2
    """

    bands: tuple[str, ...] = ()
    least: int = 1

    def plan(self, tile: TileSpec) -> Plan:
        """Look at one pixel at a time."""
        attrs: dict[str, Any] = {
            "long_name": "share of the dates with data that are clear",
            "units": "1",
            "quantity": "index",
        }
        writes = {CLEAR_SHARE: VarSpec(attrs=attrs)}
        calls = [Call((CLEAR, SEEN), (CLEAR_SHARE,), share)]
        for band in self.bands if self.least > 1 else ():
            spec = tile.variables[band]
            writes[band] = spec
            empty = spec.dtype.type(np.nan if spec.nodata is None else spec.nodata)
            calls.append(Call((band, OBSERVATIONS), (band,), kept_where_enough, (self.least, empty)))
        return Plan(writes=writes, calls=tuple(calls), drops=(SEEN, CLEAR))
