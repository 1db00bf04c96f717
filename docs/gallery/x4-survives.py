# %% [markdown]
# # X4 · Survives: kill its workers and the run itself, start it again
#
# On a shared machine the system kills the process that takes most memory; a cloud takes its cheap nodes back with two
# minutes' notice, or none; somebody trips over a cable. This page starts a run over 16 scenes as an operations team
# would, kills its workers and the run itself with SIGKILL while it works, starts it again with the same command, and
# compares every pixel and every STAC item with those of a run that nobody disturbed.
#
# **Who needs this:** whoever has to leave a run alone for a night, or a weekend.
#
# Install `geotoolz-core[catalog]` and `geotoolz-indices`. The scenes are simulated; one of them will be damaged. It
# needs Linux, for `/proc` says which process belongs to which.

# %%
import hashlib
import json
import os
import signal
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import rasterio
from matplotlib.patches import Polygon

from geotoolz.batch import BatchReport, Layout, quarantine, release, replay, verify
from geotoolz.core.testing import write_scene

work = Path(tempfile.mkdtemp())
scenes = work / "scenes"
for column in range(4):
    for row in range(4):
        origin = (500_000.0 + 1300.0 * column, 5_100_000.0 - 1300.0 * row)
        name = f"field-{column}{row}"
        write_scene(
            {"shape": (128, 128), "bands": ("red", "nir"), "origin": origin, "tile_id": name, "raw": True},
            scenes,
        )
pipeline = work / "vegetation.yaml"
pipeline.write_text("_target_: geotoolz.indices.NDVI\n")
print(len(list(scenes.iterdir())), "scenes")
# >>> 16 scenes

# %% [markdown]
# ## The run that nobody disturbs
#
# The command is `geotoolz run`; everything else on this page is done to it from outside.

# %%
geotoolz = str(Path(sysconfig.get_path("scripts"), "geotoolz"))


def command(out):
    return [geotoolz, "run", str(pipeline), str(scenes), str(out), "--workers", "2", "--quiet"]


calm = work / "calm" / "products"
done = subprocess.run(command(calm), capture_output=True, text=True, check=True)
print(BatchReport.load(calm).counts)
# >>> {'done': 16}

# %% [markdown]
# ## The run that is killed
#
# The rule is simple, so that it does not depend on how fast this machine is: as soon as so many more scenes are
# finished, one of the two workers is killed; a little later the run itself. SIGKILL cannot be caught: nobody says
# goodbye. After each death of the run, every file that has a name in the output folder is compared with the calm run:
# nothing half-written may stand there.


