"""A pipeline in whatever form it is at hand: object, YAML file or text, configuration, preset."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from geotoolz.core import ConfigError, Operator, from_config, load
from geotoolz.core._config import REF_TARGET, TARGET
from geotoolz.core._registry import canonical
from geotoolz.core._yaml import parse

PipelineLike = Operator | Mapping[str, Any] | str | os.PathLike[str]


@dataclass(frozen=True)
class Loaded:
    """A pipeline and what its text tells beyond it.

    Attributes
    ----------
    op : Operator
    aliases : tuple of (str, str, str)
        Path, old name and present name of every operator that the text calls by an old name.
    """

    op: Operator
    aliases: tuple[tuple[str, str, str], ...] = ()


def load_pipeline(source: Any, variables: Mapping[str, Any] | None = None) -> Loaded:
    """Load a pipeline.

    Parameters
    ----------
    source : Operator, mapping, str or path
        The pipeline itself, its configuration, YAML text, a YAML file or a folder that
        `geotoolz.core.save` made, the name of a preset, or anything that holds an operator as
        ``pipeline``.
    variables : mapping, optional
        Values for the places ``${name}`` of a text.

    Returns
    -------
    Loaded

    Raises
    ------
    ConfigError
        If it is nothing of these, or its text is wrong.
    """
    held = source if isinstance(source, Operator) else getattr(source, "pipeline", None)
    if isinstance(held, Operator):
        return Loaded(held)
    if isinstance(source, Mapping):
        return Loaded(from_config(source), tuple(_aliases(source, "")))
    if not isinstance(source, str | os.PathLike):
        raise ConfigError(
            f"a pipeline of type {type(source).__name__}",
            expected="an Operator, a configuration, YAML text, a file, or the name of a preset",
        )
    text = _text(source)
    whole = isinstance(source, str) and text == source
    op = load(text if whole or _is_preset(source) else source, variables=variables)
    return Loaded(op, tuple(_aliases(parse(text).value, "")))


def _text(source: str | os.PathLike[str]) -> str:
    """Return the YAML text that a source is or names."""
    from geotoolz._cli._options import pipeline_text

    if isinstance(source, str) and ("\n" in source or TARGET in source):
        return source
    return pipeline_text(os.fspath(source))[0]


def _is_preset(source: str | os.PathLike[str]) -> bool:
    from geotoolz.core._presets import preset_names

    return source in preset_names()


def _aliases(value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield path, old and present name of operators that go by an old one."""
    if isinstance(value, Mapping):
        target = value.get(TARGET)
        dotted = isinstance(target, str)
        if dotted and target != REF_TARGET and canonical(str(target)) != target:
            yield path, str(target), canonical(str(target))
        for key, item in value.items():
            step = f".{key}" if dotted and path else str(key) if dotted else f"[{key}]"
            yield from _aliases(item, f"{path}{step}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _aliases(item, f"{path}[{index}]")
