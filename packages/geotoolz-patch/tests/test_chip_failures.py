"""Chips that cannot be put together, and journals of functions that were edited."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest
from gtz_chip_ops import scene, tile

from geotoolz.core import BatchError, ExecutorError, TileError, from_function
from geotoolz.patch import ApplyToChips, GridSampler, HardVote, Stitcher, run_chips

VOTE = Stitcher(aggregation=HardVote(3, fill=255))


def wrong_label(ds):
    """Return labels of which one chip's are no class."""
    here = (round((ds.x.values[0] - 500_005) / 10), round((4_999_995 - ds.y.values[0]) / 10))
    value = 7 if here == (16, 0) else 1
    return ds[[]].assign(label=(("y", "x"), np.full(ds.a.shape, value, "u1")))


def wrong_type(ds):
    """Return another type for one chip."""
    out = wrong_label(ds)
    return out.assign(label=out.label.astype("u2")) if int(out.label[0, 0]) == 7 else out


@pytest.mark.parametrize("step", [wrong_label, wrong_type])
@pytest.mark.parametrize("policy", ["skip", "mask"])
def test_a_chip_that_does_not_fit_is_treated_as_one_that_failed(step, policy):
    ds = tile(scene((32, 40), "float32"))
    op = ApplyToChips(GridSampler(16, 8), from_function(step), VOTE)
    result = run_chips(op, ds, on_error=policy, workers=2)
    (failure,) = result.failures
    assert (failure.row, failure.col) == (0, 2)
    assert "labels 7" in failure.error or "uint16; expected uint8" in failure.error
    found = result.tile.label.values
    assert ((found == 255).sum() == 16 * 16) if policy == "mask" else (found[:8, 16:32] == 1).all()
    assert (found[:, :16] == 1).all() and (found[16:] == 1).all()


def test_a_chip_that_does_not_fit_is_named():
    ds = tile(scene((32, 40), "float32"))
    op = ApplyToChips(GridSampler(16, 8), from_function(wrong_label), VOTE)
    with pytest.raises(
        TileError, match=r"chip \(0, 2\): a chip holds the labels 7; expected labels from 0 to 2"
    ):
        run_chips(op, ds)


def test_a_chip_alone_that_fails_leaves_the_fill():
    """The fill of a vote is no label, also where the chip's variable knows no value for no-data."""
    ds = tile(scene((32, 48), "float32"))
    op = ApplyToChips(GridSampler(16), from_function(wrong_label), VOTE)
    found = run_chips(op, ds, on_error="skip").tile.label.values
    assert (found[:16, 16:32] == 255).all() and (found == 255).sum() == 256


def test_a_bad_chip_is_not_kept_in_the_journal(tmp_path):
    ds = tile(scene((32, 40), "float32"))
    op = ApplyToChips(GridSampler(16, 8), from_function(wrong_label), VOTE)
    run_chips(op, ds, on_error="skip", journal=tmp_path / "j")
    assert not (tmp_path / "j" / "0000002.npz").exists()
    assert len(list((tmp_path / "j").glob("*.npz"))) == run_chips(op, ds, on_error="skip").chips - 1


# ---- journals ----------------------------------------------------------------------------------------------

SOURCE = '''
LIMIT = {limit}
def helper(values):
    return values {sign} 1
def step(ds):
    """{text}"""
    kept = {{"a", "b", "c"}}
    return ds[[]].assign(a=helper(ds.a) * LIMIT if "a" in kept else ds.a)
'''


@pytest.fixture
def edited(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(limit=2, sign="+", text="What it does."):
        (tmp_path / "gtz_edited.py").write_text(SOURCE.format(limit=limit, sign=sign, text=text))
        importlib.invalidate_caches()
        sys.modules.pop("gtz_edited", None)
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        return from_function(importlib.import_module("gtz_edited").step)

    yield write
    sys.modules.pop("gtz_edited", None)


@pytest.mark.parametrize("change", [{"limit": 3}, {"sign": "-"}])
def test_a_journal_of_an_edited_function_is_refused(edited, tmp_path, change):
    ds = tile(scene((32, 40), "float32"))
    op = ApplyToChips(GridSampler(16), edited())
    assert run_chips(op, ds, journal=tmp_path / "j").resumed == 0
    assert run_chips(ApplyToChips(GridSampler(16), edited()), ds, journal=tmp_path / "j").resumed == 6
    op = ApplyToChips(GridSampler(16), edited(**change))
    with pytest.raises(BatchError, match=r"another plan.*function code"):
        run_chips(op, ds, journal=tmp_path / "j")


def test_the_hash_of_a_functions_code_is_the_same_in_every_process(edited, tmp_path):
    from geotoolz.patch._code import code_hash

    wanted = code_hash(edited())
    code = (
        "from geotoolz.core import from_function; from geotoolz.patch._code import code_hash;"
        "import gtz_edited;"
        "print(code_hash(from_function(gtz_edited.step)))"
    )
    for seed in ("1", "2"):  # the order of sets differs
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == wanted


# ---- functions that fail on their first chip ---------------------------------------------------------------


def not_the_first(ds):
    """Fail on the scene's first chip."""
    if ds.x.values[0] == 500_005 and ds.y.values[0] == 4_999_995:
        raise RuntimeError("a bad beginning")
    return ds[[]].assign(a=ds.a + 1)


def test_the_first_chip_is_one_like_others():
    """It is run beforehand, to know what chips become; its error is told, and skipped, like any other."""
    ds = tile(scene((32, 40), "float32"))
    op = ApplyToChips(GridSampler(16), from_function(not_the_first))
    with pytest.raises(ExecutorError, match=r"chip \(0, 0\): RuntimeError: a bad beginning"):
        run_chips(op, ds)
    result = run_chips(op, ds, on_error="skip")
    assert [(f.row, f.col) for f in result.failures] == [(0, 0)]
    gone = np.isnan(result.tile.a.values)
    assert gone[:16, :16].all() and gone.sum() == 256
    always = op.replace(chip_op=from_function(lambda ds: ds.nothing))
    with pytest.raises(ExecutorError, match="fails on the first chips: AttributeError"):
        run_chips(always, ds)
