"""The legend of a layer as data and as a picture, of the table that colours its tiles."""

from __future__ import annotations

import io
from typing import Any

from geotoolz.serve._layer import Layer
from geotoolz.viz import ColorBar, Legend

_ROW, _MARGIN, _SWATCH, _BAR = 22, 8, 14, (256, 16)
_INK, _FRAME = (34, 34, 34, 255), (136, 136, 136, 255)


def legend_json(layer: Layer) -> dict[str, Any]:
    """Return the legend: ``colors`` from ``vmin`` to ``vmax``, or ``classes``."""
    told: dict[str, Any] = {"layer": layer.name, "kind": layer.style.kind, **layer.style.legend.to_dict()}
    return told


def legend_png(layer: Layer) -> bytes:
    """Return the legend as a PNG with its numbers or names."""
    from PIL import Image, ImageDraw

    legend = layer.style.legend
    title = f"{legend.title} [{legend.units}]" if getattr(legend, "units", "") else legend.title
    lines = _lines(legend)
    pen = ImageDraw.Draw(Image.new("RGBA", (1, 1)))
    wide = max([pen.textlength(title), *(pen.textlength(text) + _ROW for _, text in lines)])
    bar = isinstance(legend, ColorBar)
    width = max(int(wide), _BAR[0] if bar else 0) + 2 * _MARGIN
    height = _ROW * (len(lines) + (3 if bar else 1)) + _MARGIN
    image = Image.new("RGBA", (width, height), (255, 255, 255, 230))
    pen = ImageDraw.Draw(image)
    pen.text((_MARGIN, 5), title, fill=_INK)
    if isinstance(legend, ColorBar):
        image.alpha_composite(Image.fromarray(legend.pixels(*_BAR), "RGBA"), (_MARGIN, _ROW))
        low, high = f"{legend.vmin:g}", f"{legend.vmax:g}"
        pen.text((_MARGIN, _ROW + _BAR[1] + 4), low, fill=_INK)
        pen.text((_MARGIN + _BAR[0] - pen.textlength(high), _ROW + _BAR[1] + 4), high, fill=_INK)
    for number, (colour, text) in enumerate(lines, start=1):
        y = _ROW * number
        box = (_MARGIN, y, _MARGIN + _SWATCH, y + _SWATCH)
        pen.rectangle(box, fill=colour, outline=_FRAME)
        pen.text((_MARGIN + _ROW, y + 1), text, fill=_INK)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _lines(legend: Any) -> list[tuple[str, str]]:
    if not isinstance(legend, Legend):
        return []
    return [
        (one.color, f"{'' if one.value is None else f'{one.value} '}{one.name.replace('_', ' ')}")
        for one in legend.entries
    ]
