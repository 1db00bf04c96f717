"""What a user may say of a run on Ray, checked before Ray is imported."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from geotoolz.core import ParameterError

__all__ = ["Placement", "RayOptions", "check_bytes"]

Placement = Literal["pack", "spread"]

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {f"{name}i": 2 ** (10 * power) for power, name in enumerate("KMGT", start=1)}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?\s*")
#: resources that Ray has options of their own for
_OWN = {"CPU": "cpus", "GPU": "gpus", "memory": "memory", "object_store_memory": "object_store_memory"}


@dataclass(frozen=True)
class RayOptions:
    """The options of `RayEngine`, with its names, checked."""

    address: str = "local"
    runtime_env: Mapping[str, Any] | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    memory: int | str | None = None
    resources: Mapping[str, float] | None = None
    placement: Placement = "pack"
    actors: bool = False
    in_flight: int = 1
    patience: float = 300.0
    object_store_memory: int | str | None = None
    temp_dir: str | None = None
    #: what one task asks for, by Ray's names of the resources
    need: Mapping[str, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check every option, and the whole of them."""
        if not _is_text(self.address):
            raise ParameterError(
                f"address={self.address!r}", expected="'local', 'auto', 'host:port' or 'ray://host:port'"
            )
        if self.placement not in get_args(Placement):
            raise ParameterError(f"placement={self.placement!r}", expected="'pack' or 'spread'")
        if type(self.in_flight) is not int or self.in_flight < 1:
            raise ParameterError(f"in_flight={self.in_flight!r}", expected="a whole number of at least 1")
        if type(self.actors) is not bool:
            raise ParameterError(f"actors={self.actors!r}", expected="true or false")
        if self.in_flight > 1 and not self.actors:
            raise ParameterError(
                f"in_flight={self.in_flight} without actors",
                expected="1: a plain worker runs one task at a time",
                fix="actors=True, or fewer cpus= per task",
            )
        _check_amount("patience", self.patience)
        check_bytes("object_store_memory", self.object_store_memory)
        _check_runtime_env(self.runtime_env)
        object.__setattr__(self, "need", self._need())

    def _need(self) -> dict[str, float]:
        need = {"CPU": _check_amount("cpus", self.cpus), "GPU": _check_amount("gpus", self.gpus)}
        memory = check_bytes("memory", self.memory)
        if memory:
            need["memory"] = float(memory)
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ParameterError(f"gpus={self.gpus}", expected="a part of one GPU, or whole ones")
        for name, amount in _mapping("resources", self.resources).items():
            if name in _OWN:
                raise ParameterError(f"resources has {name!r}", expected=f"it as {_OWN[name]}=")
            need[name] = _check_amount(f"resources[{name!r}]", amount)
        asked = {name: amount for name, amount in need.items() if amount > 0}
        if not asked:
            raise ParameterError(
                "a task that asks for nothing", expected="cpus, gpus, memory or a resource above 0"
            )
        return asked

    def of_task(self) -> dict[str, Any]:
        """Return what ``ray.remote`` takes for a task or an actor of the run."""
        custom = {k: v for k, v in self.need.items() if k not in _OWN}
        options: dict[str, Any] = {
            "num_cpus": self.cpus,
            "num_gpus": self.gpus,
            "scheduling_strategy": "SPREAD" if self.placement == "spread" else "DEFAULT",
        }
        if "memory" in self.need:
            options["memory"] = int(self.need["memory"])
        if custom:
            options["resources"] = custom
        return options


def check_bytes(name: str, value: int | str | None) -> int | None:
    """Return a number of bytes of 2000000000, "2GB" or "1.5GiB".

    Raises
    ------
    ParameterError

    Examples
    --------
    >>> [check_bytes("memory", value) for value in ("2G", "1.5GiB", "512 MiB", 7, None)]
    [2000000000, 1610612736, 536870912, 7, None]
    """
    if value is None or (type(value) is int and value > 0):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not float(match[1]):
        raise ParameterError(f"{name}={value!r}", expected="bytes, such as 2000000000, '2GB' or '1.5GiB'")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def _check_amount(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ParameterError(f"{name}={value!r}", expected="a number of at least 0")
    return float(value)


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ParameterError(f"{name}={value!r}", expected="names and values, such as {name: value}")
    return value


def _check_runtime_env(value: Any) -> None:
    variables = _mapping("runtime_env", value).get("env_vars")
    for name, text in _mapping("runtime_env['env_vars']", variables).items():
        if not isinstance(text, str):
            raise ParameterError(
                f"runtime_env['env_vars'][{name!r}] is {text!r}",
                expected="a text: environment variables are texts",
                fix=f"quote it: {name}: '{text}'",
            )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""
