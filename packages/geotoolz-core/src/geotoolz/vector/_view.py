"""Tiles seen through a pipeline, window by window: what is read is what a window depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import (
    ExecutorError,
    Extent,
    MissingCRSError,
    Operator,
    ParameterError,
    Sequential,
    TileSpec,
    chosen_bands,
    compile,
)
from geotoolz.core._execute import Job, native, run_window
from geotoolz.core._lazy import xr

if TYPE_CHECKING:
    from odc.geo.crs import CRS
    from odc.geo.geobox import GeoBox

    from geotoolz.io import Area

Array = np.ndarray[Any, Any]
_WHO = "windows around features do not see the whole tile"


@dataclass(frozen=True)
class OpenTile:
    """A tile without its pixels, and how to get a window of a variable."""

    spec: TileSpec
    read: Callable[[str, Extent], Array]

    @property
    def tile_id(self) -> str:
        """The tile's name, or nothing."""
        return str(self.spec.attrs.get("tile_id") or "")

    @property
    def moment(self) -> Any:
        """The tile's time as a pandas Timestamp in UTC, NaT where none is known."""
        import pandas as pd

        text = str(self.spec.attrs.get("datetime") or "").partition("/")[0]
        return pd.to_datetime(text, utc=True) if text else pd.NaT


def open_tiles(
    source: Any, area: Area, bands: Sequence[str] | None, read: Mapping[str, Any] | None
) -> Iterator[OpenTile]:
    """Open a tile in memory, a scene, a slice, or those scenes of a catalog that touch an area.

    Parameters
    ----------
    source : Dataset, GeoCatalog, GeoSlice, OpenScene, or what `open_tile` takes
        Where pixels come from.
    area : Area
        Scenes of a catalog elsewhere are not opened.
    bands : sequence of str, optional
        Bands of the files that are needed.
    read : mapping, optional
        Further arguments of `open_tile`.
    """
    from geotoolz.catalog import GeoCatalog, GeoSlice
    from geotoolz.io import OpenScene, open_scene

    options = dict(read or {})
    opened = isinstance(source, xr.Dataset | OpenScene | GeoSlice)
    if opened and options:
        raise _unused(options, f"a {type(source).__name__}")
    if isinstance(source, xr.Dataset):
        yield _in_memory(source)
    elif isinstance(source, OpenScene):
        yield _of_reader(source)
    elif isinstance(source, GeoSlice):
        yield _of_reader(source.open())
    elif isinstance(source, GeoCatalog):
        from geotoolz.catalog._load import described, sources_of

        for part in source.query(geometry=area).tiles():
            sources = sources_of(part)
            if len(sources) != 1:
                if options:
                    raise _unused(options, f"{part.tile_id!r}, which has {len(sources)} sources,")
                yield _of_reader(part.open())
                continue
            scene = open_scene(sources[0], bands=bands, **options)
            spec = scene.spec
            yield _of_reader(scene, spec.evolve(spec.variables, described(spec.attrs, part)))
    else:
        yield _of_reader(open_scene(source, bands=bands, **options))


def is_catalog(source: Any) -> bool:
    """Tell whether a source has many scenes, of which some may lie elsewhere."""
    from geotoolz.catalog import GeoCatalog

    return isinstance(source, GeoCatalog)


def _unused(options: Mapping[str, Any], what: str) -> ParameterError:
    return ParameterError(
        f"read={dict(options)!r} for {what} says how to open files", expected="a scene on disk, or a catalog"
    )


def _in_memory(tile: xr.Dataset) -> OpenTile:
    def read(name: str, extent: Extent) -> Array:
        held = tile.variables[name][..., extent.y0 : extent.y1, extent.x0 : extent.x1]
        values = native(np.asarray(held.values)).view()
        values.flags.writeable = False
        return values

    return OpenTile(TileSpec.of(tile), read)


def _of_reader(reader: Any, spec: TileSpec | None = None) -> OpenTile:
    def read(name: str, extent: Extent) -> Array:
        rows, cols = slice(extent.y0, extent.y1), slice(extent.x0, extent.x1)
        values: Array = reader.arrays([name], rows, cols)[name]
        return values

    return OpenTile(reader.spec if spec is None else spec, read)


