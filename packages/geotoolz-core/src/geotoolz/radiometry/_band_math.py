"""Formulas of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

import numpy as np

from geotoolz.core import Call, Map, ParameterError, Plan, Role, TileError, TileSpec, VarSpec
from geotoolz.core._expression import Expression, parse
from geotoolz.core._expression_kernel import expression_kernel


class BandMath(Map):
    """New variables from formulas of bands: ``name = formula(bands)``, any number in one pass.

    A formula holds numbers, names, ``+ - * / **``, parentheses and the functions ``abs exp log log10 max
    min sqrt where``; ``where(condition, then, else)`` takes comparisons joined by ``and``, ``or``, ``not``.
    A name is a constant, or a variable of the tile by name, role or sensor's band name. Everything else
    (attributes, other calls, indexing, exponents above 16, nesting) is refused when the operator is made.
    Nothing is ever evaluated as code: a compiled loop is written from the checked syntax tree.

    Reads the bands in the formulas, which share their dims: ``(y, x)`` or ``(time, y, x)``; any integer,
    boolean or float type, which becomes float64 before the first operation, so that integers never
    wrap. Writes one float32 variable per formula, rounded once; a variable that exists is replaced. NaN
    where any band in the formula has no data, where something is divided by 0, and for whatever is not
    finite. Values are taken as they are, digital numbers too. Looks at single pixels.

    Parameters
    ----------
    formula : str or mapping of str to str
        One formula, or new name → formula.
    name : str
        Name of the new variable, for one formula.
    variables : mapping of str to str
        Name in the formulas → variable, role or sensor's band name, where they differ.
    constants : mapping of str to float
        Name in the formulas → number. Operators that differ in constants only (not in exponents) share
        compiled code.
    units, long_name, quantity : str or mapping of str to str, optional
        Attributes of the new variables; a mapping gives them by name. By default units are ``"1"`` and the
        long name is the formula.

    Raises
    ------
    ParameterError
        For a formula that holds anything else, naming the column; for an exponent that depends on a band.
    MissingVariableError
        If the tile lacks a band.
    TileError
        If the bands' dims differ.

    References
    ----------
    IEEE 754 arithmetic in float64 in the order written; powers with whole exponents are products.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import BandMath
    >>> tile = simulate_scene((8, 8))
    >>> BandMath("(nir - red) / (nir + red)", name="ndvi")(tile).ndvi.dtype
    dtype('float32')
    >>> two = BandMath({"ratio": "n / red", "bright": "where(red > limit, 1, 0)"},
    ...                variables={"n": "nir"}, constants={"limit": 0.2})
    >>> [name for name in two(tile).data_vars if name not in tile]
    ['ratio', 'bright']
    """

    formula: str | Mapping[str, str] = ""  # there is no default: `validate` refuses it
    name: str = "band_math"
    variables: Mapping[str, Role] = field(default_factory=dict)
    constants: Mapping[str, float] = field(default_factory=dict)
    units: str | Mapping[str, str] = "1"
    long_name: str | Mapping[str, str] | None = None
    quantity: str | Mapping[str, str] | None = None

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Take no formula for an empty one, of which `validate` knows what to say."""
        return {**values, "formula": "" if values["formula"] is None else values["formula"]}

    def validate(self) -> None:
        """Check the formulas."""
        if isinstance(self.formula, Mapping) and self.name != "band_math":
            raise ParameterError(f"name={self.name!r} beside a mapping of formulas", fix="leave name out")
        if not self.formula:
            raise ParameterError(
                "BandMath has no formula",
                expected="one at least",
                fix=f"BandMath('(nir - red) / (nir + red)', name={self.name!r})",
            )
        both = sorted(set(self.variables) & set(self.constants))
        if both:
            raise ParameterError(f"{both[0]!r} is a variable and a constant", expected="one of the two")
        used = {name for expression in self._expressions().values() for name in expression.names}
        for kind in ("variables", "constants"):
            idle = [name for name in getattr(self, kind) if name not in used]
            if idle:
                raise ParameterError(f"{kind} has {idle[0]!r}", expected=", ".join(sorted(used)))
        expressions = tuple(self._expressions().values())
        bands = tuple(name for name in used if name not in self.constants)
        expression_kernel(expressions, bands, self.constants)  # exponents are checked here

    def _expressions(self) -> dict[str, Expression]:
        formulas = self.formula if isinstance(self.formula, Mapping) else {self.name: self.formula}
        return {name: parse(text) for name, text in formulas.items()}

    def plan(self, tile: TileSpec) -> Plan:
        """Read every band once, write one variable per formula."""
        expressions = self._expressions()
        names = dict.fromkeys(n for e in expressions.values() for n in e.names if n not in self.constants)
        if not names:
            raise ParameterError("the formula reads no band", expected="the name of a band")
        reads = tuple(self._variable(tile, name) for name in names)
        specs = [tile.variables[name] for name in reads]
        for name, spec in zip(reads, specs, strict=True):
            if spec.dims != specs[0].dims:
                raise TileError(
                    f"BandMath reads {reads[0]!r} {specs[0].dims} and {name!r} {spec.dims}",
                    expected="equal dims",
                )
        nodata = tuple(spec.nodata_scalar for spec in specs)
        kernel, values = expression_kernel(tuple(expressions.values()), tuple(names), self.constants, nodata)
        writes = {name: VarSpec(specs[0].dims, attrs=self._attrs(name, e)) for name, e in expressions.items()}
        args = (*nodata, *values)
        return Plan(writes=writes, calls=(Call(reads, tuple(writes), kernel, args),))

    def _variable(self, tile: TileSpec, name: str) -> str:
        found = tile.find(self.variables.get(name, name), "BandMath")
        dtype = tile.variables[found].dtype
        if dtype.kind not in "biuf" or dtype == np.float16:
            raise TileError(f"BandMath reads {found!r}, which is {dtype}", expected="numbers")
        return found

    def _attrs(self, name: str, expression: Expression) -> dict[str, Any]:
        given = {"units": self.units, "long_name": self.long_name, "quantity": self.quantity}
        attrs = {k: v.get(name) if isinstance(v, Mapping) else v for k, v in given.items()}
        attrs["long_name"] = attrs["long_name"] or expression.text
        return {k: v for k, v in attrs.items() if v is not None}
