"""STAC APIs on this machine: a real one (rustac), and one that can be told to misbehave."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

BASIC = (
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/item-search",
)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def rustac_serving(items: Path) -> Iterator[str]:
    """Serve a FeatureCollection with rustac's STAC API, and yield its address."""
    program = shutil.which("rustac", path=str(Path(sys.executable).parent)) or shutil.which("rustac")
    if program is None:
        pytest.skip("rustac is not installed: no real STAC API")
    port = free_port()
    command = [program, "serve", str(items), "--create-collections", "--addr", f"127.0.0.1:{port}"]
    log = items.with_suffix(".log")
    with log.open("wb") as told:
        server = subprocess.Popen(command, stdout=told, stderr=told)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(400):
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                if server.poll() is not None:
                    pytest.fail(f"rustac ended: {log.read_text()}")
                time.sleep(0.05)
        else:
            pytest.fail("rustac does not answer")
        yield url
    finally:
        server.terminate()
        server.wait(20)


class FakeApi:
    """A STAC API of given pages.

    Attributes
    ----------
    pages : list of list of dict
        Items, page by page.
    conforms : tuple of str
        What the landing page says.
    faults : list of (int, dict)
        Status and headers that are answered first, one per search request.
    next_host : str
        Where the links to the next page lead; its own address where empty.
    loops : bool
        Whether the last page leads to itself.
    matched : int or None
        How many items it says there are.
    seen : list of (str, str, dict, object)
        Method, path, headers and question of every request.
    """

    def __init__(self, pages: list[list[dict[str, Any]]], conforms: tuple[str, ...] = BASIC) -> None:
        self.pages, self.conforms = pages, conforms
        self.faults: list[tuple[int, dict[str, str]]] = []
        self.next_host, self.loops, self.matched = "", False, None
        self.methods = ("GET", "POST")
        self.seen: list[tuple[str, str, dict[str, str], Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self, None)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.answer(self, json.loads(body))

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def answer(self, request: BaseHTTPRequestHandler, body: Any) -> None:
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.seen.append((request.command, parts.path, dict(request.headers), body or query))
        if parts.path == "/search":
            if self.faults:
                status, headers = self.faults.pop(0)
                return self._send(request, {"code": "busy"}, status, headers)
            return self._send(request, self._page(int(query.get("page", 0))))
        if parts.path == "/collections":
            names = {str(item.get("collection")) for page in self.pages for item in page}
            found = {"collections": [_collection(name) for name in sorted(names)], "links": []}
            return self._send(request, found)
        if parts.path in ("", "/"):
            return self._send(request, self._landing())
        return self._send(request, {"code": "NotFound"}, 404)

    def _landing(self) -> dict[str, Any]:
        links = [{"rel": "self", "href": self.url}, {"rel": "root", "href": self.url}]
        links += [{"rel": "data", "href": f"{self.url}/collections", "type": "application/json"}]
        links += [
            {"rel": "search", "href": f"{self.url}/search", "type": "application/geo+json", "method": method}
            for method in self.methods
        ]
        told = {
            "type": "Catalog",
            "id": "fake",
            "description": "fake",
            "stac_version": "1.0.0",
            "links": links,
        }
        return {**told, "conformsTo": list(self.conforms)}

    def _page(self, number: int) -> dict[str, Any]:
        last = number >= len(self.pages) - 1
        features = self.pages[min(number, len(self.pages) - 1)] if self.pages else []
        links = []
        if not last or self.loops:
            host = self.next_host or self.url
            links = [{"rel": "next", "href": f"{host}/search?page={number + 1}", "method": "GET"}]
        page: dict[str, Any] = {"type": "FeatureCollection", "features": features, "links": links}
        return page if self.matched is None else {**page, "numberMatched": self.matched}

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        told: Any,
        status: int = 200,
        extra: dict[str, str] | None = None,
    ) -> None:
        data = json.dumps(told).encode()
        request.send_response(status)
        for name, value in {**(extra or {}), "Content-Length": str(len(data))}.items():
            request.send_header(name, value)
        request.send_header("Content-Type", "application/json")
        request.end_headers()
        request.wfile.write(data)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _collection(name: str) -> dict[str, Any]:
    extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
    told = {
        "type": "Collection",
        "id": name,
        "stac_version": "1.0.0",
        "description": name,
        "license": "other",
    }
    return {**told, "extent": extent, "links": []}


@contextmanager
def faking(*args: Any, **kwargs: Any) -> Iterator[FakeApi]:
    """Run a fake API for a while."""
    server = FakeApi(*args, **kwargs)
    try:
        yield server
    finally:
        server.close()


def item(name: str, collection: str = "c", **more: Any) -> dict[str, Any]:
    """Return a small item with a grid and one band behind http."""
    ring = [[15, 45], [16, 45], [16, 46], [15, 46], [15, 45]]
    made = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [15, 45, 16, 46],
        "properties": {"datetime": "2023-08-10T10:00:00Z", "eo:cloud_cover": 12.5},
        "links": [],
        "assets": {"red": {"href": f"https://files.example/{name}/B04.tif", "type": "image/tiff"}},
    }
    return {**made, **more}
