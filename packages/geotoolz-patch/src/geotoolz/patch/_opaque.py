"""Chips of operators that are only known by running them, and the choice between the kinds of work."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import (
    ExecutorError,
    GeotoolzError,
    GridMismatchError,
    TileError,
    TileSpec,
    compile,
    geobox_of,
)
from geotoolz.core._lazy import xr
from geotoolz.patch._chip import chip_dataset, chip_spec, read_chip
from geotoolz.patch._chip_op import made_by, require_plain, zoomed, zoomed_spec
from geotoolz.patch._line import Line, profile
from geotoolz.patch._merge import Layers
from geotoolz.patch._sampler import chip_at
from geotoolz.patch._source import Source
from geotoolz.patch._work import BlendWork, ExactWork, Place, Results, Work, bytes_of

if TYPE_CHECKING:
    from geotoolz.patch._apply import ApplyToChips


_TRIES = 8


class OpaqueWork(Work):
    """Chips of an operator that is only known by running it: the first that succeeds says what they are."""

    def __init__(self, apply: ApplyToChips, source: Source) -> None:
        scene = source.spec
        self._op, self._source, self._boundary = apply.chip_op, source, apply.sampler.boundary
        self._lines: tuple[Line, Line] = apply.sampler.lines(scene.shape)
        zoom = Fraction(apply.zoom).limit_denominator(1000)
        self._zoom = (zoom.numerator, zoom.denominator)
        weights, halo = apply.stitcher.window.weights, apply.stitcher.halo or 0
        self.rows, self.cols = (profile(line, weights, halo, self._zoom) for line in self._lines)
        if not self.places():
            raise TileError(f"the scene is empty: {scene.shape[0]} × {scene.shape[1]} pixels")
        self.same: tuple[str, ...] = ()
        first = self._first()
        self.layers = _layers(first)
        stitched = apply.stitcher.outputs(self.layers.specs, self.rows.overlap * self.cols.overlap)
        base = scene if self._zoom == (1, 1) else zoomed_spec(scene, self._zoom)
        found = TileSpec.of(first)
        sizes = {**found.sizes, "y": base.shape[0], "x": base.shape[1]}
        attrs = {k: v for k, v in first.attrs.items() if k != "geotoolz:config_hash"}
        self.out = TileSpec(stitched, sizes, base.geobox, base.offset, attrs, dict(found.coords))

    def _first(self) -> xr.Dataset:
        """Return what the first chip becomes that does not fail; whether others may is asked later."""
        failed: Exception | None = None
        for place in self.places()[:_TRIES]:
            try:
                return self._result(place)
            except Exception as error:  # noqa: BLE001 - whatever a chip operator raises
                failed = failed or error
        if failed is None or isinstance(failed, GeotoolzError):
            raise failed or TileError("there are no chips")
        raise ExecutorError(
            f"the chip operator fails on the first chips: {type(failed).__name__}: {failed}",
            expected="a function of a Dataset",
        ) from failed

    def run(self, places: Sequence[Place]) -> Results:
        """Read and compute some chips."""
        return [{n: np.asarray(a.values) for n, a in self._result(p).data_vars.items()} for p in places]  # type: ignore[misc]

    def _result(self, place: Place) -> xr.Dataset:
        y, x = (line.starts[n] for line, n in zip(self._lines, place, strict=True))
        chip = chip_at(y, x, (self._lines[0].size, self._lines[1].size))
        spec = chip_spec(self._source.spec, chip)
        tile = chip_dataset(spec, read_chip(self._source, chip, tuple(spec.variables), self._boundary))
        call: Any = self._op
        result = call(tile)
        if not isinstance(result, xr.Dataset):
            raise TileError(
                f"the chip operator returned {type(result).__name__}", expected="an xarray.Dataset"
            )
        same = _handed_on(tile, result)
        if not hasattr(self, "layers") and len(same) < len(result.data_vars):  # else it is the chip itself
            self.same = same
        changed = sorted(set(self.same) - set(same))
        if changed:
            raise TileError(
                f"the chip operator changes {', '.join(changed)} in some chips, and not in the first",
                expected="the same variables changed in every chip",
                fix="return a copy where nothing is to be done: "
                f"ds.assign({changed[0]}=ds.{changed[0]}.copy())",
            )
        self._require_place(tile, result)
        return result.drop_vars(list(self.same))

    def _require_place(self, tile: xr.Dataset, result: xr.Dataset) -> None:
        up, down = self._zoom
        wanted = {d: tile.sizes[d] * up // down for d in ("y", "x")}
        if any(result.sizes.get(d) != n for d, n in wanted.items()):
            got = " × ".join(str(result.sizes.get(d)) for d in ("y", "x"))
            raise TileError(
                f"the chip operator returned {got} pixels for {tile.sizes['y']} × {tile.sizes['x']}",
                expected=f"{wanted['y']} × {wanted['x']} pixels",
                fix="ApplyToChips(zoom=…) declares chips of another size",
            )
        if self._source.spec.geobox is None:
            return
        here, there = geobox_of(tile), geobox_of(result)
        if there != (here if self._zoom == (1, 1) else zoomed(here, self._zoom)):
            raise GridMismatchError(
                "the chip operator moved a chip: its grid is not that of the chip it was given",
                expected="the same corner and CRS",
            )

    def chip_bytes(self) -> int:
        """Return the bytes of what a chip reads and writes, and as much again for what lies between."""
        size = (self._lines[0].size, self._lines[1].size)
        up, down = self._zoom
        grown = (size[0] * up // down, size[1] * up // down)
        spec = self._source.spec
        return 2 * (
            bytes_of(spec.variables, spec.sizes, size) + bytes_of(self.layers.specs, self.out.sizes, grown)
        )


def _handed_on(tile: xr.Dataset, result: xr.Dataset) -> tuple[str, ...]:
    """Return the variables whose pixels a function hands on as they are."""
    return tuple(
        str(n) for n, a in result.data_vars.items()
        if n in tile.data_vars and a.variable._data is tile[n].variable._data
    )  # fmt: skip


def _layers(result: xr.Dataset) -> Layers:
    spec = TileSpec.of(result)
    if not spec.variables:
        raise TileError("the chip operator made no variable", expected="at least one")
    for name, var in spec.variables.items():
        if var.dims[-2:] != ("y", "x"):
            raise TileError(f"the chip operator made {name!r} with dims {var.dims}", expected="(…, y, x)")
    leads = {n: tuple(spec.sizes[d] for d in v.dims[:-2]) for n, v in spec.variables.items()}
    return Layers(dict(spec.variables), leads)


def work_of(apply: ApplyToChips, source: Source) -> Work:
    """Return what is to be done with a scene's chips.

    Raises
    ------
    ExecutorError
        If a chip operator that is only known by running it stands beside an option that needs its plan.
    """
    if any(getattr(child, "opaque", False) for _, child in apply.walk()):
        apply.sampler.require_cover(1)
        return OpaqueWork(apply, source)
    whole = require_plain(compile(apply.chip_op, source.spec), "run_chips")
    apply.sampler.require_cover(apply.align(whole))
    apply.require_plan()
    if not made_by(whole):
        raise ExecutorError("the chip operator makes no variable", expected="at least one")
    return ExactWork(apply, source) if apply.is_exact(whole) else BlendWork(apply, source)
