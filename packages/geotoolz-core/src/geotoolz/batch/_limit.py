"""How many failures a run takes before it stops."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

__all__ = ["FailureLimit"]

_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
#: tasks that must have ended before a percentage may stop a run: of five tiles, one is 20 %
_MIN_ENDED = 20


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """The failures that are allowed: a number, or a share of all tiles of the run.

    A number stops the run when it is exceeded. A share is judged against the tiles that the run has to do: it
    stops when more than that have failed, or when the first 20 all failed (something is wrong for all); never
    before 20 tiles have ended, so a small job is tried to its end. At the end the share is judged in every
    case: one broken scene of twelve is 8 %, more than the default of 2 %, and the run's exit code is 4. Say
    ``max_failures=1`` or ``"10%"`` where broken scenes are expected.

    Parameters
    ----------
    count : int, optional
    share : float, optional
        0.02 for 2 %. Exactly one of the two is given.

    Examples
    --------
    >>> limit = FailureLimit.of("2%")
    >>> [limit.exceeded(failed=1, ended=12, total=12, over=over) for over in (False, True)]
    [False, True]
    >>> FailureLimit.of(3).exceeded(failed=4, ended=4, total=100, over=False)
    True
    """

    count: int | None = None
    share: float | None = None

    @classmethod
    def of(cls, value: int | str | FailureLimit) -> FailureLimit:
        """Make a limit from what a user writes: 5, "5", "2%"."""
        from geotoolz.core._errors import ParameterError

        if isinstance(value, FailureLimit):
            return value
        if isinstance(value, str):
            match = _PERCENT.fullmatch(value)
            if match and float(match[1]) <= 100.0:
                return cls(share=float(match[1]) / 100.0)
            value = int(value) if value.strip().isdigit() else value
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return cls(count=value)
        raise ParameterError(
            f"max_failures={value!r}",
            expected="a whole number (0, 5) or a percentage ('2%')",
            fix="'100%' allows any number",
        )

    def allowed(self, total: int) -> int:
        """Return how many of `total` tiles may fail."""
        if self.count is not None:
            return self.count
        return math.floor((self.share or 0.0) * total + 1e-9)

    def exceeded(self, *, failed: int, ended: int, total: int, over: bool) -> bool:
        """Say whether the run has to stop (or, when it is `over`, whether it went past the limit)."""
        if self.count is not None or over:
            return failed > self.allowed(total)
        if ended < _MIN_ENDED or failed == 0:
            return False
        return failed > self.allowed(total) or (failed == ended and (self.share or 0.0) < 1.0)

    def __str__(self) -> str:
        return str(self.count) if self.count is not None else f"{100.0 * (self.share or 0.0):g}%"
