"""Two pipelines one after the other on a whole tile: for steps that nobody can plan (`Tap`, functions)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from geotoolz.core import Operator, TileSpec, run
from geotoolz.core._execute import native
from geotoolz.core._lazy import xr
from geotoolz.diff._both import Made, Matched, by_class, classes_of, comparison, match
from geotoolz.diff._compare import Compare

Array = np.ndarray[Any, Any]


class WholeRun:
    """What two pipelines made of a tile.

    Parameters
    ----------
    a, b : Operator
    tile : xarray.Dataset
    """

    def __init__(self, a: Operator, b: Operator, tile: xr.Dataset) -> None:
        self.tile = tile
        self.made = [_outputs(run(op, tile)) for op in (a, b)]
        self.specs: list[Made] = [
            {name: (TileSpec.of(made), 0) for name, (made, _) in side.items()} for side in self.made
        ]

    def matched(self, variables: tuple[str, ...] | None, kinds: Mapping[str, str]) -> Matched:
        """Pair the variables of both."""
        names = variables or tuple(dict.fromkeys(name for side in self.made for name in self._new(side)))
        one, two = self.specs
        return match(one, two, names, kinds)

    def statistics(
        self, matched: Matched, step: int, by: str | None
    ) -> tuple[dict[str, Any], dict[str, Mapping[str, Any]]]:
        """Return what was found of every pair, under the paths of the joint run; and attributes."""
        found: dict[str, Any] = {}
        attrs: dict[str, Mapping[str, Any]] = {}
        for pair in matched.pairs:
            if pair.problem:
                continue
            tile, bare = self.specs[0][pair.name][0], pair.name.rpartition("/")[2]
            spec, other = (side[pair.name][0].variables[bare] for side in self.specs)
            op = comparison(pair.kind, spec, other, step)
            arrays = [native(side[pair.name][0][bare].values) for side in self.made]
            found[f"compare[{pair.name}]"] = op.finish(op.update(op.init(tile), *arrays))
            attrs[pair.name] = dict(spec.attrs)
            if by is not None:
                found[f"by[{pair.name}]"] = self._by(op, tile, spec.dims, by, arrays)
                attrs[by] = dict(self._classes(by).attrs)
        return found, attrs

    def _by(self, op: Compare, tile: TileSpec, dims: tuple[str, ...], by: str, arrays: list[Array]) -> Any:
        held: Made = {str(name): (TileSpec.of(self.tile), 0) for name in self.tile.data_vars}
        each = by_class(op, tile, dims, classes_of(by, held, self.specs[0])[0], by)
        return each.finish(each.update(each.init(tile), *arrays, native(self._classes(by).values)))

    def _classes(self, by: str) -> xr.DataArray:
        return self.tile[by] if by in self.tile else self.made[0][by][0][by.rpartition("/")[2]]

    def _new(self, side: Mapping[str, tuple[xr.Dataset, str]]) -> Iterator[str]:
        """Yield the variables that are new, else those that changed, else all."""
        held = self.tile.variables
        changed = [
            name
            for name, (made, bare) in side.items()
            if bare not in held or made.variables[bare].data is not held[bare].data
        ]
        new = [name for name in changed if side[name][1] not in self.tile]
        yield from new or changed or side


def _outputs(result: Any) -> dict[str, tuple[xr.Dataset, str]]:
    """Return tile and name of every variable that a pipeline leaves."""
    outputs = {"": result} if isinstance(result, xr.Dataset) else result
    alone = len(outputs) == 1
    return {
        str(name) if alone else f"{output}/{name}": (tile, str(name))
        for output, tile in outputs.items()
        for name in tile.data_vars
    }
