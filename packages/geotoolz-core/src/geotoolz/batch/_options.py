"""Checking what a user gives to a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

__all__ = ["check_on_error", "check_positive", "check_shard", "check_stale_on"]


def check_on_error(value: str) -> Literal["raise", "log"]:
    from geotoolz.core._errors import ParameterError

    if value in ("log", "log_and_continue"):
        return "log"
    if value == "raise":
        return "raise"
    raise ParameterError(f"on_error={value!r}", expected="'log' (or 'log_and_continue') or 'raise'")


def check_shard(value: tuple[int, int] | None) -> tuple[int, int] | None:
    from geotoolz.core._errors import ParameterError

    if value is None:
        return None
    part, total = value
    if type(part) is not int or type(total) is not int or not 1 <= part <= total:
        raise ParameterError(
            f"shard={value!r}", expected="(i, n) with 1 ≤ i ≤ n", fix="array jobs that count from 0: add 1"
        )
    return (part, total)


def check_positive(name: str, value: Any) -> Any:
    from geotoolz.core._errors import ParameterError

    if value is not None and not (isinstance(value, (int, float)) and value > 0):
        raise ParameterError(f"{name}={value!r}", expected="a positive number, or None")
    return value


def check_stale_on(value: str | Sequence[str]) -> tuple[str, ...]:
    from geotoolz.core._errors import ParameterError

    wishes = (value,) if isinstance(value, str) else tuple(value)
    for wish in wishes:
        if wish not in ("code", "environment"):
            raise ParameterError(f"stale_on={wish!r}", expected="'code' or 'environment'")
    return wishes


def check_tiles(value: Sequence[str] | None) -> tuple[str, ...] | None:
    from geotoolz.core._errors import ParameterError

    if value is None:
        return None
    if isinstance(value, str) or not all(isinstance(name, str) for name in value) or not value:
        raise ParameterError(f"tiles={value!r}", expected="ids of tiles, one or more")
    return tuple(value)
