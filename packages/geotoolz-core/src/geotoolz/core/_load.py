"""Pipelines to and from YAML text and files."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from geotoolz.core import _registry
from geotoolz.core._config import REF_TARGET, TARGET, from_config, to_config
from geotoolz.core._errors import (
    ConfigError,
    GeotoolzError,
    ReadError,
    UntrustedOperatorError,
    nearest,
)
from geotoolz.core._operator import Operator
from geotoolz.core._whole_file import write_whole
from geotoolz.core._yaml import Limits, dump_yaml, parse, scalar

UNTRUSTED_TAGS = frozenset({"loads_code", "reads_files", "writes_files"})
# $${ stands for a literal ${
_PLACE = re.compile(r"(?<!\$)\$\{([^{}:]+)(?::([^{}]*))?\}")


def load(source: str | os.PathLike[str], *, variables: Mapping[str, Any] | None = None) -> Operator:
    r"""Load a pipeline from a YAML file or text.

    The source is trusted: operators may be imported from anywhere on the path, and ``${env:NAME}``
    reads the environment. Use `load_sandboxed` for text from strangers.

    Parameters
    ----------
    source : str or path
        A path to a file, to a folder that `save` made, or the text itself (recognised by its line
        breaks or ``_target_``).
    variables : mapping, optional
        Values for ``${name}``; ``${name:default}`` has a value of its own.

    Returns
    -------
    Operator

    Raises
    ------
    ConfigError
        With file, line and path of what is wrong.

    Examples
    --------
    >>> from geotoolz.core import load
    >>> load("_target_: geotoolz.core.Raise\nmessage: ${text}", variables={"text": "stop"})
    Raise(message='stop')
    """
    text, folder, label = _text_of(source)
    try:
        document = parse(text)
        value = interpolate(document.value, variables or {}, env=True, line_of=document.line_of)
        value = _resolved_refs(value, folder)
        return from_config(value, line_of=document.line_of)
    except GeotoolzError as error:
        raise (error.prefixed(label) if label else error) from error


def load_sandboxed(
    text: str,
    *,
    variables: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
    max_steps: int = 100,
) -> Operator:
    """Load a pipeline from the text of a stranger.

    Only operators that installed packages announce are allowed, and of these none that load code,
    read files or write files. Names are looked up, nothing is imported; aliases and tags are
    refused; size, depth and number of steps are bounded. Time and memory of the run itself are the
    caller's business.

    Parameters
    ----------
    text : str
        The YAML text; never a path.
    variables : mapping, optional
        Values for ``${name}``; the environment is out of reach.
    limits : Limits, optional
        Bounds of the text.
    max_steps : int
        Largest number of operators.

    Returns
    -------
    Operator

    Raises
    ------
    UntrustedOperatorError
        For an operator that is not allowed.
    ConfigError
        For anything else that is wrong.
    """
    document = parse(text, limits=limits or Limits())
    value = interpolate(document.value, variables or {}, env=False, line_of=document.line_of)
    _refuse_numbers(value)
    steps = _count_targets(value)
    if steps > max_steps:
        raise ConfigError(f"the pipeline has {steps} operators", expected=f"at most {max_steps}")
    return from_config(value, find=sandbox_find, line_of=document.line_of)


def sandbox_find(path: str) -> type[Operator]:
    """Return an operator class that the sandbox allows."""
    cls = _registry.announced(_registry.canonical(path))
    if cls is not None:
        if not cls.tags & UNTRUSTED_TAGS:
            return cls
        tags = ", ".join(sorted(cls.tags & UNTRUSTED_TAGS))
        raise UntrustedOperatorError(f"operator {path!r} is not allowed here ({tags})")
    known = _registry.registered(announced_only=True)
    allowed = [name for name, one in known.items() if not one.tags & UNTRUSTED_TAGS]
    same = [name for name in allowed if name.rpartition(".")[2] == path]
    hint = f" (did you mean {same[0]!r}?)" if same else nearest(path, allowed)
    raise UntrustedOperatorError(f"operator {path!r} is not in the public registry{hint}")


def dump(op: Operator, path: str | os.PathLike[str] | None = None, *, defaults: bool = False) -> str:
    """Return a pipeline as YAML text, and write it to a file if one is named.

    Parameters
    ----------
    op : Operator
        The pipeline.
    path : path, optional
        A file to write the text to; relative paths of other files (`Ref`) are written relative to it, as
        `load` takes them. Such a pipeline is better saved with `save`, which takes the files along; one
        that holds arrays in memory has to be.
    defaults : bool
        Whether to write out parameters that have their default value.

    Raises
    ------
    ConfigError
        If a step cannot be saved (`Tap`).
    WriteError
        If the file cannot be written.
    """
    config = to_config(op, defaults=defaults)
    text = dump_yaml(escaped(config if path is None else _refs_from(config, Path(path).parent)))
    if path is not None:
        write_whole(Path(path), text)
    return text


def escaped(value: Any) -> Any:
    """Return plain values with every literal ``${`` written as ``$${``."""
    if isinstance(value, dict):
        return {key: escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escaped(item) for item in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


def interpolate(
    value: Any,
    variables: Mapping[str, Any],
    *,
    env: bool,
    line_of: Callable[[str], int | None],
    path: str = "",
) -> Any:
    """Replace ``${name}``, ``${name:default}`` and (if allowed) ``${env:NAME}`` in all strings."""
    if isinstance(value, Mapping):
        is_object = TARGET in value
        return {
            k: interpolate(v, variables, env=env, line_of=line_of,
                           path=(f"{path}.{k}" if path else str(k)) if is_object else f"{path}[{k}]")
            for k, v in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [
            interpolate(v, variables, env=env, line_of=line_of, path=f"{path}[{i}]")
            for i, v in enumerate(value)
        ]
    if not isinstance(value, str) or "${" not in value:
        return value
    whole = _PLACE.fullmatch(value)
    if whole:
        return _lookup(whole, variables, env, line_of(path))
    filled = _PLACE.sub(lambda m: str(_lookup(m, variables, env, line_of(path))), value)
    return filled.replace("$${", "${")


def _lookup(match: re.Match[str], variables: Mapping[str, Any], env: bool, line: int | None) -> Any:
    name, default = match[1].strip(), match[2]
    where = f"line {line}: " if line is not None else ""
    if name == "env" and default is not None:
        if not env:
            raise ConfigError(f"{where}${{env:{default}}} is not allowed here")
        if default not in os.environ:
            raise ConfigError(f"{where}the environment has no {default!r}", fix=f"export {default}=…")
        return os.environ[default]
    if name in variables:
        given = variables[name]
        return scalar(given) if isinstance(given, str) else given
    if default is not None:
        return scalar(default)
    raise ConfigError(
        f"{where}no value for ${{{name}}}{nearest(name, variables)}",
        fix=f"give one: variables={{{name!r}: …}}, or --set {name}=… on the command line",
    )


def pipeline_file(source: str | os.PathLike[str]) -> Path:
    """Return the file of a pipeline: the one inside, where a folder that `save` made is named."""
    path = Path(source)
    inside = path / "pipeline.yaml"
    return inside if inside.is_file() else path


def _text_of(source: str | os.PathLike[str]) -> tuple[str, Path, str]:
    if isinstance(source, str) and ("\n" in source or TARGET in source):
        return source, Path(), ""
    if isinstance(source, str) and not source.strip():
        raise ConfigError("the text is empty", expected="a pipeline", fix="give YAML text or a file's path")
    path = pipeline_file(source)
    try:
        return path.read_text(encoding="utf-8"), path.resolve().parent, str(path)
    except OSError as error:
        raise ReadError(
            f"{path} cannot be read: {error.strerror}",
            expected="a YAML file with a pipeline",
            fix="check the path",
        ) from error
    except UnicodeDecodeError as error:
        raise ReadError(
            f"{path} is no UTF-8 text", expected="a YAML file with a pipeline", fix="save it as UTF-8"
        ) from error
    except ValueError as error:  # a null byte
        raise ReadError(
            f"{str(path)!r} is no path: {error}", expected="a YAML file with a pipeline"
        ) from error


def _resolved_refs(value: Any, folder: Path) -> Any:
    if isinstance(value, Mapping):
        if value.get(TARGET) == REF_TARGET and isinstance(value.get("uri"), str):
            uri = value["uri"]
            local = "://" not in uri and not Path(uri).is_absolute()
            return {**value, "uri": str((folder / uri).resolve()) if local else uri}
        return {k: _resolved_refs(v, folder) for k, v in value.items()}
    if isinstance(value, list):
        return [_resolved_refs(v, folder) for v in value]
    return value


def _refs_from(value: Any, folder: Path) -> Any:
    """Return a configuration whose relative files are named as seen from a folder."""
    if isinstance(value, Mapping):
        if value.get(TARGET) == REF_TARGET:
            uri = str(value["uri"])
            local = "://" not in uri and not Path(uri).is_absolute()
            return (
                {**value, "uri": Path(os.path.relpath(uri, folder.resolve())).as_posix()} if local else value
            )
        return {k: _refs_from(v, folder) for k, v in value.items()}
    if isinstance(value, list):
        return [_refs_from(v, folder) for v in value]
    return value


def _refuse_numbers(value: Any) -> None:
    """Refuse what the text itself may not say either: it may have come in by ``${name:default}``."""
    if isinstance(value, Mapping):
        if value.get(TARGET) == REF_TARGET:
            raise UntrustedOperatorError(f"{REF_TARGET} is not allowed here (reads_files)")
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _refuse_numbers(item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"the number {value} is not allowed here")
    elif isinstance(value, int) and abs(value) >= 2**63:
        raise ConfigError(f"a number of {value.bit_length()} bits is not allowed here")


def _count_targets(value: Any) -> int:
    if isinstance(value, Mapping):
        return (TARGET in value) + sum(_count_targets(v) for v in value.values())
    if isinstance(value, list):
        return sum(_count_targets(v) for v in value)
    return 0