class View:
    """Variables of a tile, or of what a pipeline makes of it, in windows.

    Every window has the bits that the pipeline gives on the whole tile (the one law); read are the pixels
    that the window depends on, of the bands that lead to the wanted variables.

    Parameters
    ----------
    tile : OpenTile
        The input.
    op : Operator, optional
        The pipeline; a sink at its end writes nothing.
    bands : sequence of str, optional
        Wanted variables of the output, by name or role. By default what the pipeline creates, and of a tile
        as it is all variables, or all measurements.
    measured : bool
        Whether flags and masks are left out by default.
    who : str
        Who asks, for messages.

    Raises
    ------
    NotFrozenError
        If a step needs statistics of the whole tile.
    """

    def __init__(
        self,
        tile: OpenTile,
        op: Operator | None,
        bands: Sequence[str] | None,
        measured: bool,
        who: str,
    ) -> None:
        if op is not None and not isinstance(op, Operator):
            raise ParameterError(
                f"op={op!r}",
                expected="an operator or a pipeline",
                fix="load a pipeline file with geotoolz.load(…)",
            )
        body = _body(op)
        whole = compile(body, tile.spec)
        if len(whole.states) != 1 or len(whole.inputs_spec) != 1:
            raise ExecutorError(f"{who} takes a pipeline of one tile to one tile")
        output = whole.output
        if bands is not None:
            names = tuple(dict.fromkeys(output.find(name, who) for name in bands))
        elif op is not None:
            names = tuple(whole.created)
        else:
            names = chosen_bands(output, None, who) if measured else tuple(output.variables)
        self.program = compile(body, tile.spec, names)
        self.program.refuse_unfrozen(_WHO)
        self.tile, self.names, self.spec = tile, names, output
        state = next(iter(self.program.states.values()))
        self._slots = {name: state.slots[name] for name in names}
        made = [slot for slot in self._slots.values() if slot not in self.program.sources]
        self._job = Job.of(self.program, made, (), output.shape) if made else None

    @property
    def geobox(self) -> GeoBox:
        """The output's own grid."""
        box = self.spec.window_geobox
        if box is None or box.crs is None:
            raise MissingCRSError("the tile has no CRS", fix="ds.rio.write_crs('EPSG:…')")
        return box

    @property
    def crs(self) -> CRS:
        """The output's reference system."""
        found = self.geobox.crs
        if found is None:
            raise MissingCRSError("the tile has no CRS")
        return found

    def values(self, extent: Extent) -> dict[str, Array]:
        """Return the wanted variables of a window of the output."""
        sources = self.program.sources

        def fetch(slot: int, part: Extent) -> Array:
            return self.tile.read(sources[slot][1], part)

        found = {} if self._job is None else run_window(self._job, fetch, extent)
        return {
            name: found[slot] if slot in found else fetch(slot, extent) for name, slot in self._slots.items()
        }


def _body(op: Operator | None) -> Operator:
    """Return the pipeline; steps that run only whole are refused."""
    body = op if op is not None else Sequential(())
    for path, step in body.walk():
        if getattr(step, "opaque", False):
            raise ExecutorError(
                f"{path or 'the step'} ({type(step).__name__}) holds a Python function and runs whole",
                expected="operators that can be planned",
                fix="run it on the tile first, and hand in the result",
            )
    return body


def pixel_extent(bounds: Array, grid: GeoBox) -> Extent | None:
    """Return the pixels that bounds (left, bottom, right, top) touch, None where they miss the grid."""
    a, (height, width) = grid.affine, map(int, grid.shape)
    rows = sorted(((bounds[3] - a.f) / a.e, (bounds[1] - a.f) / a.e))
    cols = sorted(((bounds[0] - a.c) / a.a, (bounds[2] - a.c) / a.a))
    found = Extent(
        max(int(np.floor(rows[0])), 0),
        min(int(np.ceil(rows[1])), height),
        max(int(np.floor(cols[0])), 0),
        min(int(np.ceil(cols[1])), width),
    )
    return found if found.y1 > found.y0 and found.x1 > found.x0 else None
