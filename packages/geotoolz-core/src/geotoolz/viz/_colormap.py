"""One band in the colours of a map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from geotoolz.core import Call, Freezable, ParameterError, Plan, Reduce, Role, TileSpec, VarSpec
from geotoolz.radiometry import Percentiles
from geotoolz.viz import _kernels
from geotoolz.viz._checks import (
    CHANNELS,
    channels,
    check_limits,
    check_names,
    check_percentiles,
    measured_band,
    picture_attrs,
)
from geotoolz.viz._colors import Array, canonical_name, colormap_table, rgba
from geotoolz.viz._legend import ColorBar

Scope = Literal["tile", "catalog"]


class Colormap(Freezable):
    """Paint one band with a colour map: row ``⌊256 · (value − vmin) / (vmax − vmin)⌋`` of 256 colours.

    Reads one band of any quantity (no flags, no finished picture); looks at the pixel alone. Writes
    four uint8 variables, ``red``, ``green``, ``blue`` and ``alpha``, with attributes that make
    indices and thresholds refuse them; ``alpha`` is 0 where there is no data (the colours too), 255
    elsewhere unless a colour says otherwise. Variables of those names are replaced. With
    ``rgba=False`` it writes one uint16 variable instead, the row of the table: 0 … 255, 256 below
    `vmin`, 257 above `vmax`, 258 for no-data; `table` returns the 259 colours.

    The picture is that of matplotlib's ``Normalize`` and ``Colormap``, bit for bit: values equal to
    `vmax` get the last colour, those beyond get `over` (by default the last colour), those below
    `vmin` get `under`; float32 and integers of 16 bits and less are treated in single precision,
    others in double.

    Limits hold for all tiles alike, else neighbouring tiles do not match. Give `vmin` and `vmax`, or
    leave one out and `geotoolz.core.freeze` the step on a sample: it takes `percentiles`.

    Parameters
    ----------
    band : str
        Variable or role.
    cmap : str or sequence of str
        Name of a map (see `colormap_names`; upper or lower case, ``_r`` behind it reverses), or two
        colours and more (``"#rrggbb"``) between which is interpolated.
    vmin, vmax : float, optional
        Values of the first and the last colour, in the band's units.
    percentiles : (float, float)
        What freezing takes for a limit that is not given.
    limits : (float, float), optional
        Frozen limits. Set by `geotoolz.core.freeze`.
    under, over : str, optional
        Colour of values below `vmin` and above `vmax`.
    rgba : bool
        Whether to write a picture; False writes the rows of the table.
    names : sequence of str, optional
        Names of what is written, by default red, green, blue, alpha; ``<band>_color`` with
        ``rgba=False``.
    scope : {"tile", "catalog"}
        ``"catalog"`` refuses to run without limits, ``"tile"`` takes the percentiles of the tile.

    Raises
    ------
    ParameterError
        For an unknown map or colour (names the nearest), and limits that are not in order.
    QuantityError
        If the band holds flags, or is a channel of a picture already.
    MissingVariableError
        If the tile lacks the band.
    NotFrozenError
        If a limit is neither given nor frozen.

    References
    ----------
    Hunter, J. D. (2007). Matplotlib: A 2D graphics environment. Computing in Science & Engineering
    9(3), 90–95. Harrower, M., Brewer, C. A. (2003). ColorBrewer.org: an online tool for selecting
    colour schemes for maps. The Cartographic Journal 40(1), 27–37.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.viz import Colormap
    >>> tile = simulate_scene((8, 8), bands=("nir",))
    >>> picture = Colormap("nir", "magma", vmin=0, vmax=0.6)(tile)
    >>> list(picture.data_vars), picture.alpha.dtype
    (['nir', 'red', 'green', 'blue', 'alpha'], dtype('uint8'))
    """

    band: Role
    cmap: str | tuple[str, ...] = "viridis"
    vmin: float | None = None
    vmax: float | None = None
    percentiles: tuple[float, float] = (2.0, 98.0)
    limits: tuple[float, float] | None = None
    under: str | None = None
    over: str | None = None
    rgba: bool = True
    names: tuple[str, ...] | None = None
    scope: Scope = "catalog"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Spell the map's name as matplotlib does."""
        cmap = values["cmap"]
        return {**values, "cmap": canonical_name(cmap)} if isinstance(cmap, str) else values

    def validate(self) -> None:
        """Check limits, colours and names."""
        who = type(self).__name__
        check_limits(self.vmin, self.vmax, who)
        check_percentiles(self.percentiles, who)
        if self.limits is not None and self.limits[0] > self.limits[1]:
            raise ParameterError(f"{who}: limits={self.limits}", expected="low ≤ high")
        if self.names is not None:
            check_names(self.names, 4 if self.rgba else 1, who)
        self.table()

    @property
    def is_frozen(self) -> bool:
        """Whether both limits are known."""
        return self.limits is not None or (self.vmin is not None and self.vmax is not None)

    def statistics(self, tile: TileSpec) -> Reduce:
        """Return the percentiles to gather."""
        return Percentiles((measured_band(tile, self.band, type(self).__name__),), self.percentiles)

    def freeze(self, result: Mapping[str, tuple[float, ...]]) -> Colormap:
        """Return the step with its limits bound; one that was given stays."""
        low, high = next(iter(result.values()))
        low = low if self.vmin is None else self.vmin
        high = high if self.vmax is None else self.vmax
        if low > high:
            raise ParameterError(
                f"{type(self).__name__}: the limits of {self.band!r} would be {low:g} … {high:g}",
                expected="vmin ≤ vmax",
                fix="the given limit lies outside of what the data hold; give both",
            )
        return self.replace(limits=(low, high))

    def table(self) -> Array:
        """Return the 259 colours (red, green, blue, alpha): the map's 256, under, over, no-data."""
        colours = colormap_table(self.cmap)
        under = colours[0] if self.under is None else rgba(self.under)
        over = colours[-1] if self.over is None else rgba(self.over)
        return np.concatenate([colours, np.array([under, over, (0, 0, 0, 0)], np.uint8)])

    def legend(self, tile: Any = None) -> ColorBar:
        """Return the colour bar.

        Parameters
        ----------
        tile : xarray.Dataset or TileSpec, optional
            Tells the band's name and units.

        Raises
        ------
        ParameterError
            If the limits are not known yet.
        """
        if not self.is_frozen:
            raise ParameterError(
                f"the limits of {self!r} are not known yet",
                fix="give vmin and vmax, or freeze it: geotoolz.core.freeze(step, tile)",
            )
        low, high = self._bounds()
        return ColorBar.of(self.band, low, high, self.table(), tile, self.under, self.over)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the band, write the picture or the rows."""
        who = type(self).__name__
        name = measured_band(tile, self.band, who)
        spec = tile.variables[name]
        low, high = self._bounds() if self.is_frozen else (0.0, 1.0)
        how = f"{who}({self._label()}, {low:g}, {high:g})" if self.is_frozen else f"{who}({self._label()})"
        notes: tuple[str, ...] = ()
        if spec.quantity == "dn":
            notes = (f"{name!r} holds stored numbers; the limits {low:g} … {high:g} are compared with these",)
        args = (spec.nodata_scalar, low, high)
        if self.rgba:
            writes = channels(self.names or CHANNELS, spec.dims, name, how)
            call = Call((name,), tuple(writes), _kernels.map_colours, (*args, self.table().tobytes()))
        else:
            (label,) = self.names or (f"{name}_color",)
            attrs = {**picture_attrs("palette", name, how), "long_name": f"row of the colour table of {name}"}
            writes = {label: VarSpec(spec.dims, np.dtype(np.uint16), _kernels.BAD, attrs)}
            call = Call((name,), (label,), _kernels.index_of, args)
        return Plan(writes=writes, calls=(call,), notes=notes)

    def _bounds(self) -> tuple[float, float]:
        if self.limits is not None:
            return self.limits
        if self.vmin is None or self.vmax is None:
            raise ParameterError(f"{self!r} has no limits")
        return float(self.vmin), float(self.vmax)

    def _label(self) -> str:
        return self.cmap if isinstance(self.cmap, str) else "own colours"
