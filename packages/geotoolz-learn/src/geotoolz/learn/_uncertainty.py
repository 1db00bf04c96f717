"""How sure a network is: passes with dropped units or mirrored patches, and how far they disagree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.learn import _kernels

if TYPE_CHECKING:
    from torch import nn

Array = np.ndarray[Any, Any]
Uncertainty = Literal["mc_dropout", "tta"]

_MIRRORS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))


@dataclass(frozen=True)
class Dropout:
    """Which channels one pass drops: a function of the seed, the pass and the layer.

    All pixels of a channel are dropped together and in every patch alike, so a pass is one fixed network
    (Gal & Ghahramani 2016), and what it finds does not depend on how a scene is cut.

    Parameters
    ----------
    seed : int
        Of all passes.
    number : int
        Of this one.
    """

    seed: int
    number: int

    def factors(self, layer: int, channels: int, p: float) -> Array:
        """Return what every channel is multiplied by: 0, or ``1 / (1 - p)``."""
        draws = np.random.Generator(np.random.Philox(key=[self.seed, (self.number << 32) + layer]))
        keep = draws.random(channels) >= p
        factors: Array = (keep / (1 - p)).astype(np.float32)
        return factors


@contextmanager
def dropping(network: nn.Module, dropout: Dropout | None) -> Iterator[None]:
    """Let the dropout layers of a network work in evaluation mode, for this thread only."""
    if dropout is None:
        yield
        return
    import threading

    from torch.nn.modules.dropout import _DropoutNd

    layers = [m for m in network.modules() if isinstance(m, _DropoutNd) and m.p > 0]
    if not layers:
        raise ParameterError(
            f"uncertainty='mc_dropout', and the network {type(network).__name__} drops nothing",
            expected="a network that was trained with dropout",
            fix="uncertainty='tta', or an ensemble",
        )
    owner = threading.get_ident()
    held = [m.register_forward_hook(_dropped(dropout, n, float(m.p), owner)) for n, m in enumerate(layers)]
    try:
        yield
    finally:
        for handle in held:
            handle.remove()


def _dropped(dropout: Dropout, layer: int, p: float, owner: int) -> Callable[..., Any]:
    import threading

    import torch

    def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
        if threading.get_ident() != owner:
            return output
        factors = torch.from_numpy(dropout.factors(layer, output.shape[1], p)).to(output)
        return output * factors.view(1, -1, *[1] * (output.ndim - 2))

    return hook


@dataclass(frozen=True)
class Passes:
    """How often a network is asked about a patch, and how.

    Parameters
    ----------
    kind : {"mc_dropout", "tta"}, optional
        Once where None; with dropped channels; or mirrored in four ways.
    samples : int
        Passes with dropped channels.
    seed : int
        Of the dropped channels.
    """

    kind: Uncertainty | None = None
    samples: int = 16
    seed: int = 0

    def __call__(self, ask: Callable[[Array, Dropout | None], Array], x: Array) -> list[Array]:
        """Return what every pass finds, each as large as one alone."""
        if self.kind == "mc_dropout":
            return [ask(x, Dropout(self.seed, number)) for number in range(self.samples)]
        if self.kind == "tta":
            return [_flipped(ask(np.ascontiguousarray(_flipped(x, m)), None), m) for m in _MIRRORS]
        return [ask(x, None)]


def _flipped(x: Array, axes: tuple[int, ...]) -> Array:
    return np.flip(x, axes) if axes else x


def mean_of(passes: Sequence[Array]) -> Array:
    """Return the mean of some passes, summed in float64 and in their order."""
    if len(passes) == 1:
        return passes[0]
    total = passes[0].astype(np.float64)
    for one in passes[1:]:
        total += one
    return total / len(passes)


def spread_of(passes: Sequence[Array], mean: Array) -> Array:
    """Return the standard deviation of some passes."""
    total = np.zeros(mean.shape, np.float64)
    for one in passes:
        total += np.square(one - mean)
    spread: Array = np.sqrt(total / len(passes))
    return spread


def entropy_of(probabilities: Array) -> Array:
    """Return the entropy of ``(class, y, x)`` in nats; of one class that of it and its opposite."""
    held = np.asarray(probabilities, np.float64)
    if len(held) == 1:
        held = np.concatenate([held, 1 - held])
    rows = np.ascontiguousarray(held.reshape(len(held), -1).T)
    found: Array = _kernels.entropy(rows).reshape(held.shape[1:])
    return found


def mutual_information(passes: Sequence[Array], mean: Array, weights: Sequence[float] | None = None) -> Array:
    """Return by how much the entropy of the mean exceeds the mean entropy: what the passes disagree on.

    References
    ----------
    Houlsby, N., Huszar, F., Ghahramani, Z., Lengyel, M. (2011). Bayesian active learning for classification
    and preference learning. arXiv:1112.5745.
    """
    counts = [1.0] * len(passes) if weights is None else weights
    total = np.zeros(mean.shape[1:], np.float64)
    for one, weight in zip(passes, counts, strict=True):
        total += weight * entropy_of(one)
    return np.maximum(entropy_of(mean) - total / sum(counts), 0.0)
