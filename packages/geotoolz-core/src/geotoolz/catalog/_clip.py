"""A part of a raster as a file of its own: the same pixels on the same lattice, with all that is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.core._errors import OutsideError
from geotoolz.io._gdal import read_from
from geotoolz.io._gdal_session import gdal_env
from geotoolz.io._sign import Signer

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

#: pixels around the area, so that what is interpolated or averaged at its edge comes out the same
MARGIN = 16
#: parts begin at whole multiples of so many pixels: grids of 2, 3, 4, 6, 12 times the pixel size do so too
_STEP = 12
_ROWS = 1024


def clip(
    href: str, target: Path, area: Any, declared: Callable[[], GeoBox], sign: Signer | None = None
) -> None:
    """Write the pixels of a raster that an area's bounding box touches, and a margin, to a GeoTIFF.

    Pixels are copied as they are stored: digital numbers, no-data, descriptions, scales, colours and tags
    stay, nothing is resampled. A raster that does not say where it lies gets the grid that its item declares.

    Parameters
    ----------
    href : str
        The raster: a file, a URL, what GDAL can open.
    target : Path
        The new file.
    area : Area
        What is wanted.
    declared : callable
        Returns the grid of a raster that has none of its own.
    sign : callable, optional
        Signs the address.

    Raises
    ------
    OutsideError
        If the area does not touch the raster.
    ReadError
        If the raster cannot be read.
    """
    import rasterio

    placed = read_from(href, sign, lambda raster: raster.crs is not None and not raster.transform.is_identity)
    grid = None if placed else declared()
    facts, window = read_from(href, sign, lambda raster: _looked(raster, grid, area, href))
    # one file descriptor at a time writes: block rows of the new file, in order
    with gdal_env(), rasterio.open(target, "w", **facts["profile"]) as made:
        for start in range(0, window[2], _ROWS):
            rows = min(_ROWS, window[2] - start)
            part = (window[0] + start, window[1], rows, window[3])
            made.write(
                read_from(href, sign, partial(_read, part=part)),
                window=_placed(start, part),
            )
        _described(made, facts)


def _placed(start: int, part: tuple[int, int, int, int]) -> Any:
    from rasterio.windows import Window

    return Window(0, start, part[3], part[2])


def _read(raster: Any, part: tuple[int, int, int, int]) -> Any:
    from rasterio.windows import Window

    return raster.read(window=Window(part[1], part[0], part[3], part[2]))


def _looked(
    raster: Any, grid: GeoBox | None, area: Any, href: str
) -> tuple[dict[str, Any], tuple[int, int, int, int]]:
    """Return what the new file is to say, and row, column, height and width of its pixels."""
    from affine import Affine

    transform = raster.transform if grid is None else grid.affine
    crs = raster.crs.to_wkt() if grid is None else str(grid.crs)
    row, col, height, width = window = _window(raster, transform, crs, area, href)
    profile: dict[str, Any] = {
        "driver": "GTiff", "count": raster.count, "dtype": raster.dtypes[0], "nodata": raster.nodata,
        "height": height, "width": width, "crs": crs, "compress": "zstd", "tiled": True,
        "blockxsize": 256, "blockysize": 256, "interleave": "band", "BIGTIFF": "IF_SAFER",
        "transform": transform @ Affine.translation(col, row),
    }  # fmt: skip
    bands = range(1, raster.count + 1)
    colours = {band: _colormap(raster, band) for band in bands}
    return {
        "profile": profile,
        "descriptions": raster.descriptions,
        "units": raster.units,
        "scales": raster.scales,
        "offsets": raster.offsets,
        "tags": {band: raster.tags(band) for band in bands},
        "file_tags": raster.tags(),
        "colormaps": {band: table for band, table in colours.items() if table},
    }, window


def _colormap(raster: Any, band: int) -> Any:
    try:
        return raster.colormap(band)
    except ValueError:  # it has none
        return None


def _described(made: Any, facts: dict[str, Any]) -> None:
    for band, table in facts["colormaps"].items():
        made.write_colormap(band, table)
    made.descriptions = facts["descriptions"]
    made.units = [unit or "" for unit in facts["units"]]
    made.scales, made.offsets = facts["scales"], facts["offsets"]
    made.update_tags(**facts["file_tags"])
    for band, tags in facts["tags"].items():
        made.update_tags(
            band, **{name: value for name, value in tags.items() if not name.startswith("STATISTICS_")}
        )


def _window(raster: Any, transform: Any, crs: str, area: Any, href: str) -> tuple[int, int, int, int]:
    """Return the window of the area's bounding box with its margin, cut off at the raster's edge."""
    from geotoolz.io._gdal import crs_of_wkt
    from geotoolz.io._lattice import point

    box = area.bounds_in(crs_of_wkt(crs) if crs.startswith(("PROJ", "GEO", "BOUND", "COMP")) else crs)
    inverse = ~transform
    corners = [point(inverse, x, y) for x in (box.left, box.right) for y in (box.bottom, box.top)]
    cols, rows = [c for c, _ in corners], [r for _, r in corners]
    r0, r1 = _begin(min(rows)), min(math.ceil(max(rows)) + MARGIN, raster.height)
    c0, c1 = _begin(min(cols)), min(math.ceil(max(cols)) + MARGIN, raster.width)
    if r1 <= r0 or c1 <= c0:
        raise OutsideError(f"the area does not touch {href}", expected="an area over the scene")
    return (r0, c0, r1 - r0, c1 - c0)


def _begin(place: float) -> int:
    first = max(math.floor(place) - MARGIN, 0)
    return first - first % _STEP
