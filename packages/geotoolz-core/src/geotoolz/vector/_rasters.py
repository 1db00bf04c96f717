"""What exactextract reads from: windows of a view."""

from __future__ import annotations

from typing import Any

import numpy as np
from exactextract.raster import NumPyRasterSource, RasterSource

from geotoolz.core import Extent, ParameterError
from geotoolz.vector._view import View

Array = np.ndarray[Any, Any]


def raster_sources(view: View, extent: Extent, date: int | None, lazy: bool) -> dict[str, RasterSource]:
    """Return a source per variable over some pixels of a view.

    Parameters
    ----------
    view : View
        The variables.
    extent : Extent
        The pixels.
    date : int, optional
        Position along time, of a stack.
    lazy : bool
        Read window by window instead of all at once.
    """
    from geotoolz.vector._zonal import grid_bounds

    bounds = grid_bounds(view.geobox, extent)
    wkt = view.geobox.crs.to_wkt() if view.geobox.crs is not None else None
    if lazy:
        windows = _Windows(view, extent)
        return {name: _Lazy(windows, name, date, bounds, wkt) for name in view.names}
    arrays = view.values(extent)
    sources = {}
    for name in view.names:
        values = _plane(arrays[name], name, date, view)
        nodata = _nodata(view, name)
        sources[name] = NumPyRasterSource(values, *bounds, nodata=nodata, name=name, srs_wkt=wkt)
    return sources


def _plane(values: Array, name: str, date: int | None, view: View) -> Array:
    """Return what exactextract takes: two axes, north up, a type that it knows."""
    if values.ndim == 3 and date is not None and view.spec.variables[name].dims[0] == "time":
        values = values[date]
    if values.ndim != 2:
        raise ParameterError(
            f"{name!r} has dims {view.spec.variables[name].dims}", expected="(y, x), or (time, y, x)"
        )
    if values.dtype == np.bool_:
        values = values.view(np.uint8)
    elif values.dtype == np.float16:
        values = values.astype(np.float32)
    a = view.geobox.affine
    if a.e > 0:
        values = values[::-1]
    return values[:, ::-1] if a.a < 0 else values


def _nodata(view: View, name: str) -> Any:
    spec = view.spec.variables[name]
    if spec.nodata is None or spec.nodata != spec.nodata or spec.dtype == np.bool_:
        return None
    return float(spec.nodata) if spec.dtype.kind == "f" else int(spec.nodata)


class _Windows:
    """The last window of all variables: exactextract asks for them one after the other."""

    def __init__(self, view: View, extent: Extent) -> None:
        self.view, self.extent = view, extent
        self._last: tuple[Extent, dict[str, Array]] | None = None

    def get(self, x0: int, y0: int, width: int, height: int) -> dict[str, Array]:
        rows, cols = self.extent.shape
        a = self.view.geobox.affine
        top = y0 if a.e < 0 else rows - y0 - height
        left = x0 if a.a > 0 else cols - x0 - width
        part = Extent(top, top + height, left, left + width).moved((self.extent.y0, self.extent.x0))
        if self._last is None or self._last[0] != part:
            self._last = (part, self.view.values(part))
        return self._last[1]


class _Lazy(RasterSource):  # type: ignore[misc]
    """One variable, read when exactextract asks for a window."""

    def __init__(
        self,
        windows: _Windows,
        name: str,
        date: int | None,
        bounds: tuple[float, float, float, float],
        wkt: str | None,
    ) -> None:
        super().__init__()
        self._windows, self._name, self._date = windows, name, date
        self._bounds, self._wkt = bounds, wkt
        self.set_name(name)

    def res(self) -> tuple[float, float]:
        a = self._windows.view.geobox.affine
        return abs(a.a), abs(a.e)

    def extent(self) -> tuple[float, float, float, float]:
        return self._bounds

    def srs_wkt(self) -> str | None:
        return self._wkt

    def nodata_value(self) -> Any:
        return _nodata(self._windows.view, self._name)

    def read_window(self, x0: int, y0: int, nx: int, ny: int) -> Array:
        values = self._windows.get(x0, y0, nx, ny)[self._name]
        return _plane(values, self._name, self._date, self._windows.view)
