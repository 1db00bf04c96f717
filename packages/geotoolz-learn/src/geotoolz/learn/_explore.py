"""Chips, labels and predictions to look through: one page that loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from geotoolz.core import ParameterError, TileSpec
from geotoolz.core._lazy import xr
from geotoolz.learn._active import ScoredChip
from geotoolz.learn._explore_colours import class_colours
from geotoolz.learn._label_export import _opened
from geotoolz.metrics import ConfusionCounts
from geotoolz.patch import Patch
from geotoolz.viz import encode_png
from geotoolz.viz._picture import View, choose, on_background, render

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ChipCard:
    """What a page shows of a chip.

    Attributes
    ----------
    name : str
        Number and tile.
    pictures : dict of str to bytes
        Title → PNG.
    classes : tuple of str
        Classes in its label or its prediction.
    pairs : dict of (int, int) to int
        (true, predicted) positions of classes → pixels.
    score : float or None
        Why it was chosen, if it was.
    """

    name: str
    pictures: dict[str, bytes]
    classes: tuple[str, ...] = ()
    pairs: dict[tuple[int, int], int] = field(default_factory=dict)
    score: float | None = None

    @property
    def wrong(self) -> float | None:
        """Share of the compared pixels that are wrong; None where nothing was compared."""
        whole = sum(self.pairs.values())
        return 1 - sum(n for (t, p), n in self.pairs.items() if t == p) / whole if whole else None


def explore_chips(
    chips: Iterable[Patch | ScoredChip | xr.Dataset],
    path: str | Path,
    classes: Mapping[str, int],
    *,
    label: str | None = None,
    predicted: str | None = None,
    bands: str | tuple[str, ...] | None = None,
    title: str = "Chips",
) -> Path:
    """Write a page of chips with their labels and predictions, to be filtered and sorted in a browser.

    Pictures, style and script stand in the file: it can be mailed, and opens without a network. With a label
    and a prediction every chip shows its wrong pixels, chips are sorted by how many these are, and a click
    into the confusion matrix shows the chips where one class was taken for another.

    Parameters
    ----------
    chips : iterable of Patch, ScoredChip or Dataset
        What is shown; some hundreds.
    path : path
        An ``.html`` file.
    classes : mapping of str to int
        Name and code of the classes; other codes are not drawn and not compared.
    label, predicted : str, optional
        Variables with codes.
    bands : str or three of them, optional
        What the pictures show; as for `geotoolz.viz.quicklook`.
    title : str
        Heading of the page.

    Returns
    -------
    Path

    Raises
    ------
    ParameterError
        If there is no chip, no class, or a variable holds no codes.
    WriteError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import explore_chips
    >>> tile = simulate_scene((32, 32), truth=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = explore_chips([tile], f"{folder}/chips.html", {"water": 1}, label="truth_class")
    ...     "data:image/png" in page.read_text()
    True
    """
    from geotoolz.core._whole_file import write_whole
    from geotoolz.learn._explore_page import chips_page

    if not classes:
        raise ParameterError("classes is empty", expected="names and codes")
    codes = tuple(classes.values())
    cards = []
    for number, chip in enumerate(chips):
        tile, index, score = _opened(chip, number)
        cards.append(_card(tile, index, score, dict(classes), label, predicted, bands))
    if not cards:
        raise ParameterError("there is no chip to show", expected="at least one")
    matrix = np.zeros((len(codes), len(codes)), np.int64)
    for card in cards:
        for pair, count in card.pairs.items():
            matrix[pair] += count
    rows = tuple(tuple(map(int, row)) for row in matrix)
    found = ConfusionCounts(codes, rows, tuple(classes)) if matrix.any() else None
    target = Path(path)
    write_whole(target, chips_page(title, cards, tuple(classes), found), parents=True)
    return target


def _card(
    tile: xr.Dataset,
    number: int,
    score: float | None,
    classes: dict[str, int],
    label: str | None,
    predicted: str | None,
    bands: Any,
) -> ChipCard:
    pictures = {"image": encode_png(on_background(render(tile, View(choose(tile, bands))), (0, 0, 0)))}
    maps = {
        role: _places(tile, name, classes)
        for role, name in (("label", label), ("prediction", predicted))
        if name is not None
    }
    present: set[int] = set()
    for role, places in maps.items():
        pictures[role] = encode_png(_coloured(places, len(classes)))
        present |= set(np.unique(places).tolist()) - {-1}
    pairs: dict[tuple[int, int], int] = {}
    if len(maps) == 2:
        truth, said = maps["label"], maps["prediction"]
        both = (truth >= 0) & (said >= 0)
        pictures["wrong"] = encode_png(np.where(both & (truth != said), 255, 0).astype(np.uint8))
        pairs = _counted(truth[both], said[both], len(classes))
    names = tuple(classes)
    title = " ".join(filter(None, (f"chip {number}", str(tile.attrs.get("tile_id", "")))))
    return ChipCard(title, pictures, tuple(names[k] for k in sorted(present)), pairs, score)


def _places(tile: xr.Dataset, name: str, classes: dict[str, int]) -> Array:
    """Return the position of every pixel's class; -1 where it has none."""
    variable = TileSpec.of(tile).find(name, "explore_chips")
    codes = np.asarray(tile[variable].values)
    if codes.dtype.kind not in "iub" or codes.ndim != 2:
        raise ParameterError(f"{variable!r} holds {codes.dtype}, {codes.shape}", expected="codes (y, x)")
    out = np.full(codes.shape, -1, np.int64)
    for place, code in enumerate(classes.values()):
        out[codes == code] = place
    return out


def _coloured(places: Array, count: int) -> Array:
    table = np.array([*class_colours(count), (0, 0, 0)], np.uint8)  # the last is that of -1
    return table[places]


def _counted(truth: Array, said: Array, count: int) -> dict[tuple[int, int], int]:
    found = np.bincount(truth * count + said, minlength=count * count)
    return {(int(k) // count, int(k) % count): int(found[k]) for k in np.flatnonzero(found)}
