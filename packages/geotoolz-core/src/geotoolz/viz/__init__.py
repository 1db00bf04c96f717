"""Seeing pixels: colour maps, composites, quicklooks, pictures of every step."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.viz._categorical import CategoricalColormap
from geotoolz.viz._colormap import Colormap
from geotoolz.viz._colors import colormap_names, colormap_table
from geotoolz.viz._composite import FalseColor, TrueColor
from geotoolz.viz._html import Html, tile_html
from geotoolz.viz._legend import ColorBar, Legend, LegendEntry
from geotoolz.viz._plot import plot_band, plot_legend, plot_rgb
from geotoolz.viz._png import encode_png
from geotoolz.viz._quicklook import quicklook, to_image, to_png
from geotoolz.viz._steps import show_steps

paint_band = verb(Colormap, "paint_band")
paint_classes = verb(CategoricalColormap, "paint_classes")
compose_true_color = verb(TrueColor, "compose_true_color")
compose_false_color = verb(FalseColor, "compose_false_color")

__all__ = [
    "CategoricalColormap",
    "ColorBar",
    "Colormap",
    "FalseColor",
    "Html",
    "Legend",
    "LegendEntry",
    "TrueColor",
    "colormap_names",
    "colormap_table",
    "compose_false_color",
    "compose_true_color",
    "encode_png",
    "paint_band",
    "paint_classes",
    "plot_band",
    "plot_legend",
    "plot_rgb",
    "quicklook",
    "show_steps",
    "tile_html",
    "to_image",
    "to_png",
]
