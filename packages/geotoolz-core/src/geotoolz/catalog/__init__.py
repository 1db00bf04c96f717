"""Catalogs of scenes: what there is, where, when, and how to read it.

`GeoCatalog` keeps one row per scene as GeoParquet; `GeoSlice` is a piece of space and time without its
pixels; `ReadLabel` brings labels onto a tile's grid. `GeoCatalog.stack` and `open_stack` lay scenes of many
tiles and dates onto one grid, `stack_grid` makes that grid; `build_mosaic` lays products side by side.
"""

from geotoolz.catalog._catalog import GeoCatalog
from geotoolz.catalog._label import rasterize_label
from geotoolz.catalog._mosaic import MosaicResult, build_mosaic
from geotoolz.catalog._read_label import ReadLabel, read_label
from geotoolz.catalog._rows import Problem
from geotoolz.catalog._slice import GeoSlice
from geotoolz.catalog._stack import open_stack
from geotoolz.catalog._stack_grid import stack_grid
from geotoolz.catalog._stack_groups import solar_day
from geotoolz.catalog._stack_reader import StackReader

__all__ = [
    "GeoCatalog",
    "GeoSlice",
    "MosaicResult",
    "Problem",
    "ReadLabel",
    "StackReader",
    "build_mosaic",
    "open_stack",
    "rasterize_label",
    "read_label",
    "solar_day",
    "stack_grid",
]
