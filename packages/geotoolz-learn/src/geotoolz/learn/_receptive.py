"""How far a network looks, and in what blocks it works: measured, not looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.learn._torch_import import require

if TYPE_CHECKING:
    from torch import nn

Array = np.ndarray[Any, Any]

_SIDE = 64
"""Rows and columns of a probe are multiples of it: whatever stride a network has, it divides this."""

_LONGEST = 4096
_PHASES = (16, 64)  # neighbouring places: most strides are 8 at most
_AT_ONCE = 8
_ALIKE = 1e-3  # of the output's range: another phase of a stride changes much more, rounding much less


@dataclass(frozen=True)
class ReceptiveField:
    """What a network's output pixel depends on.

    Attributes
    ----------
    radius : int or None
        Input pixels on each side, at most; None where it sees the whole image, or depends on where it is.
    stride : int
        Moving the input by this many pixels moves the output by as many: the total stride.
    """

    radius: int | None
    stride: int

    @property
    def halo(self) -> int:
        """The radius, rounded up to whole blocks of the stride."""
        if self.radius is None:
            raise ParameterError("the network sees the whole image", expected="a bounded receptive field")
        return -(-self.radius // self.stride) * self.stride


def measure_receptive_field(network: nn.Module, channels: int, zoom: int = 1) -> ReceptiveField:
    """Measure how far a network looks and its total stride.

    A line of pixels is made NaN. No operation of a network turns NaN into a number, so the output is NaN
    exactly where it depends on that line, whatever the weights are: dead units and maxima that are taken
    elsewhere hide nothing, as they would from gradients. The line is put into 64 neighbouring places; the
    period of what it reaches is the total stride. At last random numbers are moved by that stride, and the
    output must move with them: positional encodings are found so.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    channels : int
        Input channels.
    zoom : int
        Output pixels per input pixel along an axis.

    Returns
    -------
    ReceptiveField

    Raises
    ------
    ParameterError
        If the network does not take images of 64 × 64 pixels and more.

    Examples
    --------
    >>> from torch import nn
    >>> from geotoolz.learn import measure_receptive_field
    >>> measure_receptive_field(nn.Conv2d(1, 1, 5, padding=2), 1)
    ReceptiveField(radius=2, stride=1)
    """
    probe = _Probe(network, channels, zoom)
    fields = [probe.along(axis) for axis in (3, 2)]
    if any(one is None for one in fields):
        return ReceptiveField(None, 1)
    radius = max(one[0] for one in fields if one is not None)
    stride = int(np.lcm.reduce([one[1] for one in fields if one is not None]))
    return ReceptiveField(radius if probe.moves_with(stride, radius) else None, stride)


@dataclass(frozen=True)
class _Probe:
    network: nn.Module
    channels: int
    zoom: int

    def along(self, axis: int) -> tuple[int, int] | None:
        """Return radius and stride along an axis of ``(chip, channel, y, x)``; None where unbounded."""
        length = 2 * _SIDE
        while length <= _LONGEST:
            reached = self._reached([length // 2], length, axis)[0]
            if not reached.any():
                raise ParameterError(
                    "the network hides NaN, and how far it looks cannot be measured",
                    fix="say it: halo=…, stride=…",
                )
            if not (reached[0] or reached[-1]):
                margin = min(int(reached.argmax()), length - int(reached[::-1].argmax()))
                if margin > _PHASES[-1]:  # there is room for all places
                    tried = (self._period(length, axis, count) for count in _PHASES)
                    return next((one for one in tried if one is not None), None)
            length *= 2
        return None

    def _period(self, length: int, axis: int, count: int) -> tuple[int, int] | None:
        """Return radius and period of what that many neighbouring lines reach, if there is a period."""
        first = length // 2 // _SIDE * _SIDE - count // 2
        places = [list(range(at, at + _AT_ONCE)) for at in range(first, first + count, _AT_ONCE)]
        found = [one for some in places for one in self._offsets(some, length, axis)]
        radius = max(max(-low, high) for low, high, _ in found)
        for stride in range(1, count // 2 + 1):
            if all(a == b for a, b in zip(found, found[stride:], strict=False)):
                return radius, stride
        return None

    def _offsets(self, places: list[int], length: int, axis: int) -> list[tuple[int, int, bytes]]:
        found = []
        for at, reached in zip(places, self._reached(places, length, axis), strict=True):
            columns = np.flatnonzero(reached) - at
            found.append(
                (int(columns.min()), int(columns.max()), columns.tobytes()) if columns.size else (0, 0, b"")
            )
        return found

    def _reached(self, places: list[int], length: int, axis: int) -> Array:
        """Return which places of the output depend on a line of the input: ``(line, place)``."""
        shape = [len(places), self.channels, _SIDE, _SIDE]
        shape[axis] = length
        x = np.zeros(shape, np.float32)
        for number, at in enumerate(places):
            np.moveaxis(x, axis, 3)[number, :, :, at] = np.nan
        out = np.isnan(np.moveaxis(self(x), axis, 3)).any(axis=(1, 2))
        return np.asarray(out.reshape(len(places), length, self.zoom).any(axis=2))

    def moves_with(self, stride: int, radius: int) -> bool:
        """Whether the output moves with its input."""
        side = max(_SIDE, -(-(2 * radius + 2 * stride) // _SIDE) * _SIDE)
        x = np.random.default_rng(0).standard_normal(
            (1, self.channels, side + stride, side + stride), np.float32
        )
        here, there = self(x[..., :side, :side]), self(x[..., stride:, stride:])
        inner, step = slice(radius * self.zoom, (side - stride - radius) * self.zoom), stride * self.zoom
        moved = slice(inner.start + step, inner.stop + step)
        one, other = here[..., moved, moved], there[..., inner, inner]
        span = float(np.ptp(one)) if one.size else 0.0
        return bool((np.abs(one - other) <= _ALIKE * span).all())

    def __call__(self, x: Array) -> Array:
        torch = require("torch", "measure_receptive_field")
        device = next((p.device for p in self.network.parameters()), "cpu")
        was, expected = self.network.training, (len(x), x.shape[2] * self.zoom, x.shape[3] * self.zoom)
        try:
            with torch.inference_mode():
                out = self.network.eval()(torch.from_numpy(np.ascontiguousarray(x)).to(device))
        except RuntimeError as error:
            raise ParameterError(
                f"the network does not take an image of {x.shape[2]} × {x.shape[3]} pixels with {x.shape[1]} "
                f"channels: {str(error).partition(chr(10))[0]}",
                fix="correct input_combination, or say how far it looks: halo=…, stride=…",
            ) from error
        finally:
            self.network.train(was)
        if not hasattr(out, "shape") or (out.shape[0], *out.shape[2:]) != expected:
            raise ParameterError(
                f"the network makes {tuple(getattr(out, 'shape', ()))} of {x.shape}",
                expected=f"({expected[0]}, channels, {expected[1]}, {expected[2]}), as zoom={self.zoom} says",
            )
        found: Array = out.float().cpu().numpy()
        return found
