"""One scene through a pipeline, ready to be drawn: every level compiled, values warped onto any grid."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import (
    ExecutorError,
    Extent,
    GeotoolzError,
    Operator,
    Program,
    Sequential,
    TileSpec,
    compile,
    is_flags,
    tile_from_arrays,
)
from geotoolz.core._execute import Fetch, Job, run_window
from geotoolz.core._lazy import xr
from geotoolz.core._run import _stepwise
from geotoolz.grid._warp import Warp, resampled
from geotoolz.serve._blocks import Array, BlockCache
from geotoolz.serve._render_grid import (
    MAX_ZOOM,
    TILE,
    Target,
    bounds_of,
    source_scale,
    tile_warp,
    whole_warp,
    zoom_grid,
)
from geotoolz.serve._render_levels import OVERSAMPLING, Level, levels_of
from geotoolz.serve._render_style import Style, Warped, default_style, split_style, style_of
from geotoolz.viz._checks import is_picture

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.serve._settings import LayerSettings

MOST_SOURCE_PIXELS = 1 << 24
"""Pixels of one band that are read for one picture; below that zoom a layer is not shown."""
_SAMPLE = 1 << 20
_NEARLY = 1e-3


@dataclass(frozen=True)
class Stage:
    """A level, with the program that makes of it what is drawn."""

    level: Level
    program: Program
    job: Job

    @property
    def output(self) -> TileSpec:
        """The tile that comes out."""
        return self.program.output

    def fetch(self) -> Fetch:
        """Return what reads an input of the program."""
        sources = self.program.sources
        return lambda slot, extent: self.level.read(sources[slot][1], extent)

    def values(self, names: Sequence[str], window: Extent) -> dict[str, Array]:
        """Return variables in a window of the output's grid."""
        state = next(iter(self.program.states.values()))
        fetch = self.fetch()
        made = run_window(self.job, fetch, window)
        slots = {name: state.slots[name] for name in names}
        return {name: made[slot] if slot in made else fetch(slot, window) for name, slot in slots.items()}


@dataclass(frozen=True)
class View:
    """A scene's level on a lattice that is drawn."""

    stage: Stage
    warp: Warp


