"""From values to colours: what a layer draws, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from geotoolz.core import (
    Operator,
    ParameterError,
    Sequential,
    TileError,
    TileSpec,
    freeze,
    image_bands,
    is_flags,
)
from geotoolz.core._lazy import xr
from geotoolz.serve._settings import LayerSettings
from geotoolz.viz import CategoricalColormap, Colormap, FalseColor, Legend, LegendEntry, TrueColor
from geotoolz.viz import _kernels as colours
from geotoolz.viz._checks import CHANNELS, REFLECTANCES, is_picture
from geotoolz.viz._picture import look_of

Array = np.ndarray[Any, Any]
Limits = tuple[float, float]
Sample: TypeAlias = "Callable[[Sequence[str]], xr.Dataset]"


@dataclass(frozen=True)
class Warped:
    """Values on the grid that is drawn.

    Parameters
    ----------
    arrays : mapping of str to array, (y, x)
        The variables that the style asked for.
    inside : array of bool, or None
        Where the scene is, for variables without a no-data value; None for everywhere.
    """

    arrays: Mapping[str, Array]
    inside: Array | None = None


@dataclass(frozen=True)
class Painted:
    """A picture: rows of a colour table, or four planes.

    Parameters
    ----------
    rows : array of integers, (y, x), or None
        Rows of `table`.
    table : array of uint8, (n, 4), or None
        Red, green, blue, alpha.
    rgba : array of uint8, (y, x, 4), or None
        In place of the two.
    """

    rows: Array | None = None
    table: Array | None = None
    rgba: Array | None = None

    def pixels(self) -> Array:
        """Return red, green, blue and alpha of every pixel."""
        if self.rgba is not None:
            return self.rgba
        if self.rows is None or self.table is None:
            raise TileError("the picture has no pixels")
        found: Array = self.table[self.rows]
        return found


@dataclass(frozen=True)
class Style:
    """What is drawn of a tile, and in which colours.

    Parameters
    ----------
    kind : {"ramp", "classes", "composite", "picture"}
        One variable with a colour map, one of classes, three bands, a finished picture.
    bands : tuple of str
        The variables, in order.
    args : tuple
        Of the kernel: no-data, limits, table.
    legend : object
        Has ``to_dict()``; of the same colours.
    """

    kind: str
    bands: tuple[str, ...]
    args: tuple[Any, ...]
    legend: Any

    @cached_property
    def table(self) -> Array:
        """The colours of the rows, the transparent one last."""
        return np.frombuffer(self.args[-1], np.uint8).reshape(-1, 4)

    def paint(self, warped: Warped) -> Painted:
        """Return the picture of values."""
        planes = [warped.arrays[name] for name in self.bands]
        if self.kind in ("ramp", "classes"):
            return Painted(rows=self._rows(planes[0], warped.inside), table=self.table)
        picture: Sequence[Array] = planes
        if self.kind == "composite":
            red, green, blue = planes
            picture = colours.composite(red, green, blue, *self.args)
        rgba = np.full((*planes[0].shape, 4), 255, np.uint8)
        for channel, plane in enumerate(picture):
            rgba[..., channel] = plane
        if warped.inside is not None:
            rgba[~warped.inside] = 0
        return Painted(rgba=rgba)

    def _rows(self, values: Array, inside: Array | None) -> Array:
        rows: Array
        if self.kind == "ramp":
            rows = colours.index_of(values, *self.args[:-1])
        else:
            rows = colours.class_rows(values, *self.args[:-1], float(len(self.table) - 2))
        if inside is not None:
            rows[~inside] = len(self.table) - 1
        return rows


def split_style(op: Operator) -> tuple[Operator, Operator | None]:
    """Return a pipeline without a colouring step at its end, and that step.

    Values are warped and then coloured: colours are never mixed, and a value can be asked for.
    """
    if isinstance(op, Colormap | CategoricalColormap | TrueColor | FalseColor):
        return Sequential(()), op
    if isinstance(op, Sequential) and op.operators:
        last, style = split_style(op.operators[-1])
        if style is not None:
            rest = op.operators[:-1]
            return Sequential((*rest, last) if len(getattr(last, "operators", (1,))) else rest), style
    return op, None


def style_of(step: Operator, spec: TileSpec) -> Style:
    """Return what a colouring step draws of a tile."""
    call = step.plan(spec).calls[0]  # type: ignore[attr-defined]
    if isinstance(step, CategoricalColormap):
        nodata, first, table = call.args
        return Style("classes", call.reads, (nodata, float(first), table), step.legend(spec))
    if isinstance(step, Colormap):
        # with rgba=False the plan has no table
        args = (*call.args[:3], step.table().tobytes())
        return Style("ramp", call.reads, args, step.legend(spec))
    nodata, low, high, gamma = call.args
    return _composite(call.reads, nodata, low, high, gamma)


def _composite(bands: Sequence[str], nodata: Any, low: Any, high: Any, gamma: float) -> Style:
    signs = zip(bands, ("#ff0000", "#00ff00", "#0000ff"), low, high, strict=True)
    entries = tuple(LegendEntry(None, f"{b} {lo:g} … {hi:g}", colour) for b, colour, lo, hi in signs)
    return Style("composite", tuple(bands), (nodata, low, high, gamma), Legend(" ".join(bands), entries))


def default_style(spec: TileSpec, created: Sequence[str], settings: LayerSettings, sample: Sample) -> Style:
    """Return how a tile is drawn that no step colours.

    In this order: what `settings` say; a finished picture; what the pipeline created; red, green and
    blue; the first measurement; the first map of classes.

    Parameters
    ----------
    spec : TileSpec
        What comes out of the pipeline.
    created : sequence of str
        The variables that the pipeline created.
    settings : LayerSettings
        Bands, limits, colour map.
    sample : callable
        Returns some variables of the scene at its coarsest; limits that nobody gives are their 2nd and
        98th percentile.
    """
    bands = _bands(spec, created, settings)
    if len(bands) > 1:
        return _many(spec, bands, settings, sample)
    (name,) = bands
    variable = spec.variables[name]
    if is_flags(name, variable) and settings.colormap is None and settings.rescale is None:
        return style_of(CategoricalColormap(name), spec)
    cmap, fixed = look_of(variable)
    limits = _limits(settings, 1)
    vmin, vmax = (limits[0] if limits else fixed) or _percentiles(sample, name)
    return style_of(Colormap(name, settings.colormap or cmap, vmin=vmin, vmax=vmax), spec)


def _bands(spec: TileSpec, created: Sequence[str], settings: LayerSettings) -> tuple[str, ...]:
    if settings.bands is not None:
        names = tuple(spec.find(name, "the layer") for name in settings.bands)
        if len(names) not in (1, 3):
            raise ParameterError(
                f"bands={list(settings.bands)}", expected="one variable, or three for red, green and blue"
            )
        return names
    pictures = {str(v.attrs["color_interp"]): n for n, v in spec.variables.items() if is_picture(v)}
    if all(channel in pictures for channel in CHANNELS[:3]):
        return tuple(pictures[channel] for channel in CHANNELS if channel in pictures)
    flat = [n for n, v in spec.variables.items() if v.dims == ("y", "x") and v.dtype.kind in "biuf"]
    new = [name for name in created if name in flat and name not in CHANNELS]
    natural = [spec.lookup(role) for role in CHANNELS[:3]]
    measured = [name for name in image_bands(spec) if name in flat]
    if new:
        return (next((n for n in new if spec.variables[n].quantity == "index"), new[0]),)
    if all(name in measured for name in natural):
        return tuple(str(name) for name in natural)
    if len(measured) == 3 and all(spec.variables[n].dtype == np.uint8 for n in measured):
        return tuple(measured)  # a picture that somebody else has made
    for name in (*measured, *flat):
        return (name,)
    raise TileError(
        f"the layer's tiles have {', '.join(spec.variables) or 'no variables'}",
        expected="a variable with the dims (y, x)",
    )


def _many(spec: TileSpec, bands: tuple[str, ...], settings: LayerSettings, sample: Sample) -> Style:
    specs = [spec.variables[name] for name in bands]
    if all(map(is_picture, specs)):
        entries = (LegendEntry(None, "picture", "#808080"),)
        return Style("picture", bands, (), Legend(str(specs[0].attrs.get("long_name", "picture")), entries))
    limits = _limits(settings, 3) or [
        _fixed(one) or _percentiles(sample, name) for name, one in zip(bands, specs, strict=True)
    ]
    low, high = zip(*limits, strict=True)
    return _composite(bands, tuple(one.nodata_scalar for one in specs), low, high, 1.0)


def _fixed(spec: Any) -> Limits | None:
    if spec.dtype == np.uint8 and spec.quantity in (None, "stretched"):
        return 0.0, 255.0
    return (0.0, 0.3) if spec.quantity in REFLECTANCES else None


def _percentiles(sample: Sample, name: str) -> Limits:
    low, high = freeze(Colormap(name), sample((name,)), threads=1).limits or (0.0, 1.0)
    return (low, high) if low < high else (low, low + 1.0)


def _limits(settings: LayerSettings, n: int) -> list[Limits]:
    """Return the limits that the settings give, one pair per band; none where they give none."""
    given = settings.rescale
    if given is None:
        return []
    pairs: list[Any] = list(given) if isinstance(given, list) else [given]
    if len(pairs) not in (1, n):
        raise ParameterError(f"rescale has {len(pairs)} pairs", expected=f"one, or {n}")
    if any(not low < high for low, high in pairs):
        raise ParameterError(f"rescale={pairs}", expected="low < high")
    return pairs * n if len(pairs) == 1 else pairs
