# %% [markdown]
# # U12 · The same task in Prefect, Dagster and Airflow
#
# An orchestrator decides when something runs, on which machine, and how often it is tried. What runs is a small thing: a
# unit of work as plain JSON, which one function takes and does. This page makes the units of a job, runs them as an
# orchestrator would (over process borders, twice, with a broken scene and a server that is busy), and then hands the very
# same job to Dagster, and to Prefect and Airflow where these are at hand.
#
# **Who needs this:** whoever has an orchestrator already, and wants satellite scenes in it without writing glue.
#
# Install `geotoolz-nextgen[dagster]` and matplotlib. Prefect and Airflow want other versions of libraries than the rest, and
# live in environments of their own: `scripts/orchestrators_alone.sh FOLDER` makes them. The scenes are simulated.

# %%
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import geotoolz as gz
from geotoolz.core.testing import write_scene
from geotoolz.nextgen import UnitError, require_done, run_unit, units

work = Path(tempfile.mkdtemp())
for day in (10, 11, 12):
    for tile in ("33TWL", "33TWM"):
        scene = {"shape": (96, 96), "bands": ("red", "nir", "scl"), "raw": True, "cloud_cover": 0.15}
        write_scene(
            {**scene, "datetime": f"2023-06-{day}T10:00:00Z", "tile_id": f"S2_{tile}_{day}"}, work / "scenes"
        )
broken = next((work / "scenes" / "S2_33TWM_11").glob("*B08*"))
whole = broken.read_bytes()
_ = broken.write_bytes(whole[:2000])

# %% [markdown]
# ## The job
#
# What, over which scenes, where to: a file that `geotoolz run` takes as well. One of the six scenes has been cut off.

# %%
_ = (work / "job.yaml").write_text(
    "source: scenes\npipeline: s2-l2a-ndvi-v1\nout: products\nengine: inline\n"
)
todo = units(work / "job.yaml")
print(len(todo), "units ·", ", ".join(todo[0]))
print({name: todo[0][name] for name in ("unit", "id")}, Path(todo[0]["source"]).name)
# >>> 6 units · unit, id, key, source, pipeline, config_hash, out, stamps, facts, read, quicklook, owned, sink
# >>> {'unit': 'tile', 'id': 'S2_33TWL_10'} S2_33TWL_10.json

# %% [markdown]
# ## A unit: JSON in, JSON out
#
# It survives everything that an orchestrator does to arguments: here it goes through text into another process, which knows
# nothing of this one.

# %%
line = json.dumps(todo[0])
command = [str(Path(sys.executable).parent / "geotoolz"), "nextgen", "run-unit"]
done = subprocess.run(command, input=line, capture_output=True, text=True, check=True)
result = json.loads(done.stdout)
print(result["status"], [file["path"] for file in result["outputs"]])
print(result["config_hash"] == gz.preset("s2-l2a-ndvi-v1").config_hash())
# >>> done ['S2_33TWL_10_ndvi.qml', 'S2_33TWL_10_ndvi.tif']
# >>> True

# %% [markdown]
# ## Tried again: overwritten, never doubled
#
# Orchestrators run things twice. A unit that stands there complete, of this pipeline and these inputs, is left alone. One
# that is half there is made again, to the same bytes under the same name.


