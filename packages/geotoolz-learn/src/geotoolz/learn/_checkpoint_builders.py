"""Who builds a network from what a checkpoint says of it: registered functions, never code in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from geotoolz.core import nearest
from geotoolz.learn._checkpoint_config import CheckpointConfig, CheckpointError
from geotoolz.learn._torch_import import require

if TYPE_CHECKING:
    from torch import nn

Build = Callable[[Mapping[str, Any]], "nn.Module"]

_frameworks: dict[str, Build] = {}


def register_framework(name: str, build: Build) -> None:
    """Let checkpoints of a framework be loaded.

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
    build = _frameworks.get(config.model_framework) or _BUILT_IN.get(config.model_framework)
    if build is None:
        known = (*_BUILT_IN, *_frameworks)
        raise CheckpointError(
            f"model_framework={config.model_framework!r}{nearest(config.model_framework, known)}",
            expected=", ".join(known),
            fix="register_framework(name, build) adds one",
        )
    try:
        return build(config.model)
    except (TypeError, ValueError, KeyError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{config.model_framework} cannot build {dict(config.model)}: {error}",
            expected="parameters of the architecture",
        ) from error


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
