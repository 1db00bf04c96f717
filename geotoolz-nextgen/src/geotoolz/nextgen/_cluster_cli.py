"""A Ray cluster of several nodes on this machine, for trying out."""

from __future__ import annotations

from typing import Annotated

import typer

from geotoolz._cli import group_app
from geotoolz._cli._options import JsonOption

from ._cluster_state import ClusterState

app = group_app("A Ray cluster of several nodes on this machine, for trying out.")


@app.command("up")
def up(
    nodes: Annotated[int, typer.Option("--nodes", metavar="N", min=1, help="How many.")] = 2,
    cpus: Annotated[int, typer.Option("--cpus", metavar="K", min=1, help="Of each node.")] = 1,
    jobs: Annotated[
        bool, typer.Option("--jobs", help="Also what `ray job submit` talks to (needs ray[default]).")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start nodes that run until `geotoolz cluster down`, and print the address for --ray-address.

    Every node is a Ray of its own with CPUs of its own, though all share this machine's. Only this user
    gets in.

    Example: geotoolz cluster up --nodes 2 --cpus 1
    """
    from ._cluster import LocalCluster

    _tell(LocalCluster(nodes, cpus, dashboard=jobs).state, as_json)


@app.command("status")
def status(as_json: JsonOption = False) -> None:
    """Tell whether a cluster is up, at which address, and how many of its nodes run.

    Example: geotoolz cluster status
    """
    from ._cluster_state import read_state

    state = read_state()
    if state is not None and state.alive:
        _tell(state, as_json)
        return
    _nothing(as_json)


@app.command("down")
def down(as_json: JsonOption = False) -> None:
    """End all nodes.

    Example: geotoolz cluster down
    """
    from geotoolz._cli._console import say, say_json

    from ._cluster import end_node
    from ._cluster_state import cluster_folder, read_state

    state = read_state()
    if state is None:
        _nothing(as_json)
        return
    alive = state.alive
    for pid in reversed(alive):
        end_node(pid)
    state.forget(cluster_folder())
    if as_json:
        say_json({"ended": len(alive)})
    else:
        say(f"{len(alive)} {'node' if len(alive) == 1 else 'nodes'} ended")


def _nothing(as_json: bool) -> None:
    from geotoolz._cli._console import say, say_json

    if as_json:
        say_json({"nodes": 0})
    else:
        say("no cluster is up; `geotoolz cluster up --nodes 3` starts one")


def _tell(state: ClusterState, as_json: bool) -> None:
    from geotoolz._cli._console import facts, say_json

    alive = len(state.alive)
    if as_json:
        shown = {"nodes": alive, "cpus": state.cpus, "address": state.address, "client": state.client}
        say_json({**shown, "jobs": state.jobs, "token": state.token})
        return
    facts(
        (
            ("nodes", f"{alive} × {state.cpus} CPU"),
            ("address", state.address),
            ("client", state.client),
            ("jobs", state.jobs),
            ("token", state.token),
            ("run", f"geotoolz run PIPELINE SOURCE OUT --ray-address {state.address}"),
            ("end", "geotoolz cluster down"),
        )
    )
