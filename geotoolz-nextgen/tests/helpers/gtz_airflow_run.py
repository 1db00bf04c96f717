"""Run in an environment of Airflow's own: DAGs over the scenes of a folder, one of them broken; prints JSON.

    python gtz_airflow_run.py SCENES OUT BUSY MARK

As a file of the DAG folder (to which it copies itself) it defines the DAGs; there, and in the processes that
Airflow starts, the arguments stand in the environment.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

_NAMES = ("GTZ_SCENES", "GTZ_OUT", "GTZ_BUSY", "GTZ_MARK")


def dags() -> dict[str, Any]:
    """Return the DAGs of a job whose `run_tile` finds a busy server once."""
    import pendulum

    from geotoolz.batch import CatalogPipeline
    from geotoolz.catalog import GeoCatalog
    from geotoolz.core import Sequential
    from geotoolz.indices import NDVI
    from geotoolz.io import WriteCOG
    from geotoolz.nextgen import _unit
    from geotoolz.nextgen.airflow import batch_dag

    scenes, out, busy, mark = (os.environ[name] for name in _NAMES)
    real = _unit.run_tile

    def busy_once(task: Any) -> Any:
        """Let the first attempt at one tile meet a busy server; a file counts, for attempts are processes."""
        with Path(mark).open("a") as file:
            file.write(task.tile_id + "\n")
        if task.tile_id == busy and Path(mark).read_text().splitlines().count(busy) == 1:
            raise TimeoutError("the server did not answer")
        return real(task)

    if real.__name__ == "run_tile":
        _unit.run_tile = busy_once
    op = Sequential([NDVI(), WriteCOG("{item_id}.tif")])
    job = CatalogPipeline(GeoCatalog.build(scenes), op, out, progress="none")
    start = pendulum.datetime(2023, 6, 1, tz="UTC")
    common: dict[str, Any] = {"retries": 2, "retry_delay": 0.1, "start_date": start, "schedule": None}
    return {
        "day": batch_dag(job, dag_id="day", by_day=True, max_failures=0, **common),
        "whole": batch_dag(job, dag_id="whole", max_failures=1, **common),
        "shard": batch_dag(job, dag_id="shard", max_failures=1, shards=1, **common),
    }


def _counted(run: Any) -> Any:
    """Return what the last task of a run returned."""
    (last,) = (instance for instance in run.get_task_instances() if instance.task_id == "count")
    return last.xcom_pull(task_ids="count")


def main(*words: str) -> None:
    import airflow
    import pendulum

    os.environ.update(zip(_NAMES, words, strict=True))
    folder = Path(os.environ["AIRFLOW_HOME"], "dags")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(__file__, folder)
    made = dags()
    told: dict[str, Any] = {"airflow": airflow.__version__}
    for name, day in (("day", 11), ("whole", 20), ("shard", 21)):
        if name == "shard":  # other broken bytes are delivered, so that there is something to do
            told["calls"] = Path(words[3]).read_text().splitlines()
            next(Path(words[0], "S2_12").glob("*B08*")).write_bytes(b"broken in another way")
        run = made[name].test(logical_date=pendulum.datetime(2023, 6, day, tz="UTC"))
        states = {f"{ti.task_id}[{ti.map_index}]": str(ti.state) for ti in run.get_task_instances()}
        told[name] = {"state": str(run.state), "tasks": states, "count": _counted(run)}
    told["files"] = sorted(path.name for path in Path(words[1]).glob("*.tif"))
    sys.stdout.write("RESULT " + json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
elif "GTZ_SCENES" in os.environ:
    globals().update(dags())