# %%
def parent_of(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has just ended
        return 0


def workers_of(run):
    """The workers are children of the process that forks them, and that one is the run's child."""
    everybody = {
        int(path.name): parent_of(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()
    }
    helpers = {pid for pid, parent in everybody.items() if parent == run}
    return sorted(pid for pid, parent in everybody.items() if parent in helpers)


def finished(out):
    return len(list(Layout(out).items.glob("*.json")))


def wait_for(run, count):
    while finished(out) < count and run.poll() is None:
        time.sleep(0.005)


def pixels_and_items(out):
    """The pixels of every image by name, and every STAC item as it is."""
    told = {}
    for path in out.glob("*.tif"):
        with rasterio.open(path) as image:
            told[path.name] = hashlib.sha256(image.read().tobytes()).hexdigest()
    return told | {path.name: json.loads(path.read_text()) for path in Layout(out).items.glob("*.json")}


wanted = pixels_and_items(calm)
out = work / "disturbed" / "products"
killed = {"workers": 0, "runs": 0}
for goal in (2, 7):
    run = subprocess.Popen(command(out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(run, goal)
    os.kill(workers_of(run.pid)[0], signal.SIGKILL)
    killed["workers"] += 1
    wait_for(run, goal + 2)
    run.kill()
    run.wait()
    killed["runs"] += 1
    visible = pixels_and_items(out)
    assert all(wanted[name] == content for name, content in visible.items()), "half-written or wrong"
print(killed)
# >>> {'workers': 2, 'runs': 2}

# %% [markdown]
# ## Started again
#
# The same command once more. It makes what is missing and nothing else: what was finished before is *fresh*, and a
# scene whose files stood without their item is made again over its own files.

# %%
last = subprocess.run(command(out), capture_output=True, text=True, check=True)
report = BatchReport.load(out)
made, kept = report.counts["done"], report.counts["fresh"]
assert kept >= 8 and set(report.counts) == {"done", "fresh"}
print("finished before and after:", made + kept, "of", len(report.rows))
found = pixels_and_items(out)
print("pixels and items equal to the undisturbed run:", found == wanted, f"({len(found)} compared)")
print("files whose checksum is not that of the item:", len(verify(out)))
print("left under construction:", len(list(Layout(out).staging.iterdir())))
records = replay(Layout(out).private)
print("what the journal says of them:", *{record["ev"] for record in records.values()})
# >>> finished before and after: 16 of 16
# >>> pixels and items equal to the undisturbed run: True (32 compared)
# >>> files whose checksum is not that of the item: 0
# >>> left under construction: 0
# >>> what the journal says of them: done

# %% [markdown]
# ## The map of the run that finished it
#
# `report.html` in the output folder has this map, the time per step, the memory, and a picture of every scene. Here it
# is drawn from the same report: what stood already when the last run began, and what it made.

# %% alt=Map_of_16_scenes,_coloured_by_whether_they_were_finished_before_the_last_run
colours = {"fresh": "#8fb3c2", "done": "#2b7f9e", "failed": "#c0392b"}
figure, axes = plt.subplots(figsize=(5, 4.4))
for tile in report.rows:
    axes.add_patch(Polygon(tile.footprint, facecolor=colours[tile.status], edgecolor="white"))
for state, told in (("fresh", "finished before it was killed"), ("done", "made by the last run")):
    axes.plot([], [], "s", color=colours[state], label=told)
axes.autoscale_view()
axes.set(aspect=1 / 0.7, xlabel="longitude", ylabel="latitude", title="three runs, two of them killed")
axes.ticklabel_format(useOffset=False)
axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, frameon=False)
figure.tight_layout()
plt.show()

# %% [markdown]
# ## A scene that is broken, not unlucky
#
# Killed workers are tried again; a file that cannot be read is not. The scene goes into quarantine with its reason, the
# others are made, and the command says so with exit code 3. Once somebody has fetched the file again, its time and size
# are others, and the next run makes it without being asked. Where nothing tells, `geotoolz quarantine release` does.

# %%
victim = scenes / "field-22"
image = next(victim.glob("*B04*"))
whole = image.read_bytes()
image.write_bytes(whole[:100])
again = subprocess.run([*command(out), "--max-failures", "1"], capture_output=True, check=False)
(held,) = quarantine(out)
print("exit code", again.returncode, "·", held.tile_id, held.kind.value)
print(release(out, [held.tile_id]), "released")
image.write_bytes(whole)
print("exit code", subprocess.run(command(out), capture_output=True, check=False).returncode)
assert {name: content for name, content in pixels_and_items(out).items() if name.endswith(".tif")} == {
    name: content for name, content in wanted.items() if name.endswith(".tif")
}
# >>> exit code 3 · field-22 bad-data
# >>> ('field-22',) released
# >>> exit code 0

# %% [markdown]
# The fault-injection suite of the project does the same at every access to the output folder, several hundred times:
# `python benchmarks/faults.py --faults 2000`. It fills disks, tears journals, sets clocks, and lets two runs race.

# %% [markdown]
# ## When not to use it
#
# A job of one scene, or one whose outputs go into a database that has transactions of its own.
# A run that is killed loses the scenes that were under way; where one scene takes hours, cut it into tiles first. What
# a pipeline does besides its outputs, such as sending a mail in a step of your own, is done again with the scene.
