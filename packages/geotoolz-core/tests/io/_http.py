"""A file server on this machine that answers range requests, and may want a signature in the query."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4


class Server:
    """Serves a folder; where `valid` is not None, only with a ``sig`` that is in it.

    Attributes
    ----------
    url : str
        Address of the folder.
    valid : set of str or None
        Signatures that are accepted now.
    refused : list of str
        What was asked for without one.
    served : list of str
        What was asked for and given.
    sent : int
        Bytes of files that went out.
    most : int
        Requests that were under way at one time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.valid: set[str] | None = None
        self.refused: list[str] = []
        self.served: list[str] = []
        self.sent = 0
        self.most, self._now, self._wanted = 0, 0, 0
        self._go = threading.Event()
        self._go.set()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                outer.answer(self, body=False)

            def do_GET(self) -> None:
                outer.answer(self, body=True)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # GDAL keeps what it has read by its address, and ports come back: no two servers share one
        self.root = f"/{uuid4().hex[:8]}"
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{self.root}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def hold_until(self, requests: int) -> None:
        """Answer nobody before so many requests are under way at one time."""
        self._wanted = requests
        self._go.clear()

    def answer(self, request: BaseHTTPRequestHandler, body: bool) -> None:
        """Answer one request."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            if self._now >= self._wanted:
                self._go.set()
        try:
            if not self._go.wait(20.0):  # too few came: the test will say so
                self._go.set()
            self._answer(request, body)
        finally:
            with self._lock:
                self._now -= 1

    def _answer(self, request: BaseHTTPRequestHandler, body: bool) -> None:
        parts = urlsplit(request.path)
        signature = parse_qs(parts.query).get("sig", [""])[0]
        if self.valid is not None and signature not in self.valid:
            self.refused.append(request.path)
            self._send(request, 403, b"", {}, body)
            return
        file = self.folder / parts.path.removeprefix(self.root).lstrip("/")
        if not (parts.path.startswith(f"{self.root}/") and file.is_file()):
            self._send(request, 404, b"", {}, body)
            return
        self.served.append(request.path)
        data = file.read_bytes()
        wanted = request.headers.get("Range")
        if not wanted:
            self._send(request, 200, data, {"Accept-Ranges": "bytes"}, body)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last or len(data) - 1), len(data) - 1)
        extra = {"Content-Range": f"bytes {start}-{stop}/{len(data)}", "Accept-Ranges": "bytes"}
        self._send(request, 206, data[start : stop + 1], extra, body)

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, data: bytes, extra: dict[str, str], body: bool
    ) -> None:
        request.send_response(status)
        for key, value in {**extra, "Content-Length": str(len(data))}.items():
            request.send_header(key, value)
        request.end_headers()
        if body:
            with self._lock:
                self.sent += len(data)
            request.wfile.write(data)

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve a folder for a while."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.close()
