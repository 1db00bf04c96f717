"""Outputs on an object store: a real S3 server on this machine, and a store in memory."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("obstore", reason="obstore (extra cloud-io) is not installed")

import s3_server
from s3_server import KEY, SECRET, Proxy

from geotoolz.batch import (
    BatchReport,
    CatalogPipeline,
    FailureKind,
    Layout,
    classify,
    is_running,
    remove_orphans,
    replay,
    verify,
    write_collection,
)
from geotoolz.batch._journal import Journal
from geotoolz.batch._lease import Lease
from geotoolz.batch._store_lease import ObjectLease
from geotoolz.core import BatchError, GeotoolzError, ParameterError, Sequential
from geotoolz.core.testing import write_scene
from geotoolz.io import WriteCOG, open_tile
from geotoolz.io._object_errors import (
    StoreBusyError,
    StoreCredentialsError,
    StoreDeniedError,
    StoreMissingError,
    StoreUnreachableError,
)
from geotoolz.io._object_path import ObjectPath, place, probe_store
from geotoolz.radiometry import SelectBands

SCRIPT = str(Path(sysconfig.get_path("scripts"), "geotoolz"))


@pytest.fixture
def bucket(server, monkeypatch, request):
    name = "b" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    s3_server.make_bucket(server, name)
    for variable, value in s3_server.environment(server).items():
        monkeypatch.setenv(variable, value)
    return f"s3://{name}"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for number in range(3):
        write_scene(
            {"shape": (48, 40), "bands": ("red", "nir"), "datetime": f"2023-06-{number + 10}"}, folder
        )
    return sorted(folder.iterdir())


def job(scenes, out, **options):
    return CatalogPipeline(scenes, SelectBands(("red",)), out, **{"progress": "none", **options})


def hashes(out):
    """Return the SHA-256 of every product, by its name below the address or folder."""
    found = place(out)
    names = found.sizes() if isinstance(found, ObjectPath) else [p.name for p in found.glob("*.tif")]
    return {n: hashlib.sha256((found / n).read_bytes()).hexdigest() for n in names if n.endswith(".tif")}


# ---- addresses


def test_an_address_is_no_path_of_this_machine():
    found = place("s3://bucket/out")
    with pytest.raises(TypeError):
        Path(found)
    assert pickle.loads(pickle.dumps(found)) == found
    assert (found / "a" / "b.tif").key == "out/a/b.tif"
    assert str((found / "a.tif").parent) == "s3://bucket/out"
    assert str((found / "items/x.json").relative_to(found)) == "items/x.json"
    with pytest.raises(ValueError, match="not below"):
        (place("s3://other/out") / "x").relative_to(found)


@pytest.mark.parametrize("text", ["s3://", "ftp://host/x", "s3://bucket/../other", "s3://b/a?x=1"])
def test_addresses_that_cannot_be_are_refused(text):
    with pytest.raises(ParameterError, match="expected"):
        place(text)


def test_bytes_round_trip_in_memory_and_on_s3(bucket, tmp_path):
    for out in (place("memory://round/trip"), place(f"{bucket}/trip")):
        target = out / "a" / "b.bin"
        data = np.random.default_rng(1).bytes(200_000)
        assert not target.exists()
        assert target.write_bytes(data) == len(data)
        assert target.read_bytes() == data
        assert target.stat().st_size == len(data)
        with target.open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == hashlib.sha256(data).hexdigest()
        assert out.sizes() == {"a/b.bin": len(data)}
        assert [path.name for path in (out / "a").glob("*.bin")] == ["b.bin"]
        assert not target.store.create(target.key, b"other")
        assert target.read_bytes() == data
        target.unlink()
        with pytest.raises(FileNotFoundError):
            target.read_bytes()
        with pytest.raises(FileNotFoundError):
            target.unlink()


def test_a_folder_is_not_its_namesake(bucket):
    out = place(f"{bucket}/run")
    (place(f"{bucket}/run-2") / "x.tif").write_bytes(b"1")
    assert out.sizes() == {} and not out.exists()


def test_large_files_go_in_parts_and_arrive(bucket, tmp_path, monkeypatch):
    from geotoolz.io import _object_store

    monkeypatch.setattr(_object_store, "_ONE_PUT", 2**20)
    monkeypatch.setattr(_object_store, "_PART", 5 * 2**20)
    data = np.random.default_rng(2).bytes(12 * 2**20)
    (tmp_path / "big.tif").write_bytes(data)
    target = place(f"{bucket}/big.tif")
    assert target.store.create(target.key, tmp_path / "big.tif", owner="tile")
    assert not target.store.create(target.key, tmp_path / "big.tif", owner="tile")
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(data).digest()


# ---- runs


def test_a_run_to_s3_gives_the_files_of_a_local_run(scenes, bucket, tmp_path):
    local = job(scenes, tmp_path / "out")
    assert local.run().counts == {"done": 3}
    remote = job(scenes, f"{bucket}/out")
    assert remote.plan().counts == {"new": 3}
    report = remote.run()
    assert report.counts == {"done": 3}
    assert hashes(f"{bucket}/out") == hashes(tmp_path / "out") != {}
    assert [t.task.key for t in remote.plan().tiles] == [t.task.key for t in local.plan().tiles]
    assert verify(f"{bucket}/out") == {}
    assert BatchReport.load(f"{bucket}/out").counts == {"done": 3}
    assert not is_running(f"{bucket}/out")
    assert set(remote.replay(remote.plan().tiles[0].tile_id).files.values()) == {"same"}
    assert write_collection(f"{bucket}/out", title="Red").items == 3


def test_workers_write_by_themselves(scenes, bucket, tmp_path):
    job(scenes, tmp_path / "out").run()
    assert job(scenes, f"{bucket}/out", engine="process", n_workers=2).run().counts == {"done": 3}
    assert hashes(f"{bucket}/out") == hashes(tmp_path / "out")


def test_the_template_may_be_the_address(scenes, bucket):
    op = Sequential((SelectBands(("red",)), WriteCOG(bucket + "/made/{year}/{date}/{tile_id}_{band}.tif")))
    made = CatalogPipeline(scenes, op, progress="none")
    assert str(made.out) == f"{bucket}/made"
    assert made.run().counts == {"done": 3}
    names = [name for name in place(f"{bucket}/made").sizes() if name.endswith(".tif")]
    assert len(names) == 3 and all(name.startswith("2023/2023-06-1") for name in names)
    assert CatalogPipeline(scenes, op, progress="none").run().counts == {"fresh": 3}
    with pytest.raises(BatchError, match="below the output folder"):
        CatalogPipeline(scenes, op, f"{bucket}/elsewhere", progress="none")


def test_outputs_open_as_tiles_with_the_same_credentials(scenes, bucket, tmp_path):
    job(scenes, tmp_path / "out").run()
    job(scenes, f"{bucket}/out").run()
    name = min(hashes(tmp_path / "out"))
    here, there = open_tile(tmp_path / "out" / name), open_tile(f"{bucket}/out/{name}")
    np.testing.assert_array_equal(here.red.values, there.red.values)
    assert here.attrs["datetime"] == there.attrs["datetime"]


def test_the_second_run_asks_a_few_questions_and_writes_nothing(scenes, bucket, server, monkeypatch):
    with Proxy(server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        assert job(scenes, f"{bucket}/out").run().counts == {"done": 3}
        first = len(proxy.seen)
        puts = proxy.count("PUT")
        proxy.seen.clear()
        assert job(scenes, f"{bucket}/out").run().counts == {"fresh": 3}
        print(f"requests: first run {first} ({puts} PUT), second run {len(proxy.seen)}")  # noqa: T201
        assert proxy.count("PUT") == proxy.count("DELETE") == proxy.count("POST") == 0
        assert len(proxy.seen) <= 8


def test_requests_per_tile(scenes, bucket, server, monkeypatch):
    """One raster, its style, log and picture: what a tile costs."""
    with Proxy(server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        totals = []
        for count in (1, 3):
            proxy.seen.clear()
            assert job(scenes[:count], f"{bucket}/out{count}").run().counts == {"done": count}
            totals.append((proxy.count("PUT"), proxy.count("HEAD"), proxy.count("GET")))
    per_tile = [(b - a) / 2 for a, b in zip(*totals, strict=True)]
    puts, heads, gets = per_tile
    print(f"per tile of one raster and its style: {puts} PUT, {heads} HEAD, {gets} GET")  # noqa: T201
    # raster, style, item: PUT and HEAD each; picture and log: PUT; item and picture are read for the end
    assert per_tile == [5.0, 3.0, 2.0]


def test_a_changed_pipeline_replaces_its_outputs_and_drops_those_it_no_longer_makes(scenes, bucket):
    both = Sequential((SelectBands(("red", "nir")),))
    out = f"{bucket}/out"
    assert CatalogPipeline(scenes, both, out, progress="none").run().counts == {"done": 3}
    assert len(hashes(out)) == 6
    again = job(scenes, out)
    assert again.plan().counts == {"stale": 3}
    assert again.run().counts == {"done": 3}
    assert len(hashes(out)) == 3
    assert verify(out) == {}


def test_an_object_of_somebody_else_is_not_written_over(scenes, bucket):
    out = place(f"{bucket}/out")
    name = job(scenes, out).plan().tiles[0].tile_id + "_red.tif"
    (out / name).write_bytes(b"mine")
    report = job(scenes, out, max_failures=3).run()
    assert report.counts == {"failed": 1, "done": 2}
    assert (out / name).read_bytes() == b"mine"
    assert f"items/{report.failed[0].tile_id}.json" not in out.sizes()


def test_objects_of_an_attempt_that_was_cut_off_are_written_again(scenes, bucket):
    out = place(f"{bucket}/out")
    job(scenes, out).run()
    expected = hashes(out)
    tile = job(scenes, out).plan().tiles[1].tile_id
    for name in [n for n in out.sizes() if n.startswith(".geotoolz/journal")] + [f"items/{tile}.json"]:
        (out / name).unlink()  # as if the driver and the worker had died before the item
    again = job(scenes, out)
    assert again.plan().counts == {"fresh": 2, "new": 1}
    assert again.run().counts == {"fresh": 2, "done": 1}
    assert hashes(out) == expected


def test_damaged_and_missing_objects_are_found_and_healed(scenes, bucket):
    out = place(f"{bucket}/out")
    job(scenes, out).run()
    first, second, _ = sorted(name for name in out.sizes() if name.endswith(".tif"))
    data = (out / first).read_bytes()
    (out / first).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (out / second).unlink()
    assert verify(out) == {first: "other content than was written", second: "missing"}
    verify(out, heal=True)
    assert job(scenes, out).plan().counts == {"partial": 2, "fresh": 1}
    assert job(scenes, out).run().counts == {"done": 2, "fresh": 1}
    assert verify(out) == {}


def test_orphans_are_told_and_removed(scenes, bucket):
    out = place(f"{bucket}/out")
    job(scenes, out).run()
    plan = job(scenes[:2], out).plan()
    assert plan.counts == {"fresh": 2, "orphan": 1}
    assert len(remove_orphans(plan)) >= 2
    assert job(scenes[:2], out).plan().counts == {"fresh": 2}


def test_the_command_line_takes_an_address(scenes, bucket, tmp_path):
    pipeline = tmp_path / "red.yaml"
    pipeline.write_text("_target_: geotoolz.radiometry.SelectBands\nnames: [red]\n")
    source, out = str(scenes[0].parent), f"{bucket}/out"

    def cli(*words):
        return subprocess.run(
            [SCRIPT, *words], capture_output=True, text=True, timeout=180, cwd=tmp_path, check=False
        )

    done = cli("run", str(pipeline), source, out, "--engine", "inline", "--quiet", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"] == {"done": 3}
    assert json.loads(done.stdout)["out"] == out
    assert json.loads(cli("plan", str(pipeline), source, out, "--json").stdout)["counts"] == {"fresh": 3}
    assert json.loads(cli("status", out, "--json").stdout)["tiles"] == {"done": 3}
    assert cli("verify", out).returncode == 0
    assert "done" in cli("report", out).stdout
    assert not (tmp_path / "s3:").exists()


def test_in_memory_only_one_process_sees_it(scenes):
    with pytest.raises(ParameterError, match="memory://"):
        job(scenes, "memory://here/out", engine="process", n_workers=2)
    assert job(scenes, "memory://here/out").run().counts == {"done": 3}


# ---- journal


def test_a_journal_of_many_runs_stays_a_few_objects(bucket):
    folder = place(f"{bucket}/out/.geotoolz")
    for run in range(20):
        with Journal(folder / "journal.jsonl") as journal:
            for tile in range(5):
                journal.append("done", id=f"t{tile}", key=f"k{run}", out=[], run=str(run))
    assert len(list(folder.glob("journal*"))) <= 18
    found = replay(folder)
    assert {record["key"] for record in found.values()} == {"k19"} and len(found) == 5


def test_a_torn_or_lost_segment_is_made_up_from_the_items(scenes, bucket):
    out = place(f"{bucket}/out")
    job(scenes, out).run()
    (segment,) = (out / ".geotoolz").glob("journal*")
    data = segment.read_bytes()
    for rest in (data[: len(data) // 2], b""):
        segment.write_bytes(rest)
        assert job(scenes, out).plan().counts == {"fresh": 3}
    segment.unlink()
    assert job(scenes, out).plan().counts == {"fresh": 3}


def test_shards_have_journals_of_their_own(scenes, bucket):
    out = f"{bucket}/out"
    for part in (1, 2):
        job(scenes, out, shard=(part, 2)).run()
    assert job(scenes, out).plan().counts == {"fresh": 3}
    names = {path.name.partition(".")[0] for path in (place(out) / ".geotoolz").glob("journal*")}
    assert names <= {"journal-1-of-2", "journal-2-of-2"}


# ---- leases


def test_a_second_run_is_refused_while_the_first_holds_the_lease(bucket):
    layout = Layout(place(f"{bucket}/out"))
    with Lease(layout, None):
        assert is_running(layout.out)
        with pytest.raises(BatchError, match="is working on"), Lease(layout, None):
            pass
        with pytest.raises(BatchError, match="is working on"), Lease(layout, (1, 2)):
            pass
    assert not is_running(layout.out)
    with Lease(layout, (1, 2)), Lease(layout, (2, 2)):
        pass


def test_a_lease_that_is_not_renewed_is_taken_over(bucket, monkeypatch):
    from datetime import timedelta

    from geotoolz.batch import _store_lease

    path = place(f"{bucket}/out/.geotoolz/lease.lock")
    dead = ObjectLease(path, 1)
    dead._told["machine"] = "another"  # whether its process lives cannot be known here
    dead._take()
    with pytest.raises(BatchError, match="is working on"):
        ObjectLease(path, 1).acquire()
    monkeypatch.setattr(_store_lease, "_EXPIRES", timedelta(seconds=-1))
    heir = ObjectLease(path, 1)
    heir.acquire()
    assert json.loads(path.read_bytes())["nonce"] == heir._told["nonce"]
    dead._etag = "not any more"
    assert not dead._renewed()  # the first one learns that it is over
    assert heir._renewed()
    heir.release()
    assert not path.exists()


def test_a_lease_of_a_dead_process_of_this_machine_is_over(bucket):
    path = place(f"{bucket}/out/.geotoolz/lease.lock")
    gone = subprocess.Popen(["true"])
    gone.wait()
    lost = ObjectLease(path, 1)
    lost._told["pid"] = gone.pid
    lost._take()
    heir = ObjectLease(path, 1)
    heir.acquire()
    heir.release()


# ---- what can be wrong


def test_what_is_wrong_is_said_in_seconds_with_its_type(bucket, scenes, monkeypatch):
    missing = job(scenes, "s3://there-is-no-such-bucket/out")
    with pytest.raises(StoreMissingError, match="no such bucket"):
        missing.plan()
    assert "no such bucket" in probe_store("s3://there-is-no-such-bucket/out")
    assert probe_store(bucket) == "" == probe_store("folder")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3_server.free_port()}")
    with pytest.raises(StoreUnreachableError, match="cannot be reached"):
        job(scenes, f"{bucket}/out").plan()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", "/nonexistent")
    with pytest.raises(StoreCredentialsError, match="credentials"):
        job(scenes, f"{bucket}/out").plan()


def test_a_refusal_is_an_error_of_the_output(bucket, server, scenes, monkeypatch):
    with Proxy(server, lambda number, method, path: "denied" if method == "PUT" else "") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        with pytest.raises(StoreDeniedError, match="access is denied") as caught:
            job(scenes, f"{bucket}/out").run()
    assert classify(caught.value) is FailureKind.OUTPUT
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is StoreDeniedError and str(again) == str(caught.value)
    assert classify(StoreBusyError("x")) is FailureKind.TRANSIENT
    assert classify(StoreUnreachableError("x")) is FailureKind.TRANSIENT


# ---- credentials


def test_credentials_come_from_a_function_by_its_import_path(scenes, bucket, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "gtz_store_keys.py").write_text(
        "from datetime import UTC, datetime, timedelta\n"
        "def keys():\n"
        f"    return dict(access_key_id={KEY!r}, secret_access_key={SECRET!r}, token=None,\n"
        "                expires_at=datetime.now(UTC) + timedelta(minutes=30))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("GEOTOOLZ_CREDENTIALS", "gtz_store_keys:keys")
    made = job(scenes, f"{bucket}/out", engine="process", n_workers=2)
    assert made.run().counts == {"done": 3}
    name = min(hashes(f"{bucket}/out"))
    assert open_tile(f"{bucket}/out/{name}").red.shape == (48, 40)  # GDAL asks the same function
    monkeypatch.setenv("GEOTOOLZ_CREDENTIALS", "gtz_store_keys:nobody")
    with pytest.raises(ParameterError, match="GEOTOOLZ_CREDENTIALS"):
        job(scenes, f"{bucket}/out").plan()


def test_no_secret_is_written_anywhere(scenes, bucket, server, monkeypatch, capfd, tmp_path):
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\0 no raster")
    out = place(f"{bucket}/out")
    with Proxy(server, lambda n, method, path: "denied" if "S2" in path and n % 5 == 4 else "") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        try:
            job([*scenes, broken], out, max_failures=4, progress="json").run()
        except GeotoolzError as error:
            assert SECRET not in str(error) and KEY not in str(error)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    told = capfd.readouterr()
    assert SECRET not in told.out + told.err
    names = out.sizes()
    assert names
    for name in names:
        data = (out / name).read_bytes()
        assert SECRET.encode() not in data and KEY.encode() not in data, name
