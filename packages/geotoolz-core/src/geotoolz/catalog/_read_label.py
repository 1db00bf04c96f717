"""ReadLabel: labels as a variable of the tile."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pydantic

from geotoolz.catalog._label import rasterize_label, read_legend
from geotoolz.core._errors import MissingVariableError, ParameterError, nearest
from geotoolz.core._extent import Extent
from geotoolz.core._map import Map
from geotoolz.core._specs import Call, Plan, TileSpec, VarSpec
from geotoolz.core._verbs import verb

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


def _kernel(
    geobox: GeoBox,
    path: str,
    column: str | None,
    classes: Mapping[str, int | None] | None,
    all_touched: bool,
    fill: int | None,
    *,
    extent: Extent,
) -> np.ndarray[Any, Any]:
    labels, _ = rasterize_label(
        geobox, path, column, classes=classes, all_touched=all_touched, fill=fill,
        offset=(extent.y0, extent.x0), shape=extent.shape,
    )  # fmt: skip
    return labels


class ReadLabel(Map):
    """Read labels onto the tile's grid.

    Vector labels (GeoPackage, GeoParquet, GeoJSON) are reprojected and burnt; a later feature lies on top of
    an earlier one. A raster must have the tile's CRS and pixels (it is read, never resampled). The result
    does not depend on how the tile is cut.

    Parameters
    ----------
    path : str
        The labels. ``{name}`` stands for an attribute of the tile, such as a column of the catalog:
        ``"labels/{tile_id}.gpkg"``, ``"{label_uri}"``.
    column : str, optional
        Column with the class. Without it every feature is class 1. Rasters have none.
    name : str
        The new variable.
    all_touched : bool
        Label every pixel that a feature touches, not only those whose centre lies in it.
    classes : mapping of str to int or None, optional
        Value to code; None leaves a value unlabelled, and a value that is not listed is an error. Without
        it, whole numbers are their own codes and text is numbered from 1 in alphabetical order, which
        differs between files with different classes. Of a raster: name to the value in it.
    fill : int, optional
        Code of pixels without a label, kept as ``_FillValue``: 255, or 65535 where the codes need ``uint16``.

    Returns
    -------
    xarray.Dataset
        With the variable `name`: ``uint8`` or ``uint16``, ``flag_values`` and ``flag_meanings`` (CF).

    Raises
    ------
    MissingVariableError
        If the column, or the attribute that `path` names, does not exist.
    MissingCRSError
        If the tile or the labels have no CRS.
    GridMismatchError
        If a label raster lies on another grid.

    Examples
    --------
    >>> ReadLabel("fields.gpkg", column="crop", classes={"maize": 1, "wheat": 2, "unknown": None})
    ReadLabel(path='fields.gpkg', column='crop', classes={'maize': 1, 'wheat': 2, 'unknown': None})
    """

    tags: ClassVar[frozenset[str]] = frozenset({"reads_files"})

    path: Annotated[str, pydantic.Field(min_length=1)]
    column: str | None = None
    name: Annotated[str, pydantic.Field(min_length=1)] = "label"
    all_touched: bool = False
    classes: Mapping[str, int | None] | None = None
    fill: Annotated[int, pydantic.Field(ge=0, le=65535)] | None = None

    def plan(self, tile: TileSpec) -> Plan:
        """Read the labels' classes, not their pixels."""
        geobox = tile.require_geobox("ReadLabel")
        path = _filled(self.path, tile.attrs)
        legend = read_legend(path, self.column, self.classes, self.fill)
        attrs = {**legend.attrs(), "long_name": self.column or "label", "data_source": path}
        spec = VarSpec(("y", "x"), legend.dtype, legend.fill, attrs)
        args = (geobox, path, self.column, self.classes, self.all_touched, self.fill)
        return Plan(writes={self.name: spec}, calls=(Call((), (self.name,), _kernel, args, located=True),))


read_label = verb(ReadLabel, "read_label")


def _filled(template: str, attrs: Mapping[str, Any]) -> str:
    """Put the tile's attributes into a path."""
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as err:
        raise ParameterError(
            f"path is {template!r}: {err}", expected="{name} for an attribute of the tile"
        ) from err
    for name in names:
        if attrs.get(name) in (None, ""):
            have = [key for key in attrs if isinstance(attrs[key], str)]
            raise MissingVariableError(
                f"ReadLabel's path names {name!r}, and the tile has no such attribute{nearest(name, have)}",
                expected=f"one of {', '.join(have) or 'none'}",
                fix="add the column to the catalog, or set the attribute",
            )
    return template.format_map({name: attrs[name] for name in names})
