"""A drawing of the way from scenes to batches."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geotoolz.learn._geochips import GeoChips

_WIDTH, _HEIGHT, _GAP = 190, 64, 34
_LETTERS = 26


def draw_chips_pipeline(chips: GeoChips) -> str:
    """Return a self-contained SVG of the steps from a catalog to tensors.

    Parameters
    ----------
    chips : GeoChips
        The data set.
    """
    boxes = [(title, [_clip(line) for line in lines]) for title, lines in _steps(chips)]
    width = len(boxes) * (_WIDTH + _GAP) - _GAP + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT + 20}" '
        f'viewBox="0 0 {width} {_HEIGHT + 20}" font-family="sans-serif" font-size="11">'
    ]
    for number, (title, lines) in enumerate(boxes):
        x = 10 + number * (_WIDTH + _GAP)
        if number:
            end, y = x - 4, 10 + _HEIGHT // 2
            parts.append(f'<path d="M{x - _GAP + 2} {y}H{end}m-6 -4l6 4l-6 4" fill="none" stroke="#555"/>')
        parts.append(
            f'<rect x="{x}" y="10" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="#f3f6f9" stroke="#8aa"/>'
            f'<text x="{x + 10}" y="28" font-weight="bold">{escape(title)}</text>'
        )
        for row, line in enumerate(lines[:2]):
            parts.append(f'<text x="{x + 10}" y="{46 + 15 * row}" fill="#444">{escape(line)}</text>')
    return "".join(parts) + "</svg>"


def describe(chips: GeoChips) -> str:
    """Return the steps from a catalog to tensors as text, one a line."""
    steps = [f"{title}: {', '.join(lines)}" for title, lines in _steps(chips)]
    return "GeoChips\n" + "\n".join(f"  → {step}" for step in steps)


def _steps(chips: GeoChips) -> list[tuple[str, list[str]]]:
    patches = chips.patches
    cached = f"cache of {chips._chips._cache_bytes >> 20} MiB" if chips._chips._cache_bytes else "no cache"
    steps = [
        ("scenes", [f"{len(patches.grids)} in the catalog"]),
        (
            type(patches.sampler).__name__,
            [f"{len(patches)} chips in epoch {patches.epoch}", f"seed {chips.seed}"],
        ),
    ]
    if chips.preprocess is not None:
        names = [type(op).__name__ for _, op in chips.preprocess.children()] or [
            type(chips.preprocess).__name__
        ]
        steps.append(("preprocess", [", ".join(names), f"hash {chips.preprocess.config_hash()[:12]}"]))
    steps.append(("read", ["block by block", cached]))
    if chips.augment is not None:
        steps.append(("augment", [", ".join(type(op).__name__ for op in chips.augment), "by epoch and chip"]))
    target = [] if chips.target is None else [f"mask: {chips.target}"]
    steps.append(("tensors", ["image: " + ", ".join(chips.inputs), *target]))
    return steps


def _clip(text: str) -> str:
    return text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"
