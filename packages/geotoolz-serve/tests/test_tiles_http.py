"""Tiles and what belongs to them, from a real server over HTTP."""

from __future__ import annotations

import asyncio
import io
import math
import socket
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import rasterio
from PIL import Image

from geotoolz.catalog import GeoCatalog
from geotoolz.core import Sequential, geobox_of, to_config
from geotoolz.core.testing import data_path
from geotoolz.io import open_tile
from geotoolz.radiometry import BandMath, BoxMean
from geotoolz.serve import _render
from geotoolz.serve._render_grid import EDGE, resolution
from geotoolz.viz import Colormap

pytestmark = pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
SCENE = "s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A"
STEPS = [BandMath({"ndvi": "(nir - red) / (nir + red)"}), BoxMean(1, ("ndvi",))]
NDVI = Sequential([*STEPS, Colormap("ndvi", "RdYlGn", vmin=0.0, vmax=1.0)])


def settings(folder):
    """Return the settings of the tests' server."""
    scene = str(data_path(SCENE))
    catalog = folder / "season.parquet"
    GeoCatalog.from_folder(data_path("s2_l2a_33TWL_croatia")).save(catalog)
    return {
        "title": "Test <maps>",
        "pipelines": [{"name": "ndvi", "config": to_config(NDVI), "description": "How green it is."}],
        "layers": [
            {
                "name": "ndvi", "title": "NDVI & more", "source": scene, "pipeline": "ndvi",
                "cache_control": "public, max-age=7",
            },
            {"name": "scl", "source": scene, "bands": ["scl"]},
            {"name": "rgb", "source": scene},
            {"name": "season", "source": str(catalog), "pipeline": "ndvi", "mosaic": "newest"},
            {"name": "greenest", "source": str(catalog), "pipeline": "ndvi", "mosaic": "best"},
            {"name": "plain", "source": str(data_path("cogs_for_tile_server/cog.tif"))},
        ],
        "sandbox": {"enabled": False},
        "workbench": False,
    }  # fmt: skip


class Server:
    """A server in a thread, on a port of its own."""

    def __init__(self, given):
        import uvicorn

        from geotoolz.serve import create_app

        self.app = create_app(given)
        self.state = self.app.state.geotoolz
        self.listening = socket.socket()
        self.listening.bind(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        config = uvicorn.Config(self.app, log_level="warning", lifespan="on", timeout_graceful_shutdown=5)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.port}"
        until(lambda: self.server.started)

    def close(self):
        self.server.should_exit = True
        self.thread.join(30)
        self.listening.close()


def until(condition):
    """Wait for a condition; the tests' timeout ends a wait for ever."""
    while not condition():
        time.sleep(0.005)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        running = Server(settings(tmp_path_factory.mktemp("serve")))
    yield running
    running.close()


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=server.url, timeout=60) as found:
        yield found


@pytest.fixture(scope="module")
def layers(client):
    return {one["name"]: one for one in client.get("/layers").raise_for_status().json()["layers"]}


def tile_at(lon, lat, z):
    x = int((lon + 180) / 360 * 2**z)
    y = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**z)
    return z, x, y


def middle(layer, zoom=None):
    west, south, east, north = layer["bounds"]
    z = layer["native_zoom"] if zoom is None else zoom
    return tile_at((west + east) / 2, (south + north) / 2, z)


def path_of(layer, tile, fmt="png", sharp=""):
    z, x, y = tile
    return f"/tiles/{layer['name']}/{z}/{x}/{y}{sharp}.{fmt}"


def rgba(answer):
    with Image.open(io.BytesIO(answer.content)) as picture:
        return np.asarray(picture.convert("RGBA"))


