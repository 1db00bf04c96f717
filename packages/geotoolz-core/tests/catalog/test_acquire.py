"""`acquire`: once over the network, never again; what is cut off is gone on with."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from _file_server import serving_files
from _scenes_served import written

from geotoolz.catalog import GeoCatalog, _acquire, acquire
from geotoolz.catalog._fetch import Remote, _pause
from geotoolz.core import CatalogError, ParameterError, WriteError
from geotoolz.core.testing import data_path
from geotoolz.io import close_handles, forget_notices, open_tile


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Three scenes of three bands; their items and the folder that they lie in."""
    folder = tmp_path_factory.mktemp("scenes")
    return folder, written(folder, 384)


@pytest.fixture
def server(scenes):
    with serving_files(scenes[0]) as made:
        yield made
    close_handles()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    class Hasty(Remote):
        def __post_init__(self) -> None:
            self.pause = lambda _seconds: None

    monkeypatch.setattr(_acquire, "Remote", Hasty)


def remote_catalog(scenes, server, **more):
    folder, items = scenes
    made = []
    for item in items:
        assets = {
            key: {
                **asset,
                "href": f"{server.url}/{Path(asset['href']).relative_to(folder).as_posix()}",
                **more,
            }
            for key, asset in item["assets"].items()
        }
        made.append({**item, "assets": assets, "links": []})
    return GeoCatalog.from_items(made)


def inner(catalog):
    west, south, _, _ = catalog.bounds
    return (west + 0.008, south + 0.01, west + 0.022, south + 0.02)


def tiles(catalog, *args, **kwargs):
    return {row.id: open_tile(catalog.source_of(row), *args, **kwargs) for row in catalog.iter_rows()}


def same(one, other, deep=True):
    assert one.keys() == other.keys()
    for name, tile in one.items():
        xr.testing.assert_identical(tile.drop_attrs(deep=not deep), other[name].drop_attrs(deep=not deep))


def test_whole_files_then_no_request_and_no_server(scenes, tmp_path):
    with serving_files(scenes[0]) as server:
        catalog = remote_catalog(scenes, server)
        before = tiles(catalog)
        server.seen.clear()
        made = acquire(catalog, tmp_path)
        assert (made.files, made.fetched) == (9, 9) and len(server.seen) == 9  # one request a file
        assert made.bytes == sum(p.stat().st_size for p in tmp_path.glob("assets/*/*/*"))
        server.seen.clear()
        again = acquire(catalog, tmp_path)
        assert again.fetched == 0 and again.bytes == 0 and server.seen == []
    close_handles()
    same(before, tiles(GeoCatalog.open(tmp_path / "catalog.parquet")))
    (asset, *_) = made.catalog.to_items()[0]["assets"].values()
    assert asset["file:checksum"].startswith("1220") and asset["geotoolz:origin"].startswith(server.url)
    moved = tmp_path.rename(tmp_path.with_name("moved"))  # the folder is one piece
    same(before, tiles(GeoCatalog.open(moved / "catalog.parquet")))


def test_a_part_of_the_files_has_the_same_pixels(scenes, tmp_path):
    with serving_files(scenes[0]) as server:
        catalog = remote_catalog(scenes, server)
        aoi = inner(catalog)
        before, coarse = tiles(catalog, aoi=aoi), tiles(catalog, aoi=aoi, resolution=30.0)
        made = acquire(catalog, tmp_path, aoi=aoi, bands=["red", "scl"])
        whole = sum(p.stat().st_size for p in scenes[0].rglob("*.tif"))
        assert made.fetched == 6 and made.bytes < whole / 4
        server.seen.clear()
        assert acquire(catalog, tmp_path, aoi=aoi, bands=["red", "scl"]).fetched == 0 and server.seen == []
    close_handles()
    chosen = {name: tile[["red", "scl"]] for name, tile in before.items()}
    same(chosen, tiles(made.catalog, aoi=aoi))
    same({n: t[["red", "scl"]] for n, t in coarse.items()}, tiles(made.catalog, aoi=aoi, resolution=30.0))
    assert all(row.height < 384 and row.res_x == 10.0 for row in made.catalog.iter_rows())
    _, south, east, _ = catalog.bounds
    assert made.catalog.bounds[2] < east and made.catalog.bounds[1] > south  # footprints shrink too


def test_at_a_pixel_size_of_its_own(scenes, tmp_path):
    with serving_files(scenes[0]) as server:
        catalog = remote_catalog(scenes, server)
        aoi = inner(catalog)
        before = tiles(catalog, ["nir", "scl"], aoi, 40.0)
        made = acquire(catalog, tmp_path, aoi=aoi, bands=("nir", "scl"), resolution=40.0)
        assert acquire(catalog, tmp_path, aoi=aoi, bands=("nir", "scl"), resolution=40.0).fetched == 0
        assert acquire(catalog, tmp_path, aoi=aoi, bands="scl", resolution=20.0).fetched == 3
    close_handles()
    same(before, tiles(made.catalog), deep=False)


