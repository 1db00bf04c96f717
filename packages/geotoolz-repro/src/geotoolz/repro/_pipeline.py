"""The pipeline of an artefact: to text with its files, and back, trusted or not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rfc8785

from geotoolz.core import Operator, Ref, Sink, UntrustedOperatorError
from geotoolz.core._config import REF_TARGET, TARGET, from_config, normalised, to_config
from geotoolz.core._frozen_array import FrozenArray
from geotoolz.core._hash import _identity
from geotoolz.core._load import escaped, interpolate, load, sandbox_find
from geotoolz.core._registry import canonical as canonical_target
from geotoolz.core._registry import registered
from geotoolz.core._yaml import Limits, dump_yaml, parse
from geotoolz.repro._parts import TEXT_LIMIT, Part

FOLDER = "references"
#: what the configuration of a stranger may cost: files are bounded already, steps are
LIMITS = Limits(size=TEXT_LIMIT, nodes=100_000, scalar=100_000)


@dataclass
class Frozen:
    """A pipeline as text.

    Attributes
    ----------
    yaml : str
        Loads with `geotoolz.core.load` beside its `references`.
    canonical : bytes
        What its hash is of.
    config : dict
        With all defaults.
    references : list of dict
        ``uri``, ``sha256``, ``size``, ``member`` (None where the file is not embedded).
    parts : dict of str to Part
        The embedded files by member.
    """

    yaml: str
    canonical: bytes
    config: dict[str, Any]
    references: list[dict[str, Any]] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """The pipeline's `config_hash`, with its arrays in files."""
        return hashlib.sha256(self.canonical).hexdigest()


def frozen_pipeline(op: Operator, embed: bool) -> Frozen:
    """Turn a pipeline into text; arrays in memory become files of the artefact, files if `embed` says so.

    Raises
    ------
    ConfigError
        If a step cannot be saved.
    ReadError
        If a file that it refers to is missing or has changed.
    """
    arrays: dict[str, FrozenArray] = {}

    def bind(array: FrozenArray) -> Ref:
        arrays[array.sha256] = array
        return Ref(f"{FOLDER}/{array.sha256}.npy", array.sha256)

    whole = to_config(op, bind=bind)
    made = Frozen("", rfc8785.dumps(normalised(_identity(whole))), whole)
    config = to_config(op, defaults=False, bind=bind)
    for sha256, array in arrays.items():
        data, name = array.to_bytes(), f"{FOLDER}/{sha256}.npy"
        made.parts[name] = Part.of(data)
        made.references.append({"uri": name, "sha256": sha256, "size": len(data), "member": name})
    made.yaml = dump_yaml(escaped(_collected(config, made, embed)))
    made.references.sort(key=lambda one: (one["sha256"], one["uri"]))
    return made


def _collected(value: Any, made: Frozen, embed: bool) -> Any:
    if isinstance(value, Mapping):
        if value.get(TARGET) != REF_TARGET:
            return {key: _collected(item, made, embed) for key, item in value.items()}
        if value["uri"] in made.parts:
            return dict(value)
        path = Ref(value["uri"], value["sha256"]).verify()
        name = f"{FOLDER}/{value['sha256']}{path.suffix}" if embed else None
        if name is not None:
            made.parts[name] = Part.of_file(path)
        uri = value["uri"] if "://" in value["uri"] else str(path.resolve())
        entry = {"uri": uri, "sha256": value["sha256"], "size": path.stat().st_size, "member": name}
        if entry not in made.references:
            made.references.append(entry)
        return {**value, "uri": name or uri}
    return [_collected(item, made, embed) for item in value] if isinstance(value, list) else value


def loaded(text: str, folder: Path, *, trusted: bool) -> Operator:
    """Load a configuration that lies in a folder with its references.

    Parameters
    ----------
    text : str
    folder : Path
        What relative references are resolved against.
    trusted : bool
        Trusted text may name any importable operator and any file. Otherwise operators are looked up among
        those that installed packages announce, none that loads code or touches files, no environment
        variable is read, and every reference lies in the folder; the step that writes is left out.

    Raises
    ------
    UntrustedOperatorError
        If the text needs more trust than it has.
    ConfigError
        If it is wrong.
    """
    if trusted:
        place = folder / "config.yaml"
        place.write_text(text, encoding="utf-8")
        return load(place)
    document = parse(text, limits=LIMITS)
    value = interpolate(document.value, {}, env=False, line_of=document.line_of)
    sinks = {path for path, cls in registered(announced_only=True).items() if issubclass(cls, Sink)}
    return from_config(_bounded(value, folder, sinks), find=sandbox_find, line_of=document.line_of)


def _bounded(value: Any, folder: Path, sinks: set[str]) -> Any:
    """Return a configuration without sinks whose references lie in the folder."""
    if isinstance(value, Mapping):
        if value.get(TARGET) == REF_TARGET:
            return {**value, "uri": str(_below(str(value.get("uri")), folder))}
        return {key: _bounded(item, folder, sinks) for key, item in value.items()}
    if isinstance(value, list):
        return [_bounded(item, folder, sinks) for item in value if not _is_sink(item, sinks)]
    return value


def _is_sink(item: Any, sinks: set[str]) -> bool:
    target = item.get(TARGET) if isinstance(item, Mapping) else None
    return isinstance(target, str) and canonical_target(target) in sinks


def _below(uri: str, folder: Path) -> Path:
    place = (folder / uri).resolve()
    if "://" in uri or not place.is_relative_to(folder.resolve()):
        raise UntrustedOperatorError(
            f"the pipeline refers to {uri!r}, which is not in the artefact",
            expected="references that are embedded",
            fix="load it with trusted=True (--trust) if you know who made it",
        )
    return place