# ---- tiles -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ndvi", "scl", "rgb", "season", "plain"])
def test_a_tile_in_every_format(server, client, layers, name):
    tile = middle(layers[name])
    layer = server.state.registry.layers[name]
    found = layer.warped(layer.tile_target(*tile))
    painted = layer.style.paint(found).pixels()
    png = client.get(path_of(layers[name], tile))
    assert (png.status_code, png.headers["content-type"]) == (200, "image/png")
    visible = painted[..., 3] > 0
    np.testing.assert_array_equal(rgba(png)[visible], painted[visible])
    assert len(np.unique(painted.reshape(-1, 4), axis=0)) > 2
    for fmt, size in (("webp", 256), ("jpg", 256)):
        picture = rgba(client.get(path_of(layers[name], tile, fmt)))
        assert picture.shape == (size, size, 4)
        assert np.abs(picture[visible][:, :3].astype(int) - painted[visible][:, :3]).mean() < 40
    assert rgba(client.get(path_of(layers[name], tile, "png", "@2x"))).shape == (512, 512, 4)
    values = np.load(io.BytesIO(client.get(path_of(layers[name], tile, "npy")).content))
    np.testing.assert_array_equal(values, np.stack(list(found.arrays.values())))
    with (
        rasterio.MemoryFile(client.get(path_of(layers[name], tile, "tif")).content) as file,
        file.open() as raster,
    ):
        assert raster.crs.to_epsg() == 3857 and raster.descriptions == tuple(found.arrays)
        size = resolution(tile[0])
        assert raster.transform.a == size
        assert raster.bounds.left == pytest.approx(-EDGE + tile[1] * 256 * size, abs=1e-4)
        assert raster.bounds.top == pytest.approx(EDGE - tile[2] * 256 * size, abs=1e-4)
        np.testing.assert_array_equal(raster.read(), values)


def test_headers_and_an_answer_without_a_picture(server, client, layers):
    path = path_of(layers["ndvi"], middle(layers["ndvi"]))
    first = client.get(path)
    assert first.headers["cache-control"] == "public, max-age=7"
    assert first.headers["x-config-hash"] == layers["ndvi"]["config_hash"]
    drawn = server.state.renderer.renderers.drawn
    for tag in (
        first.headers["etag"],
        f"W/{first.headers['etag']}",
        f'"other", {first.headers["etag"]}',
        "*",
    ):
        again = client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["cache-control"] == "public, max-age=7"
    assert client.get(path, headers={"If-None-Match": '"other"'}).content == first.content
    assert server.state.renderer.renderers.drawn == drawn  # the last one came from the cache
    others = {
        client.get(path_of(layers["ndvi"], middle(layers["ndvi"]), fmt)).headers["etag"]
        for fmt in ("webp", "npy")
    }
    assert first.headers["etag"] not in others and len(others) == 2


def test_nothing_inside_and_outside(server, client, layers):
    layer, told = server.state.registry.layers["plain"], layers["plain"]
    west, south, east, north = layer.bounds
    z = layer.max_zoom
    corners = [
        tile_at(lon, lat, z) for lon in (west + 1e-3, east - 1e-3) for lat in (south + 1e-3, north - 1e-3)
    ]
    # the scene stands askew in its bounds
    empty = next(tile for tile in corners if layer.warped(layer.tile_target(*tile)) is None)
    assert layer.has_tile(*empty)
    pictures = client.get(path_of(told, empty))
    assert pictures.status_code == 200 and not rgba(pictures)[..., 3].any()
    assert (rgba(client.get(path_of(told, empty, "jpg"))) == 255).all()
    assert not np.load(io.BytesIO(client.get(path_of(told, empty, "npy")).content)).any()
    away = client.get(path_of(told, tile_at(west - 20, south, z)))
    assert (away.status_code, away.json()["error"]["code"]) == (404, "outside")
    deep = client.get(path_of(told, middle(told, z + 1)))
    assert deep.status_code == 404 and f"zoom 0 to {z}" in deep.json()["error"]["message"]