def test_real_scenes_without_reflectance_offset(tmp_path):
    """Earth Search's items: whether the offset is applied, and whose bands they are, stays known."""
    folder = data_path("s2_l2a_33TWL_croatia")
    with serving_files(folder) as server:
        items = []
        for path in sorted(folder.glob("*/*_stac_item.json"))[:2]:
            item = json.loads(path.read_text())
            assets = {
                key: {**asset, "href": f"{server.url}/{path.parent.name}/{asset['href']}"}
                for key, asset in item["assets"].items()
                if (path.parent / asset["href"]).is_file() and asset["href"].startswith(("B0", "SCL"))
            }
            items.append({**item, "assets": assets})
        catalog = GeoCatalog.from_items(items)
        forget_notices()  # said once per process: another test may have heard it
        with pytest.warns(UserWarning):  # the files are decimated: they and the item disagree on shapes
            before = tiles(catalog, ["red", "scl"])
            made = acquire(catalog, tmp_path, bands=["red", "scl"])
    forget_notices()
    with pytest.warns(UserWarning):
        same(before, tiles(made.catalog), deep=False)
    assert made.catalog.frame["boa_offset_applied"].all()


def test_cut_downloads_are_gone_on_with(scenes, server, tmp_path):
    catalog = remote_catalog(scenes, server).sample(1)
    (item,) = catalog.to_items()
    href = item["assets"]["red"]["href"]
    name, whole = href.rsplit("/", 1)[-1], scenes[0] / href.removeprefix(f"{server.url}/")
    server.cut_after = {name: [10_000, 20_000]}
    server.faults = {name: [503]}
    made = acquire(catalog, tmp_path, bands=["red"])
    asked = server.asked(name)
    assert [h.get("Range") for h in asked] == [None, None, "bytes=10000-", "bytes=30000-"]
    assert asked[2]["If-Range"] == asked[3]["If-Range"]
    (file,) = tmp_path.glob("assets/*/*/*")
    assert file.read_bytes() == whole.read_bytes() and made.fetched == 1
    assert not list(tmp_path.glob("partial/*.part"))


def test_a_run_that_broke_off_leaves_a_part_that_the_next_goes_on_with(scenes, server, tmp_path):
    catalog = remote_catalog(scenes, server).sample(1)
    name = Path(next(iter(catalog.to_items()[0]["assets"].values()))["href"]).name
    server.cut_after = {name: [7_000, 0, 0]}
    band = next(iter(catalog.to_items()[0]["assets"]))
    with pytest.raises(CatalogError, match="none of 1 scenes could be had"):
        acquire(catalog, tmp_path, bands=[band], retries=1)
    assert [p.stat().st_size for p in tmp_path.glob("partial/*.part")] == [7_000]
    acquire(catalog, tmp_path, bands=[band])
    assert server.asked(name)[-1]["Range"] == "bytes=7000-"


