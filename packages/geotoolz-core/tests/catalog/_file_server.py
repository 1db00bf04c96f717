"""A file server on this machine with ETags and ranges, that can cut, refuse and change."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class Files:
    """Serves a folder.

    Attributes
    ----------
    cut_after : dict of str to list of int
        By file name: bytes after which the next answers break off.
    faults : dict of str to list of int
        By file name: statuses that are answered first.
    redirects : dict of str to str
        By path: the address that it leads to.
    seen : list of (str, str, dict)
        Method, path with query, and headers of every request.
    sent : int
        Bytes of files that went out.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cut_after: dict[str, list[int]] = {}
        self.faults: dict[str, list[int]] = {}
        self.redirects: dict[str, str] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.sent = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                outer.answer(self, body=False)

            def do_GET(self) -> None:
                outer.answer(self, body=True)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def answer(self, request: BaseHTTPRequestHandler, body: bool) -> None:
        path = urlsplit(request.path).path
        file = self.folder / path.lstrip("/")
        with self._lock:
            self.seen.append((request.command, request.path, dict(request.headers)))
            fault = self.faults.get(file.name, [])
            status = fault.pop(0) if fault else 0
            cuts = self.cut_after.get(file.name, [])
            cut = cuts.pop(0) if cuts and body and not status else None
        if path in self.redirects:
            request.send_response(302)
            request.send_header("Location", self.redirects[path])
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if status or not file.is_file():
            request.send_response(status or 404)
            request.send_header("Retry-After", "0")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        data = file.read_bytes()
        mark = f'"{hashlib.md5(data).hexdigest()}"'
        wanted, same = request.headers.get("Range"), request.headers.get("If-Range", mark) == mark
        start, stop = 0, len(data)
        if wanted and same:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(int(last or len(data) - 1), len(data) - 1) + 1
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        else:
            request.send_response(200)
        request.send_header("Content-Length", str(stop - start))
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("ETag", mark)
        request.end_headers()
        if body:
            part = data[start:stop] if cut is None else data[start : start + cut]
            with self._lock:
                self.sent += len(part)
            request.wfile.write(part)

    def asked(self, name: str, method: str = "GET") -> list[dict[str, str]]:
        """Return the headers of the requests for a file."""
        return [h for m, path, h in self.seen if m == method and urlsplit(path).path.endswith(f"/{name}")]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serving_files(folder: Path) -> Iterator[Files]:
    """Serve a folder for a while."""
    server = Files(folder)
    try:
        yield server
    finally:
        server.close()