PLACES = [
    ("/tiles/ndvi/10/-1/3.png", 404),
    ("/tiles/ndvi/-1/0/0.png", 404),
    ("/tiles/ndvi/31/0/0.png", 404),
    ("/tiles/ndvi/3/8/0.png", 404),
    ("/tiles/ndvi/99999999999999999999/0/0.png", 404),
    ("/tiles/ndvi/3/99999999999999999999999/0.png", 404),
    ("/tiles/ndvi/ten/0/0.png", 422),
    ("/tiles/ndvi/3/1/1@3x.png", 422),
    ("/tiles/ndvi/3/1/-1.png", 422),
    ("/tiles/ndvi/3/1/1.exe", 422),
    ("/tiles/nothing/3/1/1.png", 404),
    ("/tiles/..%2F..%2Fetc%2Fpasswd/3/1/1.png", 404),
    ("/tiles/%2e%2e/3/1/1.png", 404),
    ("/tiles/..%5C..%5Cwindows/3/1/1.png", 404),
    ("/tiles/ndvi%00/3/1/1.png", 404),
    ("/layers/..%2Fndvi/tilejson.json", 404),
    ("/layers/" + "n" * 200 + "/tilejson.json", 422),
]
AREAS = [
    ("/layers/ndvi/bbox.png?bbox=nan,0,1,1", 400),
    ("/layers/ndvi/bbox.png?bbox=0,0,inf,1", 400),
    ("/layers/ndvi/bbox.png?bbox=1,1,0,0", 400),
    ("/layers/ndvi/bbox.png?bbox=1,2,3", 400),
    ("/layers/ndvi/bbox.png?bbox=-1e300,-1e300,1e300,1e300", 400),
    ("/layers/ndvi/bbox.png?bbox=15,45,16,46&size=0", 400),
    ("/layers/ndvi/bbox.png?bbox=15,45,16,46&size=-7", 400),
    ("/layers/ndvi/bbox.png?bbox=15,45,16,46&size=100000", 413),
    ("/layers/ndvi/bbox.png?bbox=15,45,16,46&size=99999999999999999999", 413),
    ("/layers/ndvi/bbox.png?bbox=15,45,16,46&crs=/etc/passwd", 400),
    ("/layers/ndvi/bbox.png?bbox=15,45,16,46&crs=EPSG:999999", 400),
    ("/layers/ndvi/bbox.png?bbox=0,0,1,1", 404),
    ("/layers/ndvi/bbox.png", 422),
    ("/layers/ndvi/preview.png?size=7000", 413),
    ("/layers/ndvi/point?lon=0&lat=0", 404),
    ("/layers/ndvi/point?lon=nan&lat=0", 422),
    ("/layers/ndvi/point?lon=181&lat=0", 422),
    ("/layers/ndvi/statistics?bbox=0,0,1,1", 404),
    ("/layers/ndvi/statistics?bbox=0,0,400,1", 400),
    ("/tiles/ndvi/3/4/2.png?time=2023", 422),
    ("/tiles/season/3/4/2.png?time=yesterday", 422),
]


@pytest.mark.parametrize(("path", "status"), PLACES)
def test_row_08_a_tile_or_a_name_that_is_none(client, path, status):
    refused(client.get(path), status)


@pytest.mark.parametrize(("path", "status"), AREAS)
def test_row_07_what_cannot_be_asked(client, path, status):
    refused(client.get(path), status)


def refused(answer, status):
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    error = answer.json()["error"]
    assert error["message"]
    assert error["request_id"]
    for word in ("/work", "passwd", "Windows"):
        assert word not in answer.text


# ---- descriptions ------------------------------------------------------------------------------------------


def test_the_list_of_layers(client, layers):
    assert list(layers) == ["ndvi", "scl", "rgb", "season", "greenest", "plain"]
    one = layers["ndvi"]
    assert (one["title"], one["steps"]) == ("NDVI & more", ["BandMath", "BoxMean", "Colormap"])
    assert one["minzoom"] == 0 and one["maxzoom"] == one["native_zoom"] + 2
    assert layers["season"]["times"] == ["2023-08-10", "2023-08-15", "2023-08-18", "2023-08-20"]
    assert one["times"] == []
    for name in layers:
        assert client.get(layers[name]["tilejson"]).status_code == 200
        assert client.get(layers[name]["legend"]).status_code == 200


def test_tilejson_leads_to_tiles(client, layers):
    told = client.get("/layers/season/tilejson.json?format=webp&sharp=true&time=2023-08-20").json()
    assert told["tilejson"] == "3.0.0" and told["bounds"] == layers["season"]["bounds"]
    z, x, y = middle(layers["season"])
    answer = client.get(told["tiles"][0].format(z=z, x=x, y=y))
    assert answer.headers["content-type"] == "image/webp" and rgba(answer).shape == (512, 512, 4)
    assert client.get("/layers/ndvi/tilejson.json?time=2023").status_code == 422


