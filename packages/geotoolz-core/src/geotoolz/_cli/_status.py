"""``geotoolz status`` and ``geotoolz report``: what has become of an output folder."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from geotoolz._cli._options import JsonOption, OutArg


def status(
    out: OutArg,
    quarantined: Annotated[
        bool, typer.Option("--quarantine", help="List the scenes that runs leave alone, and nothing else.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell how far the runs of an output folder are, from its journal; also while one is under way.

    Example: geotoolz status out/
    """
    from geotoolz._cli._console import facts, say, say_json
    from geotoolz._cli._quarantine import list_

    if quarantined:
        list_(out, as_json)
        return
    found = _status(out)
    if as_json:
        say_json(found)
        return
    last = found["last_run"]
    counts = ", ".join(f"{count} {name}" for name, count in found["tiles"].items()) or "none"
    state = "under way" if found["running"] else "ended" if last.get("ended") else "was cut off; run it again"
    if not found["runs"] and not found["running"]:
        state = "none: these tiles were made one by one (run-unit, an orchestrator)"
    before = found["other_pipelines"]
    facts(
        (
            ("folder", str(out)),
            ("tiles", counts),
            ("runs", found["runs"]),
            ("last run", state),
            ("started", last.get("started")),
            ("ended", last.get("ended")),
            ("engine", last.get("engine")),
            ("of this run", f"{last['finished']} of {last['todo']} finished" if "todo" in last else None),
            ("exit code", last.get("exit_code")),
            ("stopped", last.get("stopped")),
            ("pipeline", last.get("config_hash")),
            ("of others", f"{before} done tiles are by another pipeline" if before else None),
        )
    )
    for failure in found["failed"][:10]:
        say(f"failed  {failure['id']}  {failure['error']}: {failure['message']}")
    if len(found["failed"]) > 10:
        say(f"… and {len(found['failed']) - 10} more failed tiles")


def _status(out: Path) -> dict[str, Any]:
    from geotoolz.batch import Layout, replay
    from geotoolz.batch._journal import runs
    from geotoolz.batch._lease import _is_held
    from geotoolz.core._errors import BatchError

    private = Layout(out).private
    if not private.is_dir():
        what = "has no journal" if out.is_dir() else "does not exist"
        raise BatchError(
            f"{out} {what}",
            expected="the output folder of a run",
            fix="name the folder that was given to `geotoolz run`",
        )
    records = replay(private)
    history = runs(private)
    starts = [record for record in history if record["ev"] == "run"]
    running = any(_is_held(path) for path in private.glob("lease*.lock"))
    return {
        "out": str(out),
        "running": running,
        "runs": len(starts),
        "tiles": dict(Counter(record["ev"] for record in records.values())),
        "other_pipelines": _by_others(starts, records),
        "last_run": _last_run(starts, history, records),
        "failed": [
            {
                "id": name,
                "kind": record.get("kind", ""),
                "error": record.get("error", ""),
                "message": record.get("msg", ""),
            }
            for name, record in sorted(records.items())
            if record["ev"] == "failed"
        ],
    }


def _by_others(starts: list[dict[str, Any]], records: dict[str, Any]) -> int:
    """Return how many done tiles are by another pipeline than the last run's, or than most."""
    made = Counter(record.get("cfg") for record in records.values() if record["ev"] == "done")
    if not made:
        return 0
    last = starts[-1].get("cfg") if starts else made.most_common(1)[0][0]
    return sum(count for cfg, count in made.items() if cfg != last)


def _last_run(
    starts: list[dict[str, Any]], history: list[dict[str, Any]], records: dict[str, Any]
) -> dict[str, Any]:
    if not starts:
        return {}
    last = starts[-1]
    ends = [record for record in history if record["ev"] == "end" and record.get("run") == last["run"]]
    found = {
        "started": _moment(last["t"]),
        "engine": last.get("engine"),
        "todo": last.get("todo", 0),
        "finished": sum(record.get("run") == last["run"] for record in records.values()),
        "config_hash": last.get("cfg"),
    }
    if ends:
        found |= {"ended": _moment(ends[-1]["t"]), "exit_code": ends[-1].get("exit_code")}
        if ends[-1].get("stopped"):
            why = ends[-1].get("why")
            found["stopped"] = f"{ends[-1]['stopped']} ({why})" if why else ends[-1]["stopped"]
    return found


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def report(out: OutArg, as_json: JsonOption = False) -> None:
    """Print the report of the last run of an output folder, and where its page with pictures is.

    Example: geotoolz report out/
    """
    from geotoolz._cli._console import say_json, table
    from geotoolz._cli._report_text import print_report
    from geotoolz.batch import BatchReport

    found = BatchReport.load(out)
    if as_json:
        say_json(found.to_dict())
        return
    table(
        ("tile", "status", "masked", "seconds", "outputs"),
        (
            (
                row.tile_id,
                row.status,
                "" if row.masked_share is None else f"{row.masked_share:.1%}",
                f"{sum(row.seconds.values()):.2f}" if row.seconds else "",
                ", ".join(row.outputs),
            )
            for row in found.rows
        ),
    )
    print_report(found)
