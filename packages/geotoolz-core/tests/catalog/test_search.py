"""`search` against a real STAC API (rustac), and one that misbehaves."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from _stac_servers import BASIC, faking, item, rustac_serving
from shapely.geometry import Point, box

from geotoolz.catalog import GeoCatalog, search
from geotoolz.catalog._search_api import _patience
from geotoolz.catalog._search_items import unsigned
from geotoolz.core import CatalogError, ParameterError, ReadError
from geotoolz.core.testing import data_path

pytest.importorskip("pystac_client", reason="pystac-client is not installed")
QUERY = "https://api.stacspec.org/v1.0.0/item-search#query"
FILTER = "https://api.stacspec.org/v1.0.0/item-search#filter"


@pytest.fixture(scope="module")
def croatia(tmp_path_factory):
    """Four real items of Sentinel-2 behind rustac."""
    folder = data_path("s2_l2a_33TWL_croatia")
    items = [json.loads(path.read_text()) for path in sorted(folder.glob("*/*_stac_item.json"))]
    path = tmp_path_factory.mktemp("api") / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    with rustac_serving(path) as url:
        yield url


@pytest.fixture
def api():
    with faking([[item("a"), item("b")], [item("c")]]) as server:
        yield server


def test_a_real_api_gives_a_catalog(croatia, tmp_path):
    found = search(croatia, "sentinel-2-l2a", aoi=(15.0, 45.6, 15.6, 45.9), time="2023-08", page_size=1)
    assert len(found) == 4 and found.problems == ()  # four pages
    assert set(found.frame["epsg"]) == {32633} and set(found.frame["res_x"]) == {10.0}
    assert len(search(croatia, "sentinel-2-l2a", time="2023-08-15/2023-08-18")) == 2
    assert len(search(croatia, aoi="33TWL", limit=3)) == 3
    assert len(search(croatia, aoi=Point(15.5, 45.5).buffer(0.1))) == 4
    assert len(search(croatia, aoi=(0, 0, 1, 1))) == 0
    assert len(search(croatia, aoi=(178, -17, -179, -16))) == 0  # across the antimeridian
    assert len(search(croatia, ids=["S2B_33TWL_20230820_0_L2A"])) == 1
    assert len(GeoCatalog.open(found.save(tmp_path / "c.parquet"))) == 4
    assert len(GeoCatalog.open(search(croatia, time="1999").save(tmp_path / "none.parquet"))) == 0


def test_whose_items_they_are_stays_known(croatia):
    """The item's own address says it, and the band table goes by that."""
    (kept,) = search(croatia, ids="S2B_33TWL_20230820_0_L2A").to_items()
    assert [link["rel"] for link in kept["links"]] == ["via"]
    assert kept["links"][0]["href"].startswith(f"{croatia}/collections/sentinel-2-l2a/items/")


@pytest.mark.parametrize("asked", ["query", "filter", "sortby"])
def test_a_server_without_an_extension_is_refused(croatia, asked):
    value = {"query": {"eo:cloud_cover": {"lt": 1}}, "filter": "eo:cloud_cover < 1", "sortby": "-datetime"}
    with pytest.raises(CatalogError, match=f"would ignore {asked}= and answer too much"):
        search(croatia, "sentinel-2-l2a", **{asked: value[asked]})


def test_a_collection_that_does_not_exist(croatia):
    with pytest.raises(CatalogError, match="did you mean 'sentinel-2-l2a'"):
        search(croatia, "sentinel-2-l2")


def test_extensions_reach_a_server_that_has_them():
    with faking([[item("a")]], (*BASIC, QUERY, FILTER)) as server:
        search(server.url, query={"eo:cloud_cover": {"lt": 20}})
        assert server.seen[-1][0] == "POST" and server.seen[-1][3]["query"] == {"eo:cloud_cover": {"lt": 20}}
        search(server.url, filter="eo:cloud_cover < 20")
        assert server.seen[-1][0] == "GET" and server.seen[-1][3]["filter-lang"] == "cql2-text"
        search(server.url, filter={"op": "<", "args": [{"property": "eo:cloud_cover"}, 20]})
        assert server.seen[-1][3]["filter-lang"] == "cql2-json"


