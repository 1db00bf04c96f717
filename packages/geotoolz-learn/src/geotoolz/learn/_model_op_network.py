"""What a model operator calls: a network, an estimator or a function, loaded once per process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from geotoolz.core import ParameterError, Ref
from geotoolz.learn._checkpoint import Checkpoint, load_checkpoint
from geotoolz.learn._model import FittedPixelModel
from geotoolz.learn._torch_import import require
from geotoolz.learn._uncertainty import Dropout, dropping

if TYPE_CHECKING:
    from torch import nn

    from geotoolz.learn._receptive import ReceptiveField

Array = np.ndarray[Any, Any]

Activation = Literal["sigmoid", "softmax"] | None

MOST_LOADED = 4
"""Networks of files that are held at once in a process; the one that was not used for longest goes first."""

_REGISTERS = 64  # numbers in the registers that are filled at once, on any machine, at most

IMPORTED = "import:"
"""In front of the path of a function that is imported."""

_loaded: OrderedDict[tuple[str, str], nn.Module] = OrderedDict()
_measured: OrderedDict[tuple[str, int], ReceptiveField] = OrderedDict()
_lock = threading.Lock()


@lru_cache(maxsize=8)
def checkpoint_of(ref: Ref) -> Checkpoint:
    """Return a checkpoint of a pinned file, read once per process."""
    return load_checkpoint(ref)


@dataclass(frozen=True)
class Network:
    """A model, and how it is called.

    Parameters
    ----------
    model : Ref, Checkpoint, torch.nn.Module, estimator, callable or str
        A string is the import path of a function.
    method : str, optional
        Which of its methods is called.
    device : str
        ``"auto"`` is the first GPU where there is one.
    amp : bool
        Half precision where it is safe.
    """

    model: Any
    method: str | None = None
    device: str = "auto"
    amp: bool = False

    @property
    def is_torch(self) -> bool:
        """Whether it is a network of torch."""
        return isinstance(self.model, Ref | Checkpoint) or is_module(self.model)

    def target(self) -> str:
        """Return the device that the network runs on."""
        if self.device != "auto":
            return self.device
        return "cuda" if require("torch", "ModelOp").cuda.is_available() else "cpu"

    def module(self) -> nn.Module:
        """Return the network on its device; threads that ask at once share one load."""
        if is_module(self.model):
            module: nn.Module = self.model
            _require_evaluation(module)
            return module.to(self.target())
        if isinstance(self.model, Checkpoint) and not self.model.sha256:
            with _lock:
                held: nn.Module | None = getattr(self.model, "_network", None)
                if held is None:
                    held = self.model.network()
                    object.__setattr__(self.model, "_network", held)
            return held.to(self.target())
        key = (self.model.sha256, self.target())
        with _lock:
            if key not in _loaded:
                checkpoint = self.model if isinstance(self.model, Checkpoint) else checkpoint_of(self.model)
                _loaded[key] = checkpoint.network().to(key[1])
                while len(_loaded) > MOST_LOADED:
                    _loaded.popitem(last=False)
            _loaded.move_to_end(key)
            return _loaded[key]

    def receptive_field(self, channels: int, zoom: int) -> ReceptiveField:
        """Return how far the network looks, measured once per process for a file."""
        from geotoolz.learn._receptive import measure_receptive_field

        sha256 = getattr(self.model, "sha256", "")
        key = (sha256, zoom)
        if sha256 and key in _measured:
            return _measured[key]
        with one_thread():
            found = measure_receptive_field(self.module(), channels, zoom)
        if sha256:
            _measured[key] = found
        return found

    def function(self) -> Callable[[Array], Any]:
        """Return what is called with arrays, of a model that is no network."""
        if isinstance(self.model, str):
            return imported(self.model)
        if isinstance(self.model, FittedPixelModel):
            return _of_pixels(self.model, self.method)
        name = self.method or next(
            (m for m in ("predict_proba", "predict") if hasattr(self.model, m)), "__call__"
        )
        found = getattr(self.model, name, None)
        if not callable(found):
            raise ParameterError(f"the model {type(self.model).__name__} has no method {name!r}")
        return found  # type: ignore[no-any-return]

    def __call__(self, x: Array, activation: Activation = None, dropout: Dropout | None = None) -> Array:
        """Return what the model makes of an array: patches ``(chip, channel, y, x)``, or rows.

        Parameters
        ----------
        x : array
            float32.
        activation : {"sigmoid", "softmax"}, optional
            What makes probabilities of the logits of a network; other models return what they return.
        dropout : Dropout, optional
            Units that are dropped in this pass.
        """
        if not self.is_torch:
            return np.asarray(self.function()(x))
        torch = require("torch", "ModelOp")
        module = self.module()
        call = module if self.method in (None, "forward") else getattr(module, str(self.method), None)
        if call is None:
            raise ParameterError(f"the network {type(module).__name__} has no method {self.method!r}")
        target = self.target()
        with torch.inference_mode(), one_thread():
            with _precision(torch, target, self.amp), dropping(module, dropout):
                out = call(torch.from_numpy(x).to(target))
            out = _activated(torch, out.float(), activation if self.method in (None, "forward") else None)
            found: Array = out.cpu().numpy()
        return found


def _activated(torch: Any, out: Any, activation: Activation) -> Any:
    """Return probabilities of ``(chip, class, …)``.

    torch computes what is left over at the end of an array otherwise than the rest; it is filled up to whole
    registers, so that a pixel's bits do not depend on where in a batch it lies.
    """
    if activation is None:
        return out
    flat = out.flatten(2) if out.ndim > 2 else out.unsqueeze(2)
    filled = torch.nn.functional.pad(flat, (0, -flat.shape[2] % _REGISTERS))
    made = filled.sigmoid() if activation == "sigmoid" else filled.softmax(1)
    return made[..., : flat.shape[2]].reshape(out.shape)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch work in one thread: it rounds otherwise in two, and drivers run windows side by side."""
    torch = require("torch", "ModelOp")
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _precision(torch: Any, target: str, amp: bool) -> Iterator[None]:
    kind = target.partition(":")[0]
    with torch.autocast(kind, dtype=torch.bfloat16 if kind == "cpu" else torch.float16, enabled=amp):
        yield


def is_module(model: Any) -> bool:
    """Whether something is a network of torch; torch is not imported to find out."""
    import sys

    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def imported(path: str) -> Callable[[Array], Any]:
    """Return the function that stands behind ``import:package.module.function``."""
    import importlib

    module, _, name = path.removeprefix(IMPORTED).rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ParameterError(f"the function {path!r} cannot be imported: {error}") from error
    if not callable(found):
        raise ParameterError(f"{path!r} is {type(found).__name__}", expected="a function")
    return found  # type: ignore[no-any-return]


def _require_evaluation(module: nn.Module) -> None:
    if module.training:
        raise ParameterError(
            f"the network {type(module).__name__} is in training mode: it drops units",
            expected="a network that is ready to be asked",
            fix="network.eval()",
        )


def _of_pixels(model: FittedPixelModel, method: str | None) -> Callable[[Array], Any]:
    from geotoolz.learn._calls import predict, probabilities

    asked = method or ("predict_proba" if "predict_proba" in model.methods else "predict")
    return lambda rows: (probabilities if asked == "predict_proba" else predict)(model, rows)
