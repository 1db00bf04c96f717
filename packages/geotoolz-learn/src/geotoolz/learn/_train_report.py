"""The report of a training run: a page that loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from geotoolz.learn._accuracy_html import _matrix, _page, _table
from geotoolz.learn._explore_colours import class_colours
from geotoolz.learn._loss import IGNORE, two_sided
from geotoolz.learn._train_batch import batches
from geotoolz.learn._train_chips import TEST, TrainChips
from geotoolz.learn._train_scores import ChipScores, evaluating
from geotoolz.viz import encode_png

if TYPE_CHECKING:
    from geotoolz.learn._train import TrainingRun

Array = np.ndarray[Any, Any]
_SAMPLES = 8
_SHOWN = 160  # pixels of a picture on the page
_COLOURS = ("#2e8b57", "#c46210", "#4a6fa5")


def training_page(run: TrainingRun, network: nn.Module, chips: TrainChips, device: str) -> str:
    """Return the page: scores beside those of knowing nothing, curves, confusion, pictures of test chips."""
    config = run.config
    parts = [
        f"<h1>{'Segmentation' if config.task == 'segmentation' else 'Super-resolution'}</h1>",
        f"<p class='sub'>{escape(str(run))}. Inputs: {escape(', '.join(config.data.bands))}</p>",
        "<h2>On chips that were kept for the end</h2>",
        _scores(run),
        "<h2>Epochs</h2>",
        "<div style='display:flex;flex-wrap:wrap;gap:1rem'>",
        curves(run.history, ("train_loss", "validation_loss"), "loss"),
        curves(run.history, ("validation_score",), "validation score"),
        "</div>",
    ]
    if run.test.confusion is not None:
        parts += [
            "<h2>Test pixels by true (down) and predicted (across) class</h2>",
            _matrix(run.test.confusion.matrix, run.test.confusion.labels),
        ]
    parts += ["<h2>Test chips</h2>", _pictures(run, network, chips, device)]
    told = [(side, str(count)) for side, count in run.chips.items()]
    parts += [f"<h2>Chips, split by {escape(config.split.method)}</h2>", _table(("side", "chips"), told)]
    if config.split.method == "random":
        parts.append("<p>Neighbours lie on both sides of this split: the scores are too good.</p>")
    return _page("Training", parts)


def _scores(run: TrainingRun) -> str:
    def cells(scores: ChipScores) -> list[str]:
        found = scores.confusion
        if found is None:
            return [f"{scores.score:.2f}", *(f"{value:.4g}" for value in scores.rmse)]
        return [f"{v:.3f}" for v in (found.overall_accuracy, scores.score, scores.mean_f1, *found.iou)]

    if run.test.confusion is None:
        heads = ["PSNR [dB]", *(f"RMSE {band}" for band in run.config.data.bands)]
        nothing = "bicubic interpolation"
    else:
        heads = ["accuracy", "mean IoU", "mean F1", *(f"IoU {name}" for name in run.test.confusion.labels)]
        nothing = "the most frequent class"
    rows = [("the network", *cells(run.test)), (nothing, *cells(run.baseline))]
    return _table(("", *heads), rows)


def curves(history: Sequence[dict[str, float]], names: Sequence[str], title: str) -> str:
    """Return lines over epochs as SVG; epochs whose value is not finite have a gap."""
    width, height, left, low = 420, 220, 56, 180
    values = [row[name] for row in history for name in names if np.isfinite(row[name])]
    if not values:
        return f"<p>{escape(title)}: no finite value</p>"
    bottom, top = min(values), max(values)
    span = (top - bottom) or 1.0
    step = (width - left - 12) / max(len(history) - 1, 1)
    lines = []
    for name, colour in zip(names, _COLOURS, strict=False):
        points = [
            f"{left + k * step:.1f},{low - (row[name] - bottom) / span * (low - 16):.1f}"
            for k, row in enumerate(history)
            if np.isfinite(row[name])
        ]
        lines.append(
            f"<polyline fill='none' stroke='{colour}' stroke-width='2' points='{' '.join(points)}'/>"
        )
        place = 64 + 130 * names.index(name)
        lines.append(f"<text x='{place}' y='214' fill='{colour}'>{escape(name.replace('_', ' '))}</text>")
    axes = (
        f"<line x1='{left}' y1='{low}' x2='{width}' y2='{low}' stroke='currentColor'/>"
        f"<text x='{left - 4}' y='20' text-anchor='end'>{top:.3g}</text>"
        f"<text x='{left - 4}' y='{low}' text-anchor='end'>{bottom:.3g}</text>"
        f"<text x='{width}' y='{low + 14}' text-anchor='end'>{len(history)} epochs</text>"
    )
    return (
        f"<svg role='img' aria-label='{escape(title, quote=True)}' viewBox='0 0 {width} {height}' "
        f"style='width:26rem;font:12px system-ui;fill:currentColor'>{axes}{''.join(lines)}</svg>"
    )


def _pictures(run: TrainingRun, network: nn.Module, chips: TrainChips, device: str) -> str:
    """Return inputs, truth and prediction of some test chips, spread over all of them."""
    numbers = chips.numbers(TEST)
    some = numbers[np.unique(np.linspace(0, len(numbers) - 1, _SAMPLES).round().astype(int))]
    rows = []
    with evaluating(network):
        for batch in batches(chips, run.config, some):
            output = network(torch.from_numpy(batch.inputs).to(device)).float().cpu()
            for number, given, target, said in zip(
                batch.numbers, batch.inputs, batch.target, output, strict=True
            ):
                if run.config.task == "segmentation":
                    found = two_sided(said[None]).argmax(dim=1)[0].numpy()
                    views = [composite(given), coloured(target, run), coloured(found, run)]
                else:
                    views = [composite(given), composite(np.nan_to_num(target)), composite(said.numpy())]
                scene, e = chips.places[number]
                where = f"{chips.scenes[scene].name}, rows {e.y0}…{e.y1 - 1}, columns {e.x0}…{e.x1 - 1}"
                cells = "".join(f"<td>{picture(view)}</td>" for view in views)
                rows.append(f"<tr><th scope='row'>{escape(where)}</th>{cells}</tr>")
    head = "".join(f"<th scope='col'>{text}</th>" for text in ("chip", "input", "truth", "prediction"))
    return f"{_legend(run)}<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def composite(planes: Array) -> Array:
    """Return normalised bands as a picture: the first three (blue, green, red), or the first in grey."""
    chosen = planes[2::-1] if len(planes) >= 3 else planes[:1]
    grey = np.clip((chosen + 2.0) * (255.0 / 4.0), 0, 255).astype(np.uint8)  # two deviations either way
    return np.ascontiguousarray(np.moveaxis(grey, 0, -1)) if len(grey) == 3 else grey[0]


def coloured(codes: Array, run: TrainingRun) -> Array:
    """Return codes as a picture; black where there is no label."""
    table = np.zeros((256, 3), np.uint8)
    palette = class_colours(len(run.config.data.classes))
    table[: len(palette)] = palette
    table[IGNORE] = 0
    return table[codes]


def picture(pixels: Array) -> str:
    """Return a picture as an HTML element, small ones enlarged with their pixels seen."""
    data = base64.b64encode(encode_png(pixels)).decode()
    return (
        f"<img alt='' width='{_SHOWN}' style='image-rendering:pixelated' src='data:image/png;base64,{data}'>"
    )


def _legend(run: TrainingRun) -> str:
    names = tuple(run.config.data.classes)
    palette = class_colours(len(names))
    marks = [
        f"<span style='white-space:nowrap'><span style='display:inline-block;width:.9em;height:.9em;"
        f"background:rgb({r},{g},{b})'></span> {escape(name)}</span>"
        for name, (r, g, b) in zip(names, palette, strict=True)
    ]
    return f"<p>{' · '.join(marks)}</p>" if marks else ""