def test_wmts_is_read_by_gdal(server, client, layers):
    from rasterio.errors import RasterioIOError

    text = client.get("/wmts").text
    assert "NDVI &amp; more" in text and "Test &lt;maps&gt;" in text
    try:
        raster = rasterio.open(f"WMTS:{server.url}/wmts,layer=ndvi")
    except RasterioIOError as error:
        if "not recognized" in str(error):
            pytest.skip("this GDAL has no WMTS driver")
        raise
    with raster:
        assert raster.crs.to_epsg() == 3857 and raster.count in (3, 4)
        bounds = raster.bounds
        west, _, east, _ = layers["ndvi"]["bounds"]
        assert bounds.left <= west / 180 * EDGE + 1 and bounds.right >= east / 180 * EDGE - 1
        z, x, y = middle(layers["ndvi"])
        size = resolution(z)
        left, top = -EDGE + x * 256 * size, EDGE - y * 256 * size
        window = rasterio.windows.from_bounds(
            left, top - 256 * size, left + 256 * size, top, raster.transform
        )
        picture = raster.read(window=window, out_shape=(raster.count, 256, 256))
    expected = rgba(client.get(path_of(layers["ndvi"], (z, x, y))))
    np.testing.assert_array_equal(np.moveaxis(picture[:3], 0, -1), expected[..., :3])


@pytest.mark.parametrize("name", ["ndvi", "scl"])
def test_the_legend_has_the_colours_of_the_tiles(client, layers, name):
    legend = client.get(f"/layers/{name}/legend.json").json()
    listed = legend["colors"] if "colors" in legend else [one["color"] for one in legend["classes"]]
    pixels = rgba(client.get(path_of(layers[name], middle(layers[name])))).reshape(-1, 4)
    shown = {"#" + bytes(pixel[:3]).hex() for pixel in np.unique(pixels, axis=0) if pixel[3]}
    assert shown <= set(listed)
    picture = rgba(client.get(f"/layers/{name}/legend.png"))
    drawn = {"#" + bytes(pixel[:3]).hex() for pixel in np.unique(picture.reshape(-1, 4), axis=0)}
    assert len(drawn & set(listed)) > 0.9 * len(set(listed))


# ---- areas and points --------------------------------------------------------------------------------------


def test_an_area_at_the_sources_own_resolution(server, client, layers):
    answer = client.get("/layers/ndvi/bbox.tif?bbox=15.5,45.4,15.8,45.6")
    with rasterio.MemoryFile(answer.content) as file, file.open() as raster:
        assert raster.crs.to_epsg() == 4326
        assert tuple(raster.bounds) == pytest.approx((15.5, 45.4, 15.8, 45.6))
        own = geobox_of(open_tile(data_path(SCENE))).resolution.x
        metres = 0.3 / raster.width * 111_150  # of a degree of latitude, the larger side of a pixel
        assert metres == pytest.approx(own, rel=0.01)
        values = raster.read(1)
        place = raster.xy(40, 70)
    point = client.get("/layers/ndvi/point", params={"lon": place[0], "lat": place[1]}).json()
    # bilinear between pixels, of a field that was smoothed
    assert values[40, 70] == pytest.approx(point["steps"][-1]["values"]["ndvi"]["value"], abs=0.1)
    web = client.get("/layers/ndvi/bbox.png?bbox=1725000,5690000,1759000,5707000&crs=epsg:3857&size=300")
    assert rgba(web).shape == (150, 300, 4)


def test_an_area_on_the_layers_own_grid_is_cut_out(client, tmp_path):
    path = data_path("cogs_for_tile_server/cog.tif")
    with rasterio.open(path) as source:
        everything, bounds, affine, crs = source.read(), source.bounds, source.transform, source.crs
        names = source.descriptions
    height, width = everything.shape[1:]

    def corner(col, row):
        return affine.c + col * affine.a, affine.f + row * affine.e

    rows, cols = min(height, 2048), min(width, 2048)

    def asked(west, south, east, north, rest=""):
        area = ",".join(map(repr, (west, south, east, north)))
        answer = client.get(f"/layers/plain/bbox.tif?bbox={area}&crs=EPSG:{crs.to_epsg()}{rest}")
        with rasterio.MemoryFile(answer.content) as file, file.open() as raster:
            return raster.read(), raster.transform

    west, north = corner(0, 0)
    east, south = corner(cols, rows)
    found, place = asked(west, south, east, north)
    planes = [names.index(name) if name in names else i for i, name in enumerate(names[: len(found)])]
    assert found.shape[1:] == (rows, cols) and place == affine
    np.testing.assert_array_equal(found, everything[planes, :rows, :cols])
    # within pixels: all that are touched
    west, north = corner(100.25, 40.5)
    east, south = corner(130.5, 61.0)
    found, place = asked(west, south, east, north)
    np.testing.assert_array_equal(found, everything[planes, 40:61, 100:131])
    assert (place.c, place.f) == pytest.approx(corner(100, 40))
    assert bounds.left <= place.c
    assert asked(west, south, east, north, "&size=7")[0].shape[2] == 7


