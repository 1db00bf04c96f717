"""Catalogs of scenes: what there is, where, when, and how to read it.

`GeoCatalog` keeps one row per scene as GeoParquet; `GeoSlice` is a piece of space and time without its
pixels; `ReadLabel` brings labels onto a tile's grid. `GeoCatalog.stack` and `open_stack` lay scenes of many
tiles and dates onto one grid, `stack_grid` makes that grid; `build_mosaic` lays products side by side.
`search` asks a STAC API, `acquire` brings files into a folder; `geotoolz.catalog.tiling` cuts the ground into
cells, and `GeoCatalog.by_cell` gives the scenes over each.
"""

from geotoolz.catalog._acquire import AcquireResult, acquire
from geotoolz.catalog._by_cell import Cells
from geotoolz.catalog._catalog import GeoCatalog
from geotoolz.catalog._cell_slice import GeoCell
from geotoolz.catalog._label import rasterize_label
from geotoolz.catalog._mosaic import MosaicResult, build_mosaic
from geotoolz.catalog._read_label import ReadLabel, read_label
from geotoolz.catalog._rows import Problem
from geotoolz.catalog._search import search
from geotoolz.catalog._slice import GeoSlice
from geotoolz.catalog._stack import open_stack
from geotoolz.catalog._stack_grid import stack_grid
from geotoolz.catalog._stack_groups import solar_day
from geotoolz.catalog._stack_reader import StackReader

__all__ = [
    "AcquireResult",
    "Cells",
    "GeoCatalog",
    "GeoCell",
    "GeoSlice",
    "MosaicResult",
    "Problem",
    "ReadLabel",
    "StackReader",
    "acquire",
    "build_mosaic",
    "open_stack",
    "rasterize_label",
    "read_label",
    "search",
    "solar_day",
    "stack_grid",
]