def test_a_file_that_changes_while_it_is_fetched_comes_whole(scenes, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    with rasterio.open(next(scenes[0].rglob("*.tif"))) as raster:
        profile, pixels = raster.profile, raster.read()
    file = folder / "B04.tif"
    with rasterio.open(file, "w", **profile) as raster:
        raster.write(pixels)
    item = {**scenes[1][0], "links": []}
    with serving_files(folder) as server:
        item["assets"] = {"red": {"href": f"{server.url}/B04.tif", "type": "image/tiff"}}
        catalog = GeoCatalog.from_items([item])
        server.cut_after = {"B04.tif": [5_000, 0, 0]}
        with pytest.raises(CatalogError):
            acquire(catalog, tmp_path / "out", retries=1)
        with rasterio.open(file, "w", **profile) as raster:
            raster.write(pixels[:, ::-1])
        made = acquire(catalog, tmp_path / "out")
        (kept,) = (tmp_path / "out").glob("assets/*/*/*")
        assert kept.read_bytes() == file.read_bytes()
        server.seen.clear()
        assert acquire(catalog, tmp_path / "out", revalidate=True).fetched == 0
        assert [method for method, *_ in server.seen] == ["HEAD"]
        with rasterio.open(file, "w", **profile) as raster:
            raster.write(pixels)
        made = acquire(catalog, tmp_path / "out", revalidate=True)
        assert made.fetched == 1
    np.testing.assert_array_equal(
        rasterio.open(made.catalog.to_items()[0]["assets"]["red"]["href"][7:]).read(), pixels
    )


def test_a_bad_file_leaves_its_scene_out_and_says_so(scenes, server, tmp_path):
    catalog = remote_catalog(scenes, server)
    victim = next(row.id for row in catalog.iter_rows())
    path = Path(next(iter(catalog[victim].sources)))
    server.redirects = {f"/{'/'.join(path.parts[-2:])}": f"{server.url}/gone.tif"}
    made = acquire(catalog, tmp_path)
    assert victim not in made.catalog and len(made.catalog) == 2
    (problem,) = made.catalog.problems
    assert problem.path == victim and "answers 404" in problem.reason


def test_sizes_that_items_say_are_checked(scenes, server, tmp_path):
    catalog = remote_catalog(scenes, server, **{"file:size": 12})
    with pytest.raises(CatalogError, match="expected 12"):
        acquire(catalog, tmp_path)


def test_credentials_and_signatures_go_where_they_belong(scenes, server, tmp_path):
    catalog = remote_catalog(scenes, server).sample(1)
    with serving_files(scenes[0]) as storage:
        path = "/".join(Path(catalog[next(iter(catalog.frame["id"]))].sources[0]).parts[-2:])
        server.redirects = {f"/{path}": f"{storage.url}/{path}"}
        acquire(catalog, tmp_path, headers={"Authorization": "Bearer secret"}, sign=_signed)
        assert all(h["Authorization"] == "Bearer secret" for _, _, h in server.seen)
        assert all("sig=secret" in path for _, path, _ in server.seen)
        assert len(storage.seen) == 1 and "Authorization" not in storage.seen[0][2]
    kept = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".tif")
    assert b"secret" not in kept


def _signed(href: str) -> str:
    return f"{href}?sig=secret"


def test_the_folder_stays_within_its_bound(scenes, server, tmp_path):
    catalog = remote_catalog(scenes, server)
    first, second = (catalog.filter(id=[name]) for name in sorted(catalog.frame["id"])[:2])
    one = acquire(first, tmp_path).bytes
    with pytest.raises(WriteError, match="raise max_bytes"):
        acquire(catalog, tmp_path, max_bytes=2 * one)
    for path in (tmp_path / "partial").iterdir():
        path.unlink()
    made = acquire(second, tmp_path, max_bytes=int(1.4 * one))
    held = sum(p.stat().st_size for p in tmp_path.glob("assets/*/*/*"))
    assert held <= 1.4 * one and len(tiles(made.catalog)) == 1
    assert acquire(first, tmp_path, max_bytes=int(1.4 * one)).fetched > 0  # what made room is fetched again


def _process(args):
    items, folder = args
    return acquire(GeoCatalog.from_items(items), folder).fetched


def test_two_processes_fetch_every_file_once(scenes, server, tmp_path):
    items = remote_catalog(scenes, server).to_items()
    server.seen.clear()
    with multiprocessing.get_context("forkserver").Pool(2) as pool:
        counts = pool.map(_process, [(items, tmp_path)] * 2)
    assert sum(counts) == 9 and len(server.seen) == 9


def test_local_files_stay_and_what_cannot_be(scenes, tmp_path):
    catalog = GeoCatalog.from_items(scenes[1])
    made = acquire(catalog, tmp_path / "out")
    assert made.files == 0 and len(made.catalog) == 3
    same(tiles(catalog), tiles(made.catalog))
    with pytest.raises(CatalogError, match="no scene to acquire"):
        acquire(catalog, tmp_path, aoi=(0, 0, 1, 1))
    with pytest.raises(ParameterError, match="workers=0"):
        acquire(catalog, tmp_path, workers=0)
    with pytest.raises(ParameterError, match="resolution=-1"):
        acquire(catalog, tmp_path, resolution=-1.0)
    far = {**scenes[1][0], "assets": {"red": {"href": "s3://bucket/red.tif", "type": "image/tiff"}}}
    with pytest.raises(CatalogError, match="not behind http"):
        acquire(GeoCatalog.from_items([far]), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        acquire(catalog, tmp_path / "file")


def test_waits_are_bounded():
    import email.message
    import urllib.error

    headers = email.message.Message()
    headers["Retry-After"] = "3600"
    assert _pause(urllib.error.HTTPError("http://x", 503, "busy", headers, None), 1) == 60.0
    assert [_pause(OSError(), n) for n in (1, 2, 3, 20)] == [0.5, 1.0, 2.0, 60.0]


def test_the_command_line(scenes, server, tmp_path):
    remote_catalog(scenes, server).save(tmp_path / "scenes.parquet")
    code = "import sys; from geotoolz._cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "catalog", "acquire", "scenes.parquet", "here", "--bands", "red"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("here/catalog.parquet: 3 scenes; 3 of 3 files fetched")