def test_wmts_tiles_by_keys_and_values(client, layers):
    z, x, y = middle(layers["ndvi"])
    given = {"SERVICE": "WMTS", "Request": "GetTile", "VERSION": "1.0.0", "LAYER": "ndvi", "STYLE": "default",
             "TILEMATRIXSET": "WebMercatorQuad", "TILEMATRIX": z, "TILEROW": y, "TILECOL": x,
             "FORMAT": "image/png"}  # fmt: skip
    answer = client.get("/wmts", params=given)
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == client.get(f"/tiles/ndvi/{z}/{x}/{y}.png").content
    for wrong, code in [
        ({"TILEROW": "one"}, "InvalidParameterValue"),
        ({"LAYER": "nvdi"}, "InvalidParameterValue"),
        ({"TILEROW": 0, "TILECOL": 0}, "TileOutOfRange"),
        ({"Request": "GetFeatureInfo"}, "OperationNotSupported"),
    ]:
        refused = client.get("/wmts", params={**given, **wrong})
        assert refused.status_code == 400, wrong
        assert refused.headers["content-type"] == "application/xml"
        assert f'exceptionCode="{code}"' in refused.text
    assert "<Capabilities" in client.get("/wmts?SERVICE=WMTS&REQUEST=GetCapabilities").text


@pytest.mark.parametrize("path", ["point?lon={x}&lat={y}&", "statistics?"])
def test_a_time_without_scenes_is_named(client, layers, path):
    west, south, east, north = layers["season"]["bounds"]
    asked = path.format(x=(west + east) / 2, y=(south + north) / 2)
    answer = client.get(f"/layers/season/{asked}time=2019-01")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].endswith("at this time (2019-01)")


def test_the_list_tells_the_colour_map(layers):
    assert layers["ndvi"]["colormap"] == "RdYlGn"
    assert layers["scl"]["colormap"] is layers["rgb"]["colormap"] is None


def test_the_preview(client, layers):
    picture = rgba(client.get("/layers/rgb/preview.png?size=200"))
    assert max(picture.shape[:2]) == 200 and picture[..., 3].mean() > 200


def test_a_point_has_the_values_of_every_step(client):
    tile = open_tile(data_path(SCENE))
    told = client.get("/layers/ndvi/point?lon=15.7&lat=45.55").json()
    row, column = told["pixel"]["row"], told["pixel"]["column"]
    assert [step["step"] for step in told["steps"]] == ["source", "BandMath", "BoxMean"]
    stages = [tile, STEPS[0](tile), Sequential(STEPS)(tile)]
    for step, expected in zip(told["steps"], stages, strict=True):
        assert set(step["values"]) == set(expected.data_vars)
        for name, one in step["values"].items():
            assert one["value"] == expected[name].values[row, column].item()
    assert told["steps"][0]["values"]["scl"]["name"] == "vegetation"


def test_statistics_are_those_of_the_scene(client):
    values = Sequential(STEPS)(open_tile(data_path(SCENE), ["red", "nir"])).ndvi.values.astype(np.float64)
    valid = values[np.isfinite(values)]
    told = client.get("/layers/ndvi/statistics").json()["variables"]["ndvi"]
    assert (told["count"], told["valid"]) == (values.size, valid.size)
    assert (told["min"], told["max"]) == (valid.min(), valid.max())
    assert told["mean"] == pytest.approx(valid.mean()) and told["std"] == pytest.approx(valid.std())
    assert sum(told["histogram"]["counts"]) == valid.size
    assert told["percentiles"]["50"] == pytest.approx(np.median(valid))
    classes = client.get("/layers/scl/statistics").json()["variables"]["scl"]["classes"]
    scl = open_tile(data_path(SCENE), ["scl"]).scl.values
    assert {one["value"]: one["count"] for one in classes} == {
        int(v): int((scl == v).sum()) for v in np.unique(scl) if v != 0
    }
    part = client.get("/layers/ndvi/statistics?bbox=15.5,45.4,15.6,45.5").json()["variables"]["ndvi"]
    assert 0 < part["count"] < told["count"]


