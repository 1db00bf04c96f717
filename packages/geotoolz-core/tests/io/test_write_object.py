"""Sinks outside batch runs whose path is an address on an object store."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

pytest.importorskip("obstore", reason="obstore (extra cloud-io) is not installed")

from geotoolz.core import ParameterError, Sequential
from geotoolz.core.testing import simulate_scene, write_scene
from geotoolz.io import WriteCOG, WriteZarr, open_zarr, stream, write_tile
from geotoolz.io._gdal import gdal_options
from geotoolz.io._gdal_session import session_for
from geotoolz.io._object_errors import StoreBusyError, StoreUnreachableError
from geotoolz.io._object_options import credentials
from geotoolz.io._object_path import place
from geotoolz.radiometry import SelectBands


@pytest.fixture
def out(request):
    return f"memory://{hashlib.sha256(request.node.name.encode()).hexdigest()[:10]}/out"


@pytest.fixture(scope="module")
def tile():
    return simulate_scene((96, 80), bands=("red", "nir"))


def files(out):
    """Return the SHA-256 of every object below an address."""
    found = place(out)
    return {name: hashlib.sha256((found / name).read_bytes()).hexdigest() for name in found.sizes()}


def local(folder):
    names = [path for path in folder.rglob("*") if path.is_file()]
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in names}


def test_a_written_tile_is_what_it_is_in_a_folder(tile, out, tmp_path):
    name = "{date}/{band}.tif"
    written = write_tile(tile, f"{out}/{name}")
    write_tile(tile, tmp_path / name)
    assert files(out) == local(tmp_path) != {}
    assert all(path.startswith(out) for path in written) and len(written) == 2
    write_tile(tile, f"{out}/{name}")  # again, over itself
    assert files(out) == local(tmp_path)


def test_a_stream_sends_what_it_writes_in_a_folder(out, tmp_path):
    scene = write_scene({"shape": (700, 600), "bands": ("red", "nir")}, tmp_path / "in")
    op = SelectBands(("red",))
    there = stream(op, scene, WriteCOG(f"{out}/{{item_id}}.tif"))
    here = stream(op, scene, WriteCOG(str(tmp_path / "out" / "{item_id}.tif")))
    assert files(out) == local(tmp_path / "out") != {}
    assert there.paths[0].startswith(out) and here.paths


def test_zarr_arrives_whole_and_replaces_an_older_one(tile, out, tmp_path):
    WriteZarr(f"{out}/a.zarr").write(tile)
    WriteZarr(str(tmp_path / "a.zarr")).write(tile)
    assert files(f"{out}/a.zarr") == local(tmp_path / "a.zarr")
    WriteZarr(f"{out}/a.zarr", ("nir",)).write(tile)
    copied = tmp_path / "copied.zarr"
    for name in place(f"{out}/a.zarr").sizes():
        (copied / name).parent.mkdir(parents=True, exist_ok=True)
        (copied / name).write_bytes((place(f"{out}/a.zarr") / name).read_bytes())
    found = open_zarr(copied)
    assert list(found.data_vars) == ["nir"]
    np.testing.assert_array_equal(found.nir.values, tile.nir.values)


def test_when_one_file_cannot_be_sent_the_new_ones_go_again(tile, out, monkeypatch):
    from geotoolz.io._object_store import ObjectStore

    real = ObjectStore.create

    def failing(self, key, data, **options):
        if key.endswith("red.tif"):
            raise StoreBusyError(f"{key}: the object store answers 503")
        return real(self, key, data, **options)

    monkeypatch.setattr(ObjectStore, "create", failing)
    with pytest.raises(StoreBusyError):
        write_tile(tile, f"{out}/{{band}}.tif", ("nir", "red"))
    assert files(out) == {}


def test_nobody_computes_for_an_endpoint_that_is_not_there(tile, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    scene = write_scene({"shape": (64, 64), "bands": ("red",)}, tmp_path)
    with pytest.raises(StoreUnreachableError, match=r"127\.0\.0\.1:9 cannot be reached"):
        stream(SelectBands(("red",)), scene, WriteCOG("s3://bucket/{band}.tif"))
    with pytest.raises(StoreUnreachableError):
        write_tile(tile, "s3://bucket/{band}.tif")


@pytest.mark.parametrize(
    "path", ["/vsis3/bucket/{band}.tif", "https://host/{band}.tif", "ftp://host/{band}.tif"]
)
def test_addresses_that_cannot_be_written_are_refused_when_the_sink_is_made(path):
    with pytest.raises(ParameterError, match="cannot be written to"):
        WriteCOG(path)
    with pytest.raises(ParameterError, match="cannot be written to"):
        WriteZarr(path.replace("{band}.tif", "a.zarr"))


def test_gdal_gets_the_endpoint_under_its_own_names(monkeypatch):
    for name in ("AWS_S3_ENDPOINT", "AWS_HTTPS", "AWS_VIRTUAL_HOSTING", "AWS_NO_SIGN_REQUEST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://minio.local:9000/")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    assert gdal_options("s3://b/a.tif").items() >= {
        ("AWS_S3_ENDPOINT", "minio.local:9000"),
        ("AWS_HTTPS", "YES"),
        ("AWS_VIRTUAL_HOSTING", "FALSE"),
        ("AWS_NO_SIGN_REQUEST", "YES"),
    }
    monkeypatch.setenv("AWS_S3_ENDPOINT", "other:1")  # what the user says to GDAL wins
    assert "AWS_S3_ENDPOINT" not in gdal_options("s3://b/a.tif")
    assert not any(name.startswith("AWS_") for name in gdal_options("https://host/a.tif"))


def test_credentials_are_asked_again_before_they_run_out(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "gtz_short_keys.py").write_text(
        "from datetime import UTC, datetime, timedelta\n"
        "calls = []\n"
        "def keys():\n"
        "    calls.append(1)\n"
        "    until = datetime.now(UTC) + timedelta(seconds=30 if len(calls) == 1 else 3600)\n"
        "    return {'access_key_id': f'k{len(calls)}', 'secret_access_key': 's', 'expires_at': until}\n"
    )
    monkeypatch.setenv("GEOTOOLZ_CREDENTIALS", "gtz_short_keys:keys")
    assert [credentials()["access_key_id"] for _ in range(4)] == ["k1", "k2", "k2", "k2"]
    options = session_for("s3://b/a.tif").get_credential_options()
    assert options == {"AWS_ACCESS_KEY_ID": "k2", "AWS_SECRET_ACCESS_KEY": "s"}
    assert session_for("/data/a.tif").get_credential_options() == {}


def test_a_pipeline_that_ends_in_an_address(tile, out):
    Sequential((SelectBands(("nir",)), WriteCOG(f"{out}/{{band}}.tif")))(tile)
    assert "nir.tif" in files(out)
