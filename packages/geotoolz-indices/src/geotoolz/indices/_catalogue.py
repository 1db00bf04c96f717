"""The catalogue of spectral indices: names, bands, formulas, constants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from geotoolz.core import ParameterError, nearest
from geotoolz.core._expression import Expression, parse
from geotoolz.indices._constants import ALIASES, CONSTANTS, DOUBTS, FORMULAS, UNITS

BANDS: Mapping[str, str] = MappingProxyType(
    {
        "A": "coastal", "B": "blue", "G1": "green05", "G": "green", "Y": "yellow", "R": "red",
        "RE1": "rededge071", "RE2": "rededge075", "RE3": "rededge078",
        "N": "nir", "N2": "nir08", "WV": "nir09", "S1": "swir16", "S2": "swir22",
        "T": "lwir", "T1": "lwir11", "T2": "lwir12",
        "HH": "hh", "HV": "hv", "VH": "vh", "VV": "vv",
    }
)  # fmt: skip
"""The catalogue's letters → roles."""

KERNEL_TYPES = ("rbf", "poly", "linear")


@dataclass(frozen=True)
class IndexEntry:
    """One index of the catalogue.

    Parameters
    ----------
    name, long_name, formula, domain, reference : str
        As in the catalogue, with geotoolz's corrections of the formula.
    platforms : tuple of str
        Platforms that have its bands, as the catalogue calls them.
    defaults : mapping of str to float
        Constants that have a value of their own or spyndex's default.
    """

    name: str
    long_name: str
    formula: str
    domain: str
    platforms: tuple[str, ...]
    reference: str
    defaults: Mapping[str, float]

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return parse(self.formula).names

    @property
    def kernels(self) -> tuple[str, ...]:
        """Names of kernels in the formula: ``kNR`` is k(N, R)."""
        return tuple(n for n in self._names if len(n) == 3 and n[0] == "k")

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that the formula reads, in the catalogue's letters."""
        letters = [n for n in self._names if n in BANDS]
        letters += [letter for name in self.kernels for letter in name[1:] if letter in BANDS]
        return tuple(dict.fromkeys(letters))

    @property
    def roles(self) -> tuple[str, ...]:
        """The bands as roles."""
        return tuple(BANDS[letter] for letter in self.bands)

    @property
    def constants(self) -> tuple[str, ...]:
        """The constants that the formula has (those of its kernel left out)."""
        own = [n for n in self._names if n not in BANDS and n not in self.kernels]
        own += [letter for name in self.kernels for letter in name[1:] if letter not in BANDS]
        return tuple(dict.fromkeys(own))

    @property
    def units(self) -> str | None:
        """The units of the values, None where a constant brings them."""
        return UNITS.get(self.name, "1")

    @property
    def doubt(self) -> str:
        """What is doubtful about the formula or a default; empty if nothing is."""
        return DOUBTS.get(self.name, "")

    def expression(self, constants: Mapping[str, float], kernel_type: str) -> Expression:
        """Return the formula with its kernels written out."""
        if not self.kernels:
            return parse(self.formula)
        return parse(self.formula, {name: _kernel(name, constants, kernel_type) for name in self.kernels})


def _kernel(name: str, constants: Mapping[str, float], kernel_type: str) -> str:
    """Return k(X, Y) as a formula.

    Without a sigma the RBF kernel's length scale is the mean of the two, pixel by pixel, which makes
    kNDVI tanh(NDVI²) (Camps-Valls et al. 2021).
    """
    x, y = name[1], name[2]
    if kernel_type == "linear":
        return f"{x} * {y}"
    if kernel_type == "poly":
        return f"({x} * {y} + c) ** p"
    if x == y:
        return "1"
    if "sigma" in constants:
        return f"exp(-(({x} - {y}) ** 2) / (2 * sigma ** 2))"
    # -(x − y)² / 2σ² with σ = (x + y) / 2
    return f"exp(-2 * (({x} - {y}) / ({x} + {y})) ** 2)"


@cache
def _file() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files("geotoolz.indices").joinpath("spyndex.json").read_text("utf-8"))
    return loaded


@cache
def catalogue() -> Mapping[str, IndexEntry]:
    """Return all indices of the catalogue by name.

    The names, formulas and references are those of spyndex (MIT licence); constants are each index's
    own.

    Examples
    --------
    >>> from geotoolz.indices import catalogue
    >>> entry = catalogue()["SAVI"]
    >>> entry.formula, entry.roles, dict(entry.defaults)
    ('(1.0+L)*(N-R)/(N+R+L)', ('nir', 'red'), {'L': 0.5})
    """
    general = _file()["constants"]
    found = {}
    for name, row in _file()["indices"].items():
        formula = FORMULAS[name][0] if name in FORMULAS else row["formula"].replace(" ", "")
        entry = IndexEntry(
            name, row["long_name"], formula, row["domain"], tuple(row["platforms"]), row["reference"], {}
        )
        own = CONSTANTS[name][0] if name in CONSTANTS else {}
        values = {n: own.get(n, general.get(n)) for n in entry.constants}
        known = {n: float(value) for n, value in values.items() if value is not None}
        found[name] = IndexEntry(
            name, entry.long_name, formula, entry.domain, entry.platforms, entry.reference, known
        )
    return MappingProxyType(found)


def find_entry(name: str) -> IndexEntry:
    """Return an index by its name, in any case.

    Raises
    ------
    ParameterError
        Naming the nearest, or all that differ in nothing but case.
    """
    known = catalogue()
    if name in known:
        return known[name]
    same = [n for n in known if n.lower() == name.lower()]
    if not same:
        same = [target for alias, target in ALIASES.items() if alias.lower() == name.lower()]
    if len(same) == 1:
        return known[same[0]]
    if same:
        raise ParameterError(f"index {name!r}", expected=" or ".join(same), fix="mind upper and lower case")
    # whoever types small letters is answered in small letters
    names = [n.lower() for n in known] if name == name.lower() else list(known)
    raise ParameterError(
        f"index {name!r} is not in the catalogue{nearest(name, names)}",
        expected=f"one of {len(known)} names",
        fix="list them with `geotoolz indices list`",
    )


def wavelengths(platform: object) -> Mapping[str, float]:
    """Return common name → central wavelength in nm of a platform's bands; empty if it is not known."""
    text = "".join(letter for letter in str(platform or "").lower() if letter.isalnum())
    known: dict[str, dict[str, float]] = _file()["wavelengths"]
    if text in ("terra", "aqua"):
        text = "modis"
    if text in known:
        return known[text]
    # a later satellite of a series has the bands of the first
    return known["sentinel2a"] if text.startswith("sentinel2") else {}
