"""Filling in what a job's text leaves open: overrides, places, and the pipeline that it names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._job_spec import JobSpec, validated

if TYPE_CHECKING:
    from geotoolz.core import Operator

__all__ = ["STEP", "overridden", "placed", "resolved"]

#: one step of a path such as ``pipeline.operators[0].radius``
STEP = re.compile(r"[^.\[\]]+|\[\d+\]")


def placed(path: str, folder: Path) -> str:
    """Return a path as it is meant: relative to a folder, unless it is absolute or an address."""
    return path if "://" in path or Path(path).is_absolute() else os.path.normpath(folder / path)


def resolved(
    value: Any, variables: Mapping[str, Any], folder: Path, line_of: Any
) -> tuple[JobSpec, Operator]:
    """Fill in places, check, and load the pipeline."""
    from geotoolz.core._load import interpolate

    inline = value.get("pipeline") if isinstance(value, Mapping) else None
    rest = {name: one for name, one in value.items() if name != "pipeline"} if inline else value
    filled = interpolate(rest, variables, env=True, line_of=line_of)
    spec = validated({**filled, "pipeline": inline} if inline else filled, line_of)
    return spec, _pipeline_of(spec, {**spec.set, **variables}, folder, line_of)


def _pipeline_of(spec: JobSpec, variables: Mapping[str, Any], folder: Path, line_of: Any) -> Operator:
    """Load the pipeline: a file, a preset, or what stands in the job itself."""
    from geotoolz.core import load
    from geotoolz.core._config import from_config
    from geotoolz.core._load import _resolved_refs, interpolate
    from geotoolz.core._presets import preset_names, refuse_together

    if not isinstance(spec.pipeline, str):

        def line(path: str) -> int | None:
            found: int | None = line_of(f"[pipeline].{path}" if path else "[pipeline]")
            return found

        filled = interpolate(spec.pipeline, variables, env=True, line_of=line)
        return from_config(_resolved_refs(filled, folder), line_of=line)
    if spec.pipeline in preset_names():
        from geotoolz import preset

        refuse_together(spec.pipeline)
        return preset(spec.pipeline, sink=True, **variables)
    path = placed(spec.pipeline, folder)
    if not Path(path).exists():
        from geotoolz.core._errors import ConfigError, nearest

        raise ConfigError(
            f"line {line_of('[pipeline]')}: pipeline is {spec.pipeline!r}"
            f"{nearest(spec.pipeline, preset_names())}",
            expected=f"a YAML file ({path} does not exist), or one of {', '.join(preset_names())}",
        )
    return load(path, variables=variables)


def overridden(document: Any, name: str, given: Any) -> Any:
    """Return the document with one value replaced; the parts on the way are made where they are missing."""
    from geotoolz.core._errors import ParameterError

    steps = STEP.findall(name)
    if not steps or "".join(step if step.startswith("[") else f".{step}" for step in steps)[1:] != name:
        raise ParameterError(
            f"the override {name!r}", expected="a path such as read.resolution or engine.workers"
        )
    return _replaced(document, steps, given, name)


def _replaced(value: Any, steps: list[str], given: Any, name: str) -> Any:
    from geotoolz.core._errors import ParameterError

    if not steps:
        return given
    step, *rest = steps
    if step.startswith("["):
        place = int(step[1:-1])
        if not isinstance(value, list) or place >= len(value):
            raise ParameterError(f"the override {name!r}: there is no {step}", expected="a list that long")
        return [*value[:place], _replaced(value[place], rest, given, name), *value[place + 1 :]]
    if isinstance(value, str) and step != "name":  # `engine: ray` is short for its name
        value = {"name": value}
    if value is not None and not isinstance(value, Mapping):
        raise ParameterError(
            f"the override {name!r}: {step} of a {type(value).__name__}", expected="a mapping"
        )
    return {**(value or {}), step: _replaced((value or {}).get(step), rest, given, name)}
