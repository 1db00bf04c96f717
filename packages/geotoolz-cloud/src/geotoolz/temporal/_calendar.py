"""Calendar bins: ISO weeks, months, numbers of days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import ParameterError

_PATTERN = re.compile(r"([1-9][0-9]{0,3})([DM])")
_NAMES = {"daily": (1, "D"), "weekly": (7, "D"), "monthly": (1, "M"), "yearly": (12, "M")}
_MONDAY = 4
"""Days from 1970-01-01, a Thursday, to the first Monday."""


@dataclass(frozen=True)
class Every:
    """A step of the calendar: so many days counted from `origin`, or so many months from January."""

    number: int
    unit: str
    origin: int = 0

    @classmethod
    def parse(cls, text: str) -> Every:
        """Read ``"weekly"``, ``"monthly"``, ``"10D"``, ``"3M"``.

        Raises
        ------
        ParameterError
            For anything else.
        """
        match = _PATTERN.fullmatch(text)
        number, unit = (int(match[1]), match[2]) if match else _NAMES.get(text, (0, ""))
        if not number or (unit == "M" and 12 % number):
            raise ParameterError(
                f"every={text!r}",
                expected=f"one of {', '.join(_NAMES)}; days as '10D'; months as '1M', '2M', '3M', '4M', '6M'",
            )
        return cls(number, unit, _MONDAY if text == "weekly" else 0)

    def bin_of(self, times: Any) -> Any:
        """Return the number of the bin that each time lies in."""
        counted = times.astype(f"datetime64[{self.unit}]").astype(np.int64)
        return (counted - self.origin) // self.number

    def starts(self, first: int, last: int) -> Any:
        """Return when the bins `first` to `last` begin."""
        counted = np.arange(first, last + 1) * self.number + self.origin
        return counted.astype(f"datetime64[{self.unit}]").astype("datetime64[ns]")
