"""Tiles in matplotlib, in map coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import MissingDependencyError, ParameterError, TileError, TileSpec
from geotoolz.core._lazy import xr
from geotoolz.viz._checks import unit_of
from geotoolz.viz._colors import canonical_name
from geotoolz.viz._legend import Legend
from geotoolz.viz._picture import View, check_size, choose, colours_of, limits_of, plane_of, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geotoolz.viz._categorical import CategoricalColormap


def _pyplot(needed_by: str) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[
            0
        ] != "matplotlib":  # another module is missing: that is the news
            raise
        raise MissingDependencyError(
            f"geotoolz.viz.{needed_by} needs matplotlib, which is not installed",
            fix="pip install 'geotoolz-core[viz]'; quicklook and tile_html do without it",
        ) from error
    return plt


def plot_rgb(
    tile: xr.Dataset,
    bands: Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    vmin: float | None = None,
    vmax: float | None = None,
    gamma: float = 1.0,
    size: int | None = 2048,
    time: int = -1,
) -> Axes:
    """Draw a picture of three bands, or a finished picture, in map coordinates.

    Parameters
    ----------
    tile : xarray.Dataset
        The tile.
    bands : three str, optional
        Variables or roles; by default a finished picture, else red, green and blue.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    vmin, vmax : float, optional
        Values that become 0 and 255; reflectance is drawn between 0 and 0.3 by default.
    gamma : float
        Above 1 brightens dark pixels.
    size : int, optional
        Pixels of the longer side at most; pixels are left out. None draws them all.
    time : int
        Position along ``time``; the last by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    ParameterError
        If the tile has no three bands to draw.
    """
    plt = _pyplot("plot_rgb")
    check_size(size)
    names = choose(tile, ("red", "green", "blue") if bands is None and not _is_finished(tile) else bands)
    if len(names) < 3:
        raise ParameterError(f"bands={names}", expected="three bands", fix="plot_band draws one")
    view = View(names, size, None, vmin, vmax, time, gamma)
    return _drawn(tile, view, render(tile, view), _axes(plt, ax))


def plot_band(
    tile: xr.Dataset,
    band: str,
    ax: Axes | None = None,
    *,
    cmap: str | tuple[str, ...] | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    colorbar: bool = True,
    size: int | None = 2048,
    time: int = -1,
) -> Axes:
    """Draw one band with a colour bar, in map coordinates.

    Parameters
    ----------
    tile : xarray.Dataset
        The tile.
    band : str
        Variable or role.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    cmap : str or sequence of str, optional
        A map of `colormap_names`, any other of matplotlib's, or colours; by default what suits the
        quantity.
    vmin, vmax : float, optional
        Values of the first and the last colour; by default what `quicklook` takes.
    colorbar : bool
        Whether to draw the colour bar, with the band's name and units.
    size, time
        As for `plot_rgb`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    ParameterError
        For an unknown colour map or limits that are not in order.
    """
    plt = _pyplot("plot_band")
    check_size(size)
    view = View(choose(tile, band), size, cmap, vmin, vmax, time)
    chosen = _matplotlib_map(plt, colours_of(tile, view)[0])
    low, high = limits_of(tile, view)
    values = _masked(tile, view)
    axes = _axes(plt, ax)
    _drawn(tile, view, values, axes, cmap=chosen, vmin=low, vmax=high)
    if colorbar:
        attrs = tile[view.bands[0]].attrs
        units = attrs.get("units", "1")
        name = str(attrs.get("long_name", view.bands[0]))
        label = name if units in ("1", "") else f"{name} [{units}]"
        axes.figure.colorbar(axes.images[-1], ax=axes, label=label)
    return axes


def plot_legend(legend: Legend | CategoricalColormap, ax: Axes | None = None, **options: Any) -> Axes:
    """Add the legend of a map of classes to a plot.

    Parameters
    ----------
    legend : Legend or CategoricalColormap
        What ``CategoricalColormap(…).legend(tile)`` returns.
    ax : matplotlib.axes.Axes, optional
        The plot; a new figure by default.
    **options
        Of matplotlib's ``legend``; by default it stands to the right of the plot.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    ParameterError
        For anything else, such as a `ColorBar`: `plot_band` draws it beside its band.
    """
    plt = _pyplot("plot_legend")
    known: Any = legend.legend() if hasattr(legend, "legend") else legend
    if not isinstance(known, Legend):
        raise ParameterError(
            f"plot_legend got a {type(known).__name__}",
            expected="the legend of classes: a Legend, or a CategoricalColormap",
            fix="plot_band(tile, band, cmap=…, vmin=…, vmax=…) draws a band with its colour bar",
        )
    from matplotlib.patches import Patch

    axes = _axes(plt, ax)
    patches = [
        Patch(facecolor=e.color, edgecolor="#888", label=_label(e.value, e.name)) for e in known.entries
    ]
    placed = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0), "borderaxespad": 0.0, "title": known.title}
    axes.legend(handles=patches, **{**placed, **options})
    return axes


def _label(value: int | None, name: str) -> str:
    said = name.replace("_", " ")
    return said if value is None else f"{value} {said}"


def _axes(plt: Any, ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    axes: Axes = plt.subplots()[1]
    return axes


def _is_finished(tile: xr.Dataset) -> bool:
    return {"red", "green", "blue"} <= {v.attrs.get("color_interp") for v in tile.data_vars.values()}


def _matplotlib_map(plt: Any, cmap: str | tuple[str, ...]) -> Any:
    if isinstance(cmap, str):
        if cmap in plt.colormaps():
            return plt.get_cmap(cmap)
        return plt.get_cmap(canonical_name(cmap))  # another spelling, or an error that names the nearest
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("own", cmap)


def _masked(tile: xr.Dataset, view: View) -> Any:
    values = plane_of(tile, view.bands[0], view)
    nodata = TileSpec.of(tile).variables[view.bands[0]].nodata_scalar
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    return np.ma.masked_where((values == nodata) | (values != values), values)


def _drawn(tile: xr.Dataset, view: View, pixels: Any, axes: Axes, **options: Any) -> Axes:
    """Draw pixels where they lie on the map, and name the axes."""
    box = TileSpec.of(tile).window_geobox
    if box is None:
        raise TileError("the tile has no grid", expected="coordinates y and x")
    t = box.affine
    # where pixels are left out, each one that is drawn covers the block whose first it is
    height, width = (n * view.step(TileSpec.of(tile).shape) for n in pixels.shape[:2])
    left, right, top, bottom = t.c, t.c + t.a * width, t.f, t.f + t.e * height
    axes.imshow(pixels, extent=(left, right, bottom, top), origin="upper", interpolation="nearest", **options)
    x, y = _axis_names(box.crs)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.ticklabel_format(style="plain", useOffset=False)
    return axes


def _axis_names(crs: Any) -> tuple[str, str]:
    if crs is None:
        return "x", "y"
    unit = unit_of(crs)
    if crs.geographic:
        return f"longitude [{unit}]", f"latitude [{unit}]"
    name = f", EPSG:{crs.epsg}" if crs.epsg else ""
    return f"x [{unit}{name}]", f"y [{unit}{name}]"
