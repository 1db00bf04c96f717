"""The workbench's answers: page, files, headers, operators, verdicts."""

from __future__ import annotations

import hashlib
import re
from importlib import resources

import httpx
import pytest

LEAFLET = {
    "leaflet.js": "db49d009c841f5ca34a888c96511ae936fd9f5533e90d8b2c4d57596f4e5641a",
    "leaflet.css": "a7837102824184820dfa198d1ebcd109ff6d0ff9a2672a074b9a1b4d147d04c6",
}
FILES = resources.files("geotoolz.serve") / "workbench"


def own_files():
    """Yield name and text of the files that are ours."""
    for folder in (FILES, FILES / "js"):
        for entry in folder.iterdir():
            if entry.is_file():
                yield entry.name, entry.read_text("utf-8")


@pytest.fixture(scope="module")
def server(serving, archive):
    (scene,) = archive.iterdir()
    layer = {"name": "scene", "source": str(scene), "bands": ["nir", "red", "green"]}
    with serving({"title": "Maps <b>", "layers": [layer]}) as found:
        yield found


def test_the_root_leads_to_the_page(server):
    for path in ("/", "/workbench"):
        answer = server.client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (307, "/workbench/")


def test_behind_a_proxy_the_root_leads_to_its_prefix(serving):
    with serving({"root_path": "/maps"}) as server:
        assert server.client.get("/").headers["location"] == "/maps/workbench/"
        assert server.client.get("/maps/workbench/").status_code == 200


def test_the_page_may_load_from_this_server_only(server):
    for path in ("/workbench/", "/workbench/static/app.css", "/workbench/static/js/main.js"):
        answer = server.client.get(path)
        assert answer.status_code == 200
        rules = dict(
            rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";")
        )
        assert rules == {
            "default-src": "'self'",
            "img-src": "'self' blob:",
            "object-src": "'none'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_has_nothing_inline_and_names_no_other_site():
    html = (FILES / "index.html").read_text("utf-8")
    assert not re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", html)
    for name, text in own_files():
        found = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[\w./]*", text))
        assert found <= {"http://www.w3.org/2000/svg"}, name
        assert "innerHTML" not in text, name
        assert "insertAdjacentHTML" not in text, name


def test_leaflet_is_the_published_one_and_has_its_licence():
    folder = FILES / "vendor" / "leaflet-1.9.4"
    for name, digest in LEAFLET.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert "BSD 2-Clause License" in (folder / "LICENSE").read_text("utf-8")
    assert (folder / "leaflet.js").read_bytes().startswith(b"/* @preserve\n * Leaflet 1.9.4")


def test_every_file_of_the_page_is_served_with_its_type(server):
    html = server.client.get("/workbench/").text
    for name in re.findall(r'(?:src|href)="(static/[^"]+)"', html):
        answer = server.client.get(f"/workbench/{name}")
        assert answer.status_code == 200
        kinds = {
            "css": "text/css; charset=utf-8",
            "js": "text/javascript; charset=utf-8",
            "svg": "image/svg+xml",
        }
        assert answer.headers["content-type"] == kinds[name.rsplit(".", 1)[1]]


def test_what_is_unchanged_is_not_sent_again(server):
    for path in ("/workbench/", "/workbench/static/app.css", "/workbench/operators.json"):
        first = server.client.get(path)
        again = server.client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["nothing.js", "../_app.py", "..%2f_app.py", "js", "%2e%2e/%2e%2e/__init__.py", "/etc/passwd"]
)
def test_row_08_only_the_files_of_the_page_exist(server, name):
    answer = httpx.get(f"{server.url}/workbench/static/{name}", trust_env=False)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_the_operators_are_those_of_the_sandbox(server):
    found = {one["path"] for one in server.client.get("/workbench/operators.json").json()["operators"]}
    assert "geotoolz.indices.NDVI" in found
    assert "geotoolz.io.WriteCOG" not in found


def verdict(server, text, layer=None):
    answer = server.client.post("/workbench/validate", json={"yaml": text, "layer": layer})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_verdict_says_where(server):
    found = verdict(server, "_target_: geotoolz.indices.NDVI\nreed: x\n")
    assert found["valid"] is False
    (problem,) = found["problems"]
    assert (problem["line"], problem["column"], problem["end_column"]) == (2, 1, 5)
    assert "did you mean 'red'" in problem["message"]


def test_a_layer_adds_its_bands_to_the_verdict(server):
    text = "_target_: geotoolz.viz.Colormap\nband: blue\nvmin: 0.0\nvmax: 1.0\n"
    assert verdict(server, text)["valid"]
    found = verdict(server, text, "scene")
    assert not found["valid"]
    assert "'blue'" in found["problems"][0]["message"]


def test_the_verdict_of_a_picture_has_its_legend(server):
    text = (
        "_target_: geotoolz.core.Sequential\noperators:\n"
        "  - _target_: geotoolz.indices.NDVI\n"
        "  - {_target_: geotoolz.viz.Colormap, band: ndvi, cmap: rdylgn, vmin: 0.0, vmax: 1.0}\n"
    )
    found = verdict(server, text, "scene")
    assert found["measured"] == ["ndvi"]
    assert found["legend"]["colors"][0] == "#a50026"
    unfrozen = verdict(server, text.replace(", vmin: 0.0, vmax: 1.0", ", scope: tile"), "scene")
    assert (unfrozen["measured"], unfrozen["legend"]) == (["ndvi"], None)
    assert verdict(server, "_target_: geotoolz.indices.NDVI", "scene")["measured"] is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"yaml": "x" * 70000}, 422),
        ({"yaml": 3}, 422),
        ({}, 422),
        ({"yaml": "x", "layer": "nowhere"}, 404),
    ],
)
def test_wrong_requests_are_refused_in_the_one_form(server, body, status):
    answer = server.client.post("/workbench/validate", json=body)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "fix", "request_id"}


def test_without_the_workbench_there_is_no_page(serving):
    with serving({"workbench": False}) as server:
        assert server.client.get("/workbench/").status_code == 404
