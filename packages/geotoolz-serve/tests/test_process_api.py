"""``/process``, ``/jobs``, ``/pipelines`` over HTTP: the pixels are those of ``op(tile)``."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

import geotoolz as gz
from geotoolz.core import Sequential, from_config, geobox_of, pixel_hash
from geotoolz.core.testing import data_path
from geotoolz.io import WriteCOG, open_tile

NDVI = {
    "_target_": "geotoolz.core.Sequential",
    "operators": [
        {"_target_": "geotoolz.cloud.MaskClouds", "flags": ["cloud", "cirrus"]},
        {"_target_": "geotoolz.indices.NDVI"},
        {"_target_": "geotoolz.radiometry.BoxMean", "radius": 3, "bands": ["ndvi"]},
        {"_target_": "geotoolz.grid.Reproject", "crs": "EPSG:3857", "resolution": 15.0},
    ],
}
STRETCH = {"_target_": "geotoolz.radiometry.PercentileClip", "bands": ["red"], "scope": "tile"}
PART = {
    "_target_": "geotoolz.core.Sequential",
    "operators": [
        {
            "_target_": "geotoolz.grid.Crop",
            "bounds": [500480.0, 5098000.0, 501480.0, 5099000.0],
            "crs": "EPSG:32633",
        },
        {"_target_": "geotoolz.radiometry.SelectBands", "names": ["red"]},
    ],
}
PIPELINES = [
    {"name": "ndvi", "config": NDVI, "title": "Greenness", "description": "NDVI, smoothed"},
    {"name": "red", "config": {"_target_": "geotoolz.radiometry.SelectBands", "names": ["red"]}},
    {"name": "stretch", "config": STRETCH},
    {"name": "part", "config": PART},
]


@pytest.fixture(scope="module")
def server(serving: Any, catalog: Path) -> Iterator[Any]:
    with serving({"pipelines": PIPELINES, "catalogs": {"s2": catalog}, "sandbox": {"enabled": False}}) as one:
        yield one


@pytest.fixture(scope="module")
def scene(catalog: Path) -> Any:
    return next(iter(gz.GeoCatalog.open(catalog)))


def _body(scene: Any, **other: Any) -> dict[str, Any]:
    return {"source": {"catalog": "s2", "item": scene.tile_id}, **other}


def _ended(client: Any, url: str) -> dict[str, Any]:
    for _ in range(600):
        job: dict[str, Any] = client.get(url).json()
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.05)
    raise AssertionError("the job did not end")


class TestPipelines:
    def test_the_list_names_every_pipeline_with_its_hash(self, server: Any) -> None:
        listed = server.client.get("/pipelines").json()["pipelines"]
        assert [one["name"] for one in listed] == ["ndvi", "red", "stretch", "part"]
        assert listed[0]["config_hash"] == from_config(NDVI).config_hash()
        assert listed[0]["steps"] == ["MaskClouds", "NDVI", "BoxMean", "Reproject"]

    def test_a_pipeline_tells_text_schema_and_what_it_reads_and_writes(self, server: Any) -> None:
        answer = server.client.get("/pipelines/ndvi")
        found = answer.json()
        assert answer.headers["x-config-hash"] == found["config_hash"]
        assert gz.load(found["yaml"]).config_hash() == found["config_hash"]
        assert set(found["needs"][0]["reads"]) == {"red", "nir", "scl"}
        assert found["needs"][0]["writes"] == ["ndvi"]
        assert "geotoolz.indices.NDVI" in found["config_schema"]

    def test_an_unknown_name_is_answered_with_the_known_ones(self, server: Any) -> None:
        answer = server.client.get("/pipelines/ndiv")
        assert answer.status_code == 404
        assert "did you mean 'ndvi'" in answer.json()["error"]["message"]
        assert "red" in answer.json()["error"]["message"]


class TestFormats:
    def test_a_cog_has_the_pixels_of_the_whole_tile(self, server: Any, scene: Any, tmp_path: Path) -> None:
        answer = server.client.post("/process/ndvi", json=_body(scene))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("image/tiff")
        assert answer.headers["x-config-hash"] == from_config(NDVI).config_hash()
        path = tmp_path / "ndvi.tif"
        path.write_bytes(answer.content)
        whole = from_config(NDVI)(open_tile(scene.sources[0]))
        assert pixel_hash(open_tile(path), ["ndvi"]) == pixel_hash(whole, ["ndvi"])

    @pytest.mark.parametrize(("name", "config"), [("ndvi", NDVI), ("stretch", STRETCH)])
    def test_a_cog_says_how_it_came_to_be_and_not_where(
        self, server: Any, scene: Any, tmp_path: Path, name: str, config: dict[str, Any]
    ) -> None:
        path = tmp_path / "made.tif"
        path.write_bytes(server.client.post(f"/process/{name}", json=_body(scene)).content)
        with rasterio.open(path) as raster:
            told = json.loads(raster.tags()["GEOTOOLZ_PROVENANCE"])
        assert told["config_hash"] == from_config(config).config_hash()
        assert all(len(sha256) == 64 and "/" not in file for file, _, sha256 in told["inputs"])
        assert told["inputs"] and "source" not in told

    def test_an_npz_holds_the_arrays_and_where_they_lie(self, server: Any, scene: Any) -> None:
        answer = server.client.post("/process/ndvi", json=_body(scene, format="npz"))
        whole = from_config(NDVI)(open_tile(scene.sources[0]))
        with np.load(io.BytesIO(answer.content), allow_pickle=False) as found:
            assert np.array_equal(found["ndvi"], whole.ndvi.to_numpy(), equal_nan=True)
            assert str(found["crs"]) == "EPSG:3857"
            assert found["transform"][0] == 15.0
            assert str(found["config_hash"]) == from_config(NDVI).config_hash()

    def test_statistics_are_those_of_numpy(self, server: Any, scene: Any) -> None:
        answer = server.client.post("/process/ndvi", json=_body(scene, format="json"))
        values = from_config(NDVI)(open_tile(scene.sources[0])).ndvi.to_numpy().astype("f8")
        found = answer.json()["variables"]["ndvi"]
        assert found["valid"] == np.isfinite(values).sum()
        assert found["count"] == values.size
        assert (found["min"], found["max"]) == (np.nanmin(values), np.nanmax(values))
        assert found["mean"] == pytest.approx(np.nanmean(values), abs=1e-7)
        assert found["std"] == pytest.approx(np.nanstd(values), abs=1e-7)
        assert found["percentiles"]["50"] == pytest.approx(np.nanpercentile(values, 50), abs=1e-7)
        assert answer.json()["config_hash"] == from_config(NDVI).config_hash()

    def test_a_crop_says_where_it_lies(self, server: Any, scene: Any, tmp_path: Path) -> None:
        told = server.client.post("/process/part", json=_body(scene, format="json")).json()
        assert told["shape"] == [100, 100] and told["bounds"] == PART["operators"][0]["bounds"]
        path = tmp_path / "part.tif"
        path.write_bytes(server.client.post("/process/part", json=_body(scene)).content)
        whole = from_config(PART)(open_tile(scene.sources[0]))
        assert geobox_of(open_tile(path)) == geobox_of(whole)
        assert pixel_hash(open_tile(path), ["red"]) == pixel_hash(whole, ["red"])

    def test_a_picture_is_no_larger_than_asked(self, server: Any, scene: Any) -> None:
        answer = server.client.post("/process/ndvi", json=_body(scene, format="png", size=128))
        assert answer.headers["content-type"] == "image/png"
        assert answer.content[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = (int.from_bytes(answer.content[i : i + 4], "big") for i in (16, 20))
        assert 120 <= max(width, height) <= 128

    def test_an_area_and_a_grid_of_ones_own(self, server: Any, scene: Any, tmp_path: Path) -> None:
        left, _, _, top = scene.bounds
        part = {
            "bounds": [left + 200, top - 700, left + 700, top - 300],
            "crs": scene.crs,
            "resolution": 10.0,
        }
        body = {"source": {"catalog": "s2", "item": scene.tile_id, "slice": part}}
        answer = server.client.post("/process/red", json=body)
        assert answer.status_code == 200, (answer.text, scene)
        path = tmp_path / "red.tif"
        path.write_bytes(answer.content)
        whole = open_tile(scene.sources[0], bands=["red"])
        assert np.array_equal(open_tile(path).red, whole.red[30:70, 20:70])

    def test_variables_of_several_types_come_as_a_zip_of_cogs(self, server: Any, scene: Any) -> None:
        answer = server.client.post("/process/ndvi", json=_body(scene, bands=["ndvi", "scl"]))
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert sorted(archive.namelist()) == ["ndvi_ndvi.tif", "ndvi_scl.tif"]

    def test_a_pipeline_that_has_to_see_the_whole_tile(self, server: Any, scene: Any, tmp_path: Path) -> None:
        answer = server.client.post("/process/stretch", json=_body(scene))
        assert answer.status_code == 200, answer.text
        path = tmp_path / "stretch.tif"
        path.write_bytes(answer.content)
        whole = from_config(STRETCH)(open_tile(scene.sources[0]))
        assert pixel_hash(open_tile(path, raw=True), ["red"]) == pixel_hash(whole, ["red"])

    def test_a_variable_that_is_not_there_is_named(self, server: Any, scene: Any) -> None:
        answer = server.client.post("/process/ndvi", json=_body(scene, bands=["evi"]))
        assert answer.status_code == 422
        assert "'evi'" in answer.json()["error"]["message"]

    def test_an_unknown_scene_and_an_unknown_catalog(self, server: Any) -> None:
        nowhere = {"source": {"catalog": "s2", "item": "none"}}
        assert server.client.post("/process/ndvi", json=nowhere).status_code == 404
        nowhere = {"source": {"catalog": "landsat", "item": "none"}}
        assert "s2" in server.client.post("/process/ndvi", json=nowhere).json()["error"]["message"]


class TestUploads:
    def test_an_uploaded_file_is_processed(self, server: Any, scene: Any, tmp_path: Path) -> None:
        paths = WriteCOG(str(tmp_path / "in.tif")).write(open_tile(scene.sources[0], bands=["red", "nir"]))
        with Path(paths[0]).open("rb") as file:
            answer = server.client.post(
                "/process/red", files={"file": file}, data={"options": json.dumps({"format": "npz"})}
            )
        assert answer.status_code == 200, answer.text
        with np.load(io.BytesIO(answer.content)) as found:
            assert np.array_equal(found["red"], open_tile(scene.sources[0], bands=["red"]).red)

    def test_what_is_no_tiff_is_refused(self, server: Any) -> None:
        answer = server.client.post("/process/red", files={"file": b"<VRTDataset/>"})
        assert answer.status_code == 415
        assert server.client.post("/process/red", files={"other": b"II"}).status_code == 422

    def test_a_server_without_uploads(self, serving: Any) -> None:
        settings = {"pipelines": PIPELINES, "uploads": False, "sandbox": {"enabled": False}}
        with serving(settings) as server:
            assert server.client.post("/process/red", files={"file": b"II*\0"}).status_code == 403


class TestJobs:
    def test_a_job_tells_its_progress_and_hands_out_its_result(self, server: Any, scene: Any) -> None:
        answer = server.client.post("/process/ndvi", json=_body(scene, wait=False))
        assert answer.status_code == 202
        assert answer.headers["x-config-hash"] == from_config(NDVI).config_hash()
        job = _ended(server.client, answer.headers["location"])
        assert (job["state"], job["progress"]) == ("done", 1.0)
        assert job["config_hash"] == from_config(NDVI).config_hash()
        result = server.client.get(job["links"]["result"])
        assert result.status_code == 200
        assert result.content == server.client.post("/process/ndvi", json=_body(scene)).content
        assert server.client.delete(job["links"]["self"]).status_code == 204
        assert server.client.get(job["links"]["self"]).status_code == 404

    def test_a_job_that_failed_says_why(self, server: Any, scene: Any) -> None:
        answer = server.client.post("/process/ndvi", json=_body(scene, wait=False, bands=["evi"]))
        job = _ended(server.client, answer.headers["location"])
        assert job["state"] == "failed"
        assert "'evi'" in job["error"]["message"]
        assert server.client.get(f"/jobs/{job['id']}/result").status_code == 409

    def test_a_cancelled_job_stops_at_its_next_window(
        self, server: Any, scene: Any, monkeypatch: Any
    ) -> None:
        began, go = threading.Event(), threading.Event()
        stopped: list[str] = []
        jobs = server.state.jobs

        def slow(job: Any) -> Any:
            began.set()
            assert go.wait(10)
            try:
                job.report(1, 2)
            except gz.core.GeotoolzError as error:
                stopped.append(str(error))
                raise
            raise AssertionError("went on")

        job = jobs.open("127.0.0.1", "ndvi", "sha256:0")
        jobs.start(job, slow)
        assert began.wait(10)
        assert server.client.get(f"/jobs/{job.id}").json()["state"] == "running"
        assert server.client.get(f"/jobs/{job.id}/result").status_code == 409
        assert server.client.delete(f"/jobs/{job.id}").status_code == 204
        go.set()
        job.future.result(10)
        assert stopped == ["the run was cancelled"]
        assert job.state == "cancelled"
        assert not job.folder.exists()
        told = server.client.get(f"/jobs/{job.id}")  # whoever waits for it learns why it ended
        assert (told.status_code, told.json()["state"]) == (200, "cancelled")
        assert (
            server.client.get(f"/jobs/{job.id}/result")
            .json()["error"]["message"]
            .startswith("the job is cancelled")
        )
        assert server.client.delete(f"/jobs/{job.id}").status_code == 204
        assert server.client.get(f"/jobs/{job.id}").status_code == 404

    def test_what_nobody_reads_is_refused_by_name(self, server: Any, scene: Any) -> None:
        file = {"file": ("x.tif", b"II*\0", "image/tiff")}
        for answer, name in [
            (server.client.post("/process/ndvi", files=file, data={"format": "json"}), "format"),
            (server.client.post("/process/ndvi?format=json", files=file), "format"),
            (server.client.post("/process/ndvi?format=json&wait=1", json=_body(scene)), "format, wait"),
        ]:
            error = answer.json()["error"]
            assert (answer.status_code, error["message"]) == (422, f"{name}: not read here")
            assert "JSON" in error["fix"]
        bare = server.client.post("/process/ndvi", content=json.dumps(_body(scene)))
        assert bare.status_code == 415
        assert "-H 'content-type: application/json'" in bare.json()["error"]["fix"]

    def test_a_full_queue_is_answered_with_503(self, serving: Any, catalog: Path, scene: Any) -> None:
        settings = {
            "pipelines": PIPELINES,
            "catalogs": {"s2": catalog},
            "process_threads": 1,
            "process_queue": 1,
            "sandbox": {"enabled": False},
        }
        with serving(settings) as server:
            go = threading.Event()
            jobs = server.state.jobs
            for _ in range(2):
                jobs.start(jobs.open("x", "ndvi", ""), _waiting(go))
            answer = server.client.post("/process/ndvi", json=_body(scene))
            go.set()
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"

    def test_a_long_wait_becomes_a_job(self, serving: Any, catalog: Path, scene: Any) -> None:
        settings = {
            "pipelines": PIPELINES,
            "catalogs": {"s2": catalog},
            "process_threads": 1,
            "process_wait_s": 0,
            "sandbox": {"enabled": False},
        }
        with serving(settings) as server:
            go = threading.Event()
            server.state.jobs.start(server.state.jobs.open("x", "ndvi", ""), _waiting(go))
            answer = server.client.post("/process/red", json=_body(scene, bands=["red"]))
            go.set()
            assert answer.status_code == 202
            assert _ended(server.client, answer.headers["location"])["state"] == "done"

    def test_row_12_a_client_that_leaves_takes_its_run_with_it(
        self, server: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        began, stopped = threading.Event(), threading.Event()

        def endless(settings: Any, order: Any, opening: Any, job: Any) -> Any:
            began.set()
            while not job.stop.wait(0.01):
                pass
            stopped.set()
            job.check()

        monkeypatch.setattr("geotoolz.serve._process_api.process", endless)
        body = json.dumps(_body(scene)).encode()
        head = "POST /process/red HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}"
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as connection:
            connection.sendall(head.encode() + b"\r\n\r\n" + body)
            assert began.wait(20)
        assert stopped.wait(20)

    def test_nobody_sees_the_job_of_another(self, server: Any) -> None:
        job = server.state.jobs.open("10.9.9.9", "ndvi", "")
        assert server.client.get(f"/jobs/{job.id}").status_code == 404
        server.state.jobs.remove(job)


def _waiting(go: threading.Event) -> Callable[[Any], Any]:
    def work(job: Any) -> Any:
        go.wait(20)
        raise gz.core.ParameterError("ended")

    return work


# the files were reduced to 120 m
@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
@pytest.mark.realdata
def test_the_pipeline_of_x1_gives_the_hash_of_the_whole_tile_over_http(serving: Any, tmp_path: Path) -> None:
    try:
        archive = data_path("s2_l2a_33TWL_croatia")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    operators = [*NDVI["operators"][:2], {"_target_": "geotoolz.indices.NDWI"}]  # type: ignore[index]
    operators += [
        {"_target_": "geotoolz.radiometry.BoxMean", "radius": 3, "bands": ["ndvi", "ndwi"]},
        {"_target_": "geotoolz.grid.Reproject", "crs": "EPSG:3857", "resolution": 170.0},
        {"_target_": "geotoolz.qc.AssertValidFraction", "min_valid": 0.05, "bands": ["ndvi"]},
    ]
    x1 = {"_target_": "geotoolz.core.Sequential", "operators": operators}
    catalog = tmp_path / "scenes.parquet"
    gz.GeoCatalog.from_folder(archive).save(catalog)
    settings = {
        "pipelines": [{"name": "x1", "config": x1}],
        "catalogs": {"s2": catalog},
        "sandbox": {"enabled": False},
    }
    one = next(iter(gz.GeoCatalog.open(catalog)))
    pipeline = from_config(x1)
    assert isinstance(pipeline, Sequential)
    with serving(settings) as server:
        answer = server.client.post("/process/x1", json=_body(one))
    assert answer.status_code == 200, answer.text
    path = tmp_path / "x1.tif"
    path.write_bytes(answer.content)
    names = ["ndvi", "ndwi"]
    assert pixel_hash(open_tile(path), names) == pixel_hash(pipeline(open_tile(one.sources[0])), names)
