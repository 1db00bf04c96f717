"""Common cells for work on countries and continents.

A tiling cuts the ground into cells with a name and a pixel grid each: `MGRS` (squares of 100 km), `UTMGrid`
(squares of any size in UTM zones), `WebMercator` (the tiles of web maps), `Lattice` (squares in one reference
system). `Tiling.tiles` gives the cells over an area, `GeoCatalog.by_cell` those that scenes lie over.
"""

from geotoolz.catalog.tiling._cell import Cell, Tiling
from geotoolz.catalog.tiling._lattice import Lattice
from geotoolz.catalog.tiling._utm import MGRS, UTMGrid
from geotoolz.catalog.tiling._xyz import WebMercator

__all__ = ["MGRS", "Cell", "Lattice", "Tiling", "UTMGrid", "WebMercator"]
