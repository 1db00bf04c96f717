"""A stack that is open for reading: its spec without pixels, its pixels window by window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.catalog._stack_pixels import Array, Placed, laid
from geotoolz.core import Extent, TileSpec
from geotoolz.core._coord import Coord
from geotoolz.core._errors import MissingVariableError, ParameterError, nearest
from geotoolz.core._extent import windows as cut_windows
from geotoolz.core._grid import tile_from_arrays
from geotoolz.core._lazy import xr
from geotoolz.io import OpenScene, close_handles
from geotoolz.io._gdal import reading

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

_WHOLE = slice(None)
_PER_TASK = 1 << 20  # pixels that a thread reads at a time


class StackReader(OpenScene):
    """Scenes of several dates on one grid; every window has the bits of the same part of the whole.

    Made by `open_stack`. Pixels are read when `arrays`, `read` or `windows` is called.

    Parameters
    ----------
    spec : TileSpec
        The stack without its pixels, dims ``(time, y, x)``.
    dates : sequence of sequences of Placed
        The open scenes of each date, in order.
    recipe : mapping, optional
        The stack in words that JSON has.

    Attributes
    ----------
    spec : TileSpec
        The stack without its pixels.
    geobox : GeoBox
        The stack's grid.
    stamps : dict
        File → what tells whether it is still the same one.
    recipe : dict
        The stack in words that JSON has (scenes, grid, how they are read); empty where nobody told.
    """

    def __init__(
        self,
        spec: TileSpec,
        dates: Sequence[Sequence[Placed]],
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        self.recipe = dict(recipe or {})
        self.origin = f"stack of {sum(map(len, dates))} scenes"
        self.spec = spec
        self.dates = tuple(map(tuple, dates))
        self.geobox: GeoBox = spec.require_geobox("a stack")
        self.stamps = {
            path: stamp
            for date in self.dates
            for scene in date
            for path, stamp in scene.reader.stamps.items()
        }

    def __repr__(self) -> str:
        rows, cols = self.spec.shape
        return f"<StackReader {len(self.dates)} dates: {', '.join(self.spec.variables)}; {rows} × {cols}>"

    @property
    def times(self) -> Array:
        """When the dates are, as ``datetime64[ns]``."""
        return self.spec.coordinate("time", "a stack")

    @property
    def inputs(self) -> tuple[str, ...]:
        """The files that are read, for fingerprints."""
        return tuple(dict.fromkeys(p for date in self.dates for scene in date for p in scene.reader.inputs))

    def at(self, positions: Iterable[int]) -> StackReader:
        """Return the stack of some of the dates; nothing is opened again.

        Parameters
        ----------
        positions : iterable of int
            Positions along time, in the wanted order.
        """
        index = np.array(list(positions), np.int64)
        coords = {n: Coord("time", c.values[index], c.attrs) for n, c in self.spec.coords.items()}
        sizes = {**self.spec.sizes, "time": int(index.size)}
        spec = replace(self.spec, sizes=sizes, lead=coords)
        recipe = self.recipe and {**self.recipe, "dates": [self.recipe["dates"][i] for i in index]}
        return StackReader(spec, [self.dates[i] for i in index], recipe)

    def arrays(
        self, names: Iterable[str] | None = None, rows: slice = _WHOLE, cols: slice = _WHOLE
    ) -> dict[str, Array]:
        """Read a window of all dates as arrays ``(time, y, x)``.

        Parameters
        ----------
        names : iterable of str, optional
            Variables; all by default.
        rows, cols : slice
            The window in pixels of the whole stack.
        """
        extent = self._extent(rows, cols)
        found = {}
        for name in self._chosen(names):
            spec = self.spec.variables[name]
            out = np.empty((len(self.dates), *extent.shape), spec.dtype)
            for number in range(len(self.dates)):
                self.fill(name, number, extent, out[number])
            found[name] = out
        return found

    def fill(self, name: str, number: int, extent: Extent, out: Array) -> None:
        """Read a window of one variable of one date into an array ``(y, x)``."""
        with reading(GDAL_NUM_THREADS="1"):
            laid(self.dates[number], name, self.spec.variables[name], extent, out)

    def read(
        self, names: Iterable[str] | None = None, rows: slice = _WHOLE, cols: slice = _WHOLE
    ) -> xr.Dataset:
        """Read a window of all dates as a stack.

        Parameters
        ----------
        names : iterable of str, optional
            Variables; all by default.
        rows, cols : slice
            The window in pixels of the whole stack.
        """
        chosen = self._chosen(names)
        return self.tile(self.arrays(chosen, rows, cols), self._extent(rows, cols))

    def load(self, names: Iterable[str] | None = None, threads: int | None = None) -> xr.Dataset:
        """Read the whole stack, several dates and blocks at a time.

        Parameters
        ----------
        names : iterable of str, optional
            Variables; all by default.
        threads : int, optional
            By default one per processor that this process may use.
        """
        from geotoolz.core._threads import thread_count

        height, width = self.spec.shape
        whole = Extent(0, height, 0, width)
        chosen = self._chosen(names)
        shape = (len(self.dates), height, width)
        out = {name: np.empty(shape, self.spec.variables[name].dtype) for name in chosen}
        size = max(int(_PER_TASK**0.5), 1)
        parts = list(cut_windows((height, width), (size, size)))
        todo = [(name, n, part) for part in parts for n in range(len(self.dates)) for name in chosen]

        def work(name: str, number: int, part: Extent) -> None:
            pixels = np.empty(part.shape, out[name].dtype)
            self.fill(name, number, part, pixels)
            part.of(out[name][number])[...] = pixels

        count = min(thread_count(threads, height * width * len(self.dates)), max(len(todo), 1))
        with ThreadPoolExecutor(count, thread_name_prefix="geotoolz-stack") as pool:
            for done in [pool.submit(work, *one) for one in todo]:
                done.result()
            for closed in [pool.submit(close_handles) for _ in range(count)]:
                closed.result()
        return self.tile(out, whole)

    def windows(
        self, size: tuple[int, int] = (1024, 1024), names: Iterable[str] | None = None
    ) -> Iterator[xr.Dataset]:
        """Yield the stack piece by piece, row by row: one window is held at a time.

        Parameters
        ----------
        size : tuple of int
            Rows and columns of a window; those at the edge are smaller.
        names : iterable of str, optional
            Variables; all by default.
        """
        for extent in cut_windows(self.spec.shape, size):
            yield self.read(names, slice(extent.y0, extent.y1), slice(extent.x0, extent.x1))

    def tile(self, arrays: dict[str, Any], extent: Extent) -> xr.Dataset:
        """Return arrays of a window as a stack with its coordinates and attributes."""
        sizes = {**self.spec.sizes, "y": extent.shape[0], "x": extent.shape[1]}
        part = replace(self.spec, sizes=sizes, offset=(extent.y0, extent.x0)).window_geobox or self.geobox
        variables = self.spec.variables
        made = tile_from_arrays(
            {name: (variables[name].dims, pixels) for name, pixels in arrays.items()},
            part,
            attrs=self.spec.attrs,
            var_attrs={name: variables[name].attrs for name in arrays},
            nodata={name: variables[name].nodata for name in arrays},
            coords={name: coord.variable() for name, coord in self.spec.coords.items()},
        )
        if extent.shape == self.spec.shape:  # how it came to be: of the whole stack, for files made of it
            made.encoding |= {"several": self.recipe, "files": self.inputs}
        return made

    def _extent(self, rows: slice, cols: slice) -> Extent:
        height, width = self.spec.shape
        y0, y1, _ = rows.indices(height)
        x0, x1, _ = cols.indices(width)
        return Extent(y0, max(y0, y1), x0, max(x0, x1))

    def _chosen(self, names: Iterable[str] | None) -> list[str]:
        if names is None:
            return list(self.spec.variables)
        chosen = [names] if isinstance(names, str) else list(names)
        for name in chosen:
            if name not in self.spec.variables:
                raise MissingVariableError(
                    f"the stack was opened without {name!r}{nearest(name, self.spec.variables)}; "
                    f"it has {', '.join(self.spec.variables)}"
                )
        if not chosen:
            raise ParameterError("names is empty", expected="at least one variable")
        return chosen
