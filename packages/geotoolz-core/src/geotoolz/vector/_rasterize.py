"""Polygons as a variable of a tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geotoolz.catalog import rasterize_label
from geotoolz.core import MissingCRSError, ParameterError, geobox_of, tile_from_arrays
from geotoolz.core._lazy import xr
from geotoolz.vector._features import features_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from odc.geo.geobox import GeoBox


def rasterize(
    features: Any,
    like: Any,
    column: str | None = None,
    *,
    name: str = "label",
    classes: Mapping[str, int | None] | None = None,
    all_touched: bool = False,
    fill: int | None = None,
    layer: str | None = None,
) -> xr.Dataset:
    """Burn features into a tile on a grid.

    Parameters
    ----------
    features : path, GeoDataFrame, or what `Area.of` takes
        Polygons, lines or points in any CRS; a later one lies on top of an earlier one.
    like : Dataset, GeoBox, or what `describe` takes
        The grid; a scene on disk is not read.
    column : str, optional
        Column with the class; without it everything is class 1.
    name : str
        The new variable.
    classes : mapping of str to int or None, optional
        Value to code; None leaves a value unlabelled. Without it whole numbers are their own codes and text
        is numbered from 1 in alphabetical order.
    all_touched : bool
        Burn every pixel that a feature touches, not only those whose centre lies in it.
    fill : int, optional
        Code of pixels without a feature: 255 by default, 65535 where the codes need ``uint16``.
    layer : str, optional
        Layer of a file that has several.

    Returns
    -------
    xarray.Dataset
        A tile with one variable, ``uint8`` or ``uint16``, with ``flag_values`` and ``flag_meanings`` (CF).
        The operator `geotoolz.catalog.ReadLabel` does the same as a step of a pipeline.

    Raises
    ------
    MissingVariableError, MissingCRSError, ParameterError
        If the column or a CRS is missing, or a value has no class.

    Examples
    --------
    >>> from geotoolz.core import geobox_of
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.vector import rasterize
    >>> tile = simulate_scene((40, 60), bands=("red",))
    >>> burnt = rasterize(geobox_of(tile)[10:20, 20:40], tile)
    >>> int((burnt.label == 1).sum())
    200
    """
    grid = _grid(like)
    if not name:
        raise ParameterError("name is empty", expected="a name of the new variable")
    frame = features_of(features, layer)
    codes, legend = rasterize_label(grid, frame, column, classes=classes, all_touched=all_touched, fill=fill)
    attrs = {**legend.attrs(), "long_name": column or name}
    return tile_from_arrays({name: codes}, grid, var_attrs={name: attrs}, nodata={name: legend.fill})


def _grid(like: Any) -> GeoBox:
    """Return the grid of a tile, a GeoBox or a scene."""
    from odc.geo.geobox import GeoBox

    if isinstance(like, GeoBox):
        return like
    if isinstance(like, xr.Dataset):
        found = geobox_of(like)
        if found is None:
            raise MissingCRSError("the tile has no grid", expected="a tile with coordinates")
        return found
    from geotoolz.io import describe

    return describe(like).require_geobox("rasterize")
