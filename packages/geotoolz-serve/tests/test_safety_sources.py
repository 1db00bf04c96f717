"""Safety rows 4, 5 and 6: what a stranger can make the server open."""

from __future__ import annotations

import http.server
import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.core._memory import resident
from geotoolz.core.testing import simulate_scene
from geotoolz.io import WriteCOG
from geotoolz.serve._errors import Problem
from geotoolz.serve._fetch import check_url, fetch
from geotoolz.serve._tiff import TiffLimits, check_tiff

VRT = (
    '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
    "<SourceFilename>/etc/passwd</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
)


class _Host:
    """A web server of the operator's, with an open folder and secrets beside it."""

    def __init__(self, scene: bytes) -> None:
        self.seen: list[str] = []
        pages = {
            "/open/scene.tif": scene,
            "/secret.tif": scene,
            "/open/evil.tif": VRT.encode(),
            "/open/evil.vrt": VRT.encode(),
            "/open/page.tif": b"<html>",
        }
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(self.path)
                if self.path == "/open/redirect.tif":
                    self.send_response(302)
                    self.send_header("Location", "/secret.tif")
                    self.end_headers()
                    return
                body = pages.get(self.path.partition("?")[0])
                self.send_response(404 if body is None else 200)
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Host]:
    folder = tmp_path_factory.mktemp("host")
    tile = simulate_scene((64, 64), bands=("red", "nir"))
    path = WriteCOG(str(folder / "scene.tif")).write(tile)[0]
    one = _Host(Path(path).read_bytes())
    one.thread.start()
    yield one
    one.server.shutdown()
    one.thread.join()
    one.server.server_close()


@pytest.fixture(scope="module")
def opened(serving: Any, host: _Host, catalog: Path) -> Iterator[Any]:
    """A server that allows one folder of the host, and a name."""
    red = {"_target_": "geotoolz.radiometry.SelectBands", "names": ["red"]}
    settings = {
        "pipelines": [{"name": "red", "config": red}],
        "catalogs": {"s2": catalog},
        "allow_url_prefixes": [f"{host.url}/open/", f"http://rebind.test:{host.server.server_port}/open/"],
        "sandbox": {"enabled": False},
    }
    with serving(settings) as server:
        yield server


def _asked(server: Any, url: str) -> Any:
    return server.client.post("/process/red", json={"source": {"url": url}, "format": "json"})


def _without_id(answer: Any) -> str:
    body = answer.json()
    body["error"].pop("request_id")
    return json.dumps(body)


REFUSED = [
    "/etc/passwd",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "/no/such/file",
    "relative.tif",
    "/vsicurl/{host}/secret.tif",
    "/vsicurl/{host}/open/scene.tif",
    "/vsizip//etc/passwd",
    "/vsimem/x",
    "/vsis3/bucket/key",
    "vrt:///etc/passwd",
    "GTIFF_DIR:1:/etc/passwd",
    "s3://bucket/key.tif",
    "{host}/secret.tif",
    "{host}/missing.tif",
    "{host}/open/../secret.tif",
    "{host}/open/%2e%2e/secret.tif",
    "{host}/open/.%2E/secret.tif",
    "{host}/open/..%2fsecret.tif",
    "{host}/open//secret.tif",
    "{host}/open/\\..\\secret.tif",
    "{host}/open/x\tx.tif",
    "{host}/open/x\nx.tif",
    "{host}/open/scene.tif#x",
    "{host}/open/scene.tif\r\nHost: evil",
    "{host}/OPEN/scene.tif",
    "{host}/open",
    "{upper}/open/scene.tif",
    "http://127.0.0.1/open/scene.tif",
    "http://127.1:{port}/open/scene.tif",
    "http://localhost:{port}/open/x.tif",
    "http://2130706433:{port}/open/scene.tif",
    "http://0x7f000001:{port}/open/x.tif",
    "http://0177.0.0.1:{port}/open/x.tif",
    "http://[::1]:{port}/open/scene.tif",
    "http://[::ffff:127.0.0.1]:{port}/open/scene.tif",
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:{port}@evil.test/open/scene.tif",
    "http://user@127.0.0.1:{port}/open/scene.tif",
    "http://127.0.0.1:{port}.evil.test/open/scene.tif",
    "https://127.0.0.1:{port}/open/scene.tif",
    "gopher://127.0.0.1:{port}/open/scene.tif",
    " {host}/open/scene.tif",
    "{host}/open/caf\u00e9.tif",
]


