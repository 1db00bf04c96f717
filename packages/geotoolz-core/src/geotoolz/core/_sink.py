"""The last step of a pipeline: writing or exporting."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from geotoolz.core._lazy import xr
from geotoolz.core._map import TileOperator
from geotoolz.core._specs import TileSpec

if TYPE_CHECKING:
    from geotoolz.core._builder import Builder, State


class Sink(TileOperator, abstract=True):
    """Base of steps that write. A pipeline may end in one; it is no part of the config hash.

    Drivers that return data (a map, an HTTP answer) leave sinks out.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"writes_files"})

    def check_tile(self, tile: TileSpec, created: tuple[str, ...]) -> None:
        """Raise if the tile could not be written; no pixel and no file is touched."""

    def write(self, tile: xr.Dataset, *, created: tuple[str, ...]) -> tuple[str, ...]:
        """Write the tile and return the paths.

        Parameters
        ----------
        tile : xarray.Dataset
            The finished tile.
        created : tuple of str
            Variables that the pipeline created, or changed if it created none.
        """
        raise NotImplementedError(f"{type(self).__name__} writes nothing")

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Register the sink; the tile passes unchanged."""
        original = {name for _, name in builder.sources.values()}
        changed = tuple(n for n, s in state.slots.items() if s not in builder.sources)
        planes = {n for n in changed if "color_interp" in state.spec.variables[n].attrs}
        new = tuple(n for n in changed if n in planes or n not in original)  # as `Program.created`
        self.check_tile(state.spec, new or changed)
        builder.sinks.append((path, self))
        return state