# %%
def digests():
    """Return the SHA-256 of every product."""
    files = sorted((work / "products").glob("*.tif"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


before = digests()
print(run_unit(todo[0])["status"])
product = work / "products" / "S2_33TWL_10_ndvi.tif"
product.write_bytes(product.read_bytes()[:500])
print(run_unit(todo[0])["status"], "· the same bytes:", digests() == before, "·", len(digests()), "file")
# >>> fresh
# >>> done · the same bytes: True · 1 file

# %% [markdown]
# ## A failure is an answer
#
# The broken scene raises nothing here: the result says what kind of failure it was, and whether another attempt may help.
# `require_done` turns it into the error that a task ends with.

# %%
bad = next(unit for unit in todo if unit["id"] == "S2_33TWM_11")
failed = run_unit(bad)
print(failed["status"], {name: failed["failure"][name] for name in ("kind", "error", "retry")})
try:
    require_done(failed)
except UnitError as error:
    print(type(error).__name__, "· retry:", error.retry)
# >>> failed {'kind': 'bad-data', 'error': 'ReadError', 'retry': False}
# >>> UnitError · retry: False

# %% [markdown]
# ## Dagster: a partition per tile, or per day
#
# An asset of a job. Each partition is a unit: it materialises, fails and is tried again by itself. `MaterializeResult` carries
# the paths, their SHA-256 and the pipeline's hash.

# %% needs=dagster
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
import logging  # noqa: E402

import dagster as dg  # noqa: E402

from geotoolz.nextgen.dagster import days_asset, tiles_asset  # noqa: E402

logging.disable(logging.CRITICAL)  # Dagster tells every event on stderr
asset = tiles_asset(work / "job.yaml", name="ndvi", delay=0)
states = {}
with dg.DagsterInstance.ephemeral() as instance:
    for tile in asset.partitions_def.get_partition_keys():
        run = dg.materialize([asset], partition_key=tile, instance=instance, raise_on_error=False)
        states[tile] = "success" if run.success else "failed"
    print(states)
    event = dg.materialize(
        [asset], partition_key="S2_33TWL_12", instance=instance
    ).get_asset_materialization_events()[0]
told = event.materialization.metadata
print(told["status"].value, told["sha256"].value["S2_33TWL_12_ndvi.tif"] == digests()["S2_33TWL_12_ndvi.tif"])
# >>> {'S2_33TWL_10': 'success', 'S2_33TWL_11': 'success', 'S2_33TWL_12': 'success', 'S2_33TWM_10': 'success', 'S2_33TWM_11': 'failed', 'S2_33TWM_12': 'success'}
# >>> fresh True

# %% [markdown]
# A partition per day takes what the catalog has of that day. The day of the broken scene fails and names it; its other tile
# stands. When the file is delivered again, the day is materialised, and nothing else is computed.

# %% needs=dagster
days = days_asset(work / "job.yaml", "2023-06-10", end="2023-06-13", name="ndvi_by_day", delay=0)
with dg.DagsterInstance.ephemeral() as instance:

    def day(key):
        """Materialise a day."""
        run = dg.materialize([days], partition_key=key, instance=instance, raise_on_error=False)
        return "success" if run.success else "failed"

    print({key: day(key) for key in days.partitions_def.get_partition_keys()})
    _ = broken.write_bytes(whole)
    print("delivered again:", day("2023-06-11"))
print(len(digests()), "products; left to do:", len(units(work / "job.yaml")))
# >>> {'2023-06-10': 'success', '2023-06-11': 'failed', '2023-06-12': 'success'}
# >>> delivered again: success
# >>> 6 products; left to do: 0

# %% [markdown]
# ## Prefect: a daily flow
#
# The flow plans the job, maps a task over its units, and fails only if more tiles failed than may. This is the whole file of
# a deployment:
#
# ```python
# from geotoolz.nextgen.prefect import batch_flow
#
# daily = batch_flow("job.yaml", name="daily-ndvi", by_day=True, max_failures="2%")
#
# if __name__ == "__main__":
#     daily.serve(cron="0 4 * * *", parameters={"date": "2023-06-11"})
# ```
#
# ## Airflow: mapped tasks
#
# `plan`, then `run` mapped over the units, then `count`. This is the whole file in the DAG folder:
#
# ```python
# from geotoolz.nextgen.airflow import batch_dag
#
# dag = batch_dag("/data/job.yaml", dag_id="daily_ndvi", by_day=True, schedule="@daily", task={"pool": "scenes"})
# ```
#
# Both run for real in environments of their own. The programs are those of the tests: three scenes, one of them broken, and
# a server that is busy at the first attempt at another. Where this page finds no such environment, it says so.

# %%
import geotoolz.nextgen  # noqa: E402

HELPERS = Path(geotoolz.nextgen.__file__).parents[3] / "tests/helpers"  # in a checkout


def in_its_own_environment(name, *more):
    """Run the program of an orchestrator's test with its own Python; None where there is none."""
    python = os.environ.get(f"GEOTOOLZ_{name.upper()}_PYTHON", "")
    helper = HELPERS / f"gtz_{name}_run.py"
    if not python or not helper.exists():
        return None
    folder = work / name
    for number in (10, 11, 12):
        scene = {"shape": (32, 32), "bands": ("red", "nir"), "raw": True, "tile_id": f"S2_{number}"}
        write_scene({**scene, "datetime": f"2023-06-{number}T10:00:00Z"}, folder / "scenes")
    file = next((folder / "scenes/S2_12").glob("*B08*"))
    file.write_bytes(file.read_bytes()[:1000])
    own = {
        "PREFECT_HOME": str(folder / "home"), "AIRFLOW_HOME": str(folder / "home"), "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "SCARF_ANALYTICS": "false",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }  # fmt: skip
    environment = {**os.environ, **own}
    if name == "airflow":
        migrate = [str(Path(python).parent / "airflow"), "db", "migrate"]
        subprocess.run(migrate, env=environment, capture_output=True, check=True)
    command = [python, str(helper), str(folder / "scenes"), str(folder / "out"), "S2_10", *more]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answer = next(line for line in ran.stdout.splitlines() if line.startswith("RESULT "))
    return json.loads(answer.removeprefix("RESULT "))


prefect = in_its_own_environment("prefect")
airflow = in_its_own_environment("airflow", str(work / "airflow_calls"))
for name, told in (("prefect", prefect), ("airflow", airflow)):
    if told is None:
        print(f"{name} not run here: GEOTOOLZ_{name.upper()}_PYTHON names no environment")
        continue
    assert told["files"] == ["S2_10.tif", "S2_11.tif"]
    assert (told["calls"].count("S2_10"), told["calls"].count("S2_12")) == (2, 1)
    print(f"{name} {told[name]}: 2 products, the busy tile tried twice, the broken one once")
# >>> prefect ...: ...
# >>> airflow ...: ...

# %% [markdown]
# The program that was run, whole: `geotoolz-nextgen/tests/helpers/gtz_prefect_run.py` and `gtz_airflow_run.py`. On 22 November
# 2026 both ran here with Prefect 3.8.8 and Airflow 3.3.2.
#
# ## The tiles, by state
#
# What the orchestrators did is in the folder's own journal, so `geotoolz plan` and a later `geotoolz run` know it.

# %% alt=The_six_NDVI_products,_a_row_per_tile_and_a_column_per_day
figure, axes = plt.subplots(2, 3, figsize=(9, 6), layout="constrained")
greens = plt.get_cmap("RdYlGn").with_extremes(bad="0.85")
for axis, path in zip(axes.ravel(), sorted((work / "products").glob("*.tif")), strict=True):
    axis.imshow(gz.open_tile(path).ndvi, cmap=greens, vmin=0, vmax=0.9, interpolation_stage="rgba")
    axis.set_title(path.stem.removesuffix("_ndvi"), fontsize=9, loc="left")
    axis.set_axis_off()

# %% [markdown]
# ## When not to use it
#
# - **Without an orchestrator.** `geotoolz run job.yaml` from cron does all of this alone, with a report: retries, a limit of
#   failures, a lease ([Orchestrators](../guide/orchestrators.md#cron)).
# - **A task per tile, for a hundred thousand tiles.** Every task costs the orchestrator's database more than a small tile costs
#   a processor. Take `shards=`, or one task that runs the job on Ray.
# - **To pass pixels between tasks.** Units pass paths. What belongs together stands in one pipeline.
