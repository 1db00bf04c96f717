"""How much of a scene is cloudy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.cloud import _kernels, _qa60
from geotoolz.cloud._decode import (
    check_choice,
    chosen_flags,
    decode_calls,
    find_layer,
    layer_calls,
    listed,
)
from geotoolz.cloud._masks import Confidence, require_mask
from geotoolz.core import Builder, Call, ParameterError, Plan, Reduce, State, TileSpec, flat_view

_MASK, _OUT = "~mask", "~left out"


@dataclass
class CloudCount:
    """Pixels that count, and how many of them are flagged."""

    reads: tuple[str, ...]
    calls: tuple[Call, ...]
    mask: str
    left_out: str | None
    valid: int = 0
    flagged: int = 0


class CloudFraction(Reduce):
    """Share of flagged pixels among the valid ones, from 0 to 1; NaN if none is valid.

    Reads the product's quality layer, as `MaskFromFlags` does, or a bool mask; no band. Pixels that the
    product calls no-data (SCL 0, QA_PIXEL fill, 255 in Fmask, NaN) do not count, nor those without data in
    `band`. QA60, UDM2 and masks tell nothing of no-data: name a band. Counting is exact in any order.
    In a pipeline the tile passes unchanged, and the share is among the run's statistics.

    Parameters
    ----------
    flags : str or sequence of str, optional
        As in `MaskFromFlags`: by default those of ``cloud``, ``cirrus``, ``shadow`` that the product has.
    qa : str, optional
        Name of the quality layer's variable.
    layer : str, optional
        The quality layer's coding.
    min_confidence : {"low", "medium", "high"}, optional
        As in `MaskFromFlags`.
    mask : str, optional
        Name of a bool mask, instead of a quality layer.
    band : str, optional
        Pixels without data in this band do not count.

    Raises
    ------
    MissingVariableError
        If the tile has neither.
    ParameterError
        For a flag that the product does not have, or if both a mask and flags are given.

    References
    ----------
    ``eo:cloud_cover`` of STAC's eo extension, as a share instead of per cent.

    Examples
    --------
    >>> from geotoolz.cloud import CloudFraction
    >>> from geotoolz.core.testing import simulate_scene
    >>> round(CloudFraction(("cloud",))(simulate_scene((64, 64), cloud_cover=0.3, seed=3)), 1)
    0.3
    """

    flags: tuple[str, ...] | None = None
    qa: str | None = None
    layer: str | None = None
    min_confidence: Confidence | None = None
    mask: str | None = None
    band: str | None = None

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one flag."""
        return listed(values, "flags")

    def validate(self) -> None:
        """Check flags and layer."""
        check_choice(self.flags, self.qa, self.layer, type(self).__name__)
        asked = (self.flags, self.qa, self.layer, self.min_confidence)
        if self.mask is not None and any(value is not None for value in asked):
            raise ParameterError(f"mask={self.mask!r} and a quality layer", expected="one of the two")

    def plan(self, tile: TileSpec) -> Plan:
        """Read the layer, or the mask."""
        notes = self._notes(tile)
        return Plan(self.init(tile).reads, notes=notes)

    def _notes(self, tile: TileSpec) -> tuple[str, ...]:
        if self.mask is not None:
            return ()
        found = find_layer(tile, self.qa, self.layer, type(self).__name__)
        return chosen_flags(found, self.flags, self.min_confidence)[1] + _qa60.note(tile, found)

    def init(self, tile: TileSpec, previous: Any = None) -> CloudCount:
        """Return empty counts, and how to decode a block."""
        label = type(self).__name__
        calls: list[Call] = []
        if self.mask is not None:
            (mask,) = require_mask(tile, (self.mask,), label)
            names, left_out = [mask], None
        else:
            mask, left_out = _MASK, None
            found = find_layer(tile, self.qa, self.layer, label)
            flags, _ = chosen_flags(found, self.flags, self.min_confidence)
            names = list(found.names)
            calls += decode_calls(tile, found, flags, self.min_confidence, mask, label)
            if "" in found.variables and (found.layer.nodata or tile.variables[names[0]].dtype.kind == "f"):
                left_out, layer = _OUT, found.layer
                calls += layer_calls(tile, names[0], layer.nodata, layer.fill, True, left_out, label)
        if self.band is not None:
            band = tile.find(self.band, label)
            names.append(band)
            own = _OUT if left_out is None else f"{_OUT} band"
            calls.append(Call((band,), (own,), _kernels.is_nodata, (tile.variables[band].nodata_scalar,)))
            if left_out is not None:
                calls.append(Call((left_out, own), (left_out,), np.logical_or))
            left_out = _OUT
        return CloudCount(tuple(dict.fromkeys(names)), tuple(calls), mask, left_out)

    def update(self, state: CloudCount, *arrays: np.ndarray[Any, Any]) -> CloudCount:
        """Count a block."""
        held = dict(zip(state.reads, arrays, strict=True))
        for call in state.calls:
            held[call.writes[0]] = call.kernel(*(held[name] for name in call.reads), *call.args)
        mask = held[state.mask]
        out = np.zeros(mask.shape, np.bool_) if state.left_out is None else held[state.left_out]
        valid, flagged = _kernels.count_flagged(flat_view(mask), flat_view(out))
        state.valid += int(valid)
        state.flagged += int(flagged)
        return state

    def merge(self, a: CloudCount, b: CloudCount) -> CloudCount:
        """Add counts."""
        a.valid += b.valid
        a.flagged += b.flagged
        return a

    def finish(self, state: CloudCount) -> float:
        """Return the share."""
        return state.flagged / state.valid if state.valid else math.nan

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Register the statistic, and the watch over QA60 layers that were never filled."""
        if self.mask is None:
            found = find_layer(state.spec, self.qa, self.layer, type(self).__name__)
            _qa60.watch(found, builder, state, path)
        return super().emit(builder, state, path)
