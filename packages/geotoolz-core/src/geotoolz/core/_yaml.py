"""YAML by the rules of version 1.2, with line numbers and limits.

PyYAML's own constructors follow version 1.1 (``no`` is false, ``1e-3`` is a string, ``010`` is 8)
and let the last of two equal keys win. Here the nodes are read by PyYAML and turned into values by
the core schema of YAML 1.2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from geotoolz.core._errors import ConfigError

_INT = re.compile(r"[-+]?[0-9]+")
_DIGITS = 1000  # far above any parameter, and below where Python itself refuses
_OCT, _HEX = re.compile(r"0o[0-7]+"), re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INF = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".nan": math.nan, ".NaN": math.nan, ".NAN": math.nan,
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What an untrusted text may cost.

    Parameters
    ----------
    size, depth, nodes, scalar : int
        Bytes of text, nesting, number of nodes, characters of one value.
    """

    size: int = 64 * 1024
    depth: int = 32
    nodes: int = 2000
    scalar: int = 1024


@dataclass(frozen=True)
class Document:
    """A parsed text.

    Attributes
    ----------
    value : object
        Mappings, lists, strings, numbers, booleans, None.
    lines : dict of str to int
        Line of every path (``"operators[1].index"``), from 1.
    """

    value: Any
    lines: dict[str, int]

    def line_of(self, path: str) -> int | None:
        """Return the line on which a path of the document starts."""
        return self.lines.get(path)


def scalar(text: str) -> Any:
    """Return the value of a plain (unquoted) scalar by the core schema of YAML 1.2.

    Examples
    --------
    >>> [scalar(s) for s in ("no", "1e-3", "010", "0o10", "true", "~", "2024-01-01")]
    ['no', 0.001, 10, 8, True, None, '2024-01-01']
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        if len(text) > _DIGITS:
            raise ConfigError(f"a number has {len(text)} digits", expected=f"at most {_DIGITS}")
        return int(text)
    if _OCT.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    infinite = _INF.fullmatch(text)
    if infinite:
        return -math.inf if infinite[1] == "-" else math.inf
    return text


def parse(text: str, *, limits: Limits | None = None) -> Document:
    """Parse one YAML document.

    Parameters
    ----------
    text : str
        The text.
    limits : Limits, optional
        Bounds for untrusted text; aliases, anchors, tags, merge keys, NaN and infinity are then
        refused as well.

    Returns
    -------
    Document

    Raises
    ------
    ConfigError
        With the line.
    """
    try:
        _prescan(text, limits)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[str, int] = {}
        value: Any = None if node is None else _value(node, "", lines, strict=limits is not None)
    except yaml.YAMLError as error:
        raise ConfigError(
            _explained(error), expected="a YAML document", fix="correct the text there"
        ) from error
    except RecursionError as error:
        raise ConfigError("the text is nested too deeply, or an alias holds itself") from error
    return Document(value, lines)


class _Bounded(yaml.SafeLoader):
    """Refuses deep brackets before it looks for their end.

    A bracket may begin a key, which the scanner of PyYAML finds out by reading on, with all open brackets in
    mind at each: a second for a line of them.
    """

    most: int | None = None

    def fetch_flow_collection_start(self, kind: Any) -> None:
        if self.most is not None and self.flow_level >= self.most:
            raise _too_deep(self.line + 1, self.most)
        super().fetch_flow_collection_start(kind)


def _events(text: str, limits: Limits | None) -> Iterator[Any]:
    # the pure-Python parser: the C one crashes on deep nesting
    loader = _Bounded(text)
    loader.most = None if limits is None else limits.depth
    try:
        while loader.check_event():
            yield loader.get_event()  # type: ignore[no-untyped-call]
    finally:
        loader.dispose()


def _too_deep(line: int, most: int) -> ConfigError:
    return ConfigError(f"line {line}: nested more than {most} levels deep")


def _prescan(text: str, limits: Limits | None) -> None:
    """Refuse tags; and whatever an untrusted text may not have."""
    size = len(text.encode("utf-8", "replace"))
    if limits is not None and size > limits.size:
        raise ConfigError(f"the text has {size} bytes", expected=f"at most {limits.size}")
    depth = nodes = 0
    for event in _events(text, limits):
        line = event.start_mark.line + 1 if event.start_mark is not None else 0
        tag = getattr(event, "tag", None)
        if tag:
            raise ConfigError(f"line {line}: tags such as {tag!r} are not supported")
        if limits is None:
            continue
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ConfigError(f"line {line}: anchors and aliases are not allowed here")
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > limits.scalar:
            raise ConfigError(
                f"line {line}: a value has {len(event.value)} characters", expected=f"at most {limits.scalar}"
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        nodes += isinstance(event, yaml.NodeEvent)
        if depth > limits.depth:
            raise _too_deep(line, limits.depth)
        if nodes > limits.nodes:
            raise ConfigError(f"line {line}: more than {limits.nodes} values")


def _value(node: yaml.Node, path: str, lines: dict[str, int], *, strict: bool) -> Any:
    line = node.start_mark.line + 1
    lines[path] = line
    if isinstance(node, yaml.ScalarNode):
        return _scalar_of(node, line, strict)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, f"{path}[{i}]", lines, strict=strict) for i, item in enumerate(node.value)]
    found: dict[str, Any] = {}
    for key_node, item in node.value:
        key = _key(key_node)
        if key in found:
            raise ConfigError(
                f"line {key_node.start_mark.line + 1}: the key {key!r} stands twice", fix="remove one"
            )
        here = (f"{path}.{key}" if path else key) if _is_object(node) else f"{path}[{key}]"
        found[key] = _value(item, here, lines, strict=strict)
    return found


def _is_object(node: yaml.Node) -> bool:
    return any(getattr(key, "value", None) == "_target_" for key, _ in node.value)


def _key(node: yaml.Node) -> str:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.ScalarNode):
        raise ConfigError(f"line {line}: a key is no plain text")
    if node.value == "<<" and node.style is None:
        raise ConfigError(f"line {line}: merge keys (<<) are not supported", fix="write the keys out")
    return str(node.value)


def _scalar_of(node: yaml.ScalarNode, line: int, strict: bool) -> Any:
    value = scalar(node.value) if node.style is None else node.value
    if strict and isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"line {line}: {node.value} is not allowed here")
    if strict and isinstance(value, int) and abs(value) >= 2**63:
        raise ConfigError(f"line {line}: the number {node.value} is too large")
    return value


def _explained(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark is not None else str(problem)


class _Dumper(yaml.SafeDumper):
    """Block style, and quotes wherever a plain scalar would be read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_str(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # quoted: what would be read as something else, and line breaks that readers fold or drop
    plain = isinstance(scalar(value), str) and all(c.isprintable() or c == "\n" for c in value)
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


def _represent_float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    if math.isfinite(value):
        text = repr(value)
        if "e" in text and "." not in text:  # 1e-05 is a number in YAML 1.2 and a string in 1.1
            text = text.replace("e", ".0e")
    else:
        text = ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


def _represent_list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.SequenceNode:
    flat = all(isinstance(item, bool | int | float | str) or item is None for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flat)


_Dumper.add_representer(str, _represent_str)
_Dumper.add_representer(float, _represent_float)
_Dumper.add_representer(list, _represent_list)


def dump_yaml(value: Any) -> str:
    """Return plain values as YAML text that `parse` reads back equal."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=100, allow_unicode=True
    )
    return text
