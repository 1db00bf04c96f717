"""What differs between two configurations of a pipeline, by path: why earlier tiles are stale."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

__all__ = ["Change", "changes", "files_of", "told_changes"]

_TARGET, _REF, _VERSION = "_target_", "geotoolz.core.Ref", "_version_"
_SHOWN = 3
_LONGEST = 40

Kind = Literal["value", "file", "version"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes
    ----------
    path : str
        Where in the pipeline: ``"operators[2].radius"``.
    text : str
        What was and what is: ``"3 → 5"``.
    kind : {"value", "file", "version"}
        A parameter or step; the content of a file behind a `Ref` (a model, a spectrum, a table); an operator
        whose pixels are others since.
    """

    path: str
    text: str
    kind: Kind = "value"

    def __str__(self) -> str:
        return f"{self.path} {self.text}" if self.path else self.text


def changes(then: Any, now: Any, path: str = "") -> Iterator[Change]:
    """Find the differences of two plain configurations.

    Parameters
    ----------
    then, now : mapping, list, or scalar
        As `Operator.config` returns them; ``_version_`` is compared where both have it.
    path : str
        Put in front of every path.

    Yields
    ------
    Change

    Examples
    --------
    >>> old = {"_target_": "geotoolz.radiometry.BoxMean", "radius": 3}
    >>> [str(change) for change in changes(old, {**old, "radius": 5}, "operators[2]")]
    ['operators[2].radius 3 → 5']
    """
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        yield from _of_mappings(then, now, path)
    elif isinstance(then, list) and isinstance(now, list) and _steps(then) and _steps(now):
        yield from _of_steps(then, now, path)
    elif json.dumps(then, sort_keys=True) != json.dumps(now, sort_keys=True):  # 1, 1.0 and True are three
        yield Change(path, f"{_shown(then)} → {_shown(now)}")


def _of_mappings(then: Mapping[str, Any], now: Mapping[str, Any], path: str) -> Iterator[Change]:
    if then.get(_TARGET) != now.get(_TARGET):
        yield Change(path, f"{_shown(then)} → {_shown(now)}")
        return
    if then.get(_TARGET) == _REF:
        if then.get("sha256") != now.get("sha256"):
            yield Change(path, _file_text(then, now), "file")
        return
    if _VERSION in then and _VERSION in now and then[_VERSION] != now[_VERSION]:
        text = f"{_shown(now)} makes other pixels (version {then[_VERSION]} → {now[_VERSION]})"
        yield Change(path, text, "version")
    for name in [*then, *(name for name in now if name not in then)]:
        if name in (_TARGET, _VERSION):
            continue
        where = (f"{path}.{name}" if path else name) if _TARGET in now else f"{path}[{name}]"
        if name not in now:
            yield Change(where, "is gone")
        elif name not in then:
            yield Change(where, f"is new ({_shown(now[name])})")
        else:
            yield from changes(then[name], now[name], where)


def _of_steps(then: Sequence[Any], now: Sequence[Any], path: str) -> Iterator[Change]:
    """Compare lists of operators: one that was put in, or taken out, only moves the others."""
    old_names, new_names = ([str(step[_TARGET]) for step in steps] for steps in (then, now))
    matcher = SequenceMatcher(None, old_names, new_names, autojunk=False)
    for tag, i0, i1, j0, j1 in matcher.get_opcodes():
        if tag == "equal" or (tag == "replace" and i1 - i0 == j1 - j0):
            for old, new, place in zip(then[i0:i1], now[j0:j1], range(j0, j1), strict=True):
                yield from changes(old, new, f"{path}[{place}]")
            continue
        for place in range(i0, i1):
            yield Change(f"{path}[{place}]", f"{_shown(then[place])} is gone")
        for place in range(j0, j1):
            yield Change(f"{path}[{place}]", f"{_shown(now[place])} is new")


def _steps(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, Mapping) and _TARGET in value for value in values)


def _file_text(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return f"{_file_name(now)} ({str(then.get('sha256'))[:8]} → {str(now.get('sha256'))[:8]})"


def _file_name(ref: Mapping[str, Any]) -> str:
    return os.path.basename(str(ref.get("uri", "")).rstrip("/")) or "a file"  # noqa: PTH119 - or a URL


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) and _TARGET in value:
        return _file_name(value) if value[_TARGET] == _REF else str(value[_TARGET]).rpartition(".")[2]
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def told_changes(found: Sequence[Change]) -> str:
    """Return changes in one line; the first three by name.

    Examples
    --------
    >>> told_changes([Change("radius", "3 → 5"), Change("bands[0]", "'red' → 'nir'")])
    "radius 3 → 5, bands[0] 'red' → 'nir'"
    """
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(str(change) for change in found[:_SHOWN]) + more


def files_of(config: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield path, URI and SHA-256 of every file that a configuration pins."""
    if isinstance(config, Mapping):
        if config.get(_TARGET) == _REF:
            yield path, str(config["uri"]), str(config["sha256"])
            return
        for name, value in config.items():
            where = (f"{path}.{name}" if path else name) if _TARGET in config else f"{path}[{name}]"
            yield from files_of(value, where)
    elif isinstance(config, list):
        for place, value in enumerate(config):
            yield from files_of(value, f"{path}[{place}]")
