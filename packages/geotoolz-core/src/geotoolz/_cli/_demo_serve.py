"""``geotoolz demo --serve``: the demo's results, and the scenes that they were made of, on a map."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geotoolz._cli._demo_scenes import DemoFolder

_HOST = "127.0.0.1"
_LONGEST = 60  # seconds after which nobody waits for a browser any more


def serve_command() -> Any:
    """Return the command ``geotoolz serve``.

    Raises
    ------
    MissingDependencyError
        If the package is not installed.
    """
    from geotoolz._cli._groups import package_group
    from geotoolz.core._errors import MissingDependencyError

    group = package_group("serve")
    if group is None:
        raise MissingDependencyError("--serve needs geotoolz-serve", fix="pip install geotoolz-serve")
    return group


def serve(folder: DemoFolder, names: Collection[str], port: int) -> None:
    """Serve the demo until it is interrupted.

    Parameters
    ----------
    folder : DemoFolder
        The demo.
    names : collection of str
        Ids of the scenes that have a result.
    port : int
        Of the server; 0 takes a free one.
    """
    import threading

    from geotoolz._cli._console import say

    command = serve_command()
    port = _free_port(port)
    path = folder.root / "serve.yaml"
    path.write_text(_settings(folder, names), "utf-8")
    address = f"http://{_HOST}:{port}/"
    say()
    say(f"7  map       {address}, until Ctrl-C; settings in {path}")
    sys.stdout.flush()
    if sys.stdout.isatty():
        threading.Thread(target=_open_browser, args=(address,), daemon=True).start()
    arguments = ["run", str(path), "--host", _HOST, "--port", str(port)]
    command.main(arguments, "geotoolz serve", standalone_mode=False)


def _free_port(port: int) -> int:
    """Return a port that nobody listens on: the one that is asked for, or of 0 any."""
    import socket

    from geotoolz.core._errors import ParameterError

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise ParameterError(
                f"port {port} cannot be used: {error.strerror}", fix="--port 0 takes a free one"
            ) from error
        found: int = probe.getsockname()[1]
    return found


def _settings(folder: DemoFolder, names: Collection[str]) -> str:
    """Return the settings of a server with three layers, after writing the catalogs that they show."""
    from geotoolz.catalog import GeoCatalog
    from geotoolz.core._yaml import dump_yaml

    scenes = GeoCatalog.open(folder.catalog)
    scenes.filter(id=list(names)).save(folder.root / "served-scenes.parquet")
    GeoCatalog.from_folder(folder.out).save(folder.root / "served-results.parquet")
    ramp = {"colormap": "rdylgn", "rescale": [-0.2, 0.9]}
    layers = [
        {"name": "ndvi", "title": "NDVI, as the demo wrote it", "source": "served-results.parquet", **ramp},
        {"name": "computed", "title": "NDVI, computed as you look", "source": "served-scenes.parquet",
         "pipeline": "ndvi", **ramp},
        {"name": "scenes", "title": "Scenes in false colour", "source": "served-scenes.parquet",
         "bands": ["nir", "red", "green"]},
    ]  # fmt: skip
    pipelines = [{"name": "ndvi", "title": "NDVI without clouds", "config": folder.pipeline.name}]
    return dump_yaml({"title": "geotoolz demo", "pipelines": pipelines, "layers": layers})


def _open_browser(address: str) -> None:
    """Show the page as soon as the server answers."""
    import time
    import urllib.error
    import urllib.request
    import webbrowser

    until = time.monotonic() + _LONGEST
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}healthz", timeout=1):
                webbrowser.open(address)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
