"""Any index of the catalogue, by name; several in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from geotoolz.core import Map, ParameterError, Plan, Role, TileSpec
from geotoolz.indices._catalogue import find_entry
from geotoolz.indices._formula import Wanted, plan_formulas


class Index(Map):
    """Any of the catalogue's 280 spectral indices, by name: ``Index("EVI")`` is ``formula(bands)``.

    Finds the bands by role (`catalogue()["EVI"].roles`), on any sensor that has them, and takes the
    constants of the index's own paper; `geotoolz indices show EVI` prints both. The formula becomes a
    compiled loop.

    Reads the bands of the formula, dims ``(y, x)`` or ``(time, y, x)``: reflectance between 0 and 1 (where
    the formula is a ratio also digital numbers without an offset), kelvin for thermal bands, linear
    backscatter for radar. Writes one float32 variable, units 1, computed in float64 and rounded once. NaN
    where any band has no data, where something is divided by 0, and for whatever is not finite (the root
    of a negative number). Looks at single pixels.

    Parameters
    ----------
    index : str
        Name in the catalogue, in any case where that is unambiguous.
    name : str, optional
        Name of the new variable; by default the index's in small letters.
    constants : mapping of str to float
        Constants of the formula, by the catalogue's names: ``{"L": 0.25}``. Central wavelengths
        (``lambdaN``, in nm) are those of the tile's platform unless they are given.
    bands : mapping of str to str
        Letter of the catalogue → role or variable, where another band is to be read: ``{"N": "nir08"}``.
    kernel_type : {"rbf", "poly", "linear"}
        Kernel k(a, b) of kernel indices: ``exp(−(a − b)² / 2σ²)``, ``(a b + c)^p`` or ``a b``. Without the
        constant ``sigma`` the length scale is the mean of a and b, pixel by pixel.

    Raises
    ------
    ParameterError
        If the catalogue has no such index, or the index no such band or constant; if a constant has no
        default, or the platform's wavelengths are not known.
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, is in dB, or holds digital numbers where reflectance matters.

    References
    ----------
    Montero, D., Aybar, C., Mahecha, M. D., Martinuzzi, F., Söchting, M., Wieneke, S. (2023). A standardized
    catalogue of spectral indices to advance the use of remote sensing in Earth system research. Scientific
    Data 10, 197. The attribute ``references`` of the new variable names the index's own source.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import Index
    >>> tile = simulate_scene((8, 8))
    >>> Index("EVI")(tile).evi.attrs["long_name"]
    'Enhanced Vegetation Index'
    >>> Index("SAVI", constants={"L": 0.25}, name="savi_dense")(tile).savi_dense.dtype
    dtype('float32')
    """

    index: str
    name: str | None = None
    constants: Mapping[str, float] = field(default_factory=dict)
    bands: Mapping[str, Role] = field(default_factory=dict)
    kernel_type: str = "rbf"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Spell the index as the catalogue does."""
        index = values["index"]
        return {**values, "index": find_entry(index).name if isinstance(index, str) else index}

    def validate(self) -> None:
        """Check bands and constants against the formula."""
        self._wanted().validate()

    @property
    def variable(self) -> str:
        """Name of the new variable."""
        return self.name or self.index.lower()

    def _wanted(self) -> Wanted:
        entry = find_entry(self.index)
        return Wanted(entry, self.variable, self.bands, self.constants, self.kernel_type)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the formula's bands, write the index."""
        return plan_formulas(tile, (self._wanted(),), "Index")


def _require_distinct(wanted: tuple[Wanted, ...]) -> None:
    taken: dict[str, str] = {}
    for one in wanted:
        if one.name in taken:
            raise ParameterError(
                f"{taken[one.name]} and {one.entry.name} would both be called {one.name!r}",
                expected="another name for each index",
                fix="leave out what is listed twice"
                if taken[one.name] == one.entry.name
                else f"names={{{one.entry.name!r}: …}}",
            )
        taken[one.name] = one.entry.name


class Indices(Map):
    """Several indices of the catalogue in one pass: every band is read once, ``(i₁(bands), i₂(bands), …)``.

    Each variable has the bits that `Index` gives alone; what formulas have in common is computed once.
    Reads all bands of all formulas, which share their dims, ``(y, x)`` or ``(time, y, x)``; writes one
    float32 variable per index, units 1, NaN where a band of that index has no data, where something is
    divided by 0, and for whatever is not finite. Looks at single pixels.

    Parameters
    ----------
    indices : sequence of str
        Names in the catalogue.
    names : mapping of str to str
        Index → name of its variable, where it is not the index's in small letters.
    constants : mapping of str to mapping of str to float
        Index → its constants: ``{"SAVI": {"L": 0.25}}``.
    bands : mapping of str to str
        Letter of the catalogue → role or variable, for all indices that have it.
    kernel_type : {"rbf", "poly", "linear"}
        Kernel of kernel indices.

    Raises
    ------
    ParameterError
        As `Index`; and if two variables would have one name.
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, is in dB, or holds digital numbers where reflectance matters.

    References
    ----------
    As `Index`: Montero, D. et al. (2023). Scientific Data 10, 197.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import Indices
    >>> tile = simulate_scene((8, 8))
    >>> [name for name in Indices(["NDVI", "EVI", "NDMI"])(tile).data_vars if name not in tile]
    ['ndvi', 'evi', 'ndmi']
    """

    indices: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    bands: Mapping[str, Role] = field(default_factory=dict)
    kernel_type: str = "rbf"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one name; spell the indices as the catalogue does."""
        given = values["indices"]
        given = (given,) if isinstance(given, str) else given
        if isinstance(given, list | tuple) and all(isinstance(name, str) for name in given):
            given = tuple(find_entry(name).name for name in given)
        spelt = dict(values, indices=given)
        for key in ("names", "constants"):
            if isinstance(values[key], Mapping):
                spelt[key] = {find_entry(name).name: value for name, value in values[key].items()}
        return spelt

    def validate(self) -> None:
        """Check every index."""
        if not self.indices:
            raise ParameterError("Indices has no index", expected="one at least")
        for given, what in ((self.names, "names"), (self.constants, "constants")):
            idle = [name for name in given if name not in self.indices]
            if idle:
                raise ParameterError(f"{what} has {idle[0]!r}", expected=", ".join(self.indices))
        wanted = self._wanted()
        for one in wanted:
            one.validate()
        _require_distinct(wanted)
        idle = [letter for letter in self.bands if all(letter not in w.entry.bands for w in wanted)]
        if idle:
            raise ParameterError(f"none of the indices reads the band {idle[0]!r}")

    def _wanted(self) -> tuple[Wanted, ...]:
        found = []
        for name in self.indices:
            entry = find_entry(name)
            bands = {letter: role for letter, role in self.bands.items() if letter in entry.bands}
            label = self.names.get(name, name.lower())
            found.append(Wanted(entry, label, bands, self.constants.get(name, {}), self.kernel_type))
        return tuple(found)

    def plan(self, tile: TileSpec) -> Plan:
        """Read all bands once, write one variable per index."""
        return plan_formulas(tile, self._wanted(), "Indices")
