"""A map of classes in their colours."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import Call, Map, Plan, Role, TileSpec, chosen_bands
from geotoolz.core._lazy import xr
from geotoolz.viz import _kernels
from geotoolz.viz._checks import CHANNELS, channels, check_names, refuse_picture
from geotoolz.viz._classes import Class, check_classes, classes_of, spelt_out
from geotoolz.viz._colors import hex_of, rgba
from geotoolz.viz._legend import Legend, LegendEntry


class CategoricalColormap(Map):
    """Paint a map of classes: each value gets the colour of its class.

    Reads one variable of whole numbers, or of floats that hold whole numbers; looks at the pixel
    alone. Writes four uint8 variables, ``red``, ``green``, ``blue`` and ``alpha`` (0 where there is
    no data, as are the colours); variables of those names are replaced. `legend` returns the legend
    of the same colours.

    Without `classes` they are those of the variable's CF attributes ``flag_values`` and
    ``flag_meanings`` (and ``flag_colors``, if they are there), those of Sentinel-2's scene
    classification for ``scl`` (in ESA's colours), or true and false of a mask. Classes without a
    colour get one of matplotlib's ``tab20``.

    Parameters
    ----------
    band : str
        Variable or role.
    classes : mapping, or sequence of (value, name, colour), optional
        ``{1: ("water", "#0000ff"), 2: "forest"}``, or what STAC calls ``classification:classes``.
    unknown : str
        Colour of values that are no class; magenta by default, so that they are seen.
        ``"transparent"`` hides them.
    names : sequence of str
        Names of the four variables that are written.

    Raises
    ------
    QuantityError
        If the variable's classes are not known, or it holds bit flags.
    ParameterError
        If two classes have one value, or a colour is none.
    MissingVariableError
        If the tile lacks the variable.

    References
    ----------
    CF Metadata Conventions, section 3.5, Flags. ESA, Sentinel-2 Level-2A scene classification. Hunter,
    J. D. (2007). Matplotlib: A 2D graphics environment. Computing in Science & Engineering 9(3), 90–95
    (``tab20``).

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.viz import CategoricalColormap
    >>> tile = simulate_scene((8, 8), bands=("red", "scl"))
    >>> paint = CategoricalColormap("scl")
    >>> paint(tile).alpha.dtype, len(paint.legend(tile).entries)
    (dtype('uint8'), 12)
    """

    band: Role
    classes: tuple[tuple[int, str, str], ...] | None = None
    unknown: str = "#ff00ff"
    names: tuple[str, ...] = CHANNELS

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept mappings, names without colours, and STAC's form."""
        classes = values["classes"]
        return values if classes is None else {**values, "classes": spelt_out(classes)}

    def validate(self) -> None:
        """Check classes, colours and names."""
        who = type(self).__name__
        if self.classes is not None:
            check_classes(self.classes, who)
        rgba(self.unknown)
        check_names(self.names, 4, who)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the classes, write the picture."""
        name = self._find(tile)
        spec = tile.variables[name]
        classes = self._classes(tile, name)
        first = min(value for value, _, _ in classes)
        span = max(value for value, _, _ in classes) - first + 1
        table = np.empty((span + 2, 4), np.uint8)
        table[:-1], table[-1] = rgba(self.unknown), (0, 0, 0, 0)
        for value, _, colour in classes:
            table[value - first] = rgba(colour)
        writes = channels(self.names, spec.dims, name, f"{type(self).__name__}({len(classes)} classes)")
        args = (spec.nodata_scalar, first, table.tobytes())
        return Plan(writes=writes, calls=(Call((name,), tuple(writes), _kernels.map_classes, args),))

    def legend(self, tile: xr.Dataset | TileSpec | None = None, *, present: bool = False) -> Legend:
        """Return the legend.

        Parameters
        ----------
        tile : xarray.Dataset or TileSpec, optional
            Needed where the classes come from the tile; tells the variable's name.
        present : bool
            Leave out what the tile does not show; looks at its pixels.

        Returns
        -------
        Legend
            Without the no-data value; with an entry for other values where they are painted.
        """
        title, nodata = self.band, None
        if tile is None:
            classes = self.classes or classes_of(self.band, _nothing_known(), type(self).__name__)
        else:
            described = tile if isinstance(tile, TileSpec) else TileSpec.of(tile)
            name = self._find(described)
            spec = described.variables[name]
            classes, nodata = self._classes(described, name), spec.nodata
            title = str(spec.attrs.get("long_name", name))
        shown = [entry for entry in classes if entry[0] != nodata]
        others = rgba(self.unknown)[3] > 0
        if present and isinstance(tile, xr.Dataset):
            found = _values(tile, self._find(TileSpec.of(tile)), nodata)
            others = others and not found <= {value for value, _, _ in classes}
            shown = [entry for entry in shown if entry[0] in found]
        entries = [LegendEntry(value, label, hex_of(rgba(colour))) for value, label, colour in shown]
        if others:
            entries.append(LegendEntry(None, "other values", hex_of(rgba(self.unknown))))
        return Legend(title, tuple(entries))

    def _find(self, tile: TileSpec) -> str:
        (name,) = chosen_bands(tile, (self.band,), type(self).__name__)
        refuse_picture(name, tile.variables[name], type(self).__name__)
        return name

    def _classes(self, tile: TileSpec, name: str) -> tuple[Class, ...]:
        if self.classes is not None:
            return self.classes
        found = classes_of(name, tile.variables[name], type(self).__name__)
        check_classes(found, type(self).__name__)
        return found


def _nothing_known() -> Any:
    from geotoolz.core import VarSpec

    return VarSpec(dtype=np.dtype(np.uint8))


def _values(tile: xr.Dataset, name: str, nodata: float | int | None) -> set[float]:
    """Return the values that occur, without no-data."""
    values = np.unique(tile[name].values)
    return {v for v in values.tolist() if v == v and v != nodata}
