"""Checkpoints: weights and what they are for, in one file that holds data and no code."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.core import ReadError, Ref
from geotoolz.core._whole_file import write_whole
from geotoolz.learn._checkpoint_builders import build_network
from geotoolz.learn._checkpoint_config import CheckpointConfig, CheckpointError
from geotoolz.learn._torch_import import require

if TYPE_CHECKING:
    from torch import Tensor, nn

_WEIGHTS = ("statedict", "state_dict")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network's description and weights.

    Attributes
    ----------
    config : CheckpointConfig
        What it is and what it takes.
    weights : mapping of str to Tensor
        On the CPU.
    sha256 : str
        Of the file that it comes from; empty where it comes from none.
    """

    config: CheckpointConfig
    weights: Mapping[str, Tensor]
    sha256: str = ""

    def __repr__(self) -> str:
        config, numbers = self.config, sum(value.numel() for value in self.weights.values())
        return (
            f"Checkpoint({config.model_framework} {config.model.get('architecture', '')}, {config.task}: "
            f"{', '.join(config.input_combination)} → {', '.join(config.classes)}; {numbers:,} weights; "
            f"sha256 {self.sha256[:12] or 'of no file'})"
        )

    def network(self) -> nn.Module:
        """Return the network with its weights, in evaluation mode.

        Raises
        ------
        CheckpointError
            If the weights are not those of the network that the configuration describes.
        """
        network = build_network(self.config)
        _require_same(network.state_dict(), self.weights)
        network.load_state_dict(dict(self.weights))
        return network.eval()


def save_checkpoint(network: nn.Module, config: CheckpointConfig, path: str | os.PathLike[str]) -> Ref:
    """Write a network to a file: ``{"config": …, "statedict": …}``.

    The same weights and configuration give the same bytes. The file is there whole or not at all.

    Parameters
    ----------
    network : torch.nn.Module
        Its weights are written, from whatever device they are on.
    config : CheckpointConfig
        What it is; the weights have to fit the network that it describes.
    path : path
        By custom ``….pt``.

    Returns
    -------
    Ref
        The file and its SHA-256, as a pipeline names it.

    Raises
    ------
    CheckpointError
        If the configuration describes another network, or holds what is no plain value.
    WriteError
        If the file cannot be written.
    """
    torch = require("torch", "save_checkpoint")
    weights = _bare(
        {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    )
    _require_same(build_network(config).state_dict(), weights)
    try:
        # read back from JSON: plain values only, and strings that pickle the same way every time
        plain = json.loads(json.dumps(config.to_mapping(), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the config cannot be kept: {error}", expected="plain values") from error
    buffer = io.BytesIO()
    torch.save({"config": plain, "statedict": weights}, buffer)
    content = buffer.getvalue()
    target = Path(path)
    write_whole(target, content, parents=True)
    return Ref(str(target), hashlib.sha256(content).hexdigest())


def load_checkpoint(source: str | os.PathLike[str] | Ref) -> Checkpoint:
    """Read a checkpoint without running code from it.

    Parameters
    ----------
    source : path or Ref
        The file; of a `Ref` the content must be the one that it names.

    Returns
    -------
    Checkpoint

    Raises
    ------
    ReadError
        If the file is missing, is no checkpoint, or holds more than tensors and plain values.
    CheckpointError
        If it lacks a part.
    """
    name, content = _content(source)
    held = _unpickled(content, name)
    if not isinstance(held, Mapping) or "config" not in held or not isinstance(held["config"], Mapping):
        found = ", ".join(map(str, list(held)[:6])) if isinstance(held, Mapping) else type(held).__name__
        raise CheckpointError(
            f"{name} holds {found}", expected="the keys config and statedict",
            fix="save_checkpoint(network, CheckpointConfig(…), path) writes them",
        )  # fmt: skip
    key = next((k for k in _WEIGHTS if isinstance(held.get(k), Mapping)), None)
    if key is None:
        raise CheckpointError(
            f"{name} has {', '.join(map(str, held))}", expected="a mapping statedict beside config"
        )
    try:
        config = CheckpointConfig.from_mapping(held["config"])
    except CheckpointError as error:
        raise error.prefixed(name) from error
    return Checkpoint(config, _bare(held[key]), hashlib.sha256(content).hexdigest())


def _content(source: str | os.PathLike[str] | Ref) -> tuple[str, bytes]:
    if isinstance(source, Ref):
        return source.uri, source.read_bytes()
    try:
        return str(source), Path(source).read_bytes()
    except OSError as error:
        raise ReadError(
            f"{Path(source).absolute()} cannot be read: {error.strerror}", expected="a checkpoint"
        ) from error


def _unpickled(content: bytes, name: str) -> Any:
    torch = require("torch", "load_checkpoint")
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"(?:GLOBAL|class) ([\w.]+)", str(error))
        what = f" ({found[1]})" if found else ""
        raise ReadError(
            f"{name} is no file of torch, or holds more than tensors and plain values{what}",
            expected="a file that is data and no code",
            fix="whoever made it saves config and state_dict() with save_checkpoint",
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ReadError(f"{name} is no checkpoint: {error}", expected="a file of save_checkpoint") from error


def _bare(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights without what data-parallel training puts in front of their names."""
    prefix = "module."
    if weights and all(str(name).startswith(prefix) for name in weights):
        return {name[len(prefix) :]: value for name, value in weights.items()}
    return dict(weights)


def _require_same(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raise where weights are missing, too many, or of another shape."""
    told = []
    for what, names in (
        ("lacks", wanted.keys() - found.keys()),
        ("has besides", found.keys() - wanted.keys()),
    ):
        if names:
            told.append(f"{what} {_some(sorted(names))}")
    other = [
        f"{n} {tuple(found[n].shape)}, expected {tuple(wanted[n].shape)}"
        for n in wanted
        if n in found and wanted[n].shape != found[n].shape
    ]
    if other:
        told.append(f"has other shapes: {_some(other)}")
    if told:
        raise CheckpointError(
            f"the checkpoint {'; '.join(told)}",
            expected="the weights of the network that its config describes",
            fix="correct config['model'], or load the checkpoint that belongs to it",
        )


def _some(names: list[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
