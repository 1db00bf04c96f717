"""Catalogs of scenes: what there is, where, when, and how to read it.

`GeoCatalog` keeps one row per scene as GeoParquet; `GeoSlice` is a piece of space and time without its
pixels; `ReadLabel` brings labels onto a tile's grid.
"""

from geotoolz.catalog._catalog import GeoCatalog
from geotoolz.catalog._label import rasterize_label
from geotoolz.catalog._read_label import ReadLabel, read_label
from geotoolz.catalog._rows import Problem
from geotoolz.catalog._slice import GeoSlice

__all__ = ["GeoCatalog", "GeoSlice", "Problem", "ReadLabel", "rasterize_label", "read_label"]