class Scene:
    """A scene that can be drawn.

    Attributes
    ----------
    spec : TileSpec
        What the scene is before the pipeline, at its own resolution.
    output : TileSpec
        What it is afterwards, without a colouring step.
    style : Style
        What is drawn of it.
    stages : tuple of Stage
        The finest first.
    native_zoom : int
        The first zoom level whose pixels are no larger than the scene's.
    bounds : tuple of float
        West, south, east, north.
    """

    def __init__(
        self,
        reader: Any,
        op: Operator | None,
        settings: LayerSettings,
        cache: BlockCache,
        style: Style | None = None,
    ) -> None:
        whole = op if op is not None else Sequential(())
        if _stepwise(whole):
            raise ExecutorError(
                "the pipeline holds a Python function or a Tap, which see whole tiles only",
                fix="write the step as an operator (Map)",
            )
        self.op, self.paint = split_style(whole)
        self.settings = settings
        self.inputs: tuple[str, ...] = reader.inputs
        self.spec: TileSpec = reader.spec
        program = compile(self.op, self.spec)
        program.refuse_unfrozen("a map layer, whose tiles must share the limits,")
        self.output = program.output
        self._reader, self._cache = reader, cache
        self.style = self._style(program) if style is None else style
        self.stages = self._stages(self.style.bands)
        self._refuse_endless()
        self._views: dict[int, View] = {}
        self._lock = threading.Lock()
        self.bounds = bounds_of(self.output.require_geobox("a map layer"))
        own = self.spec.require_geobox("a map layer")
        # at zoom 10, where the pixel in the middle of the lattice lies in the scene
        self._scale0 = math.ldexp(source_scale(own, zoom_grid(self._grid, 10)), 10)
        self.native_zoom = max(0, min(math.ceil(math.log2(self._scale0) - _NEARLY), MAX_ZOOM))

    @property
    def _grid(self) -> GeoBox:
        return self.output.require_geobox("a map layer")

    def _style(self, program: Program) -> Style:
        if self.paint is not None:
            if not getattr(self.paint, "is_frozen", True):
                from geotoolz.core._reduce import not_frozen

                raise not_frozen("", self.paint, "a map layer, whose tiles must share the limits,")
            return style_of(self.paint, self.output)
        return default_style(self.output, program.created, self.settings, self._sample)

    def _stages(self, names: Sequence[str]) -> tuple[Stage, ...]:
        """Compile the pipeline for every level, for these variables alone."""
        inputs = compile(self.op, self.spec, names).inputs
        return tuple(_stage(self.op, level, names) for level in levels_of(self._reader, inputs, self._cache))

    def _sample(self, names: Sequence[str]) -> xr.Dataset:
        """Return variables of the scene at its coarsest, for limits that nobody gives."""
        stages = self._stages(names)
        stage = next((s for s in stages if math.prod(s.output.shape) <= _SAMPLE), stages[-1])
        height, width = stage.output.shape
        # the middle of a scene that has no overviews
        y, x = max(0, (height - 1024) // 2), max(0, (width - 1024) // 2)
        window = Extent(y, min(y + 1024, height), x, min(x + 1024, width))
        spec = stage.output
        values = stage.values(names, window)
        grid = Target(spec.require_geobox("a map layer"), window).geobox
        return tile_from_arrays(
            values,
            grid,
            attrs=spec.attrs,
            var_attrs={n: spec.variables[n].attrs for n in names},
            nodata={n: spec.variables[n].nodata for n in names},
        )

    def _refuse_endless(self) -> None:
        """Refuse steps that would read a large scene for every tile."""
        stage = self.stages[0]
        if any(stage.job.whole_axes) and math.prod(self.spec.shape) > MOST_SOURCE_PIXELS:
            step = next(s for s in stage.job.instructions if not s.footprint.is_finite)
            raise ExecutorError(
                f"{step.path or 'the pipeline'} looks at whole rows or columns of {self.spec.shape[0]} × "
                f"{self.spec.shape[1]} pixels, for every tile",
                expected="steps that look at a neighbourhood",
                fix="run the pipeline over the scene first (geotoolz run), and serve its result",
            )

    def min_zoom(self) -> int:
        """Return the first zoom level whose tiles do not need too many source pixels."""
        coarsest = self.stages[-1].level
        if math.prod(coarsest.spec.shape) <= MOST_SOURCE_PIXELS:
            return 0
        needed = TILE * self._scale0 / coarsest.factor / math.sqrt(MOST_SOURCE_PIXELS)
        return max(0, math.ceil(math.log2(needed)))

    def level_for(self, scale: float) -> Stage:
        """Return the coarsest level that is fine enough where a pixel spans so many of the scene's."""
        fine = [stage for stage in self.stages if stage.level.factor <= OVERSAMPLING * scale]
        return fine[-1] if fine else self.stages[0]

    def zoom_view(self, zoom: int) -> View:
        """Return what draws a zoom level.

        Its lattice is that of the level that is read: its tiles are parts of that level, reprojected.
        """
        with self._lock:
            found = self._views.get(zoom)
        if found is None:
            stage = self.level_for(math.ldexp(self._scale0, -zoom))
            grid = zoom_grid(stage.output.require_geobox("a map layer"), zoom)
            found = View(stage, whole_warp(stage.output, grid))
            with self._lock:
                self._views[zoom] = found
        return found

    def zoom_target(self, zoom: int) -> GeoBox:
        """Return the lattice of a zoom level."""
        return self.zoom_view(zoom).warp.geobox

    def view(self, target: Target) -> View:
        """Return what draws the scene on a lattice."""
        if target.zoom is not None:
            return self.zoom_view(target.zoom)
        scale = source_scale(self.spec.require_geobox("a map layer"), target.grid)
        stage = self.level_for(scale)
        return View(stage, whole_warp(stage.output, target.grid))

    def warped(self, target: Target) -> Warped | None:
        """Return the values that the style needs on the grid that is drawn; None where the scene is not.

        Raises
        ------
        ExecutorError
            If too many source pixels would have to be read.
        """
        view = self.view(target)
        stage, shape = view.stage, target.extent.shape
        # what lies beyond the lattice lies beyond the scene
        rows, cols = view.warp.geobox.shape
        extent = target.extent.clipped((int(rows), int(cols)))
        if 0 in extent.shape:
            return None
        warp = tile_warp(view.warp, extent)
        window = warp.needed(Extent(0, extent.shape[0], 0, extent.shape[1]))
        if 0 in window.shape:
            return None
        _refuse_too_many(window, shape)
        values = stage.values(self.style.bands, window)
        source = window.moved(stage.output.offset)
        arrays = {}
        for name, array in values.items():
            spec = stage.output.variables[name]
            fill = 0 if spec.nodata is None else spec.nodata
            found = resampled(
                array, warp, self._method(name), spec.nodata_scalar, fill, extent=extent, source=source
            )
            arrays[name] = _within(found, extent, target.extent, fill)
        inside = self._inside(stage, warp, window, extent, target.extent)
        return Warped(arrays, inside)

    def _method(self, name: str) -> Any:
        """Return how a variable is resampled; classes and colours are never mixed."""
        spec = self.output.variables[name]
        if is_flags(name, spec) or is_picture(spec):
            return "nearest"
        return self.settings.resampling or "bilinear"

    def _inside(
        self, stage: Stage, warp: Warp, window: Extent, extent: Extent, wanted: Extent
    ) -> Array | None:
        """Return where the scene is, if a variable cannot tell it and the tile sticks out."""
        if all(self.output.variables[name].nodata is not None for name in self.style.bands):
            return None
        hull = warp.positions.hull(extent)
        height, width = stage.output.shape
        covers = hull is not None and min(hull[0], hull[2]) >= 0 and hull[1] <= height and hull[3] <= width
        if covers and extent == wanted:
            return None
        ones, source = np.ones(window.shape, np.bool_), window.moved(stage.output.offset)
        found = resampled(ones, warp, "nearest", math.nan, 0, extent=extent, source=source)
        return _within(found, extent, wanted, 0)


def _within(array: Array, extent: Extent, wanted: Extent, fill: Any) -> Array:
    """Return pixels in the place that they have in a larger extent."""
    if extent == wanted:
        return array
    out = np.full(wanted.shape, fill, array.dtype)
    wanted.cut(out, extent)[...] = array
    return out


def _refuse_too_many(window: Extent, shape: tuple[int, int]) -> None:
    """Raise if many more source pixels would be read than are shown."""
    if math.prod(window.shape) > max(MOST_SOURCE_PIXELS, math.prod(shape)):
        raise ExecutorError(
            f"{window.shape[0]} × {window.shape[1]} pixels would be read for {shape[0]} × {shape[1]}",
            expected=f"at most {MOST_SOURCE_PIXELS}",
            fix="look closer, or give the file overviews (gdaladdo)",
        )


def _stage(op: Operator, level: Level, names: Sequence[str]) -> Stage:
    try:
        program = compile(op, level.spec, names)
        state = next(iter(program.states.values()))
        job = Job.of(program, [state.slots[name] for name in names], (), state.spec.shape)
    except GeotoolzError as error:
        raise error.prefixed(f"at 1:{level.factor:.3g}") if level.factor != 1 else error from error
    return Stage(level, program, job)
