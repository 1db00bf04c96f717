"""What a tile looks like: pixels for quicklooks, thumbnails and plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import ParameterError, QuantityError, TileError, TileSpec, VarSpec, image_bands, is_flags
from geotoolz.core._lazy import xr
from geotoolz.viz import _kernels
from geotoolz.viz._categorical import CategoricalColormap
from geotoolz.viz._checks import CHANNELS, REFLECTANCES, check_gamma, check_limits, is_picture
from geotoolz.viz._colors import Array, colormap_table

# What one band of a quantity is drawn with, and between which values; None: percentiles of what is drawn.
_LOOKS: dict[str | None, tuple[str, tuple[float, float] | None]] = {
    "index": ("RdYlGn", (-1.0, 1.0)),
    "elevation": ("terrain", None),
    "brightness_temperature": ("magma", None),
    "surface_temperature": ("magma", None),
    "backscatter": ("gray", None),
}
_REFLECTANCE_LIMITS = (0.0, 0.3)
_PERCENTILES = (2.0, 98.0)
Limits = tuple[float, float]


@dataclass(frozen=True)
class View:
    """What is drawn of a tile: which variables, how many pixels, in which colours."""

    bands: tuple[str, ...]
    size: int | None = None
    cmap: str | tuple[str, ...] | None = None
    vmin: float | None = None
    vmax: float | None = None
    time: int = -1
    gamma: float = 1.0

    def step(self, shape: tuple[int, ...]) -> int:
        """Return that every n-th pixel is drawn."""
        return 1 if self.size is None else max(1, -(-max(shape) // self.size))


def choose(tile: xr.Dataset, bands: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return what is worth drawing: one variable, or three, or the four of a picture.

    Without `bands`: a finished picture, else red, green and blue, else an index, else the first
    measurement, else the first map of classes.
    """
    spec = TileSpec.of(tile)
    if bands is not None:
        names = tuple(spec.find(b, "the picture") for b in ((bands,) if isinstance(bands, str) else bands))
        if len(names) not in (1, 3, 4):
            raise ParameterError(f"bands={names}", expected="one variable, or three for red, green and blue")
        return names
    finished = {str(v.attrs["color_interp"]): n for n, v in spec.variables.items() if is_picture(v)}
    if all(channel in finished for channel in CHANNELS[:3]):
        return tuple(finished[channel] for channel in CHANNELS if channel in finished)
    natural = [spec.lookup(role) for role in CHANNELS[:3]]
    if all(name is not None and not is_flags(name, spec.variables[name]) for name in natural):
        return tuple(str(name) for name in natural)
    measured = image_bands(spec)
    indices = [name for name in measured if spec.variables[name].quantity == "index"]
    others = [
        n
        for n, v in spec.variables.items()
        if v.dims[-2:] == ("y", "x") and v.dtype.kind in "biuf" and n not in measured
    ]
    for name in (*indices, *measured, *others):
        return (name,)
    raise TileError(
        f"the tile has {', '.join(spec.variables) or 'no variables'}", expected="a variable that can be drawn"
    )


def render(tile: xr.Dataset, view: View) -> Array:
    """Return the picture as (rows, columns, 4) bytes.

    Pixels are left out, never averaged, so that each one has the colours of the full picture.
    """
    check_limits(view.vmin, view.vmax, "the picture")
    check_gamma(view.gamma, "the picture")
    planes = [plane_of(tile, name, view) for name in view.bands]
    spec = TileSpec.of(tile)
    specs = [spec.variables[name] for name in view.bands]
    if len(planes) == 1:
        return np.stack(_one(tile, view, planes[0]), axis=-1)
    if all(is_picture(s) for s in specs):
        whole = planes if len(planes) == 4 else [*planes, np.full_like(planes[0], 255)]
        return np.stack(whole, axis=-1)
    nodata = tuple(s.nodata_scalar for s in specs[:3])
    limits = [_limits(view, _fixed(s), plane, n) for s, plane, n in zip(specs, planes, nodata, strict=False)]
    low, high = zip(*limits, strict=True)
    red, green, blue = planes[:3]
    return np.stack(_kernels.composite(red, green, blue, nodata, low, high, view.gamma), axis=-1)  # type: ignore[arg-type]


