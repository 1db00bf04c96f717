"""The recipes of docs/guide/cluster.md: what can be run here runs, the rest names what exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from geotoolz._cli import app
from geotoolz._cli._groups import loaded
from geotoolz.batch import engine_options
from geotoolz.core.testing import write_scene

SCRIPTS = Path(sysconfig.get_path("scripts"))
PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "cluster.md"
if not PAGE.exists():
    pytest.skip("the guide is not here: tests of an installed package", allow_module_level=True)
TEXT = PAGE.read_text("utf-8")
BLOCKS = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', TEXT, re.DOTALL | re.MULTILINE))


def commands():
    """Return every command line of geotoolz on the page, in shells and in YAML."""
    whole = re.sub(r"\\\n\s*", " ", TEXT)
    found = re.findall(r"^(?:\$ |\s+)?((?:ray job submit .* -- +)?geotoolz [^\n`]*)$", whole, re.MULTILINE)
    folded = yaml.safe_load(BLOCKS["array.yaml"])["spec"]["template"]["spec"]["containers"][0]["args"]
    entry = yaml.safe_load(BLOCKS["rayjob.yaml"])["spec"]["entrypoint"]
    return [
        line.partition("-- ")[2].strip() or line if line.startswith("ray ") else line for line in found
    ] + [
        *folded,
        entry,
    ]


@pytest.mark.parametrize("line", commands())
def test_every_command_exists_with_its_options(line):
    words = shlex.split(line.replace("$((", "").replace("))", ""))
    assert words[0] == "geotoolz"
    command, rest = get_command(app), words[1:]
    context = command.make_context("geotoolz", [], resilient_parsing=True)
    while hasattr(command, "get_command"):
        command = loaded(command.get_command(context, rest.pop(0)))
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known
    engine = rest[rest.index("--engine") + 1] if "--engine" in rest else "ray"
    for place, word in enumerate(rest):
        if word == "--engine-option":
            assert rest[place + 1].partition("=")[0] in engine_options(engine)


def test_the_yaml_names_what_exists():
    job, array = yaml.safe_load(BLOCKS["rayjob.yaml"]), yaml.safe_load(BLOCKS["array.yaml"])
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    images = {c["image"] for group in groups for c in group["template"]["spec"]["containers"]}
    images |= {c["image"] for c in array["spec"]["template"]["spec"]["containers"]}
    assert images == {"example.org/geotoolz:1"} and "geotoolz-nextgen[jobs]" in TEXT
    pods = [array["spec"]["template"], *(group["template"] for group in groups)]
    for pod in pods:
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        for container in pod["spec"]["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    assert array["spec"]["completions"] == array["spec"]["parallelism"] == 16
    engine = yaml.safe_load(BLOCKS["job.yaml"])["engine"]
    assert set(engine) - {"name"} <= set(engine_options(engine["name"]))


def test_the_array_of_slurm_is_a_shell_script_that_counts_from_one(tmp_path):
    (tmp_path / "array").write_text(BLOCKS["array.sbatch"])
    subprocess.run(["bash", "-n", str(tmp_path / "array")], check=True)
    assert "#SBATCH --array=1-16" in BLOCKS["array.sbatch"]


def test_the_loop_over_shards_does_every_tile_once(tmp_path):
    for day in range(1, 8):
        write_scene(
            {"shape": (32, 32), "bands": ("red", "nir"), "datetime": f"2023-06-{day:02d}"},
            tmp_path / "scenes",
        )
    script = (
        BLOCKS["shards.sh"]
        .replace("run ndvi", "run ndvi.yaml")
        .replace("--engine process", "--engine inline")
    )
    (tmp_path / "ndvi.yaml").write_text("_target_: geotoolz.indices.NDVI\n")
    done = subprocess.run(
        ["bash", "-ec", script],
        cwd=tmp_path,
        env={"PATH": f"{SCRIPTS}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counted = [int(n) for n in re.findall(r"(\d+) done", done.stdout)]
    assert sum(counted) == 7 and len(list((tmp_path / "out").glob("*.tif"))) == 7
