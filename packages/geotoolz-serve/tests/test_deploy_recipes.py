"""The recipes of the guide "Deployment", as far as they run here: nginx, uvicorn, manifests, container."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
import yaml

GUIDE = Path(__file__).parents[3] / "docs" / "guide"
SCRIPTS = Path(sysconfig.get_path("scripts"))
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(not GUIDE.is_dir(), reason="the guide is not beside the package")
RED = {"_target_": "geotoolz.radiometry.SelectBands", "names": ["red"]}


def block(page: str, language: str, containing: str) -> str:
    """Return the code block of a page in which a text stands."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", (GUIDE / page).read_text(), re.DOTALL | re.MULTILINE)
    (found,) = [one for one in blocks if containing in one]
    return str(found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_answered(url: str, process: subprocess.Popen[Any]) -> None:
    for _ in range(600):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/healthz", trust_env=False).status_code == 200:
                return
        assert process.poll() is None, "it ended"
        time.sleep(0.1)
    raise AssertionError("nobody answers")


@contextlib.contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# ---- nginx -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proxied(
    serving: Any, archive: Path, catalog: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A server with the guide's settings behind an nginx with the guide's location; yields both."""
    if NGINX is None:
        pytest.skip("no nginx (Debian: apt-get install nginx-light)")
    told = yaml.safe_load(block("serve-deploy.md", "yaml", "root_path"))
    layer = {"name": "nir", "source": str(next(archive.iterdir())), "bands": ["nir"]}
    settings = {**told, "layers": [layer], "catalogs": {"s2": catalog}, "sandbox": {"enabled": False}}
    settings |= {"pipelines": [{"name": "red", "config": RED}]}
    with serving(settings) as server:
        folder, port = tmp_path_factory.mktemp("nginx"), free_port()
        location = block("serve-deploy.md", "nginx", "proxy_pass")
        assert location.count("127.0.0.1:8000") == 1
        location = location.replace("127.0.0.1:8000", server.url.removeprefix("http://"))
        places = "".join(
            f"{kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config = folder / "nginx.conf"
        config.write_text(
            f"pid {folder}/pid; error_log {folder}/errors; daemon off; worker_processes 1;\n"
            f"events {{}}\nhttp {{ access_log {folder}/requests;\n{places}"
            f"server {{ listen 127.0.0.1:{port}; server_name maps.example.org;\n{location} }} }}\n"
        )
        if os.geteuid() == 0:  # its worker is another user then
            config.write_text("user root;\n" + config.read_text())
        tried = subprocess.run([NGINX, "-t", "-c", str(config)], capture_output=True, text=True, check=False)
        assert tried.returncode == 0, tried.stderr
        with ended(subprocess.Popen([NGINX, "-c", str(config)])):
            for _ in range(100):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.05)
            headers = {"Host": f"maps.example.org:{port}"}
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=30
            ) as client:
                yield client, f"http://maps.example.org:{port}/maps"


def test_links_of_tilejson_lead_through_the_proxy(proxied: Any) -> None:
    client, base = proxied
    told = client.get("/maps/layers/nir/tilejson.json").json()
    (address,) = told["tiles"]
    assert address.startswith(f"{base}/tiles/nir/")
    lon, lat, _ = told["center"]
    tile = address.removeprefix(base).format(**_tile_at(lon, lat, told["maxzoom"]))
    answer = client.get(f"/maps{tile}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    again = client.get(f"/maps{tile}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def _tile_at(lon: float, lat: float, z: int) -> dict[str, int]:
    import math

    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return {"z": z, "x": int((lon + 180) / 360 * 2**z), "y": int(y * 2**z)}


def test_links_of_wmts_and_of_the_list_lead_through_the_proxy(proxied: Any) -> None:
    client, base = proxied
    document = ElementTree.fromstring(client.get("/maps/wmts").content)
    links = [
        v for one in document.iter() for k, v in one.attrib.items() if k == "template" or k.endswith("href")
    ]
    assert len(links) >= 2
    assert all(link.startswith(base) for link in links), links
    told = client.get("/maps/layers").json()["layers"][0]
    assert all(link.startswith(base) for link in re.findall(r"https?://[^\"]+", json.dumps(told)))


def test_the_page_is_found_through_the_proxy(proxied: Any) -> None:
    client, _ = proxied
    led = client.get("/maps/")
    assert led.status_code == 307
    assert httpx.URL(led.headers["location"]).path == "/maps/workbench/"
    page = client.get("/maps/workbench/")
    assert page.status_code == 200
    for name in re.findall(r'(?:src|href)="(static/[^"]+)"', page.text):
        assert client.get(f"/maps/workbench/{name}").status_code == 200, name
    assert client.get("/maps/openapi.json").json()["servers"][0]["url"] == "/maps"


def test_a_job_belongs_to_the_client_and_not_to_the_proxy(proxied: Any, catalog: Path) -> None:
    import geotoolz as gz

    client, base = proxied
    scene = next(iter(gz.GeoCatalog.open(catalog)))
    body = {"source": {"catalog": "s2", "item": scene.tile_id}, "format": "json", "wait": False}
    begun = client.post("/maps/process/red", json=body, headers={"X-Request-ID": "forged-request-id"})
    assert begun.status_code == 202
    assert begun.headers["location"].startswith(f"{base}/jobs/")
    assert re.fullmatch("[0-9a-f]{32}", begun.headers["x-request-id"]), "nginx names the requests"
    path = "/maps" + begun.headers["location"].removeprefix(base)
    assert client.get(path).status_code == 200


# ---- uvicorn -----------------------------------------------------------------------------------------------


def test_several_processes_of_uvicorn(tmp_path: Path, archive: Path) -> None:
    """The command of the guide, with two workers."""
    layer = {"name": "nir", "source": str(next(archive.iterdir())), "bands": ["nir"]}
    config = tmp_path / "serve.yaml"
    config.write_text(yaml.safe_dump({"layers": [layer], "sandbox": {"enabled": False}}))
    text = " ".join((GUIDE / "serve-deploy.md").read_text().split())
    command = shlex.split(re.search(r"`(uvicorn --factory [^`]+)`", text)[1])  # type: ignore[index]
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--workers", "2", "--port", str(port)],
        env={**os.environ, "GEOTOOLZ_SERVE_CONFIG": str(config)}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with ended(process):
        url = f"http://127.0.0.1:{port}"
        until_answered(url, process)
        address = f"{url}/layers/nir/preview.png?size=64"
        answers = [httpx.get(address, trust_env=False, timeout=60) for _ in range(8)]
        assert {one.status_code for one in answers} == {200}
        assert len({(one.content, one.headers["etag"]) for one in answers}) == 1, "the workers do not agree"
        workers = _children(process.pid)
        assert len(workers) >= 2
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in workers):
            return
        time.sleep(0.1)
    raise AssertionError("workers were left behind")


def _children(pid: int) -> set[int]:
    return {
        int(one) for task in Path(f"/proc/{pid}/task").glob("*/children") for one in task.read_text().split()
    }


# ---- container and Kubernetes ------------------------------------------------------------------------------


def _command_of(arguments: list[str]) -> list[str]:
    assert arguments[0] == "geotoolz"
    return [str(SCRIPTS / "geotoolz"), *arguments[1:]]


def test_the_container_checks_its_settings_and_answers(tmp_path: Path) -> None:
    """What the container file copies and runs, without a container."""
    steps = re.sub(r"\\\n", " ", block("serve-deploy.md", "dockerfile", "FROM"))
    lines = [line.partition(" ") for line in steps.splitlines()]
    by_name: dict[str, list[str]] = {}
    for name, _, rest in lines:
        by_name.setdefault(name, []).append(rest)
    assert by_name["FROM"][0].startswith("python:3.")
    pip, check = by_name["RUN"]
    for package in re.findall(r"geotoolz-\w+", pip):
        assert (Path(__file__).parents[2] / package / "pyproject.toml").exists(), package
    source, built = tmp_path / "source", tmp_path / "srv" / "maps"
    (source / "pipelines").mkdir(parents=True)
    (source / "pipelines" / "red.yaml").write_text(yaml.safe_dump(RED))
    pipelines = [{"name": "red", "config": "pipelines/red.yaml"}]
    (source / "serve.yaml").write_text(
        yaml.safe_dump({"pipelines": pipelines, "sandbox": {"enabled": False}})
    )
    for copied in by_name["COPY"]:
        *names, target = [word for word in copied.split() if not word.startswith("--")]
        place = tmp_path / target.strip("/")
        for name in names:  # as COPY does: of a folder its content
            if (source / name).is_dir():
                shutil.copytree(source / name, place, dirs_exist_ok=True)
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / name, place)
    checked = subprocess.run(
        _command_of(shlex.split(check)), cwd=built, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    port = str(free_port())
    started = [port if word == "8000" else word for word in json.loads(by_name["CMD"][0])]
    assert {"0.0.0.0", port, "--drain"} <= set(started)
    started[started.index("--drain") + 1] = "0"
    with ended(subprocess.Popen(_command_of(started), cwd=built, stderr=subprocess.DEVNULL)) as process:
        until_answered(f"http://127.0.0.1:{port}", process)


def test_the_manifests_name_what_there_is(guarded: Any) -> None:
    documents = list(yaml.safe_load_all(block("serve-deploy.md", "yaml", "kind: Deployment")))
    deployment = next(one for one in documents if one["kind"] == "Deployment")
    service = next(one for one in documents if one["kind"] == "Service")
    template = deployment["spec"]["template"]
    (container,) = template["spec"]["containers"]
    labels = template["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["selector"].items() <= labels.items()
    ports = {one["containerPort"] for one in container["ports"]}
    assert {one["targetPort"] for one in service["spec"]["ports"]} <= ports
    paths = guarded.app.openapi()["paths"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in paths
        assert asked["port"] in ports
    assert template["metadata"]["annotations"]["prometheus.io/path"] in paths
    mounted = {one["name"] for one in container["volumeMounts"]}
    assert mounted == {one["name"] for one in template["spec"]["volumes"]}
    # the server has ended by itself before it is killed
    words = container["args"]
    waits = sum(float(words[words.index(name) + 1]) for name in ("--drain", "--grace"))
    assert waits < template["spec"]["terminationGracePeriodSeconds"]
    helped = subprocess.run([*_command_of(words[:3]), "--help"], capture_output=True, text=True, check=True)
    for word in words:
        assert not word.startswith("--") or word in helped.stdout


# ---- Streamlit ---------------------------------------------------------------------------------------------

APP = """
import json, sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file(sys.argv[1], default_timeout=60).run()
names = app.selectbox[0].options
app.selectbox[0].select("red")
app.text_input[0].input(sys.argv[2]).run()
shown = [one.proto.imgs[0].caption for one in app.get("image")]
app.text_input[0].input("nothing").run()
print(json.dumps([names, shown, [one.value for one in app.error], [str(one) for one in app.exception]]))
"""


@pytest.mark.skipif(
    "GEOTOOLZ_STREAMLIT" not in os.environ, reason="GEOTOOLZ_STREAMLIT names no python with streamlit, httpx"
)
def test_the_page_of_streamlit(guarded: Any, catalog: Path, tmp_path: Path) -> None:
    import geotoolz as gz

    page = tmp_path / "page.py"
    page.write_text(block("serve.md", "python", "streamlit").replace("http://127.0.0.1:8000", guarded.url))
    scene = next(iter(gz.GeoCatalog.open(catalog)))
    python = os.environ["GEOTOOLZ_STREAMLIT"]
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", APP, str(page), scene.tile_id], capture_output=True, text=True, env=clean, check=False
    )
    assert done.returncode == 0, done.stderr
    names, shown, errors, exceptions = json.loads(done.stdout.splitlines()[-1])
    assert names == ["red", "ndvi"]
    assert shown == [guarded.state.registry.pipelines["red"].config_hash]
    assert exceptions == []
    assert len(errors) == 1
    assert "no such scene" in errors[0]
