"""Run in an environment of Prefect's own: flows over the scenes of a folder, one of them broken; prints JSON.

python gtz_prefect_run.py SCENES OUT BUSY
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(scenes: str, out: str, busy: str) -> None:
    import prefect
    from prefect.testing.utilities import prefect_test_harness

    from geotoolz.batch import CatalogPipeline
    from geotoolz.catalog import GeoCatalog
    from geotoolz.core import Sequential
    from geotoolz.indices import NDVI
    from geotoolz.io import WriteCOG
    from geotoolz.nextgen import _unit
    from geotoolz.nextgen.prefect import batch_flow, unit_task

    real, calls = _unit.run_tile, []

    def busy_once(task: object) -> object:
        """Let the first attempt at one tile meet a busy server."""
        name = task.tile_id  # type: ignore[attr-defined]
        calls.append(name)
        if name == busy and calls.count(name) == 1:
            raise TimeoutError("the server did not answer")
        return real(task)  # type: ignore[arg-type]

    _unit.run_tile = busy_once  # type: ignore[assignment]
    op = Sequential([NDVI(), WriteCOG("{item_id}.tif")])
    job = CatalogPipeline(GeoCatalog.build(scenes), op, out, progress="none")
    task = unit_task(retries=2, retry_delay_seconds=0.1)
    told: dict[str, object] = {"prefect": prefect.__version__}
    with prefect_test_harness(server_startup_timeout=120):
        daily = batch_flow(job, name="daily", by_day=True, task=task, max_failures=1)
        told["day"] = daily(date="2023-06-11")
        whole = batch_flow(job, name="whole", task=task, max_failures=1)
        told["whole"] = whole()
        told["calls"] = list(calls)
        told["failed"] = _strict(batch_flow(job, name="strict", task=task, max_failures=0, shards=2), scenes)
    told["files"] = sorted(path.name for path in Path(out).glob("*.tif"))
    sys.stdout.write("RESULT " + json.dumps(told) + "\n")


def _strict(flow: object, scenes: str) -> str:
    """Deliver other broken bytes, so that there is something to do, and return how the flow ends."""
    from geotoolz.nextgen import UnitError

    band = next(Path(scenes, "S2_12").glob("*B08*"))
    band.write_bytes(b"broken in another way")
    try:
        flow()  # type: ignore[operator]
    except UnitError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
