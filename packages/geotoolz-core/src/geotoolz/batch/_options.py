"""Checking what a user gives to a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ._engine import Engine

__all__ = [
    "check_on_error",
    "check_positive",
    "check_shard",
    "check_stale_on",
    "check_tiles",
    "check_timeout",
    "refuse_homeless",
]


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
            f"shard {part}/{total}",
            expected="part i of n, 1 ≤ i ≤ n",
            fix="array jobs that count from 0: add 1",
        )
    return (part, total)


def check_positive(name: str, value: Any) -> Any:
    from geotoolz.core._errors import ParameterError

    if value is not None and not (isinstance(value, (int, float)) and value > 0):
        raise ParameterError(f"{name}={value!r}", expected="a positive number, or None")
    return value


def check_timeout(value: Any, engine: Any) -> Any:
    from geotoolz.core._errors import ParameterError

    if value is not None and getattr(engine, "name", engine) == "inline":
        raise ParameterError(
            f"timeout={value!r} with engine='inline': nobody could end the tile",
            expected="an engine with workers of its own",
            fix="take engine='process', or leave timeout=… out",
        )
    return check_positive("timeout", value)


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


def refuse_homeless(sign: Any, engine: str | Engine) -> None:
    """Refuse a function that other processes cannot import.

    Raises
    ------
    ParameterError
    """
    from geotoolz.core._errors import ParameterError

    if callable(sign) and engine != "inline":
        raise ParameterError(
            f"read={{'sign': {sign!r}}} with engine={engine!r}: other processes cannot import this function",
            expected="a registered name, or a function of a module",
            fix="say 'module:name', register it in the group geotoolz.signers, or take engine='inline'",
        )
