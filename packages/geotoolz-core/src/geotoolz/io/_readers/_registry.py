"""Which readers there are, and which one a path is for."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from geotoolz.core._errors import ParameterError
from geotoolz.io._readers._base import Reader

GROUP = "geotoolz.readers"
#: asked in this order; what none of them knows is a folder of rasters, a raster or a STAC item
_BUILT_IN: tuple[str, ...] = (
    "geotoolz.io._readers._sentinel2_safe:Sentinel2SAFE",
    "geotoolz.io._readers._landsat:LandsatMTL",
    "geotoolz.io._readers._refused:Sentinel1SAFE",
    "geotoolz.io._readers._refused:HDF4",
    "geotoolz.io._readers._hls:HLS",
    "geotoolz.io._readers._sentinel1_rtc:Sentinel1RTC",
    "geotoolz.io._readers._planetscope:PlanetScope",
    "geotoolz.io._readers._enmap:EnMAP",
    "geotoolz.io._readers._emit:EMIT",
    "geotoolz.io._readers._cf:CF",
)


@lru_cache(maxsize=1)
def readers() -> tuple[Reader, ...]:
    """Return every reader, in the order in which they are asked: those of other packages first."""
    found = [point.load() for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)]
    for place in _BUILT_IN:
        module, _, attribute = place.partition(":")
        found.append(getattr(import_module(module), attribute))
    for kind in found:
        if not (isinstance(kind, type) and issubclass(kind, Reader)):
            raise ParameterError(
                f"the entry point group {GROUP!r} names {kind!r}",
                expected="a subclass of geotoolz.io.Reader",
                fix="correct the pyproject.toml of the package that registers it",
            )
    return tuple(kind() for kind in found)


def reader_names() -> tuple[str, ...]:
    """Return the readers' names, in the order in which they are asked."""
    return tuple(reader.name for reader in readers())


def reader_for(path: Path) -> Reader | None:
    """Return the reader that recognises a path, None where it is a plain raster, folder or item."""
    return next((reader for reader in readers() if reader.recognises(path)), None)


def own_reader_for(path: Path) -> Reader | None:
    """Return the reader of another package that recognises a path."""
    home = __name__.rpartition(".")[0]
    own = (reader for reader in readers() if not type(reader).__module__.startswith(home))
    return next((reader for reader in own if reader.recognises(path)), None)
