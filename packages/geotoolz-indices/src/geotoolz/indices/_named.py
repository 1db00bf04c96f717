"""The base of indices that people know by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from geotoolz.core import Map, Plan, TileSpec
from geotoolz.indices._catalogue import find_entry
from geotoolz.indices._formula import Wanted, plan_formulas


class NamedIndex(Map, abstract=True):
    """Base of classes for one index of the catalogue: fields for its bands, its constants and the name."""

    index: ClassVar[str] = ""
    letters: ClassVar[Mapping[str, str]] = {}
    symbols: ClassVar[Mapping[str, str]] = {}

    def _wanted(self) -> Wanted:
        fields = self.parameters()
        bands = {letter: fields[name] for letter, name in self.letters.items()}
        constants = {symbol: fields[name] for symbol, name in self.symbols.items()}
        return Wanted(find_entry(self.index), fields["name"], bands, constants)

    def validate(self) -> None:
        """Check the constants."""
        self._wanted().validate()

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands, write the index."""
        return plan_formulas(tile, (self._wanted(),), type(self).__name__)
