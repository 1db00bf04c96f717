"""From a request for a picture to its bytes: caches, one run for all who ask, threads that draw."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from geotoolz.serve._blocks import BlockCache, shared_cache
from geotoolz.serve._encode import PICTURES, empty_picture, nothing, picture, values_npy, values_tif
from geotoolz.serve._executor import Renderers
from geotoolz.serve._layer import Layer
from geotoolz.serve._render_grid import Target
from geotoolz.serve._settings import ServeSettings
from geotoolz.serve._singleflight import Flights
from geotoolz.serve._tile_cache import TileCache

T = TypeVar("T")


class Renderer:
    """What draws for one application.

    Attributes
    ----------
    blocks : BlockCache
    tiles : TileCache
    renderers : Renderers
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.blocks: BlockCache = shared_cache()
        self.blocks.max_bytes = settings.block_cache_mb * 2**20
        self.tiles = TileCache(settings.tile_cache_mb * 2**20, settings.disk_cache)
        self.renderers = Renderers(settings.render_threads, settings.queue)
        self._flights: Flights[bytes] = Flights()

    async def picture(
        self, layer: Layer, make: Callable[[], Target], fmt: str, time: str | None, etag: str, request: Any
    ) -> bytes:
        """Return an encoded picture, from a cache or drawn now.

        Parameters
        ----------
        layer : Layer
            Of which layer.
        make : callable
            Returns the pixels to draw; called in the thread that draws.
        fmt : str
            Format.
        time : str or None
            Interval of a catalog.
        etag : str
            Names the picture in the caches.
        request : starlette.requests.Request
            Who wants it.
        """
        found = self.tiles.get(etag)
        if found is not None:
            return found

        def work() -> bytes:
            kept = self.tiles.from_disk(etag)
            data = drawn(layer, make(), fmt, time) if kept is None else kept
            self.tiles.put(etag, data)
            if kept is None:
                self.tiles.to_disk(etag, data)
            return data

        async def fly(wanted: Callable[[], Awaitable[bool]]) -> bytes:
            return await self.renderers.run(work, wanted)

        return await self._flights.join(etag, request, fly)

    async def run(self, work: Callable[[], T]) -> T:
        """Run anything else that reads pixels in the same threads."""
        return await self.renderers.run(work)

    def close(self) -> None:
        """Let what is being drawn end."""
        self.renderers.close()


def drawn(layer: Layer, target: Target, fmt: str, time: str | None = None) -> bytes:
    """Return an encoded picture, or values, of a layer.

    Parameters
    ----------
    layer : Layer
        What.
    target : Target
        Where.
    fmt : {"png", "webp", "jpg", "npy", "tif"}
        The last two hold values.
    time : str, optional
        Interval of a catalog.
    """
    found = layer.warped(target, time)
    if fmt in PICTURES:
        if found is None:
            return empty_picture(target.extent.shape, fmt)
        return picture(layer.style.paint(found), fmt)
    if found is None:
        found = nothing(layer.output, layer.style.bands, target.extent.shape)
    return values_npy(found) if fmt == "npy" else values_tif(found, layer.output, target.geobox)