def test_pages_duplicates_and_ids_of_two_collections():
    pages = [[item("a"), item("b")], [item("b"), item("a", "other")], [item("c")]]
    with faking(pages) as server:
        found = search(server.url)
        assert sorted(found.frame["id"]) == ["b", "c", "c_a", "other_a"]
        assert "1 items came twice" in str(found.problems[0])
        assert len(search(server.url, limit=1)) == 1


def test_a_server_that_goes_round_in_circles_and_one_that_cuts_off():
    with faking([[item("a")]]) as server:
        server.loops = True
        with pytest.raises(CatalogError, match="the same page again and again"):
            search(server.url)
        server.loops, server.matched = False, 7
        assert "says that 7 items match, and gave 1" in str(search(server.url).problems[0])
        assert search(server.url, limit=1).problems == ()


def test_items_without_geometry_or_across_the_antimeridian():
    ring = [[179, 0], [-179, 0], [-179, 1], [179, 1], [179, 0]]
    pages = [
        [
            item("box", geometry=None),
            item("lost", geometry=None, bbox=None),
            item("wrap", geometry={"type": "Polygon", "coordinates": [ring]}),
            item("wrapped-box", geometry=None, bbox=[179, 0, -179, 1]),
            item("high", geometry=None, bbox=[15, 45, 100, 16, 46, 200]),
        ]
    ]
    with faking(pages) as server:
        found = search(server.url)
    shapes = dict(zip(found.frame["id"], found.frame.geometry, strict=True))
    assert sorted(shapes) == ["box", "high", "wrap", "wrapped-box"]
    assert shapes["box"].equals(box(15, 45, 16, 46)) and shapes["high"].equals(box(15, 45, 16, 46))
    two = box(179, 0, 180, 1).union(box(-180, 0, -179, 1))
    assert shapes["wrap"].equals(two) and shapes["wrapped-box"].equals(two)
    assert [(p.path, p.kept) for p in found.problems] == [("lost", False)]


def test_busy_servers_are_asked_again(api):
    api.faults = [(503, {}), (429, {"Retry-After": "0"})]
    assert len(search(api.url, retries=2)) == 3
    api.faults = [(503, {})]
    with pytest.raises(ReadError, match="answered 503"):
        search(api.url, retries=0)
    wait = _patience(3).get_retry_after(SimpleNamespace(headers={"Retry-After": "3600"}))
    assert wait == 60.0


def test_credentials_go_to_the_server_only_and_are_kept_nowhere(api, tmp_path):
    with faking([[item("c")], [item("d")]]) as stranger:
        api.next_host = stranger.url  # the next page lies on another host
        calls = []

        def token() -> dict[str, str]:
            calls.append(1)
            return {"Authorization": f"Bearer secret-{len(calls)}"}

        found = search(api.url, headers=token, sign=_with_key, cache=tmp_path)
        assert {"a", "b", "d"} <= set(found.frame["id"])
        assert all(headers["Authorization"].startswith("Bearer secret-") for _, _, headers, _ in api.seen)
        assert api.seen[0][3] == {"key": "secret"} and len(calls) == len(api.seen)
        assert not any("Authorization" in headers or "key" in asked for _, _, headers, asked in stranger.seen)
    kept = [gzip.decompress(path.read_bytes()) for path in (tmp_path / "searches").iterdir()]
    assert len(kept) == 1 and b"secret" not in kept[0] and b"Bearer" not in kept[0]


def _with_key(href: str) -> str:
    return f"{href}{'&' if '?' in href else '?'}key=secret"


def test_signed_addresses_lose_their_signature(tmp_path):
    signed = {
        "red": {"href": "https://x.blob.core.windows.net/a.tif?sv=2021&se=2030&sig=abc", "type": "image/tiff"}
    }
    with faking([[item("a", assets=signed)]]) as server:
        found = search(server.url)
        assert "1 items came with signed addresses" in str(found.problems[0])
    assert "abc" not in Path(found.save(tmp_path / "c.parquet")).read_bytes().decode("latin1")
    assert found.to_items()[0]["assets"]["red"]["href"] == "https://x.blob.core.windows.net/a.tif"
    assert unsigned("https://h/a.tif?sv=1") == "https://h/a.tif?sv=1"


