"""``geotoolz repro diff`` and ``ab`` as real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from geotoolz.core import Sequential, dump
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.radiometry import BoxMean

SCRIPT = str(Path(sys.executable).with_name("geotoolz"))


def cli(*args):
    command = [SCRIPT, "repro", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ab")
    dump(Sequential([NDVI()]), folder / "old.yaml")
    dump(Sequential([BoxMean(1), NDVI()]), folder / "new.yaml")
    for i in range(2):
        write_scene({"shape": (40, 40), "seed": i}, folder / "scenes")
    (folder / "strict.yaml").write_text("variables:\n  ndvi:\n    pooled: {rmse: 0.0001}\n")
    (folder / "loose.yaml").write_text("variables:\n  ndvi:\n    pooled: {rmse: 0.5}\n")
    return folder


def test_diff(work):
    done = cli("diff", work / "old.yaml", work / "new.yaml", "--html", work / "diff.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "+ BoxMean(radius=1)  [operators[0]] (before NDVI)\n"
    assert (work / "diff.html").read_text().count("<svg") == 2
    assert cli("diff", work / "old.yaml", work / "new.yaml", "--check").returncode == 4
    same = cli("diff", work / "old.yaml", work / "old.yaml", "--check", "--json")
    assert same.returncode == 0 and json.loads(same.stdout)["equal"] is True


def test_ab_with_tolerances(work):
    given = (work / "old.yaml", work / "new.yaml", work / "scenes")
    done = cli(
        "ab", *given, "--tolerances", work / "loose.yaml", "--html", work / "ab.html", "--engine", "inline"
    )
    assert done.returncode == 0, done.stderr
    assert "ndvi (continuous), 3200 pixels in both" in done.stdout and "tolerances kept" in done.stdout
    assert "data:image/png" in (work / "ab.html").read_text()
    strict = cli("ab", *given, "--tolerances", work / "strict.yaml", "--json", "--quiet", "--limit", "1")
    assert strict.returncode == 4
    told = json.loads(strict.stdout)
    assert told["passed"] is False and len(told["tiles"]) == 1 and told["verdict"]["checks"]


def test_mistakes_are_told_without_traceback(work):
    for args, told in (
        (("diff", "nvdi", "ndvi"), "there is no preset 'nvdi'"),
        (("diff", work / "no.yaml", "ndvi"), "no.yaml"),
        (("ab", work / "old.yaml", work / "new.yaml", work / "nothing"), "nothing"),
        (("ab", work / "old.yaml", work / "new.yaml", work / "scenes", "--metric", "rsme"), "'rmse'"),
        (
            ("ab", work / "old.yaml", work / "new.yaml", work / "scenes", "--tolerances", work / "old.yaml"),
            "_target_",
        ),
    ):
        done = cli(*args)
        assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr, done


def test_a_report_is_written_although_the_tolerances_do_not_fit(work, monkeypatch, capfd):
    """What no plan tells is seen when everything has been computed: the work is kept, the code is 2."""
    import geotoolz.diff._ab as module
    from geotoolz.repro._cli import main

    (work / "odd.yaml").write_text("variables:\n  ndvi:\n    pooled: {kappa: 0.9}\n")
    given = [str(work / name) for name in ("old.yaml", "new.yaml", "scenes")]
    options = ["--tolerances", str(work / "odd.yaml"), "--html", str(work / "odd.html"), "-q"]
    assert main(["ab", *given, *options, "--engine", "inline"]) == 2
    out, err = capfd.readouterr()
    assert "'kappa' of 'ndvi'" in err and not out and not (work / "odd.html").exists()
    monkeypatch.setattr(module, "planned_kinds", lambda task: {})
    assert main(["ab", *given, *options, "--engine", "inline", "--json"]) == 2
    out, err = capfd.readouterr()
    assert "'kappa' of 'ndvi'" in err and json.loads(out)["verdict"] is None
    assert "rmse" in (work / "odd.html").read_text()
