"""A server over loopback, and scenes for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import settings as hypothesis_settings

# A deadline measures the machine, and the first call of a kernel compiles it. What decides on a landing draws
# the same examples every time; everybody else draws new ones.
same = bool(os.environ.get("GEOTOOLZ_SAME_EXAMPLES"))
hypothesis_settings.register_profile("geotoolz", deadline=None, derandomize=same)
hypothesis_settings.load_profile("geotoolz")


@pytest.fixture
def waited() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine in a thread of its own: a browser of other tests may have a loop in this one."""

    def wait(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, coroutine).result()

    return wait


@dataclass
class Running:
    """A server that runs in a thread, with an HTTP client for it."""

    app: Any
    url: str
    client: httpx.Client

    @property
    def state(self) -> Any:
        """The application's state."""
        return self.app.state.geotoolz


@contextlib.contextmanager
def running(settings: Any) -> Iterator[Running]:
    """Run a server until the block ends; its shutdown is a graceful one."""
    import uvicorn

    from geotoolz.serve import create_app

    app = create_app(settings)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        config = uvicorn.Config(
            app,
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=10,
            lifespan="on",
            proxy_headers=False,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
        thread.start()
        try:
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
                for _ in range(200):
                    with contextlib.suppress(httpx.TransportError):
                        if client.get("/healthz").status_code == 200:
                            break
                    threading.Event().wait(0.05)
                yield Running(app, url, client)
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture(scope="session")
def serving() -> Callable[[Any], contextlib.AbstractContextManager[Running]]:
    """Return what runs a server: ``with serving(settings) as server``."""
    return running


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one simulated Sentinel-2 scene of 300 × 280 pixels."""
    from geotoolz.core.testing import write_scene

    folder = tmp_path_factory.mktemp("archive")
    write_scene({"shape": (300, 280), "bands": ("green", "red", "nir", "scl")}, folder)
    return folder


@pytest.fixture(scope="session")
def catalog(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of the archive, as GeoParquet."""
    from geotoolz.catalog import GeoCatalog

    path = tmp_path_factory.mktemp("catalog") / "scenes.parquet"
    GeoCatalog.from_folder(archive).save(path)
    return path


@pytest.fixture(scope="session")
def traps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the path of sandbox processes whose module leaves a mark when it is imported."""
    folder = tmp_path_factory.mktemp("traps")
    (folder / "gtz_trap.py").write_text(
        "from pathlib import Path\nPath(__file__).with_name('imported').touch()\n"
        "from geotoolz.indices import NDVI\nclass Evil(NDVI):\n    pass\n"
    )
    return folder


@pytest.fixture(scope="session")
def guarded(archive: Path, catalog: Path, traps: Path) -> Iterator[Running]:
    """A server with everything that a stranger may reach, and generous rates."""
    red = {"_target_": "geotoolz.radiometry.SelectBands", "names": ["red"]}
    settings = {
        "title": "<script>alert(1)</script>",
        "pipelines": [{"name": "red", "config": red, "title": "<img src=x onerror=alert(1)>"},
                      {"name": "ndvi", "config": {"_target_": "geotoolz.indices.NDVI"}}],
        "catalogs": {"s2": catalog},
        "layers": [{"name": "ndvi", "source": str(next(archive.iterdir())), "pipeline": "ndvi",
                    "title": "</script><b>&amp;"}],
        "max_upload_mb": 8, "rate_per_minute": 1_000_000,
        "sandbox": {"rate_per_minute": 1_000_000, "wall_s": 20},
    }  # fmt: skip
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(traps), *([before] if before else [])])
    try:
        with running(settings) as server:
            yield server
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
