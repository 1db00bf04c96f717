"""An object store that breaks: 503, slow answers, cut connections, wrong sizes. Half is never done."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sysconfig
import threading
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("obstore", reason="obstore (extra cloud-io) is not installed")

import s3_server
from s3_server import Proxy

from geotoolz.batch import CatalogPipeline, FailureKind, RetryPolicy, verify
from geotoolz.core import GeotoolzError
from geotoolz.core.testing import write_scene
from geotoolz.io._object_errors import StoreDamagedError, StoreError, StoreUnreachableError
from geotoolz.io._object_path import place
from geotoolz.radiometry import SelectBands

SCRIPT = str(Path(sysconfig.get_path("scripts"), "geotoolz"))
FAULTS = ("busy", "busy-done", "cut-in", "cut-out", "half", "short", "size", "etag")


@pytest.fixture
def bucket(server, monkeypatch, request):
    name = "f" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    s3_server.make_bucket(server, name)
    for variable, value in s3_server.environment(server).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("GEOTOOLZ_STORE_RETRIES", "1")
    monkeypatch.setenv("GEOTOOLZ_STORE_TIMEOUT", "2")
    return f"s3://{name}"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for number in range(4):
        write_scene({"shape": (24, 20), "bands": ("red",), "datetime": f"2023-06-{number + 10}"}, folder)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def expected(scenes, tmp_path_factory):
    """Return the products of an undisturbed run."""
    out = tmp_path_factory.mktemp("out")
    job(scenes, out).run()
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.glob("*.tif")}


def job(scenes, out, **options):
    patient = RetryPolicy(base=0.01, cap=0.02)
    given = {"progress": "none", "max_failures": "100%", "retries": patient, "quicklook": False, **options}
    return CatalogPipeline(scenes, SelectBands(("red",)), out, **given)


def products(out):
    found = place(out)
    names = [name for name in found.sizes() if name.endswith(".tif")]
    return {name: hashlib.sha256((found / name).read_bytes()).hexdigest() for name in names}


def finished(out):
    """Return the tiles that readers see as done, after looking at every byte of their files."""
    found = place(out)
    done = []
    for path in (found / "items").glob("*.json"):
        item = json.loads(path.read_bytes())  # an item is whole or not there
        for asset in item["assets"].values():
            if "file:checksum" in asset:
                data = (found / asset["href"].removeprefix("../")).read_bytes()
                assert len(data) == asset["file:size"]
                assert asset["file:checksum"] == "1220" + hashlib.sha256(data).hexdigest()
        done.append(item["id"])
    return done


def disturbed(scenes, out, address, plan, monkeypatch, **options):
    """Run through a proxy; return the report, or the typed error, and what was broken."""
    with Proxy(address, plan) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        try:
            result = job(scenes, out, **options).run()
        except GeotoolzError as error:
            result = error
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    return result, proxy.broken


def settle(scenes, out, expected):
    """Run again undisturbed: everything is there, nothing else is."""
    assert not job(scenes, out).run().failed
    assert products(out) == expected
    assert verify(out) == {}
    assert len(finished(out)) == len(scenes)
    assert job(scenes, out).run().counts == {"fresh": len(scenes)}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_at_a_time(scenes, bucket, server, expected, monkeypatch, fault):
    out = f"{bucket}/out"
    applies = {"size": ("HEAD",), "etag": ("HEAD",), "short": ("PUT",), "half": ("GET", "PUT")}
    methods = applies.get(fault, ("GET", "PUT", "HEAD"))

    def plan(number, method, path):
        return fault if method in methods and number % 5 == 3 else ""

    result, broken = disturbed(scenes, out, server, plan, monkeypatch)
    assert broken
    finished(out)  # nothing that is called done is less than that
    if not isinstance(result, GeotoolzError):
        assert all(row.kind in (FailureKind.TRANSIENT, FailureKind.OUTPUT) for row in result.failed)
    settle(scenes, out, expected)


def test_faults_of_all_kinds_at_random(scenes, bucket, server, expected, monkeypatch):
    total: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for seed in range(4):
        draw = random.Random(seed)
        out = f"{bucket}/out{seed}"

        def plan(number, method, path, draw=draw):
            return draw.choice(FAULTS) if number > 1 and draw.random() < 0.3 else ""

        result, broken = disturbed(scenes, out, server, plan, monkeypatch)
        total.update(fault for fault, _, _ in broken)
        ends[type(result).__name__] += 1
        finished(out)
        settle(scenes, out, expected)
    print(f"{sum(total.values())} faults: {dict(total)}; runs ended with {dict(ends)}")  # noqa: T201
    assert sum(total.values()) >= 40 and set(total) == set(FAULTS)


def test_a_few_503_are_waited_for(scenes, bucket, server, expected, monkeypatch):
    """Every fourth request is refused once: the retries of the client are enough."""
    monkeypatch.setenv("GEOTOOLZ_STORE_RETRIES", "5")
    result, broken = disturbed(
        scenes, f"{bucket}/out", server, lambda n, m, p: "busy" if n % 4 == 2 else "", monkeypatch
    )
    assert len(broken) > 5
    assert result.counts == {"done": 4} and all(len(row.attempts) == 1 for row in result.rows)
    assert products(f"{bucket}/out") == expected


def test_slow_answers_are_given_up_and_asked_again(scenes, bucket, server, expected, monkeypatch):
    monkeypatch.setenv("GEOTOOLZ_STORE_TIMEOUT", "0.4")
    slow = iter(["slow", "slow"])

    def plan(number, method, path):
        return next(slow, "") if method == "PUT" and path.endswith(".tif") else ""

    result, broken = disturbed(scenes[:1], f"{bucket}/out", server, plan, monkeypatch)
    assert [fault for fault, *_ in broken] == ["slow", "slow"]
    assert result.counts == {"done": 1}
    assert set(products(f"{bucket}/out").items()) <= set(expected.items())


def test_what_stands_there_must_be_what_was_sent(bucket, server, monkeypatch):
    for fault, word in (("size", "bytes"), ("etag", "ETag"), ("short", "bytes")):
        broken = {"short": "PUT"}.get(fault, "HEAD")
        with Proxy(server, lambda n, m, p, f=fault, b=broken: f if m == b else "") as proxy:
            monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
            with pytest.raises(StoreDamagedError, match=word):
                place(f"{bucket}/{fault}.tif").write_bytes(b"0123456789" * 20)


def test_an_answer_that_breaks_off_is_no_content(bucket, server, monkeypatch):
    target = place(f"{bucket}/a.bin")
    target.write_bytes(bytes(100_000))
    with Proxy(server, lambda n, method, path: "half" if method == "GET" else "") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        with pytest.raises(StoreError):
            target.read_bytes()


def test_an_endpoint_that_goes_away_in_mid_run_is_resumed(scenes, bucket, server, expected, monkeypatch):
    out = f"{bucket}/out"
    with Proxy(server) as proxy:

        def plan(number, method, path):
            if method == "PUT" and path.endswith(".tif") and proxy.count("PUT", ".tif") == 2:
                proxy.down = True
            return "cut-in" if getattr(proxy, "down", False) else ""

        proxy.plan = plan
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        with pytest.raises(StoreUnreachableError):
            job(scenes, out).run()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    assert len(finished(out)) == 2
    counts = job(scenes, out).plan().counts
    assert counts.get("fresh") == 2
    settle(scenes, out, expected)


def test_a_driver_that_is_killed_is_resumed_at_once(scenes, bucket, server, expected, monkeypatch, tmp_path):
    """Its lease, and the journal that it had not sent, are no obstacle: items say what is done."""
    out, pipeline = f"{bucket}/out", tmp_path / "red.yaml"
    pipeline.write_text("_target_: geotoolz.radiometry.SelectBands\nnames: [red]\n")
    reached, go_on = threading.Event(), threading.Event()

    def plan(number, method, path):
        if method == "PUT" and "/items/" in path and proxy.count("PUT", "/items/") == 2:
            reached.set()
            go_on.wait(60)
            return "cut-in"
        return ""

    with Proxy(server) as proxy:
        proxy.plan = plan
        environ = {**os.environ, "AWS_ENDPOINT_URL": proxy.address, "GEOTOOLZ_STORE_TIMEOUT": "60"}
        words = [SCRIPT, "run", str(pipeline), str(scenes[0].parent), out, "--engine", "inline", "--quiet"]
        driver = subprocess.Popen(words, env=environ, cwd=tmp_path, stderr=subprocess.DEVNULL)
        assert reached.wait(120)
        driver.kill()
        driver.wait()
        go_on.set()
    assert len(finished(out)) == 2  # the third item was on its way
    assert (place(out) / ".geotoolz" / "lease.lock").exists()
    settle(scenes, out, expected)


def test_a_store_that_does_not_answer_says_nothing_of_its_tiles(scenes, bucket, server, monkeypatch):
    """A plan that cannot read an item must not call its tile partial."""
    out = place(f"{bucket}/out")
    job(scenes, out).run()
    for path in (out / ".geotoolz").glob("journal*"):
        path.unlink()  # so that items are read
    with Proxy(server, lambda n, m, path: "busy" if "items/" in path and m == "GET" else "") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        with pytest.raises(StoreError, match="503"):
            job(scenes, out).plan()
