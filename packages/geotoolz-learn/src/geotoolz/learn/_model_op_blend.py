"""Blended patches, for networks that see the whole patch: an approximation of the whole scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geotoolz.core import ParameterError
from geotoolz.learn._model_op_outputs import Outputs
from geotoolz.patch import Aggregation, ApplyToChips, GridSampler, Hann, HardVote, Rectangle, Stitcher

if TYPE_CHECKING:
    from geotoolz.learn._model_op import ModelOp


def blended(op: ModelOp) -> ApplyToChips:
    """Return the step that asks a model about overlapping chips and blends them with Hann windows."""
    config = op.config_of_model
    size, stride = op.patch_size or config.patch_size, op.stride or config.total_stride or 1
    step = max(int(size * (1 - op.overlap)) // stride * stride, stride)
    if size % stride:
        raise ParameterError(
            f"patches of {size} pixels, and the network works in blocks of {stride}",
            expected=f"a multiple of {stride}",
            fix=f"patch_size={max(size // stride, 1) * stride} or {-(-size // stride) * stride}",
        )
    votes: dict[str, Aggregation] = {}
    if Outputs(config, op.writes, op.name).shows_classes:
        votes[op.name or "label"] = HardVote(max(config.codes) + 1)
    return ApplyToChips(
        GridSampler(Rectangle((size, size)), stride=(step, step)),
        op.replace(mode="whole"),
        Stitcher(Hann(), per_variable=votes),
        batch_size=op.batch_size if config.zoom == 1 else 1,
    )
