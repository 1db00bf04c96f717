"""``geotoolz nextgen``, also installed as ``geotoolz-nextgen``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._options import JsonOption
from geotoolz.nextgen._unit_cli import add_unit_commands
from geotoolz.presets._chain_cli import add_chain_command

app = group_app("Ray, units of work for orchestrators, and chains from scenes to objects.")
add_unit_commands(app)
add_chain_command(app)


@app.command("check-ray")
def check_ray(
    address: Annotated[
        str,
        typer.Option(
            "--address",
            metavar="ADDRESS",
            help="local starts a private Ray; auto, host:port or ray://host:port join one.",
        ),
    ] = "local",
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="CPUs of a local Ray.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For the first answer.")
    ] = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Start or join Ray as a run would, send one task, and report nodes, CPUs and versions.

    Exit code 2 if Ray cannot be started or joined, or does not answer.

    Example: geotoolz nextgen check-ray --address auto
    """
    from geotoolz._cli._console import facts, say_json, told

    found = _ask(address, workers, timeout)
    if as_json:
        say_json(found)
        return
    facts(
        (
            ("address", address),
            ("ray", found["versions"]["ray"]),
            ("python", found["versions"]["python"]),
            ("geotoolz", found["versions"]["geotoolz"]),
            ("nodes", len(found["nodes"])),
            ("cpus", f"{found['cpus']:g}"),
            ("memory", f"{found['memory'] / 2**30:.1f} GiB"),
            ("start and first answer", f"{found['seconds']:.1f} s"),
        )
    )
    for name, here in found["versions"].items():
        if found["worker"][name] != here:
            told(f"warning: {name} is {found['worker'][name]} on the worker, {here} here: results may differ")


def _ask(address: str, workers: int | None, timeout: float) -> dict[str, Any]:
    """Send a task through the engine and look at the cluster while it is up."""
    from geotoolz.core import BatchError
    from geotoolz.nextgen import RayEngine

    begun = time.monotonic()
    engine = RayEngine(workers, address=address)
    clean = False
    try:
        engine.start(_versions)
        engine.submit(1, None, timeout)
        completions: Sequence[Any] = ()
        while not completions and time.monotonic() - begun < timeout:
            completions = engine.wait(1.0)
        if not completions:
            raise BatchError(
                f"Ray at {address!r} did not answer within {timeout:g} s",
                expected="a node with a free CPU",
                fix="look at `ray status`, or give a longer --timeout",
            )
        failure = completions[0].failure
        if failure is not None:
            raise BatchError(
                f"a task on Ray at {address!r} failed: {failure.error}: {failure.message}",
                expected="geotoolz on every node, in the version of this process",
            )
        found = _cluster()
        clean = True
    finally:
        engine.stop(now=not clean)
    return {
        "address": address,
        **found,
        "versions": _versions(None),
        "worker": completions[0].value,
        "seconds": time.monotonic() - begun,
    }


def _cluster() -> dict[str, Any]:
    import ray as untyped

    ray: Any = untyped
    total = ray.cluster_resources()
    nodes = [
        {"host": node["NodeManagerHostname"], "cpus": node["Resources"].get("CPU", 0.0)}
        for node in ray.nodes()
        if node["Alive"]
    ]
    return {"nodes": nodes, "cpus": total.get("CPU", 0.0), "memory": total.get("memory", 0.0)}


def _versions(_: Any) -> dict[str, str]:
    """Return the versions that have to agree between driver and workers."""
    import platform

    import ray

    import geotoolz

    return {"python": platform.python_version(), "ray": ray.__version__, "geotoolz": geotoolz.__version__}


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-nextgen`` and return the exit code."""
    return run_app(app, "geotoolz-nextgen", argv)
