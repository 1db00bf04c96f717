"""What all indices made of formulas share: bands, constants, checks, one call of one kernel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from geotoolz.core import (
    Call,
    ParameterError,
    Plan,
    QuantityError,
    TileSpec,
    VarSpec,
    nearest,
    require_physical,
)
from geotoolz.core._expression import Expression, Tree
from geotoolz.core._expression_kernel import expression_kernel
from geotoolz.core._sensors import sensor_of
from geotoolz.indices._catalogue import BANDS, KERNEL_TYPES, IndexEntry, wavelengths
from geotoolz.indices._roles import find_band

_NO_REFLECTANCE = frozenset({"HH", "HV", "VH", "VV", "T", "T1", "T2"})
"""Letters of backscatter and of thermal bands."""
_OTHER_QUANTITIES = frozenset(
    {"brightness_temperature", "surface_temperature", "backscatter", "elevation", "probability"}
)
_KERNEL_DEFAULTS: Mapping[str, Mapping[str, float]] = {"rbf": {}, "poly": {"c": 1.0, "p": 2.0}, "linear": {}}
_KERNEL_CONSTANTS: Mapping[str, tuple[str, ...]] = {"rbf": ("sigma",), "poly": ("c", "p"), "linear": ()}


@dataclass(frozen=True)
class Wanted:
    """One index to be computed: which, from what, under which name."""

    entry: IndexEntry
    name: str
    bands: Mapping[str, str]
    constants: Mapping[str, float]
    kernel_type: str = "rbf"
    attrs: Mapping[str, Any] | None = None

    def validate(self) -> None:
        """Raise `ParameterError` for bands, constants and kernels that the index does not have."""
        entry = self.entry
        if self.kernel_type not in KERNEL_TYPES:
            raise ParameterError(f"kernel_type={self.kernel_type!r}", expected=" or ".join(KERNEL_TYPES))
        _require_known(entry, "band", self.bands, entry.bands)
        known = (*entry.constants, *(_KERNEL_CONSTANTS[self.kernel_type] if entry.kernels else ()))
        _require_known(entry, "constant", self.constants, known)
        for name, value in self.constants.items():
            if not math.isfinite(value):
                raise ParameterError(f"{entry.name}: the constant {name} is {value}", expected="a number")
        if not self.constants.get("sigma", 1.0) > 0:
            raise ParameterError(f"sigma={self.constants['sigma']}", expected="a positive length scale")
        missing = [n for n in entry.constants if n not in self.values() and not n.startswith("lambda")]
        if missing:
            raise ParameterError(
                f"{entry.name} needs {missing[0]!r}, which has no default",
                fix=f"Index({entry.name!r}, constants={{{missing[0]!r}: …}})",
            )

    def values(self) -> dict[str, float]:
        """Return the constants as far as they are known without a tile."""
        kernel = _KERNEL_DEFAULTS[self.kernel_type] if self.entry.kernels else {}
        return {**kernel, **self.entry.defaults, **self.constants}

    def reads(self, tile: TileSpec) -> dict[str, str]:
        """Return the letters of the bands → variables of the tile."""
        roles = {letter: self.bands.get(letter, BANDS[letter]) for letter in self.entry.bands}
        return {letter: find_band(tile, role, self.entry.name) for letter, role in roles.items()}

    def settled(self, tile: TileSpec) -> dict[str, float]:
        """Return all constants; wavelengths are those of the tile's platform."""
        values = self.values()
        for name in self.entry.constants:
            if name not in values:
                values[name] = self._wavelength(tile, name.removeprefix("lambda"))
        return values

    def _wavelength(self, tile: TileSpec, letter: str) -> float:
        platform = tile.attrs.get("platform")
        known = wavelengths(sensor_of(tile.attrs))
        role = self.bands.get(letter, BANDS[letter])
        held = tile.lookup(role)
        for name in (held, role, "nir08" if role == "nir" else role):
            if name is not None and name in known:
                return known[name]
        raise ParameterError(
            f"{self.entry.name} needs the central wavelength of {role!r}, and the platform is {platform!r}",
            expected="a platform of the tile that has it, such as 'sentinel-2a', 'landsat-8' or 'terra'",
            fix=f"constants={{'lambda{letter}': …}} in nm, or ds.attrs['platform']",
        )

    def doubts(self) -> tuple[str, ...]:
        """Return what is doubtful, for `Plan.notes`."""
        doubt = self.entry.doubt
        if not doubt or any(name in self.constants for name in self.entry.constants):
            return ()
        return (f"{self.entry.name}: {doubt}",)