class TestAddresses:
    def test_row_04_what_is_not_listed_is_refused_with_one_answer(self, opened: Any, host: _Host) -> None:
        before = list(host.seen)
        bodies = set()
        for text in REFUSED:
            port = str(host.server.server_port)
            url = (
                text.replace("{host}", host.url).replace("{port}", port).replace("{upper}", host.url.upper())
            )
            answer = _asked(opened, url)
            assert answer.status_code == 403, (url, answer.text)
            bodies.add(_without_id(answer))
        assert len(bodies) == 1, "existing and missing can be told apart"
        assert host.seen == before

    def test_row_04_without_prefixes_there_is_no_url(self, guarded: Any, host: _Host) -> None:
        for url in (f"{host.url}/open/scene.tif", "/etc/passwd"):
            assert _asked(guarded, url).status_code == 403
            body = {"yaml": "_target_: geotoolz.indices.NDVI", "source": {"url": url}}
            assert guarded.client.post("/sandbox/run", json=body).status_code == 403

    def test_what_is_listed_is_read(self, opened: Any, host: _Host) -> None:
        answer = _asked(opened, f"{host.url}/open/scene.tif?signature=1")
        assert answer.status_code == 200, answer.text
        assert answer.json()["variables"]["red"]["count"] == 64 * 64

    def test_row_04_redirects_are_not_followed(self, opened: Any, host: _Host) -> None:
        answer = _asked(opened, f"{host.url}/open/redirect.tif")
        assert answer.status_code == 403
        assert host.seen[-1] == "/open/redirect.tif"

    @pytest.mark.parametrize(
        "found", [["127.0.0.1"], ["10.0.0.7"], ["8.8.8.8", "127.0.0.1"], ["169.254.169.254"]]
    )
    def test_row_04_a_name_that_leads_inside_is_refused(
        self, opened: Any, host: _Host, monkeypatch: pytest.MonkeyPatch, found: list[str]
    ) -> None:
        before = list(host.seen)
        _resolve(monkeypatch, [found])
        assert (
            _asked(opened, f"http://rebind.test:{host.server.server_port}/open/scene.tif").status_code == 403
        )
        assert host.seen == before

    def test_row_04_a_name_that_changes_its_mind_is_asked_once(
        self, host: _Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        asked = _resolve(monkeypatch, [["93.184.215.14"], ["127.0.0.1"]])
        reached: list[Any] = []

        def connect(address: Any, *args: Any, **kwargs: Any) -> Any:
            reached.append(address[0])
            raise ConnectionRefusedError

        monkeypatch.setattr(socket, "create_connection", connect)
        port = host.server.server_port
        with pytest.raises(Problem) as caught:
            fetch(
                f"http://rebind.test:{port}/open/x",
                [f"http://rebind.test:{port}/open/"],
                tmp_path / "x",
                limit=9,
            )
        assert caught.value.status == 502
        assert (asked, reached) == (["rebind.test"], ["93.184.215.14"])

    def test_too_much_is_not_taken(self, opened: Any, host: _Host, tmp_path: Path) -> None:
        with pytest.raises(Problem) as caught:
            fetch(f"{host.url}/open/scene.tif", [f"{host.url}/open/"], tmp_path / "x", limit=100)
        assert caught.value.status == 413

    @pytest.mark.parametrize("name", ["evil.tif", "evil.vrt", "page.tif"])
    def test_row_05_a_remote_vrt_is_refused(self, opened: Any, host: _Host, name: str) -> None:
        answer = _asked(opened, f"{host.url}/open/{name}")
        assert answer.status_code == 415
        assert "root:" not in answer.text

    def test_what_the_host_does_not_give(self, opened: Any, host: _Host) -> None:
        assert _asked(opened, f"{host.url}/open/missing.tif").status_code == 502

    @given(st.text(max_size=40))
    def test_row_04_any_ending_stays_below_the_prefix(self, ending: str) -> None:
        from urllib.parse import urljoin, urlsplit

        prefix = "https://data.test/open/"
        try:
            check_url(prefix + ending, [prefix])
        except Problem as problem:
            assert problem.status == 403
            return
        parts = urlsplit(urljoin(prefix + ending, ""))
        assert parts.hostname == "data.test"
        assert parts.path.startswith("/open/")


def _resolve(monkeypatch: pytest.MonkeyPatch, answers: list[list[str]]) -> list[str]:
    """Let names lead to these addresses, one list after the other."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "rebind.test":
            return real(host, port, *args, **kwargs)
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def _tiff(
    tags: list[tuple[int, int, int, int]], big: bool = False, order: str = "<", following: int = 0
) -> bytes:
    """Return a TIFF of one directory: tag, type, count, value."""
    mark = b"II" if order == "<" else b"MM"
    if big:
        head = mark + struct.pack(order + "HHHQ", 43, 8, 0, 16)
        entries = b"".join(struct.pack(order + "HHQ", *t[:3]) + _field(order, t, 8) for t in tags)
        return head + struct.pack(order + "Q", len(tags)) + entries + struct.pack(order + "Q", following)
    head = mark + struct.pack(order + "HI", 42, 8)
    entries = b"".join(struct.pack(order + "HHI", *t[:3]) + _field(order, t, 4) for t in tags)
    return head + struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", following)


def _field(order: str, tag: tuple[int, int, int, int], size: int) -> bytes:
    form = {1: "B", 3: "H", 4: "I", 16: "Q"}[tag[1]]
    return struct.pack(order + form, tag[3]).ljust(size, b"\0")


def _image(
    width: int, height: int, block: tuple[int, int], bands: int = 1, bits: int = 32
) -> list[tuple[int, int, int, int]]:
    return [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, bits),
        (259, 3, 1, 8),
        (262, 3, 1, 1),
        (277, 3, 1, bands),
        (284, 3, 1, 1),
        (322, 4, 1, block[0]),
        (323, 4, 1, block[1]),
        (324, 4, 1, 8),
        (325, 4, 1, 8),
        (339, 3, 1, 3),
    ]


BOMBS = {
    "pixels": _tiff(_image(165_000, 165_000, (256, 256))),
    "one block": _tiff(_image(10_000, 10_000, (45_000, 45_000))),
    "bands": _tiff(_image(100, 100, (128, 128), bands=60_000)),
    "big": _tiff(_image(4_000_000_000, 4_000_000_000, (512, 512)), big=True),
    "big endian": _tiff(_image(165_000, 165_000, (256, 256)), order=">"),
    "strips": _tiff(
        [(256, 4, 1, 100_000_000), (257, 4, 1, 1), (258, 3, 1, 64), (278, 4, 1, 1), (277, 3, 1, 1)]
    ),
    "chain": _tiff(_image(10, 10, (16, 16)), following=8),
}


class TestFiles:
    @pytest.mark.parametrize("name", BOMBS)
    def test_row_06_a_bomb_is_refused_before_anything_is_allocated(self, guarded: Any, name: str) -> None:
        before = resident()
        for path in ("/process/red", "/sandbox/run"):
            options = {"yaml": "_target_: geotoolz.indices.NDVI"} if "sandbox" in path else {}
            files = {"file": ("x.tif", BOMBS[name])}
            answer = guarded.client.post(path, files=files, data={"options": json.dumps(options)})
            assert answer.status_code == 413, answer.text
        assert resident() - before < 100 * 2**20

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"II",
            b"II*\0",
            b"II*\0\xff\xff\xff\xff",
            VRT.encode(),
            b"\x89PNG\r\n\x1a\n" * 9,
            b"II*\0" + b"\0" * 40,
        ],
    )
    def test_row_06_what_is_no_tiff_is_refused(self, guarded: Any, body: bytes) -> None:
        assert guarded.client.post("/process/red", files={"file": body}).status_code == 415

    def test_a_file_that_names_another_one_is_refused(self, guarded: Any, tmp_path: Path) -> None:
        import rasterio

        path = tmp_path / "x.tif"
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            width=32,
            height=32,
            count=1,
            dtype="uint8",
            crs="EPSG:32633",
            transform=rasterio.Affine(10, 0, 0, 0, -10, 0),
        ) as raster:
            raster.write(np.ones((32, 32), np.uint8), 1)
            raster.update_tags(ns="OVERVIEWS", OVERVIEW_FILE="/etc/passwd")
        assert b"OVERVIEW_FILE" in path.read_bytes()
        with path.open("rb") as file:
            assert guarded.client.post("/process/red", files={"file": file}).status_code == 415

    def test_a_file_whose_pixels_are_missing_says_nothing_of_the_reader(
        self, guarded: Any, tmp_path: Path
    ) -> None:
        tile = simulate_scene((600, 600), bands=("red",))
        body = Path(WriteCOG(str(tmp_path / "x.tif")).write(tile)[0]).read_bytes()
        answer = guarded.client.post("/process/red", files={"file": body[: len(body) // 2]})
        assert answer.status_code in (415, 502)
        for word in ("GDAL", "TIFF", "upload.tif", "/tmp", "rasterio", "Traceback"):
            assert word not in answer.text.replace("GeoTIFF", "")

    @settings(max_examples=200)
    @given(
        st.binary(max_size=300),
        st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0\x10" + b"\0" * 7]),
    )
    def test_row_06_any_bytes_are_refused_or_small(
        self, tmp_path_factory: Any, body: bytes, head: bytes
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "any.tif"
        path.write_bytes(head + body)
        try:
            check_tiff(path, TiffLimits(10**6, 16))
        except Problem as problem:
            assert problem.status in (413, 415)
