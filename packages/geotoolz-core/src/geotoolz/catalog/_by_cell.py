"""Which scenes lie over which cells of a tiling."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from geotoolz.catalog._cell_slice import GeoCell, marks, require_groupby
from geotoolz.catalog._footprint import area_geometry
from geotoolz.catalog._hrefs import absolute
from geotoolz.catalog.tiling._cell import Tiling, footprints
from geotoolz.core._errors import CatalogError, ParameterError, nearest

if TYPE_CHECKING:
    from geotoolz.catalog._catalog import GeoCatalog
    from geotoolz.catalog._stack_groups import GroupBy

_COARSE = 0.1  # degrees that footprints are rounded to where only candidates are looked for


class Cells(Sequence[GeoCell]):
    """The cells of a tiling that scenes lie over, by name; each is made when it is asked for.

    Parameters
    ----------
    cells : sequence of GeoCell
        Cells without `sources`.
    sources : mapping of str to tuple of str
        By scene: what a change of makes results stale.
    """

    def __init__(self, cells: Sequence[GeoCell], sources: dict[str, tuple[str, ...]]) -> None:
        self._cells = cells
        self._sources = sources

    def __len__(self) -> int:
        return len(self._cells)

    @overload
    def __getitem__(self, key: int | str) -> GeoCell: ...
    @overload
    def __getitem__(self, key: slice) -> Cells: ...
    def __getitem__(self, key: int | str | slice) -> GeoCell | Cells:
        """Return a cell by its number or its name, or some of them."""
        if isinstance(key, slice):
            return Cells(self._cells[key], self._sources)
        if isinstance(key, str):
            names = [cell.tile_id for cell in self._cells]
            if key not in names:
                raise CatalogError(
                    f"there is no cell {key!r}{nearest(key, names)}", expected="a cell with scenes"
                )
            key = names.index(key)
        return self._complete(self._cells[key])

    def __iter__(self) -> Iterator[GeoCell]:
        return map(self._complete, self._cells)

    def __repr__(self) -> str:
        return f"Cells({len(self)} cells, {len(self._sources)} scenes)"

    def iter_rows(self) -> Iterator[GeoCell]:
        """Yield the cells: what a batch run asks a catalog for."""
        return iter(self)

    def _complete(self, cell: GeoCell) -> GeoCell:
        of_scenes = (source for name in cell.scenes for source in self._sources[name])
        return replace(cell, sources=(marks(cell.cell, cell.bands, cell.groupby), *dict.fromkeys(of_scenes)))


def by_cell(catalog: GeoCatalog, tiling: Tiling, aoi: Any, bands: Any, groupby: GroupBy) -> Cells:
    """Return the cells of a tiling that scenes of a catalog lie over, as `GeoCatalog.by_cell` says."""
    import shapely

    if not isinstance(tiling, Tiling):
        raise ParameterError(f"tiling is {type(tiling).__name__}", expected="a tiling, such as MGRS(10)")
    require_groupby(groupby)
    path = catalog.file
    if path is None:
        raise CatalogError(
            "the catalog is in no file",
            expected="one that workers can open",
            fix="GeoCatalog.open(catalog.save('scenes.parquet')).by_cell(…)",
        )
    if not len(catalog):
        raise CatalogError("the catalog is empty", expected="at least one scene")
    frame = catalog.frame
    ground = np.asarray(frame.geometry.array)
    area = _rough(ground) if aoi is None else area_geometry(aoi, catalog)
    cells = tiling.tiles(area)
    shapes = footprints(cells)
    tree = shapely.STRtree(ground)
    pairs = tree.query(shapes, predicate="intersects")
    order = np.lexsort((pairs[1], pairs[0]))
    of_cell, rows = pairs[0][order], pairs[1][order]
    ids = frame["id"].to_numpy(object)
    starts = np.searchsorted(of_cell, np.arange(len(cells) + 1))
    names = None if bands is None else (bands,) if isinstance(bands, str) else tuple(bands)
    made = [
        GeoCell(cells[n], str(path), tuple(ids[rows[starts[n] : starts[n + 1]]]), names, groupby)
        for n in range(len(cells))
        if starts[n] < starts[n + 1]
    ]
    wanted = {name for cell in made for name in cell.scenes}
    return Cells(
        made, {row.id: _sources(row, catalog.base) for row in catalog.iter_rows() if row.id in wanted}
    )


def _sources(row: Any, base: Any) -> tuple[str, ...]:
    """Return what a scene is read from; of an item that is in no file its hash too."""
    if row.item is None:
        return (absolute(row.source, base),)
    mark = f"geotoolz-item://{hashlib.sha256(row.item.encode()).hexdigest()}"
    return (mark,) if row.source is None else (absolute(row.source, base), mark)


def _rough(ground: Any) -> Any:
    """Return the ground of all scenes, generously: their boxes on a coarse lattice."""
    import shapely

    parts = shapely.get_parts(ground)  # a footprint on both sides of the antimeridian is two
    west, south, east, north = shapely.bounds(parts).T
    low = np.floor(np.stack([west, south]) / _COARSE) * _COARSE
    high = np.ceil(np.stack([east, north]) / _COARSE) * _COARSE
    boxes = np.unique(np.clip(np.concatenate([low, high]), *_WORLD).T, axis=0)
    return shapely.union_all(shapely.box(*boxes.T))


_WORLD = (np.array([[-180.0], [-90.0]] * 2), np.array([[180.0], [90.0]] * 2))
