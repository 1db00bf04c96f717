"""A real S3 server on a free port, and a proxy before it that breaks what it is told to break."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KEY, SECRET = "AKIATESTKEYTESTKEY00", "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLESECRET"
#: says what becomes of a request: (number from 0, method, path) -> name of a fault, or ""
Plan = Callable[[int, str, str], str]


def program() -> str | None:
    """Return the server's program, None where moto is not installed."""
    beside = Path(sys.executable).with_name("moto_server")
    return str(beside) if beside.exists() else shutil.which("moto_server")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running() -> Iterator[str]:
    """Run a server and return its address."""
    port = free_port()
    command = [str(program()), "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def make_bucket(address: str, name: str) -> None:
    scope = f"{KEY}/20260101/us-east-1/s3/aws4_request"
    who = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=x"
    asked = urllib.request.Request(f"{address}/{name}", method="PUT", headers={"Authorization": who})
    with urllib.request.urlopen(asked):
        pass


def environment(address: str) -> dict[str, str]:
    """Return the variables with which programs find the server."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class Proxy:
    """Passes requests on to a server, counts them, and breaks some.

    Faults: ``busy`` (503, nothing done), ``busy-done`` (done, then 503), ``cut-in`` (the connection ends
    while the request is read), ``cut-out`` (done, no answer), ``half`` (half an answer), ``slow`` (an answer
    after the client has given up), ``short`` (half of what is sent arrives), ``size`` and ``etag`` (a wrong
    answer to HEAD), ``denied`` (403).
    """

    def __init__(self, server: str, plan: Plan = lambda number, method, path: "") -> None:
        self.plan = plan
        self.seen: list[tuple[str, str]] = []
        self.broken: list[tuple[str, str, str]] = []
        self._lock = threading.Lock()
        self._host = server.removeprefix("http://")
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def handle_any(self) -> None:
                proxy._handle(self)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # clients that give up are meant to

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop answering: the endpoint is down."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def count(self, method: str = "", part: str = "") -> int:
        """Return how many requests of a method there were whose path has a part."""
        return sum(method in ("", m) and part in path for m, path in self.seen)

    def _handle(self, asked: BaseHTTPRequestHandler) -> None:
        with self._lock:
            fault = self.plan(len(self.seen), asked.command, asked.path)
            self.seen.append((asked.command, asked.path))
            if fault:
                self.broken.append((fault, asked.command, asked.path))
        size = int(asked.headers.get("Content-Length", 0))
        if fault == "cut-in":
            asked.rfile.read(size // 2)
            return self._cut(asked)
        body = asked.rfile.read(size)
        if fault in ("busy", "denied"):
            return self._say(asked, 503 if fault == "busy" else 403, fault)
        if fault == "short":
            body = body[: size // 2]
        status, headers, answer = self._passed(asked, body)
        if fault == "busy-done":
            return self._say(asked, 503, "busy")
        if fault == "cut-out":
            return self._cut(asked)
        if fault == "slow":
            time.sleep(float(os.environ.get("GEOTOOLZ_STORE_TIMEOUT", "1")) + 0.3)
        if fault == "size":
            headers = {**headers, "Content-Length": str(int(headers.get("Content-Length", 0)) + 7)}
        if fault == "etag":
            headers = {**headers, "ETag": '"0123456789abcdef0123456789abcdef"'}
        self._answer(asked, status, headers, answer, half=fault == "half")

    def _passed(self, asked: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Ask the server the same."""
        link = http.client.HTTPConnection(self._host, timeout=30)
        try:
            headers = _without(asked.headers.items(), "content-length", "connection")
            if body or asked.command in ("PUT", "POST"):
                headers["Content-Length"] = str(len(body))
            link.request(asked.command, asked.path, body or None, headers)
            answer = link.getresponse()
            content = answer.read()
            kept = _without(answer.getheaders(), "connection", "transfer-encoding", "content-length")
            kept["Content-Length"] = answer.getheader("Content-Length", str(len(content)))
            return answer.status, kept, content
        finally:
            link.close()

    def _answer(
        self,
        asked: BaseHTTPRequestHandler,
        status: int,
        headers: dict[str, str],
        content: bytes,
        *,
        half: bool,
    ) -> None:
        asked.send_response_only(status)
        for name, value in headers.items():
            asked.send_header(name, value)
        asked.end_headers()
        asked.wfile.write(content[: len(content) // 2] if half else content)
        asked.wfile.flush()
        if half:
            self._cut(asked)

    def _say(self, asked: BaseHTTPRequestHandler, status: int, word: str) -> None:
        code = {503: "SlowDown", 403: "AccessDenied"}[status]
        content = f"<Error><Code>{code}</Code><Message>{word}</Message></Error>".encode()
        if asked.command == "HEAD":
            content = b""
        self._answer(asked, status, {"Content-Length": str(len(content))}, content, half=False)

    def _cut(self, asked: BaseHTTPRequestHandler) -> None:
        asked.close_connection = True
        with suppress(OSError):
            asked.connection.shutdown(socket.SHUT_RDWR)


def _without(headers: Iterable[tuple[str, str]], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() not in names}
