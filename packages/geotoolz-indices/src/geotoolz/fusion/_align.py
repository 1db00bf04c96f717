"""Tiles of any grid and reference system as one tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from geotoolz.core import (
    Builder,
    GeotoolzError,
    GridChange,
    Join,
    OutsideError,
    ParameterError,
    State,
    TileError,
    TileSpec,
    nearest,
)
from geotoolz.core._lazy import xr
from geotoolz.grid import MatchGrid, Regrid, Reproject

Method = Literal["nearest", "bilinear", "cubic", "average", "mode"]
_EXACT, _COVERING = {"crs", "transform", "shape"}, {"crs", "resolution"}


class _Onto(Regrid, abstract=True):
    """Brings a tile onto the very lattice of another one, on which its pixels are counted."""

    target: Any
    method: Method = "bilinear"
    fill: Mapping[str, float] | None = None

    def warp(self, tile: TileSpec) -> Any:
        """Return the change to the target's window of its parent grid."""
        target: TileSpec = self.target
        tile.require_geobox("AlignAndStack")
        box = target.require_geobox("AlignAndStack")
        if 0 in box.shape:  # the lattice of its first pixel
            box = box.expand((max(box.shape.y, 1), max(box.shape.x, 1)))
        whole: Any = MatchGrid.like(box).warp(tile)
        change = replace(whole, shape=target.shape, offset=target.offset)
        if 0 in change.needed_by_all().shape and 0 not in (*tile.shape, *target.shape):
            raise OutsideError(
                "the tile does not touch the target grid",
                expected="inputs that overlap",
                fix="mind the CRS and transform of both",
            )
        return change


_Onto.__name__ = "AlignAndStack"  # what its errors call it: the user has never heard of the other