# ---- catalogs ----------------------------------------------------------------------------------------------


def npy(client, path):
    return np.load(io.BytesIO(client.get(path).raise_for_status().content))[0]


def test_a_catalog_shows_one_day_or_the_newest_pixel(client, layers):
    tile = middle(layers["season"])
    path = path_of(layers["season"], tile, "npy")
    one_day = npy(client, path + "?time=2023-08-20")
    np.testing.assert_array_equal(one_day, npy(client, path_of(layers["ndvi"], tile, "npy")))
    days = {day: npy(client, f"{path}?time={day}") for day in layers["season"]["times"]}
    expected = np.full_like(one_day, np.nan)
    for day in sorted(days, reverse=True):
        expected = np.where(np.isnan(expected), days[day], expected)
    np.testing.assert_array_equal(npy(client, path), expected)
    assert not np.array_equal(days["2023-08-10"], days["2023-08-20"])
    best = npy(client, path_of(layers["greenest"], tile, "npy"))
    np.testing.assert_array_equal(best, np.nanmax(np.stack(list(days.values())), axis=0))
    none = client.get(path_of(layers["season"], tile) + "?time=2020")
    assert none.status_code == 200 and not rgba(none)[..., 3].any()


def test_points_and_numbers_of_a_catalog(client, layers):
    told = client.get("/layers/season/point?lon=15.7&lat=45.55&time=2023-08-15").json()
    assert told["scene"]["datetime"].startswith("2023-08-15")
    numbers = client.get("/layers/season/statistics?bbox=15.5,45.4,15.6,45.5").json()
    assert numbers["variables"]["ndvi"]["valid"] > 1000


# ---- load --------------------------------------------------------------------------------------------------


class Held:
    """Holds what is drawn until it is let go."""

    def __init__(self, monkeypatch):
        self.begun, self.may_end, self.seen = threading.Semaphore(0), threading.Event(), []
        real = _render.drawn

        def drawn(layer, target, fmt, time=None):
            self.seen.append(tuple(target.extent))
            self.begun.release()
            self.may_end.wait(60)
            return real(layer, target, fmt, time)

        monkeypatch.setattr(_render, "drawn", drawn)


@pytest.fixture
def narrow(tmp_path):
    """A server with one thread, and a queue of one."""
    given = settings(tmp_path)
    given |= {"render_threads": 1, "queue": 1, "tile_cache_mb": 0, "layers": given["layers"][:1]}
    running = Server(given)
    yield running
    running.close()


def children(layer, z):
    """Return four tiles beside each other in the middle of a layer."""
    _, x, y = middle(layer, z)
    return [(z, x + i, y + j) for j in (0, 1) for i in (0, 1)]


def test_one_run_for_all_who_ask_for_one_tile_and_503_for_the_rest(narrow, monkeypatch):
    held = Held(monkeypatch)
    with httpx.Client(base_url=narrow.url, timeout=60) as client, ThreadPoolExecutor(8) as pool:
        layer = client.get("/layers").json()["layers"][0]
        first, second, third, _ = (path_of(layer, tile) for tile in children(layer, layer["maxzoom"]))
        same = [pool.submit(httpx.get, narrow.url + first, timeout=60) for _ in range(4)]
        held.begun.acquire()
        flights = narrow.state.renderer._flights._running
        until(lambda: [len(flight.requests) for flight in flights.values()] == [4])
        waits = pool.submit(httpx.get, narrow.url + second, timeout=60)
        until(lambda: narrow.state.renderer.renderers.waiting == 1)
        busy = client.get(third)
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
        assert busy.json()["error"]["code"] == "busy"
        held.may_end.set()
        answers = [one.result() for one in same]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert waits.result().status_code == 200
        assert len(held.seen) == 2


