"""Between operators and plain configuration: mappings, lists, strings, numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from geotoolz.core import _registry
from geotoolz.core._errors import ConfigError, GeotoolzError, ParameterError
from geotoolz.core._frozen_array import FrozenArray
from geotoolz.core._operator import Operator, check_parameter_names, is_default, join
from geotoolz.core._ref import Ref

TARGET = "_target_"
REF_TARGET = "geotoolz.core.Ref"

Finder = Callable[[str], type[Operator]]
Binder = Callable[[FrozenArray], Ref]


def to_config(op: Operator, *, defaults: bool = True, bind: Binder | None = None) -> dict[str, Any]:
    """Return an operator's configuration.

    Parameters
    ----------
    op : Operator
        The operator.
    defaults : bool
        Whether parameters with their default value are listed.
    bind : callable, optional
        Returns the reference that stands for an array in memory.

    Raises
    ------
    ConfigError
        If a part of it exists in memory only.
    """
    reason = unconfigurable(op, arrays=bind is not None)
    if reason:
        raise ConfigError(f"{reason[0]} cannot be saved as configuration: {reason[1]}")
    return _Plainer(defaults, bind).plain(op, "")  # type: ignore[no-any-return]


def unconfigurable(op: Operator, path: str = "", *, arrays: bool = False) -> tuple[str, str] | None:
    """Return which step cannot be saved and why, or None; `arrays` in memory may be no obstacle."""
    for where, child in op.walk(path):
        label = f"{where} ({type(child).__name__})" if where else type(child).__name__
        why = getattr(child, "unsaveable", None)
        if why:
            return label, why
        if "<locals>" in type(child).__qualname__:
            return label, "its class is defined inside a function; move it to a module"
        held = (
            []
            if arrays
            else [f.name for f in dataclasses.fields(child) if _holds_array(getattr(child, f.name))]
        )
        if held:
            return (
                label,
                f"its {held[0]} is an array in memory; "
                "geotoolz.core.save(pipeline, folder) writes it to a file",
            )
    return None


def _holds_array(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(map(_holds_array, value))
    if isinstance(value, Mapping):
        return any(map(_holds_array, value.values()))
    return isinstance(value, FrozenArray)


class _Plainer:
    """Turns values into what a configuration holds."""

    def __init__(self, defaults: bool, bind: Binder | None) -> None:
        self.defaults = defaults
        self.bind = bind

    def plain(self, value: Any, path: str) -> Any:
        if isinstance(value, Operator):
            own = {
                f.name: self.plain(getattr(value, f.name), join(path, f.name))
                for f in dataclasses.fields(value)
                if self.defaults or not is_default(value, f)
            }
            return {TARGET: value.target(), **own}
        if isinstance(value, FrozenArray) and self.bind is not None:
            value = self.bind(value)
        if isinstance(value, Ref):
            return {TARGET: REF_TARGET, "uri": value.uri, "sha256": value.sha256}
        if isinstance(value, Mapping):
            return {str(key): self.plain(item, f"{path}[{key}]") for key, item in value.items()}
        if isinstance(value, tuple | list):
            return [self.plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
        if isinstance(value, np.generic):
            return value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise ConfigError(
            f"{path} holds a {type(value).__name__}, which exists in memory only",
            fix="save it to a file and give its geotoolz.core.Ref",
        )


def from_config(
    config: Any, *, find: Finder | None = None, line_of: Callable[[str], int | None] | None = None
) -> Operator:
    """Build an operator from its configuration.

    Parameters
    ----------
    config : mapping
        With ``_target_`` and the parameters.
    find : callable, optional
        Turns a ``_target_`` into a class; by default the registry, which may import.
    line_of : callable, optional
        Returns the line on which a path of the configuration stands, for messages.

    Returns
    -------
    Operator

    Raises
    ------
    UnknownOperatorError
        If a target is not known.
    ConfigError
        If the structure is wrong.
    ParameterError
        If a parameter is.
    """
    built = _Loader(find or _registry.find, line_of or (lambda path: None)).build(config, "")
    if not isinstance(built, Operator):
        raise ConfigError(
            f"the configuration is {_kind(config)}", expected=f"a mapping with {TARGET!r}: an operator's path"
        )
    return built


class _Loader:
    def __init__(self, find: Finder, line_of: Callable[[str], int | None]) -> None:
        self.find = find
        self.line_of = line_of

    def build(self, value: Any, path: str) -> Any:
        if isinstance(value, Mapping):
            if TARGET in value:
                return self._object(value, path)
            return {key: self.build(item, f"{path}[{key}]") for key, item in value.items()}
        if isinstance(value, list | tuple):
            return tuple(self.build(item, f"{path}[{i}]") for i, item in enumerate(value))
        return value

    def _object(self, value: Mapping[str, Any], path: str) -> Any:
        target = value[TARGET]
        try:
            if not isinstance(target, str):
                raise ConfigError(f"{TARGET} is {target!r}", expected="the import path of an operator")
            own = {k: self.build(v, join(path, str(k))) for k, v in value.items() if k != TARGET}
            if target == REF_TARGET:
                return self._ref(own)
            cls = self.find(target)
            check_parameter_names(cls, own)
            made = cls(**own)
            self._refuse_arrays(made, own)
            return made
        except GeotoolzError as error:
            raise self._located(error, path) from error

    def _refuse_arrays(self, made: Operator, own: Mapping[str, Any]) -> None:
        """Refuse numbers in the text where an array belongs: the pipeline could not be written again."""
        for name in own:
            if _holds_array(getattr(made, name, None)):
                error = ParameterError(
                    f"{type(made).__name__}: the text holds numbers for {name}, which is an array",
                    expected=f"a file: {name}: {{_target_: {REF_TARGET}, uri: …, sha256: …}}",
                    fix="make the pipeline in Python; geotoolz.core.save writes it with its arrays",
                )
                error.parameter = name  # type: ignore[attr-defined]
                raise error

    def _ref(self, own: Mapping[str, Any]) -> Ref:
        if set(own) != {"uri", "sha256"} or not all(isinstance(v, str) for v in own.values()):
            raise ParameterError(f"Ref has {sorted(own)}", expected="the strings uri and sha256")
        return Ref(own["uri"], own["sha256"])

    def _located(self, error: GeotoolzError, path: str) -> GeotoolzError:
        if getattr(error, "path", None) is not None:
            return error
        parameter = getattr(error, "parameter", None)
        line = self.line_of(join(path, parameter)) if parameter else None
        line = self.line_of(path) if line is None else line
        where = [f"line {line}"] if line is not None else []
        where += [path] if path else []
        located = error.prefixed(", ".join(where)) if where else error
        located.path = path  # type: ignore[attr-defined]
        return located


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"a mapping without {TARGET!r}"
    return "empty" if value is None else f"a {type(value).__name__}"


def normalised(value: Any) -> Any:
    """Return a value in the form that canonical JSON takes: no NaN, no large integers.

    Examples
    --------
    >>> normalised({"a": float("nan"), "b": 2**60, "c": (1, 2.0)})
    {'a': 'NaN', 'b': '1152921504606846976', 'c': [1, 2.0]}
    """
    if isinstance(value, Mapping):
        return {str(key): normalised(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [normalised(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= 2**53 else str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return value
    raise ConfigError(f"cannot hash a {type(value).__name__}")