def _fixed(spec: VarSpec) -> Limits | None:
    """Return the limits that hold for all tiles alike, where the values are known well enough."""
    if spec.dtype == np.uint8 and spec.quantity in (None, "stretched"):
        return 0.0, 255.0  # a picture that somebody else has made
    return _REFLECTANCE_LIMITS if spec.quantity in REFLECTANCES else None


def _one(tile: xr.Dataset, view: View, plane: Array) -> tuple[Array, ...]:
    """Paint one variable: classes in the colours of their legend, measurements with a map."""
    (name,) = view.bands
    variable = TileSpec.of(tile).variables[name]
    if is_flags(name, variable) and view.cmap is None and view.vmin is None and view.vmax is None:
        try:
            op = CategoricalColormap(name)
            call = op.plan(TileSpec.of(tile)).calls[0]
            return tuple(_kernels.map_classes(plane, *call.args))
        except QuantityError:  # bit flags, or classes that nobody has told: shades of grey show them apart
            pass
    cmap, fixed = colours_of(tile, view)
    low, high = _limits(view, fixed, plane, variable.nodata_scalar)
    table = np.concatenate([t := colormap_table(cmap), t[:1], t[-1:], np.zeros((1, 4), np.uint8)])
    return _kernels.map_colours(plane, variable.nodata_scalar, low, high, table.tobytes())


def colours_of(tile: xr.Dataset, view: View) -> tuple[str | tuple[str, ...], Limits | None]:
    """Return the colour map of a variable, and its limits where they are fixed."""
    cmap, fixed = look_of(TileSpec.of(tile).variables[view.bands[0]])
    return (cmap if view.cmap is None else view.cmap), fixed


def look_of(spec: VarSpec) -> tuple[str, Limits | None]:
    """Return the colour map for what a variable holds, and its limits where all tiles share them."""
    fixed = _fixed(spec)
    return _LOOKS.get(spec.quantity, ("viridis" if fixed is None else "gray", fixed))


def limits_of(tile: xr.Dataset, view: View) -> Limits:
    """Return the limits between which a single band is drawn."""
    spec = TileSpec.of(tile).variables[view.bands[0]]
    return _limits(view, colours_of(tile, view)[1], plane_of(tile, view.bands[0], view), spec.nodata_scalar)


def _limits(view: View, fixed: Limits | None, plane: Array, nodata: float) -> Limits:
    if view.vmin is not None and view.vmax is not None:
        return view.vmin, view.vmax
    low, high = fixed if fixed is not None else _percentiles(plane, nodata)
    low, high = low if view.vmin is None else view.vmin, high if view.vmax is None else view.vmax
    return (low, high) if low <= high else (low, low)


def _percentiles(plane: Array, nodata: float) -> Limits:
    values = plane[plane != nodata].astype(np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, _PERCENTILES)
    return float(low), float(high)


def plane_of(tile: xr.Dataset, name: str, view: View) -> Array:
    """Return one variable's pixels as (rows, columns), every n-th where there are too many."""
    variable = tile[name].variable
    if variable.dims[-2:] != ("y", "x"):
        raise TileError(f"{name!r} has dims {variable.dims}", expected="(y, x) or (…, y, x)")
    if not variable.size:
        raise TileError(f"{name!r} has shape {variable.shape}", expected="one pixel at least")
    if variable.dtype.kind not in "biuf":
        raise TileError(f"{name!r} is {variable.dtype}", expected="numbers")
    for dim in variable.dims[:-2]:
        n = variable.sizes[dim]
        if not -n <= view.time < n:
            raise ParameterError(f"time={view.time}", expected=f"{-n} … {n - 1}: {dim} has {n} positions")
        variable = variable[view.time]
    step = view.step(variable.shape)
    values: Array = np.asarray(variable[::step, ::step].values)
    return values.astype(np.float32) if values.dtype == np.float16 else values


def check_size(size: int | None) -> None:
    """Raise unless a picture may be that large."""
    if size is not None and size < 1:
        raise ParameterError(f"size={size}", expected="1 pixel or more")


def on_background(pixels: Array, colour: Sequence[int]) -> Any:
    """Return the picture as (rows, columns, 3) on one colour, rounded."""
    alpha = pixels[..., 3:].astype(np.float64) / 255.0
    mixed = pixels[..., :3] * alpha + np.array(colour[:3]) * (1.0 - alpha)
    return np.floor(mixed + 0.5).astype(np.uint8)
