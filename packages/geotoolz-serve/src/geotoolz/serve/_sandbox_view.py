"""A stranger's pipeline on a view: computed from what lies around it; a view is a crop of the whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from geotoolz.core import Extent, Operator, Program, TileSpec, compile, tile_from_arrays
from geotoolz.core._compile import CONFIG_HASH_ATTR
from geotoolz.core._execute import Array, Fetch, Job
from geotoolz.core._freeze import freeze_on_tile
from geotoolz.core._run import array_fetch, compute, decide, marked
from geotoolz.serve._errors import Problem
from geotoolz.serve._sandbox_source import GROWTH
from geotoolz.serve._statistics_api import _window

if TYPE_CHECKING:
    import xarray as xr

Bounds = tuple[float, float, float, float]
_NONE = Extent(0, 0, 0, 0)
_MOST_VALUES = 64  # planes of the largest array that may be made


@dataclass(frozen=True)
class View:
    """A pipeline, and the part of its scene that is looked at.

    Parameters
    ----------
    op : Operator
        The pipeline.
    spec : TileSpec
        What it is planned on: the level of the scene that is read, or the view alone.
    names : tuple of str
        Variables that are wanted.
    bounds : tuple of float, optional
        West, south, east, north in degrees; all of `spec` by default.
    margin : int
        Pixels of the result beyond the bounds, for whoever resamples it.
    first : tuple of int
        Row and column of the level at which `spec` begins.
    """

    op: Operator
    spec: TileSpec
    names: tuple[str, ...]
    bounds: Bounds | None = None
    margin: int = 0
    first: tuple[int, int] = (0, 0)

    @cached_property
    def program(self) -> Program:
        """The pipeline, compiled; steps that need statistics do not have them yet."""
        return compile(self.op, self.spec, self.names)

    @property
    def is_bounded(self) -> bool:
        """Whether every step looks at a neighbourhood; others see nothing but the view."""
        return all(step.footprint.is_finite for step in self.program.instructions)

    def window(self, spec: TileSpec) -> Extent:
        """Return the pixels of a tile that are looked at."""
        height, width = spec.shape
        if self.bounds is None:
            return Extent(0, height, 0, width)
        y0, y1, x0, x1 = _window(spec.window_geobox, self.bounds)
        n = self.margin
        return Extent(y0 - n, y1 + n, x0 - n, x1 + n).clipped(spec.shape)

    def extents(self) -> dict[int, Extent]:
        """Return the pixels that are needed of every variable that is read or made."""
        program, output = self.program, self.program.output
        jobs = [(Job.of(program, program.wanted, (), output.shape), output)]
        jobs += [(Job.of(program, (), (one,), one.spec.shape), one.spec) for one in program.reductions]
        found: dict[int, Extent] = {}
        for job, spec in jobs:
            for slot, extent in job.input_extents(self.window(spec)).items():
                found[slot] = found.get(slot, _NONE).union(extent)
        if program.unfrozen:  # their statistics are those of the view
            for slot in program.input_slots:
                found[slot] = found.get(slot, _NONE).union(self.window(self.spec))
        return found

    def needed(self, max_pixels: int) -> Extent:
        """Return the pixels of the level that have to be read.

        Parameters
        ----------
        max_pixels : int
            Pixels that a view may have.

        Raises
        ------
        Problem
            404 where the pipeline leaves nothing of the view, 413 for what would grow beyond all measure.
        """
        if 0 in self.window(self.program.output).shape:
            raise Problem("the pipeline leaves nothing in this area", status=404, code="outside")
        total = _NONE
        for slot, extent in self.extents().items():
            height, width = extent.shape
            values = height * width * math.prod(self.program.leads[slot])
            if height * width > max_pixels * GROWTH or values > max_pixels * _MOST_VALUES:
                raise _too_large(f"{height} × {width} pixels")
            if slot in self.program.sources:
                total = total.union(extent)
        return total.moved(self.first)

    def run(self, tile: xr.Dataset, read: Extent) -> tuple[xr.Dataset, Mapping[str, Any]]:
        """Return the result on the view, and what the Reduce steps found in it.

        Parameters
        ----------
        tile : xarray.Dataset
            Pixels that were read.
        read : Extent
            Where they lie on the level.
        """
        origin = (self.first[0] - read.y0, self.first[1] - read.x0)
        program = compile(self.op, self.spec, self.names, overrides=self._statistics(tile, origin))
        cut_out = array_fetch(program, dict.fromkeys(program.inputs_spec, tile))

        def fetch(slot: int, extent: Extent) -> Array:
            return cut_out(slot, extent.moved(origin))

        arrays, found = compute(program, fetch, cut=lambda job: [[self._window_of(job)]])
        marks = decide(program, found)
        return self._built(program, fetch, arrays, marks), found

    def _statistics(self, tile: xr.Dataset, origin: tuple[int, int]) -> dict[str, Operator]:
        """Return the steps that need statistics with those of the view."""
        if not self.program.unfrozen:
            return {}
        seen = self.window(self.spec)
        y0, y1, x0, x1 = seen.moved(origin)
        part = tile.isel(y=slice(y0, y1), x=slice(x0, x1))
        return freeze_on_tile(self.op, part_of_spec(self.spec, seen), {"": part}, 1)

    def _window_of(self, job: Job) -> Extent:
        return self.window(job.reductions[0].spec if job.reductions else job.program.output)

    def _built(
        self, program: Program, fetch: Fetch, arrays: Mapping[int, Array], marks: Mapping[str, Any]
    ) -> xr.Dataset:
        spec, slots = program.output, next(iter(program.states.values())).slots
        window = self.window(spec)
        specs = {name: spec.variables[name] for name in self.names}
        held = {
            name: arrays[slots[name]] if slots[name] in arrays else fetch(slots[name], window)
            for name in specs
        }
        attrs = {key: value for key, value in spec.attrs.items() if key != CONFIG_HASH_ATTR}
        return tile_from_arrays(
            {name: (one.dims, held[name]) for name, one in specs.items()},
            part_of_spec(spec, window).require_geobox("the sandbox"),
            attrs=marked(attrs, marks),
            var_attrs={name: one.attrs for name, one in specs.items()},
            nodata={name: one.nodata for name, one in specs.items()},
            coords={name: coord.variable() for name, coord in spec.coords.items()},
        )


def view_on(
    op: Operator, spec: TileSpec, names: tuple[str, ...], window: Extent, bounds: Bounds | None, margin: int
) -> View:
    """Return a pipeline's view of a scene; steps that look at everything look at the view alone.

    Parameters
    ----------
    op : Operator
    spec : TileSpec
        The level of the scene that is read, as a whole.
    names : tuple of str
        Variables that are wanted.
    window : Extent
        The view on the level.
    bounds : tuple of float or None
        The view in degrees.
    margin : int
        Pixels beyond it.
    """
    view = View(op, spec, names, bounds, margin)
    if view.is_bounded:
        return view
    return View(op, part_of_spec(spec, window), names, first=(window.y0, window.x0))


def part_of_spec(spec: TileSpec, window: Extent) -> TileSpec:
    """Return some pixels of a tile as a tile of its own."""
    from odc.geo.geobox import GeoBox

    a = spec.require_geobox("the sandbox").affine
    y, x = window.y0 + spec.offset[0], window.x0 + spec.offset[1]
    origin = type(a)(a.a, a.b, a.a * x + a.b * y + a.c, a.d, a.e, a.d * x + a.e * y + a.f)
    box = GeoBox(window.shape, origin, spec.require_geobox("the sandbox").crs)
    height, width = window.shape
    return replace(spec, sizes={**spec.sizes, "y": height, "x": width}, grid=box, offset=(0, 0))


def _too_large(what: str) -> Problem:
    return Problem(
        f"the pipeline needs or makes {what}",
        status=413,
        code="too_large",
        fix="take a smaller area, or make the result smaller",
    )
