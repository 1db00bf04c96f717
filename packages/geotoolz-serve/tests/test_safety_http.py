"""Safety rows 7, 10, 11, 13, 14 and 15: sizes, errors, load, markup, keys, and every operation at random."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

import geotoolz as gz
from geotoolz.core._memory import resident
from geotoolz.serve._registry import Registry

NDVI = "_target_: geotoolz.indices.NDVI\n"


@pytest.fixture(scope="module")
def scene(catalog: Path) -> Any:
    return next(iter(gz.GeoCatalog.open(catalog)))


def _source(scene: Any, **other: Any) -> dict[str, Any]:
    return {"source": {"catalog": "s2", "item": scene.tile_id}, **other}


ABSURD = [
    {"aoi": [-1e308, -1e308, 1e308, 1e308]},
    {"aoi": [0, 0, 0, 0]},
    {"aoi": [5, 5, 4, 4]},
    {"aoi": ["a", 0, 1, 1]},
    {"aoi": [1, 2]},
    {"resolution": 0},
    {"resolution": -10},
    {"resolution": "fine"},
    {"size": 10**9},
    {"size": 0},
    {"size": -1},
    {"format": "exe"},
    {"bands": []},
    {"bands": "red"},
    {"wait": "perhaps"},
    {"unknown": 1},
    {"bands": ["x" * 1000]},
]
SLICES = [
    {"bounds": [0, 0, 1e9, 1e9], "crs": "EPSG:32633", "shape": [10**9, 10**9]},
    {"bounds": [0, 0, 10**7, 10**7], "crs": "EPSG:32633", "resolution": 10.0},
    {"bounds": [0, 0, 1, 1], "crs": "file:///etc/passwd", "resolution": 1},
    {"bounds": [0, 0, 1, 1], "crs": "/etc/passwd", "resolution": 1},
    {"bounds": [1, 1, 0, 0], "crs": "EPSG:32633", "resolution": 1},
    {"bounds": [0, 0, 100, 100], "crs": "EPSG:99999999", "resolution": 10},
]


class TestSizes:
    @pytest.mark.parametrize("other", ABSURD, ids=str)
    def test_row_07_an_absurd_request_is_refused_before_any_work(
        self, guarded: Any, scene: Any, monkeypatch: pytest.MonkeyPatch, other: dict[str, Any]
    ) -> None:
        monkeypatch.setattr(type(guarded.state.jobs), "open", _never)
        answer = guarded.client.post("/process/red", json=_source(scene, **other))
        assert answer.status_code == 422, answer.text

    @pytest.mark.parametrize("part", SLICES, ids=str)
    def test_row_07_an_absurd_grid_is_refused_before_a_pixel_is_read(
        self, guarded: Any, scene: Any, monkeypatch: pytest.MonkeyPatch, part: dict[str, Any]
    ) -> None:
        import geotoolz.io._pixels

        monkeypatch.setattr(geotoolz.io._pixels, "read_band", _never)
        body = {"source": {"catalog": "s2", "item": scene.tile_id, "slice": part}}
        answer = guarded.client.post("/process/red", json=body)
        assert answer.status_code in (413, 422), answer.text

    def test_row_07_a_fine_resolution_is_refused_before_a_pixel_is_read(
        self, guarded: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import geotoolz.io._pixels

        monkeypatch.setattr(geotoolz.io._pixels, "read_band", _never)
        answer = guarded.client.post("/process/red", json=_source(scene, resolution=0.001))
        assert answer.status_code == 413, answer.text

    @pytest.mark.parametrize(
        "other",
        [
            {"bbox": [-1e300, 0, 1e300, 1]},
            {"bbox": [0, 0, 0, 0]},
            {"size": 10**6},
            {"size": [0, 5]},
            {"size": [4096, 2]},
            {"bbox": [14, 45, 13, 44]},
            {"bbox": [-180, -90, 180, 90]},
        ],
        ids=str,
    )
    def test_row_07_an_absurd_view_is_refused(self, guarded: Any, other: dict[str, Any]) -> None:
        body = {"yaml": NDVI, "layer": "ndvi", **other}
        assert guarded.client.post("/sandbox/run", json=body).status_code == 422

    @pytest.mark.parametrize(
        "path",
        [
            "/layers/ndvi/preview.png?size=100000",
            "/layers/ndvi/preview.png?size=-1",
            "/layers/ndvi/bbox.png?bbox=-1e308,-1e308,1e308,1e308&size=512",
            "/layers/ndvi/bbox.png?bbox=0,0,0,0",
            "/layers/ndvi/bbox.png?bbox=nan,nan,nan,nan",
            "/layers/ndvi/point?lon=1e308&lat=1e308",
            "/layers/ndvi/statistics?bbox=1,2,3",
        ],
    )
    def test_row_07_absurd_maps_are_refused(self, guarded: Any, path: str) -> None:
        answer = guarded.client.get(path)
        assert answer.status_code in (400, 404, 413, 422), answer.text

    def test_row_07_a_body_that_is_too_large_is_not_read(self, guarded: Any) -> None:
        answer = guarded.client.post("/workbench/validate", content=b" " * (2 << 20))
        assert answer.status_code == 413
        chunks = (b" " * 65536 for _ in range(40))
        answer = guarded.client.post(
            "/workbench/validate", content=chunks, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 413
        answer = guarded.client.post("/process/red", files={"file": b"II*\0" + b"\0" * (12 << 20)})
        assert answer.status_code == 413


def _never(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("work was begun")


class TestErrors:
    def _checked(self, answer: httpx.Response, status: int) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "application/json"
        error: dict[str, Any] = answer.json()["error"]
        assert set(error) == {"code", "message", "fix", "request_id"}
        assert error["request_id"] == answer.headers["x-request-id"]
        for word in (
            "Traceback",
            "/tmp",
            "/work",
            "site-packages",
            ".py",
            "GDAL",
            "rasterio",
            ".tif",
            "CPLE",
        ):
            assert word not in answer.text, word
        return error

    def test_row_10_a_file_that_is_gone(self, serving: Any, tmp_path: Path, scene: Any) -> None:
        import shutil

        folder = tmp_path / "secret-archive" / "scene"
        shutil.copytree(
            Path(scene.sources[0]) if Path(scene.sources[0]).is_dir() else Path(scene.sources[0]).parent,
            folder,
        )
        catalog = tmp_path / "scenes.parquet"
        gz.GeoCatalog.from_folder(folder.parent).save(catalog)
        red = {"_target_": "geotoolz.radiometry.SelectBands", "names": ["red"]}
        settings = {
            "pipelines": [{"name": "red", "config": red}],
            "catalogs": {"s2": catalog},
            "sandbox": {"enabled": False},
        }
        with serving(settings) as server:
            for path in folder.glob("*.tif"):
                path.write_bytes(b"II*\0 not any more")
            error = self._checked(server.client.post("/process/red", json=_source(scene)), 502)
            assert "secret" not in json.dumps(error)
            shutil.rmtree(folder)
            self._checked(server.client.post("/process/red", json=_source(scene)), 502)

    def test_row_10_an_error_of_ours(
        self, guarded: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        def broken(*args: Any) -> Any:
            raise RuntimeError("secret: /srv/data/x.tif")

        monkeypatch.setattr(Registry, "pipeline", broken)
        answer = guarded.client.get("/pipelines/red", headers={"x-request-id": "my-request-1"})
        error = self._checked(answer, 500)
        assert error["request_id"] == "my-request-1"
        assert "secret" not in answer.text
        assert "secret: /srv/data/x.tif" in caplog.text

    def test_row_10_wrong_paths_methods_and_bodies(self, guarded: Any, scene: Any) -> None:
        self._checked(guarded.client.get("/no/such/path"), 404)
        self._checked(guarded.client.get("/process/red"), 405)
        self._checked(guarded.client.get("/pipelines/nothing"), 404)
        self._checked(guarded.client.get("/jobs/nothing"), 404)
        self._checked(guarded.client.post("/process/red", content=b"{"), 415)
        headers = {"content-type": "application/json"}
        self._checked(guarded.client.post("/process/red", content=b"{", headers=headers), 422)
        self._checked(guarded.client.post("/process/red", content=b"[" * 100_000, headers=headers), 422)
        self._checked(guarded.client.post("/sandbox/check", content=b"[" * 100_000, headers=headers), 400)
        self._checked(guarded.client.post("/process/red", json=_source(scene, bands=["x"])), 422)

    def test_row_10_a_request_id_of_odd_characters_is_not_taken(self, guarded: Any) -> None:
        answer = guarded.client.get("/healthz", headers={"x-request-id": "<b>" * 3})
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


class TestLoad:
    def test_row_11_two_hundred_requests_of_sixty_four_clients(
        self, guarded: Any, scene: Any, waited: Any
    ) -> None:
        guarded.client.post("/process/ndvi", json=_source(scene, format="json"))
        before = resident()

        async def ask(client: httpx.AsyncClient, gate: asyncio.Semaphore, number: int) -> int:
            async with gate:
                if number % 2:
                    answer = await client.post("/process/ndvi", json=_source(scene, format="png", size=64))
                else:
                    answer = await client.get("/layers/ndvi/preview.png", params={"size": 32 + number})
                return answer.status_code

        async def all_of_them() -> list[int]:
            limits = httpx.Limits(max_connections=64, max_keepalive_connections=0)
            gate = asyncio.Semaphore(64)
            async with httpx.AsyncClient(
                base_url=guarded.url, timeout=120, limits=limits, trust_env=False
            ) as client:
                return await asyncio.gather(*(ask(client, gate, number) for number in range(200)))

        statuses = waited(all_of_them())
        assert set(statuses) <= {200, 503}
        assert 200 in statuses
        assert resident() - before < 400 * 2**20
        answer = guarded.client.post("/process/ndvi", json=_source(scene, format="json"))
        assert answer.status_code == 200, "it does not recover"
        assert guarded.state.jobs.active == 0


class TestMarkup:
    def test_row_13_every_answer_forbids_foreign_scripts(self, guarded: Any) -> None:
        for path in ("/healthz", "/pipelines", "/no/such/path", "/layers", "/workbench/", "/openapi.json"):
            answer = guarded.client.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'self'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"

    def test_row_13_markup_in_names_and_errors_is_data(self, guarded: Any) -> None:
        for answer in (
            guarded.client.get("/pipelines/<script>alert(1)</script>"),
            guarded.client.get("/layers/<script>alert(1)</script>/tilejson.json"),
            guarded.client.post("/sandbox/check", json={"yaml": "_target_: <script>alert(1)</script>"}),
            guarded.client.post("/process/red", json={"<script>": 1}),
        ):
            assert answer.status_code in (404, 422)
            assert answer.headers["content-type"] == "application/json"
        told = guarded.client.get("/pipelines")
        assert told.headers["content-type"] == "application/json"
        assert told.json()["pipelines"][0]["title"] == "<img src=x onerror=alert(1)>"

    def test_row_13_markup_in_titles_is_escaped_in_xml_and_html(self, guarded: Any) -> None:
        answer = guarded.client.get("/wmts")
        assert answer.status_code == 200
        assert b"</script><b>" not in answer.content
        ElementTree.fromstring(answer.content)
        page = guarded.client.get("/workbench/")
        assert "<script>alert(1)</script>" not in page.text


@pytest.fixture(scope="module")
def locked(serving: Any, catalog: Path) -> Iterator[Any]:
    red = {"_target_": "geotoolz.radiometry.SelectBands", "names": ["red"]}
    settings = {
        "pipelines": [{"name": "red", "config": red}],
        "catalogs": {"s2": catalog},
        "api_keys": ["open-sesame", "second-key-1"],
        "sandbox": {"enabled": False},
    }
    with serving(settings) as server:
        yield server


class TestKeys:
    def test_row_14_strangers_see_health_and_nothing_else(self, locked: Any) -> None:
        for path, methods in locked.app.openapi()["paths"].items():
            for method in methods:
                status = locked.client.request(method, path.replace("{", "").replace("}", "")).status_code
                assert status == (200 if path in ("/healthz", "/readyz") else 401), (method, path)
        for path in (
            "/openapi.json",
            "/",
            "/workbench/",
            "/no/such/path",
            "/healthz/",
            "//healthz",
            "/healthz/../pipelines",
        ):
            assert locked.client.get(path).status_code == 401, path
        answer = locked.client.get("/pipelines")
        # of several schemes in one line browsers see the first alone
        lines = answer.headers.get_list("www-authenticate")
        assert lines == ["Bearer", 'Basic realm="geotoolz", charset="UTF-8"']
        assert "Basic" in answer.json()["error"]["fix"]
        assert answer.headers["cache-control"] == "no-store"

    def test_the_log_tells_where_strangers_come_from(self, locked: Any, caplog: Any) -> None:
        with caplog.at_level("INFO", "geotoolz.serve.access"):
            assert locked.client.get("/pipelines").status_code == 401
        assert [one.client for one in caplog.records if getattr(one, "status", 0) == 401] == ["127.0.0.1"]

    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": "Bearer open-sesame"},
            {"X-API-Key": "second-key-1"},
            {"Authorization": "Basic dXNlcjpvcGVuLXNlc2FtZQ=="},
        ],
    )
    def test_a_key_opens(self, locked: Any, headers: dict[str, str]) -> None:
        assert locked.client.get("/pipelines", headers=headers).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Bearer"},
            {"X-API-Key": ""},
            {"X-API-Key": "open"},
            {"Authorization": "Basic !!!"},
            {"Authorization": "Basic dXNlcjp3cm9uZw=="},
            {"Authorization": "open-sesame"},
        ],
    )
    def test_row_14_what_is_no_key_does_not_open(self, locked: Any, headers: dict[str, str]) -> None:
        assert locked.client.get("/pipelines", headers=headers).status_code == 401

    def test_row_14_jobs_belong_to_the_key_that_started_them(self, locked: Any, scene: Any) -> None:
        mine, other = {"X-API-Key": "open-sesame"}, {"X-API-Key": "second-key-1"}
        body = _source(scene, wait=False, format="json")
        job = locked.client.post("/process/red", json=body, headers=mine).json()
        assert locked.client.get(f"/jobs/{job['id']}", headers=other).status_code == 404
        assert locked.client.delete(f"/jobs/{job['id']}", headers=other).status_code == 404
        assert locked.client.get(f"/jobs/{job['id']}", headers=mine).status_code == 200

    def test_a_hook_decides(self, serving: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "gtz_hook.py").write_text(
            "async def who(headers, path):\n    return headers.get('x-user') if path != '/layers' else None\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        with serving({"auth_hook": "gtz_hook:who", "sandbox": {"enabled": False}}) as server:
            assert server.client.get("/pipelines").status_code == 401
            assert server.client.get("/pipelines", headers={"x-user": "eve"}).status_code == 200
            assert server.client.get("/layers", headers={"x-user": "eve"}).status_code == 401


def test_row_15_every_operation_at_random(guarded: Any, scene: Any, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    # names that exist, so that it gets beyond the 404; the others are drawn
    known = tmp_path / "schemathesis.toml"
    known.write_text('[parameters]\n"path.layer" = "ndvi"\n"path.name" = "red"\n')
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(known), "run"]
    seconds = int(os.environ.get("GEOTOOLZ_SCHEMATHESIS", "20"))
    examples, seed = ("5", "1") if seconds == 20 else ("100000", str(int(time.time())))
    command += [f"{guarded.url}/openapi.json", "--phases", "examples,fuzzing", "--max-examples", examples]
    command += ["--seed", seed, "--no-color", "--max-time", str(seconds), "--warnings", "off"]
    command += ["--checks", checks, "--suppress-health-check", "all", "--request-timeout", "60"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 160, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
    paths = guarded.app.openapi()["paths"]
    operations = sum(len(methods) for methods in paths.values())
    assert f"Tested: {operations}" in done.stdout