def _require_known(entry: IndexEntry, what: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise ParameterError(
                f"{entry.name} has no {what} {name!r}{nearest(name, known)}",
                expected=", ".join(known) or f"no {what}s",
            )


def plan_formulas(tile: TileSpec, wanted: Sequence[Wanted], label: str) -> Plan:
    """Return the plan that computes some indices in one pass over their bands."""
    reads: dict[str, None] = {}
    expressions: list[Expression] = []
    constants: dict[str, float] = {}
    written: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for one in wanted:
        held = one.reads(tile)
        values = one.settled(tile)
        reads.update(dict.fromkeys(held.values()))
        notes += [*_require_reflectance(tile, one, held), *one.doubts()]
        expression = one.entry.expression(values, one.kernel_type)
        # the names that stand in the joint kernel: variables, and constants of this index
        names = {**{name: f"{one.name}.{name}" for name in values}, **held}
        expressions.append(Expression(expression.text, _renamed(expression.tree, tuple(names.items()))))
        constants.update({f"{one.name}.{name}": value for name, value in values.items()})
        written[one.name] = _written(tile, one)
    specs = [tile.variables[name] for name in reads]
    for name, spec in zip(reads, specs, strict=True):
        if spec.dims != specs[0].dims:
            raise ParameterError(
                f"{label} reads {next(iter(reads))!r} {specs[0].dims} and {name!r} {spec.dims}",
                expected="equal dims",
            )
    nodata = tuple(spec.nodata_scalar for spec in specs)
    kernel, values_ = expression_kernel(expressions, tuple(reads), constants, nodata)
    args = (*nodata, *values_)
    writes = {name: VarSpec(specs[0].dims, attrs=attrs) for name, attrs in written.items()}
    call = Call(tuple(reads), tuple(writes), kernel, args)
    return Plan(writes=writes, calls=(call,), notes=tuple(dict.fromkeys(notes)))


def _written(tile: TileSpec, one: Wanted) -> dict[str, Any]:
    parts = (tile.attrs.get("platform"), tile.attrs.get("processing_level"))
    attrs = {
        "long_name": one.entry.long_name,
        "units": one.entry.units,
        "quantity": "index",
        "data_source": " ".join(str(part) for part in parts if part),
        "references": one.entry.reference,
        **(one.attrs or {}),
    }
    return {key: value for key, value in attrs.items() if value}


def _require_reflectance(tile: TileSpec, one: Wanted, held: Mapping[str, str]) -> tuple[str, ...]:
    """Check that bands hold what the formula takes, and return doubts."""
    notes = require_physical(tile, held.values(), one.entry.name)
    ratio = is_ratio(one.entry, one.kernel_type)
    optical = [name for letter, name in held.items() if letter not in _NO_REFLECTANCE]
    for name in optical:
        _require_no_other_quantity(one.entry, name, tile.variables[name], ratio)
    unsaid = [name for name in optical if _says_nothing(tile.variables[name])]
    if unsaid and not ratio:
        verb = "does" if len(unsaid) == 1 else "do"
        notes += (
            f"{one.entry.name} takes reflectance between 0 and 1, and {', '.join(unsaid)} {verb} not say "
            "what they hold (attribute 'quantity'): digital numbers would give nonsense",
        )
    for letter, name in held.items():
        spec = tile.variables[name]
        if letter in ("HH", "HV", "VH", "VV") and str(spec.attrs.get("units", "")).lower() == "db":
            raise QuantityError(
                f"{one.entry.name} reads {name!r}, which is in dB",
                expected="linear backscatter",
                fix="put DBToLinear first",
            )
        whole = spec.quantity is None and spec.dtype.kind in "iu"
        if (spec.quantity == "dn" or whole) and not ratio:
            what = "integers that do not say what they are" if whole else "digital numbers"
            raise QuantityError(
                f"{one.entry.name} reads {name!r}, which holds {what}, and its formula is no ratio: "
                f"{one.entry.formula}",
                expected="reflectance between 0 and 1",
                fix="open the tile without raw=True, or put DNToReflectance (scale=, offset=) first",
            )
    return notes


def _require_no_other_quantity(entry: IndexEntry, name: str, spec: VarSpec, ratio: bool) -> None:
    """Refuse optical bands that say that they are no reflectance, or reflectance on another scale."""
    units = str(spec.attrs.get("units") or "").strip()
    fix = "open the product as reflectance, or name another band"
    if spec.quantity in _OTHER_QUANTITIES or units.lower() in ("k", "kelvin"):
        said = f"holds {(spec.quantity or 'kelvin').replace('_', ' ')}"
    elif ratio:
        return  # the same for any scale that all bands share
    elif spec.quantity == "radiance" or units.lower().startswith(("w ", "w/")):
        said, fix = "holds radiance", "put RadianceToReflectance first"
    elif units.lower() in ("%", "percent"):
        said, fix = f"is in {units}", "divide it by 100, and set its attribute units='1'"
    else:
        return
    raise QuantityError(
        f"{entry.name} reads {name!r}, which {said}: {entry.formula}",
        expected="reflectance between 0 and 1",
        fix=fix,
    )


def _says_nothing(spec: VarSpec) -> bool:
    """Whether a band of floats has neither quantity nor units: a plain raster, or an array of one's own."""
    return spec.quantity is None and spec.dtype.kind == "f" and not spec.attrs.get("units")


def is_ratio(entry: IndexEntry, kernel_type: str = "rbf") -> bool:
    """Whether an index is the same for bands that are all multiplied by one number.

    Examples
    --------
    >>> from geotoolz.indices import catalogue
    >>> is_ratio(catalogue()["NDVI"]), is_ratio(catalogue()["EVI"]), is_ratio(catalogue()["DVI"])
    (True, False, False)
    """
    known = {**_KERNEL_DEFAULTS[kernel_type], **entry.defaults}
    return _degree(entry.expression(known, kernel_type).tree, known) == 0


def _degree(tree: Tree, constants: Mapping[str, float]) -> float | None:
    """Return n where a formula grows with the n-th power of its bands' scale, None where it does not so."""
    kind = tree[0]
    if kind == "num" or (kind == "name" and tree[1] not in BANDS):
        return 0
    if kind == "name":
        return 1
    if kind == "pow":
        base, exponent = _degree(tree[1], constants), tree[2]
        power = exponent[1] if exponent[0] == "num" else constants.get(exponent[1])
        return 0 if base == 0 else None if base is None or power is None else base * power
    degrees = [_degree(child, constants) for child in tree[1:]]
    if None in degrees:
        return None
    one, two = degrees[0], degrees[-1]
    if kind == "mul":
        return one + two  # type: ignore[operator]
    if kind == "div":
        return one - two  # type: ignore[operator]
    if kind == "sqrt":
        return one / 2  # type: ignore[operator]
    if kind in ("exp", "log", "log10"):
        return 0 if one == 0 else None
    return one if one == two else None


@lru_cache(maxsize=1024)
def _renamed(tree: Tree, names: tuple[tuple[str, str], ...]) -> Tree:
    if tree[0] == "num":
        return tree
    if tree[0] == "name":
        return ("name", dict(names).get(tree[1], tree[1]))
    return (tree[0], *(_renamed(child, names) for child in tree[1:]))