def test_answers_are_kept_and_asked_for_again_on_demand(api, tmp_path):
    first = search(api.url, "c", time="2023-08", cache=tmp_path)
    before = len(api.seen)
    again = search(api.url, "c", time="2023-08", cache=tmp_path)
    assert len(api.seen) == before and list(again.frame["id"]) == list(first.frame["id"])
    search(api.url, "c", time="2023-08", limit=1, cache=tmp_path)
    assert len(api.seen) > before  # another question
    before = len(api.seen)
    search(api.url, "c", time="2023-08", cache=tmp_path, refresh=True)
    assert len(api.seen) > before
    url = api.url
    api.close()
    assert len(search(url, "c", time="2023-08", cache=tmp_path)) == 3
    (path,) = [p for p in (tmp_path / "searches").iterdir() if p.stat().st_size][:1]
    path.write_bytes(b"torn")
    with pytest.raises(ReadError, match="say refresh=True"):
        for time in ("2023-08",):
            search(url, "c", time=time, cache=tmp_path)
            search(url, "c", time=time, limit=1, cache=tmp_path)
    api.__init__(api.pages)  # the fixture closes it


def test_large_outlines_are_sent_as_hulls_and_cut_here(api):
    star = Point(15.5, 45.5).buffer(0.3, quad_segs=400).difference(Point(15.5, 45.5).buffer(0.2))
    assert len(search(api.url, aoi=star)) == 3
    sent = api.seen[-2][3]["intersects"]
    assert sent["type"] == "Polygon" and len(sent["coordinates"]) == 1
    far = Point(20, 40).buffer(0.3, quad_segs=400)
    assert len(search(api.url, aoi=far)) == 0  # the server ignored the area


@pytest.mark.parametrize(
    "asked, wrong",
    [
        ({"limit": 0}, "limit=0"),
        ({"page_size": 20_000}, "page_size=20000"),
        ({"retries": -1}, "retries=-1"),
        ({"collections": []}, r"collections=\[\]"),
        ({"time": "yesterday"}, "yesterday"),
        ({"sign": "nobody"}, "sign='nobody'"),
    ],
)
def test_questions_that_cannot_be(api, asked, wrong):
    with pytest.raises(ParameterError, match=wrong):
        search(api.url, **asked)


def test_what_is_no_api(api, tmp_path):
    with pytest.raises(ReadError, match="no address of a STAC API"):
        search(str(tmp_path / "catalog.json"))
    with pytest.raises(ReadError, match="answers, but not as a STAC API"):
        search(f"{api.url}/collections")
    with pytest.raises(ReadError, match="answered 404"):
        search(f"{api.url}/stac")
    with pytest.raises(ReadError, match="does not answer"):
        search("http://127.0.0.1:9", retries=0)
    api.conforms = BASIC[:1]
    with pytest.raises(CatalogError, match="cannot be searched"):
        search(api.url)


def test_the_command_line(croatia, tmp_path):
    def run(*args):
        code = "import sys; from geotoolz._cli import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, "catalog", "search", croatia, *args]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    done = run(
        "--collection", "sentinel-2-l2a", "--aoi", "33TWL", "--time", "2023-08", "--where", "cloud_cover < 10"
    )
    assert done.returncode == 0 and done.stdout == "catalog.parquet: 2 scenes (2 left out by --where)\n"
    assert len(GeoCatalog.open(tmp_path / "catalog.parquet")) == 2
    done = run("--filter", "eo:cloud_cover < 10")
    assert done.returncode == 2 and "no FILTER extension" in done.stderr and "Traceback" not in done.stderr
    done = run("--header", "Authorization=${GEOTOOLZ_NO_SUCH}")
    assert done.returncode == 2 and "${GEOTOOLZ_NO_SUCH} is not set" in done.stderr
