"""What a run may spend: hours, CPU hours, bytes, money; used up, nothing more is submitted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ._driver import StopReason

__all__ = ["Budget", "BudgetMeter"]

_GB = 1e9


@dataclass(frozen=True, slots=True)
class Budget:
    """Bounds of one run; None is no bound.

    A run that reaches one starts no further tile, finishes those under way, and ends with
    `StopReason.BUDGET` and exit code 4; the next run goes on where it stopped, with the budget afresh.

    Parameters
    ----------
    hours : float, optional
        From start to end.
    cpu_hours : float, optional
        Hours that workers were busy, each counted as one CPU: what a cluster bills.
    bytes : int or str, optional
        Written outputs: ``2_000_000_000``, ``"2GB"``.
    cost : float, optional
        In the currency of the prices.
    price_cpu_hour : float, optional
        Of one busy CPU for an hour.
    price_gb : float, optional
        Of 10⁹ bytes of outputs.

    Raises
    ------
    ParameterError
        For numbers that are not positive, and a cost without a price.

    Examples
    --------
    >>> str(Budget(cpu_hours=2, bytes="1.5GB"))
    'cpu_hours=2, bytes=1500000000'
    >>> Budget(price_cpu_hour=0.04, price_gb=0.02).cost_of(cpu_hours=100, size=5e9)
    4.1
    """

    hours: float | None = None
    cpu_hours: float | None = None
    bytes: int | str | None = None
    cost: float | None = None
    price_cpu_hour: float | None = None
    price_gb: float | None = None

    def __post_init__(self) -> None:
        from geotoolz.core._errors import ParameterError
        from geotoolz.core._memory import parse_bytes

        if self.bytes is not None:
            object.__setattr__(self, "bytes", parse_bytes(self.bytes, "bytes"))
        for field in fields(self):
            value = getattr(self, field.name)
            free = field.name.startswith("price")
            if value is not None and not _positive(value, zero=free):
                raise ParameterError(
                    f"{field.name}={value!r}",
                    expected="a number of at least 0" if free else "a number above 0, or nothing",
                )
        if self.cost is not None and not (self.price_cpu_hour or self.price_gb):
            raise ParameterError(
                f"cost={self.cost:g} without a price",
                expected="what a CPU hour, or a GB, costs",
                fix="give price_cpu_hour=… or price_gb=…",
            )

    @classmethod
    def of(cls, value: Budget | Mapping[str, Any] | None) -> Budget:
        """Take a budget, or its fields by name."""
        from geotoolz.core._errors import ParameterError, nearest

        if isinstance(value, Budget):
            return value
        names = [field.name for field in fields(cls)]
        for name in value or {}:
            if name not in names:
                raise ParameterError(
                    f"the budget has no {name!r}{nearest(str(name), names)}",
                    expected=f"some of {', '.join(names)}",
                )
        return cls(**(value or {}))

    def cost_of(self, *, cpu_hours: float, size: float) -> float | None:
        """Return the price of a piece of work; None without prices."""
        if self.price_cpu_hour is None and self.price_gb is None:
            return None
        return cpu_hours * (self.price_cpu_hour or 0.0) + size / _GB * (self.price_gb or 0.0)

    def __str__(self) -> str:
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ", ".join(
            f"{name}={value if isinstance(value, int) else format(value, 'g')}"
            for name, value in given
            if value is not None
        )


def _positive(value: Any, *, zero: bool) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return number and (value >= 0 if zero else value > 0)


class BudgetMeter:
    """Counts what a run spends, and says when a further tile would go beyond.

    A tile is expected to cost what those before it cost on average; the tiles under way are counted in.
    So a bound is kept up to how tiles differ. Nothing is known until the first tile has ended: those that an
    engine takes until then (two per worker with "process") are tried in any case.

    Parameters
    ----------
    budget : Budget
    clock : callable
        Seconds that only grow.
    """

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        self.budget = budget
        self.seconds = 0.0
        self.size = 0
        self.ended = 0
        self.used_up = ""
        self._clock = clock
        self._begun = clock()

    def spend(self, seconds: float, size: int) -> None:
        """Count a tile that has ended: seconds of its worker, bytes of its outputs."""
        self.seconds += seconds
        self.size += size
        self.ended += 1

    def halt(self, running: int) -> StopReason | None:
        """Say whether one more tile, beside `running` others, would go beyond the budget."""
        if not self.used_up:
            self.used_up = self._beyond(running)
        return StopReason.BUDGET if self.used_up else None

    def _beyond(self, running: int) -> str:
        budget, mean = self.budget, self.seconds / self.ended if self.ended else 0.0
        share = (self.ended + running + 1) / self.ended if self.ended else 0.0
        cpu_hours, size = self.seconds / 3600.0 * share, self.size * share
        expected: dict[str, float | None] = {
            "hours": (self._clock() - self._begun + mean) / 3600.0,
            "cpu_hours": cpu_hours,
            "bytes": size,
            "cost": budget.cost_of(cpu_hours=cpu_hours, size=size),
        }
        for name, value in expected.items():
            bound = getattr(budget, name)
            if bound is not None and value is not None and value > bound:
                return f"{name}={bound:.12g}"
        return ""