class AlignAndStack(Join):
    """Bring tiles of any grid and reference system onto one grid, as the variables of one tile.

    Reads and writes every variable of every input; dtype, units, no-data and attributes stay. An input
    that lies on the target grid already is passed on untouched, the others are resampled as
    `geotoolz.grid.MatchGrid` does it: where an input does not reach, its variables are no-data, and flags,
    classes and masks are never mixed. Tile attributes are those of the input whose grid is the target, or
    of the first. Stacks need equal times. A pixel looks as far as the resampling of each input needs, so
    windows of the output read windows of the inputs.

    Parameters
    ----------
    target_grid : str or mapping
        The name of an input (or of the graph's input that it was made from), whose grid is taken. Or a
        grid: ``{"crs", "transform", "shape"}`` as for `geotoolz.grid.MatchGrid`, or ``{"crs",
        "resolution"}`` for the grid that `geotoolz.grid.Reproject` would give the first input; a tile or
        a GeoBox is turned into the former.
    method : str or mapping of str to str
        How values are resampled: ``"nearest"``, ``"bilinear"``, ``"cubic"``, ``"average"``, ``"mode"``; one
        for all inputs, or by input (``"bilinear"`` for the others).
    fill : mapping of str to float, optional
        No-data values of integer variables that have none.
    prefix : bool
        Call variables ``"<input>_<variable>"``; without it equal names are an error.

    Raises
    ------
    ParameterError
        If the target grid, or a method, names no input.
    OutsideError
        If an input does not touch the target grid.
    MissingCRSError
        If an input has no reference system.
    TileError
        If names collide, or stacks have other times.

    References
    ----------
    The resampling is that of `geotoolz.grid.Reproject`, where its sources stand.

    Examples
    --------
    >>> from geotoolz.core import geobox_of
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.fusion import AlignAndStack
    >>> optical = simulate_scene((64, 64), bands=("red",))
    >>> thermal = simulate_scene((16, 16), resolution=40, bands=("swir16",), crs="EPSG:32633")
    >>> both = AlignAndStack("optical")({"optical": optical, "thermal": thermal})
    >>> list(both.data_vars), geobox_of(both) == geobox_of(optical)
    (['red', 'swir16'], True)
    """

    target_grid: str | Mapping[str, Any]
    method: Method | Mapping[str, Method] = "bilinear"
    fill: Mapping[str, float] | None = None
    prefix: bool = False

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Turn a tile or a GeoBox into a grid that can be written down."""
        grid = values["target_grid"]
        if isinstance(grid, xr.Dataset | xr.DataArray) or hasattr(grid, "affine"):
            like = MatchGrid.like(grid)
            grid = {"crs": like.crs, "transform": like.transform, "shape": like.shape}
        return {**values, "target_grid": grid}

    def validate(self) -> None:
        """Check that a target grid is one."""
        if isinstance(self.target_grid, str):
            return
        if set(self.target_grid) == _EXACT:
            MatchGrid(**self.target_grid)
        elif "crs" in self.target_grid and set(self.target_grid) <= _COVERING:
            Reproject(**self.target_grid)
        else:
            raise ParameterError(
                f"target_grid has {', '.join(map(repr, self.target_grid)) or 'nothing'}",
                expected="the name of an input, crs, transform and shape, or crs and resolution",
            )

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Treat one tile as the input that the target grid names."""
        name = self.target_grid if isinstance(self.target_grid, str) else ""
        return self.emit_join(builder, {name: state}, path)

    def emit_join(self, builder: Builder, states: Mapping[str, State], path: str) -> State:
        """Resample what lies on another grid, and put the variables side by side."""
        methods = self._methods(states)
        unknown = [n for n in self.fill or () if not any(n in s.slots for s in states.values())]
        if unknown:
            raise ParameterError(f"fill names {unknown[0]!r}, which no input has")
        base, target = self._target(states)
        aligned = {}
        for name, state in states.items():
            fill = {key: value for key, value in (self.fill or {}).items() if key in state.slots}
            op = _Onto(target, methods.get(name, "bilinear"), fill or None)
            if state.spec.offset == target.offset and state.spec.window_geobox == target.window_geobox:
                aligned[name] = state
                continue
            try:
                aligned[name] = builder.apply(self, op.plan(state.spec), state, path)
            except GeotoolzError as error:
                raise error.prefixed(f"input {name!r}") from error
        return self._stacked(aligned, aligned[base], target)

    def _named(self, name: str, states: Mapping[str, State], what: str) -> str:
        """Return the input of a name, or the one that was made of the graph's input of that name."""
        made = [one for one, state in states.items() if state.home == name]
        if name in states or len(made) == 1:
            return name if name in states else made[0]
        names = ", ".join(map(repr, states))
        raise ParameterError(
            f"{what} names {name!r}, which is not among the inputs{nearest(name, states)}",
            expected=f"one of {names}" if not made else f"one of {names}: several come from {name!r}",
        )

    def _methods(self, states: Mapping[str, State]) -> dict[str, Method]:
        if isinstance(self.method, str):
            return dict.fromkeys(states, self.method)
        return {self._named(name, states, "method"): method for name, method in self.method.items()}

    def _target(self, states: Mapping[str, State]) -> tuple[str, TileSpec]:
        """Return the input that leads, and a tile on the target grid."""
        if isinstance(self.target_grid, str):
            name = self._named(self.target_grid, states, "target_grid")
            spec = states[name].spec
            spec.require_geobox(f"AlignAndStack(target_grid={name!r})")
            return name, spec
        name = next(iter(states))
        spec = states[name].spec
        covering = set(self.target_grid) <= _COVERING
        op: Regrid = Reproject(**self.target_grid) if covering else MatchGrid(**self.target_grid)
        try:
            change: GridChange = op.warp(spec)
        except GeotoolzError as error:
            raise error.prefixed(f"input {name!r}") from error
        return name, spec.on(change)

    def _stacked(self, aligned: Mapping[str, State], base: State, target: TileSpec) -> State:
        """Return the tile of all variables."""
        variables, slots, owners = {}, {}, {}  # type: ignore[var-annotated]
        sizes, coords, several = dict(target.sizes), dict(base.spec.coords), False
        for source, state in aligned.items():
            for dim, size in state.spec.sizes.items():
                if sizes.setdefault(dim, size) != size:
                    raise TileError(
                        f"the input {source!r} has {size} positions along {dim!r}, another {sizes[dim]}",
                        expected="stacks of equal dates",
                        fix="choose the dates first, or make composites of them",
                    )
            for name, coord in state.spec.coords.items():
                several |= name not in coords
                if (coords.setdefault(name, coord).values != coord.values).any():
                    raise TileError(
                        f"the input {source!r} has other values of {name!r} than the rest",
                        expected="stacks of equal dates",
                        fix="choose the dates first, or make composites of them",
                    )
            for name, slot in state.slots.items():
                label = f"{source}_{name}" if self.prefix else name
                if label in slots:
                    raise TileError(
                        f"the inputs {owners[label]!r} and {source!r} both have a variable {label!r}",
                        fix="set prefix=True, or rename one",
                    )
                variables[label], slots[label], owners[label] = state.spec.variables[name], slot, source
        lead = coords if several else base.spec.lead
        spec = TileSpec(variables, sizes, target.grid, target.offset, base.spec.attrs, lead)
        return State(spec, slots, base.home)
