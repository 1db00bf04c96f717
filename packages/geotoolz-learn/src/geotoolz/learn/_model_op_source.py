"""What is known of an operator's model: from its checkpoint, its estimator, or who hands it over."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

from geotoolz.core import ParameterError, Ref
from geotoolz.learn._checkpoint import Checkpoint
from geotoolz.learn._checkpoint_config import CheckpointConfig
from geotoolz.learn._model import FittedPixelModel
from geotoolz.learn._model_op_network import IMPORTED, checkpoint_of, is_module

_TASKS = {"classifier": "multiclass", "regressor": "regression"}


def accepted(model: Any) -> Any:
    """Return a model as an operator keeps it: files as `Ref`, functions by their import path."""
    if isinstance(model, str) and model.startswith(IMPORTED):
        return model
    if isinstance(model, str | PathLike):
        return Ref.of(fspath(model))
    if isinstance(model, Ref | Checkpoint | FittedPixelModel) or is_module(model):
        return model
    if callable(model):
        return _import_path(model) or model
    if hasattr(model, "predict"):
        return model
    raise ParameterError(
        f"the model is {type(model).__name__}",
        expected="a checkpoint (path, Ref or Checkpoint), a network of torch, an estimator, or a function",
    )


def _import_path(fn: Any) -> str | None:
    import sys

    module, name = getattr(fn, "__module__", None), getattr(fn, "__qualname__", "")
    held = getattr(sys.modules.get(module or ""), name, None)
    return f"{IMPORTED}{module}.{name}" if held is fn and module != "__main__" else None


def unsaveable(model: Any) -> str | None:
    """Return why a model cannot stand in a configuration, if it cannot."""
    if isinstance(model, Ref | str):
        return None
    if isinstance(model, FittedPixelModel):
        return "its model is in memory; PixelwiseProbabilities uses the file of model.save(path)"
    if isinstance(model, Checkpoint) or is_module(model):
        return "its network is in memory; save_checkpoint(network, config, path) gives a Ref to hand over"
    return (
        "its model exists in memory only; a function at the top of a module can be saved, by its import path"
    )


def described(model: Any, own: Mapping[str, Any]) -> CheckpointConfig:
    """Return what a model takes and makes.

    Parameters
    ----------
    model : object
        As `accepted` returns it.
    own : mapping
        The operator's ``inputs``, ``classes``, ``task`` and ``zoom``; None where they are not given.
    """
    if isinstance(model, Ref | Checkpoint):
        config = (checkpoint_of(model) if isinstance(model, Ref) else model).config
        told = [name for name, value in own.items() if value is not None]
        if told:
            raise ParameterError(
                f"{told[0]}={own[told[0]]!r} beside a checkpoint, which says it itself",
                expected="only a model without a checkpoint described",
                fix=f"leave {told[0]} out",
            )
        return config
    given = {"inputs": None, "classes": None, "task": None, **own}
    if isinstance(model, FittedPixelModel):
        given = {**given, **{k: v for k, v in _of_estimator(model).items() if given.get(k) is None}}
    if given["inputs"] is None:
        raise ParameterError(
            "the model does not say which variables it takes", expected="their names, in order",
            fix="inputs=[…]; a checkpoint carries them",
        )  # fmt: skip
    return CheckpointConfig(
        "memory", {"classes": len(given["classes"] or ("",))}, tuple(given["inputs"]), 256,
        given["task"] or "regression", tuple(given["classes"] or ("prediction",)),
        codes=tuple(given.get("codes") or ()), zoom=given.get("zoom") or 1,
    )  # fmt: skip


def _of_estimator(model: FittedPixelModel) -> dict[str, Any]:
    if model.kind not in _TASKS:
        raise ParameterError(f"the model is a {model.kind}", expected="a classifier or a regressor")
    classes = model.class_names if model.kind == "classifier" else model.targets
    return {"inputs": model.features, "classes": classes, "task": _TASKS[model.kind],
            "codes": model.codes if model.kind == "classifier" else ()}  # fmt: skip