def test_row_12_nothing_is_drawn_for_a_client_that_has_gone(narrow, monkeypatch):
    held = Held(monkeypatch)
    with httpx.Client(base_url=narrow.url, timeout=60) as client, ThreadPoolExecutor(2) as pool:
        layer = client.get("/layers").json()["layers"][0]
        first, second, *_ = (path_of(layer, tile) for tile in children(layer, layer["maxzoom"]))
        answer = pool.submit(httpx.get, narrow.url + first, timeout=60)
        held.begun.acquire()
        gone = socket.create_connection(("127.0.0.1", narrow.port))
        gone.sendall(f"GET {second} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: narrow.state.renderer.renderers.waiting == 1)
        gone.close()
        time.sleep(0.05)  # the server's socket has to notice
        held.may_end.set()
        assert answer.result().status_code == 200
        until(lambda: narrow.state.renderer.renderers.skipped == 1)
        assert len(held.seen) == 1
        assert client.get(second).status_code == 200  # for one who stays it is


def test_row_11_many_requests_at_once_are_answered_or_put_off(server, layers, waited):
    paths = [
        path_of(layers["ndvi"], tile) for z in (8, 9, 10, 11, 12) for tile in children(layers["ndvi"], z)
    ]
    paths = [f"{path}?v={n}" for n in range(10) for path in paths]

    async def ask():
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=60) as client:
            return await asyncio.gather(*(client.get(path) for path in paths))

    answers = waited(ask())
    assert len(answers) == 200 and {answer.status_code for answer in answers} <= {200, 503, 404}
    assert sum(answer.status_code == 200 for answer in answers) > 100
    renderer = server.state.renderer
    assert renderer.blocks.bytes <= renderer.blocks.max_bytes
    assert renderer.tiles.bytes <= renderer.tiles.max_bytes
    assert httpx.get(server.url + paths[8], timeout=60).status_code == 200


def test_a_folder_keeps_pictures_beyond_the_process(tmp_path, monkeypatch):
    given = settings(tmp_path)
    given |= {"disk_cache": str(tmp_path / "tiles"), "layers": given["layers"][:1]}
    contents = []
    for _ in range(2):
        running = Server(given)
        layer = httpx.get(running.url + "/layers").json()["layers"][0]
        answer = httpx.get(running.url + path_of(layer, middle(layer)), timeout=60)
        contents.append((answer.content, answer.headers["etag"]))
        running.close()
        monkeypatch.setattr(_render, "drawn", None)  # the second server draws nothing
    assert contents[0] == contents[1]
    assert [path.read_bytes() for path in (tmp_path / "tiles").rglob("*") if path.is_file()] == [
        contents[0][0]
    ]


@pytest.mark.parametrize(("word", "meant"), [("tme", "time"), ("tiem", "time"), ("Time", "time")])
def test_a_misspelt_parameter_would_get_another_picture(client, layers, word, meant):
    layer = layers["ndvi"]
    address = path_of(layer, middle(layer))
    answer = client.get(f"{address}?{word}=2023-08-10")
    assert answer.status_code == 422, answer.text
    message = answer.json()["error"]["message"]
    assert f"no parameter {word!r} (did you mean {meant!r}?); expected time" in message
    for own in ("_=123", "v=2", "access_token=abc"):  # what clients add to get round a cache, or past a proxy
        assert client.get(f"{address}?{own}").status_code == 200
    west, south, east, north = layer["bounds"]
    where = f"lon={(west + east) / 2}&lat={(south + north) / 2}"
    assert client.get(f"/layers/ndvi/point?{where}&tme=2023").status_code == 422
    assert client.get("/layers/ndvi/preview.png?szie=64").status_code == 422
    assert client.get("/wmts?SERVICE=WMTS&REQUEST=GetCapabilities&VERSION=1.0.0").status_code == 200


@pytest.mark.parametrize("word", ["rescale=0,1", "bidx=1", "colormap_name=viridis"])
def test_words_of_other_servers_are_refused(client, layers, word):
    """They would get another picture than was asked for."""
    layer = layers["ndvi"]
    answer = client.get(f"{path_of(layer, middle(layer))}?{word}")
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert f"no parameter {word.partition('=')[0]!r}; expected time" in error["message"]
    assert "server's settings" in error["fix"]


def test_a_place_outside_is_told_where_the_layer_lies(client, layers):
    west, south, east, north = layers["ndvi"]["bounds"]
    answer = client.get("/layers/ndvi/point", params={"lon": (south + north) / 2, "lat": (west + east) / 2})
    assert answer.status_code == 404
    told = answer.json()["error"]["message"]
    assert f"longitudes from {round(west, 5)} to {round(east, 5)}" in told
    assert f"latitudes from {round(south, 5)} to {round(north, 5)}" in told
