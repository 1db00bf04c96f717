"""Inputs behind addresses: hashed where they are, read from there, named when they answer something else."""

from __future__ import annotations

import hashlib
import http.server
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from geotoolz.core import ReadError
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.io import open_tile, stream, write_tile
from geotoolz.repro import Kind, Source, Tier, freeze, load, trace
from geotoolz.repro._remote import fetch_digest


@pytest.fixture
def raster(tmp_path):
    """Return one file with red and nir."""
    scene = write_scene({"shape": (40, 30), "bands": ("red", "nir")}, tmp_path / "scenes")
    (path,) = write_tile(open_tile(scene), tmp_path / "both.tif")
    return Path(path)


class _Ranges(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def send_head(self):
        """Answer a range, as GDAL asks for: the part that `SimpleHTTPRequestHandler` leaves out."""
        asked = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if not asked or not path.is_file():
            return super().send_head()
        first, _, last = asked.removeprefix("bytes=").partition("-")
        size = path.stat().st_size
        stop = min(int(last) if last else size - 1, size - 1)
        held = path.open("rb")
        held.seek(int(first))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{stop}/{size}")
        self.send_header("Content-Length", str(stop - int(first) + 1))
        self.end_headers()
        self._left = stop - int(first) + 1
        return held

    def copyfile(self, source, outputfile):
        outputfile.write(source.read(getattr(self, "_left", -1)))


@pytest.fixture
def web(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), partial(_Ranges, directory=str(folder))) as held:
        thread = threading.Thread(target=held.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{held.server_address[1]}"
        held.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def endpoint():
    """Start an S3 server on this machine."""
    pytest.importorskip("moto", reason="the S3 server of the tests is not installed")
    pytest.importorskip("obstore", reason="object stores need obstore")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    code = f"import sys; from moto.server import main; sys.exit(main(['-H', '127.0.0.1', '-p', '{port}']))"
    server = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(300):
        with socket.socket() as held:
            if held.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    else:
        server.kill()
        pytest.skip("the S3 server of the tests does not start")
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(20)


@pytest.fixture
def bucket(endpoint, monkeypatch):
    """Return an empty bucket, with an environment that leads to it."""
    import urllib.request

    for name in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(name)
    told = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    host = endpoint.removeprefix("http://")
    told |= {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true"}
    told |= {"AWS_S3_ENDPOINT": host, "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE"}
    told["CPL_VSIL_CURL_NON_CACHED"] = "/vsis3/scenes"  # the test changes what GDAL would remember
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/scenes", method="PUT")).close()
    from geotoolz.io._object_store import ObjectStore

    return ObjectStore("s3", "scenes")


def _sha(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_a_scene_on_the_web(web, raster, tmp_path):
    folder, url = web
    shutil.copy(raster, folder / "a.tif")
    path = freeze(NDVI(), f"{url}/a.tif").save(tmp_path / "a.gtar")
    artifact = load(path)
    (file,) = artifact.inputs["scene"].files
    assert (file.sha256, file.size, file.member) == (_sha(raster), raster.stat().st_size, None)
    assert artifact.verify().ok and artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT
    with (folder / "a.tif").open("ab") as held:
        held.write(b"more")
    (found,) = artifact.verify().differences
    assert found.kind is Kind.INPUT_CHANGED and f"{file.size} → {file.size + 4} bytes" in found.found
    (folder / "a.tif").unlink()
    (found,) = artifact.verify().differences
    assert found.kind is Kind.INPUT_MISSING and "404" in found.found
    report = artifact.rerun(tmp_path / "v", inputs=raster)
    assert report.tier is Tier.BIT_EXACT and not report.differences  # a copy that somebody kept


def test_a_scene_in_a_bucket(bucket, raster, tmp_path):
    bucket.write("x/a.tif", raster)
    artifact = load(freeze(NDVI(), "s3://scenes/x/a.tif").save(tmp_path / "a.gtar"))
    (file,) = artifact.inputs["scene"].files
    assert (file.sha256, file.size, artifact.inputs["scene"].uri) == (
        _sha(raster), raster.stat().st_size, "s3://scenes/x/a.tif",
    )  # fmt: skip
    assert artifact.verify().ok and artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT
    bucket.write("x/a.tif", raster.read_bytes() + b"more")
    (found,) = artifact.verify().differences
    assert found.kind is Kind.INPUT_CHANGED and "s3://scenes/x/a.tif has sha256" in found.found
    assert artifact.verify(offline=True).ok
    bucket.delete(["x/a.tif"])
    (found,) = artifact.verify().differences
    assert found.kind is Kind.INPUT_MISSING and "s3://scenes/x/a.tif does not exist" in found.found


def test_a_told_hash_is_believed_only_where_nobody_answers(bucket, raster):
    bucket.write("told.tif", raster)
    with pytest.raises(ReadError, match="as inputs says"):
        freeze(NDVI(), Source("s3://scenes/told.tif", "ab" * 32), outputs=())
    believed = freeze(NDVI(), Source("s3://scenes/never-there.tif", "ab" * 32), outputs=())
    assert believed.inputs["scene"].sha256 == "ab" * 32
    (found,) = believed.verify().differences
    assert found.kind is Kind.INPUT_MISSING


def test_what_was_made_from_a_bucket_is_traced(bucket, raster, tmp_path):
    bucket.write("a.tif", raster)
    (path,) = stream(NDVI(), "s3://scenes/a.tif", f"{tmp_path}/ndvi.tif").paths
    found = trace(path)
    assert found.source == "s3://scenes/a.tif"
    artifact = found.freeze()
    assert artifact.inputs["scene"].files[0].sha256 == _sha(raster)
    assert artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT


def test_nobody_answers(monkeypatch):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    with pytest.raises(ReadError, match="does not answer") as told:
        fetch_digest(f"http://127.0.0.1:{port}/a.tif?sig=SECRET")
    assert "SECRET" not in str(told.value)
    with pytest.raises(ReadError, match="cannot be hashed here"):
        fetch_digest("ftp://host/a.tif")


def test_a_bucket_that_is_not_there(bucket):
    with pytest.raises(ReadError, match=r"s3://nowhere/a\.tif"):
        fetch_digest("s3://nowhere/a.tif")
    with pytest.raises(ReadError, match="does not exist"):
        fetch_digest("/vsis3/scenes/none.tif")
