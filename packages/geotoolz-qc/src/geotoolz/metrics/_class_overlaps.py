"""How far each class of two maps overlaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geotoolz.metrics._confusion_counts import ConfusionCounts
from geotoolz.metrics._iou import Overlap
from geotoolz.metrics._result import plain


@dataclass(frozen=True)
class ClassOverlaps:
    """Intersection over union of every class of two maps, and their mean."""

    counts: ConfusionCounts

    @property
    def names(self) -> tuple[str, ...]:
        """Numbers of the classes, with their names where they are known."""
        numbers = map(str, self.counts.classes)
        labels = self.counts.labels
        return tuple(map(" ".join, zip(numbers, labels, strict=True))) if labels else tuple(numbers)

    @property
    def n(self) -> int:
        """Pixels that counted."""
        return self.counts.n

    @property
    def left_out(self) -> int:
        """Pixels without data in one of the maps."""
        return self.counts.left_out

    def to_dict(self) -> dict[str, Any]:
        """Return the shares as plain values; what is not finite is None."""
        counts = self.counts
        return {
            "metric": "iou", "classes": list(counts.classes), "labels": list(counts.labels), "n": self.n,
            "left_out": self.left_out, "iou": plain(counts.iou), "mean_iou": plain(counts.mean_iou),
        }  # fmt: skip


def overlaps(counts: ConfusionCounts) -> Overlap | ClassOverlaps:
    """Return the overlap of two masks (0 and 1), or that of every class."""
    if not set(counts.classes) <= {0, 1}:
        return ClassOverlaps(counts)
    place = {value: i for i, value in enumerate(counts.classes)}

    def pixels(true: int, said: int) -> int:
        return counts.matrix[place[true]][place[said]] if {true, said} <= place.keys() else 0

    return Overlap(pixels(1, 1), pixels(0, 1), pixels(1, 0), pixels(0, 0), counts.left_out)
