"""Who builds a network from what a checkpoint says of it: registered functions, never code in a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from geotoolz.core import nearest
from geotoolz.learn._checkpoint_config import CheckpointConfig, CheckpointError
from geotoolz.learn._torch_import import require

if TYPE_CHECKING:
    from torch import nn

Build = Callable[[Mapping[str, Any]], "nn.Module"]

GROUP = "geotoolz.frameworks"
"""Entry points of packages that bring a framework: name = "package.module:build"."""

VARIABLE = "GEOTOOLZ_FRAMEWORKS"
"""Environment variable with frameworks of one's own: ``name=module:build``, separated by commas."""

_frameworks: dict[str, Build] = {}


def register_framework(name: str, build: Build) -> None:
    """Let checkpoints of a framework be loaded in this process.

    Commands and worker processes find a framework without it: by an entry point of the group
    ``geotoolz.frameworks`` of an installed package, or by the environment variable
    ``GEOTOOLZ_FRAMEWORKS="name=module:build"``.

    Parameters
    ----------
    name : str
        What stands as ``model_framework``.
    build : callable
        ``build(model)`` returns the network, without weights, for the mapping that stands as ``model``. It
        comes from a program that you run, never from the file.

    Examples
    --------
    >>> from torch import nn
    >>> from geotoolz.learn import register_framework
    >>> register_framework("linear", lambda model: nn.Conv2d(model["in_channels"], model["classes"], 1))
    """
    _frameworks[name] = build


def build_network(config: CheckpointConfig) -> nn.Module:
    """Return the network that a configuration describes, with weights as its builder sets them.

    Parameters
    ----------
    config : CheckpointConfig
        Of which ``model_framework`` and ``model`` are used.

    Raises
    ------
    CheckpointError
        If the framework or the architecture is not known, or refuses its parameters.
    """
    build = _builder(config.model_framework)
    try:
        return build(config.model)
    except (TypeError, ValueError, KeyError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{config.model_framework} cannot build {dict(config.model)}: {error}",
            expected="parameters of the architecture",
        ) from error


def _builder(name: str) -> Build:
    """Return who builds the networks of a framework; the name is all that comes from the checkpoint."""
    found = _frameworks.get(name) or _BUILT_IN.get(name)
    if found is not None:
        return found
    told = _told()
    if name in told:
        return _imported(name, told[name])
    for point in entry_points(group=GROUP, name=name):
        loaded: Build = point.load()
        return loaded
    known = tuple(
        dict.fromkeys((*_BUILT_IN, *_frameworks, *told, *(p.name for p in entry_points(group=GROUP))))
    )
    raise CheckpointError(
        f"model_framework={name!r}{nearest(name, known)}",
        expected=", ".join(known),
        fix=f"register_framework({name!r}, build) in this process; for commands and workers "
        f"{VARIABLE}='{name}=module:build', or an entry point of the group {GROUP!r}",
    )


def _told() -> dict[str, str]:
    """Return what the environment variable says."""
    parts = [part.strip() for part in os.environ.get(VARIABLE, "").split(",") if part.strip()]
    pairs = [part.partition("=") for part in parts]
    for part, (name, equals, place) in zip(parts, pairs, strict=True):
        if not (name and equals and all(place.partition(":"))):
            raise CheckpointError(f"{VARIABLE} says {part!r}", expected="name=module:build, name=…")
    return {name.strip(): place.strip() for name, _, place in pairs}


def _imported(name: str, place: str) -> Build:
    module, _, attribute = place.partition(":")
    try:
        found: Build = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise CheckpointError(
            f"{VARIABLE} says {name}={place}: {error}", expected="a function of a module",
            fix="PYTHONPATH has to name the module's folder",
        ) from error  # fmt: skip
    return found


def _own(model: Mapping[str, Any]) -> nn.Module:
    require("torch", "a checkpoint")
    from geotoolz.learn._unet import UNet

    name, parameters = _architecture(model)
    if name.lower() == "finer":
        from geotoolz.learn._train_finer import FinerNet

        return FinerNet(**parameters)
    if name.lower() != "unet":
        raise CheckpointError(
            f"architecture={name!r}{nearest(name, ('unet', 'finer'))}", expected="unet, or finer"
        )
    return UNet(**parameters)


def _smp(model: Mapping[str, Any]) -> nn.Module:
    smp = require("segmentation_models_pytorch", "a checkpoint of model_framework='smp'")
    name, parameters = _architecture(model)
    # the weights come from the checkpoint: what it was pre-trained with is not fetched again
    built: nn.Module = smp.create_model(name, **{**parameters, "encoder_weights": None})
    return built


def _architecture(model: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    parameters = dict(model)
    name = parameters.pop("architecture", None) or parameters.pop("arch", None)
    if not isinstance(name, str):
        raise CheckpointError(f"model has {', '.join(map(str, model))}", expected="an architecture")
    return name, parameters


_BUILT_IN: dict[str, Build] = {"geotoolz": _own, "smp": _smp}
