"""How good the objects of a chain are: counts of its tiles, added up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from geotoolz.batch import Layout
from geotoolz.metrics import ConfusionCounts

__all__ = ["Evaluation", "evaluation_of"]

_WORST = 10


@dataclass(frozen=True)
class Evaluation:
    """Pixels of all tiles against their labels.

    Attributes
    ----------
    pixels : ConfusionCounts
        Classes 0 (background) and 1 (object); pixels without a label or without data are left out.
    tiles : tuple of (str, float)
        Id and IoU of the objects, lowest first; NaN, at the end, where a tile has no object on either side.
    """

    pixels: ConfusionCounts
    tiles: tuple[tuple[str, float], ...]

    @property
    def precision(self) -> float:
        """Share of the mapped object pixels that are right."""
        return self.pixels.users_accuracy[1]

    @property
    def recall(self) -> float:
        """Share of the true object pixels that were found."""
        return self.pixels.producers_accuracy[1]

    @property
    def iou(self) -> float:
        """Intersection over union of the objects."""
        return self.pixels.iou[1]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        worst = [{"tile": name, "iou": iou} for name, iou in self.tiles[:_WORST] if iou == iou]
        return {"tiles": len(self.tiles), "pixels": self.pixels.to_dict(), "worst": worst}

    def __str__(self) -> str:
        return (
            f"{self.pixels.n} pixels of {len(self.tiles)} tiles: precision {self.precision:.3f}, "
            f"recall {self.recall:.3f}, IoU {self.iou:.3f}"
        )


def evaluation_of(layout: Layout, tile_ids: Iterable[str]) -> Evaluation | None:
    """Add up what the tiles' items say; None without a tile."""
    total: ConfusionCounts | None = None
    tiles = []
    for tile_id in tile_ids:
        item = json.loads(layout.item(tile_id).read_bytes())
        counts = _counts(item["properties"]["geotoolz:statistics"])
        total = counts if total is None else total + counts
        tiles.append((tile_id, counts.iou[1]))
    if total is None:
        return None
    return Evaluation(total, tuple(sorted(tiles, key=lambda tile: (tile[1] != tile[1], tile[1], tile[0]))))


def _counts(statistics: dict[str, Any]) -> ConfusionCounts:
    told = next(one for one in statistics.values() if isinstance(one, dict) and "matrix" in one)
    matrix = tuple(tuple(row) for row in told["matrix"])
    return ConfusionCounts(tuple(told["classes"]), matrix, ("background", "object"), told["left_out"])
