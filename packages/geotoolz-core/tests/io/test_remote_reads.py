"""What is fetched over HTTP, counted by the server: headers side by side, and no more bytes than needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _http import Server, serving
from _scenes_served import served, written

from geotoolz.catalog import GeoCatalog, open_stack, stack_grid
from geotoolz.core import ReadError, geobox_of
from geotoolz.io import close_handles, describe, open_tile
from geotoolz.vector import point_series

SIZE = 1024
BLOCK = 256


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def items(folder: Path) -> list[dict[str, Any]]:
    return written(folder, SIZE)


def counted(folder: Path, read: Callable[[Server], Any]) -> tuple[Any, int, int, int]:
    """Return what reading gives, the requests, the bytes, and how many requests were under way at most.

    Every call has a server of its own: GDAL keeps what it has fetched by its address.
    """
    with serving(folder) as server:
        found = read(server)
        close_handles()
        return found, len(server.served), server.sent, server.most


def size_of(items: list[dict[str, Any]], *keys: str) -> int:
    """Return the bytes of some assets of all items."""
    return sum(Path(item["assets"][key]["href"]).stat().st_size for item in items for key in keys)


def key_of(item: dict[str, Any], name: str) -> str:
    """Return the asset that holds a band."""
    return next(key for key, asset in item["assets"].items() if Path(asset["href"]).stem == name)


def test_headers_are_read_side_by_side_and_in_order(folder: Path, items: list[dict[str, Any]]) -> None:
    def read(server: Server) -> Any:
        server.hold_until(3)
        return describe(served(items[:1], server, folder)[0], ["scl", "red", "nir"])

    spec, requests, sent, most = counted(folder, read)
    assert list(spec.variables) == ["scl", "red", "nir"]
    assert spec == describe(items[0], ["scl", "red", "nir"]) or spec.shape == (SIZE, SIZE)
    assert 3 <= most <= 8
    assert requests <= 3 * 3 and sent < size_of(items[:1], *items[0]["assets"]) / 2


def test_scenes_of_a_stack_too(folder: Path, items: list[dict[str, Any]]) -> None:
    local = GeoCatalog.from_items(items)
    grid = stack_grid(local, local.bounds, 10.0)

    def read(server: Server) -> Any:
        server.hold_until(3)
        return open_stack(GeoCatalog.from_items(served(items, server, folder)), grid, ["red", "scl"])

    reader, _, _, most = counted(folder, read)
    assert reader.times.tolist() == open_stack(local, grid, ["red", "scl"]).times.tolist()
    assert 3 <= most <= 8  # bands of a scene wait in turn where scenes are side by side


def test_errors_and_options_are_those_of_one_after_the_other(
    folder: Path, items: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import rasterio
    from rasterio.env import getenv

    from geotoolz.io import _reader

    with serving(folder) as server:
        (item,) = served(items[:1], server, folder)
        keys = list(item["assets"])
        gone = {key: {**item["assets"][key], "href": f"{server.url}/gone-{key}.tif"} for key in keys[1:]}
        with pytest.raises(ReadError, match=f"gone-{keys[1]}"):
            describe({**item, "assets": {keys[0]: item["assets"][keys[0]], **gone}})
        seen: list[Any] = []
        real = _reader.read_header
        monkeypatch.setattr(
            _reader,
            "read_header",
            lambda path, sign: seen.append(getenv().get("GDAL_HTTP_USERAGENT")) or real(path, sign),
        )
        with rasterio.Env(GDAL_HTTP_USERAGENT="mine"):
            describe(item)
        assert seen == ["mine"] * len(keys)


def test_a_point_costs_a_block_and_a_header(folder: Path, items: list[dict[str, Any]]) -> None:
    tile = open_tile(items[0], ["red"])
    x, y = float(tile.x[300]), float(tile.y[700])
    lonlat = geobox_of(tile)[700:701, 300:301].geographic_extent.centroid.points[0]
    local = point_series(GeoCatalog.from_items(items), [lonlat], bands="red")

    def read(server: Server) -> Any:
        return point_series(GeoCatalog.from_items(served(items, server, folder)), [lonlat], bands="red")

    found, requests, sent, _ = counted(folder, read)
    np.testing.assert_array_equal(found.red, local.red)
    assert found.red[0] == tile.red.sel(x=x, y=y).item()
    # a header and one of sixteen blocks, of one band of three, with the 16 kB that GDAL fetches at least
    block = size_of(items, key_of(items[0], "B04")) / (SIZE // BLOCK) ** 2
    assert sent <= 2 * block + len(items) * 4 * 16_384
    assert sent < size_of(items, *items[0]["assets"]) / 6
    assert requests <= 4 * len(items)


@pytest.mark.parametrize("size", [200, 700])
def test_a_stack_fetches_no_more_than_odc_stac(folder: Path, items: list[dict[str, Any]], size: int) -> None:
    pytest.importorskip("dask")
    odc = pytest.importorskip("odc.stac")
    pystac = pytest.importorskip("pystac")
    grid = geobox_of(open_tile(items[0], ["red"]))[100 : 100 + size, 150 : 150 + size]

    def ours(server: Server) -> Any:
        catalog = GeoCatalog.from_items(served(items, server, folder))
        return catalog.stack(grid, ["red", "scl"], raw=True, lazy=False)

    def theirs(server: Server) -> Any:
        remote = [pystac.Item.from_dict(item) for item in served(items, server, folder)]
        keys = [key_of(items[0], name) for name in ("B04", "SCL")]
        return odc.load(remote, bands=keys, geobox=grid, groupby="solar_day", chunks={}).compute(
            scheduler="single-threaded"
        )

    mine, requests, sent, _ = counted(folder, ours)
    other, _, bytes_of_theirs, _ = counted(folder, theirs)
    key = key_of(items[0], "B04")
    np.testing.assert_array_equal(mine.red, other[key])
    assert sent <= bytes_of_theirs
    blocks = (size // BLOCK + 2) ** 2
    assert requests <= len(items) * 2 * (blocks + 3)


@pytest.mark.filterwarnings("ignore:All-NaN slice encountered:RuntimeWarning")
def test_a_composite_fetches_no_more_than_odc_stac(folder: Path, items: list[dict[str, Any]]) -> None:
    pytest.importorskip("dask")
    temporal = pytest.importorskip("geotoolz.temporal")
    odc = pytest.importorskip("odc.stac")
    pystac = pytest.importorskip("pystac")
    grid = geobox_of(open_tile(items[0], ["red"]))

    def ours(server: Server) -> Any:
        catalog = GeoCatalog.from_items(served(items, server, folder))
        return temporal.monthly_composite(catalog, grid, bands=["red"], threads=2)

    def theirs(server: Server) -> Any:
        remote = [pystac.Item.from_dict(item) for item in served(items, server, folder)]
        keys = [key_of(items[0], name) for name in ("B04", "SCL")]
        cube = odc.load(remote, bands=keys, geobox=grid, groupby="solar_day", chunks={"x": 512, "y": 512})
        dn, scl = (cube[key] for key in keys)
        clear = dn.where((dn > 0) & ~scl.isin([3, 8, 9, 10]))
        return clear.median("time").compute(scheduler="single-threaded")

    mine, requests, sent, _ = counted(folder, ours)
    other, _, bytes_of_theirs, _ = counted(folder, theirs)
    np.testing.assert_allclose(mine.red[0], other * 1e-4 - 0.1, atol=1e-6)
    keys = [key_of(items[0], name) for name in ("B04", "SCL")]
    assert sent <= bytes_of_theirs
    assert sent <= 1.05 * size_of(items, *keys) + len(items) * len(keys) * 4 * 16_384
    assert requests <= len(items) * len(keys) * ((SIZE // BLOCK) ** 2 + 3)
