"""Streams of chips: any source, any sink, any number of workers, and chips that fail."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

import geotoolz as gz
from geotoolz.core import (
    BatchError,
    ExecutorError,
    Footprint,
    Map,
    ParameterError,
    Plan,
    VarSpec,
    from_function,
)
from geotoolz.core.testing import contract_tile, simulate_scene
from geotoolz.io import WriteCOG, WriteZarr, open_scene, open_tile, open_zarr, write_tile, write_zarr
from geotoolz.patch import (
    ApplyToChips,
    DatasetSource,
    GridSampler,
    Hann,
    HardVote,
    Mean,
    Median,
    Rectangle,
    Stitcher,
    Sum,
    memory_bytes,
    run_chips,
)
from geotoolz.radiometry import BoxMean

BLEND = Stitcher(Hann(), halo=0)
CALLS: list[tuple[int, int]] = []
FAIL: dict[tuple[int, int], int] = {}


class Counted(Map):
    """The chip less its own mean; remembers the chips that it saw, and fails on some."""

    def plan(self, tile):
        return Plan(
            ("red",),
            {"red": VarSpec(attrs={"units": "1"})},
            args=(tile.offset,),
            footprint=Footprint("all", "all"),
        )

    @staticmethod
    def kernel(red, place):
        CALLS.append(place)
        if FAIL.get(place, 0):
            FAIL[place] -= 1
            raise RuntimeError("the model had a bad day")
        return red - np.float32(np.nanmean(red))


class Located(Counted):
    """The same; planned anew for every chip, because it asks where it is."""

    def plan(self, tile):
        from geotoolz.core import Call

        call = Call(("red",), ("red",), self._told, footprint=Footprint("all", "all"), located=True)
        return Plan(writes={"red": VarSpec(attrs={"units": "1"})}, calls=(call,))

    @staticmethod
    def _told(red, extent=None):
        return Counted.kernel(red, (extent.y0, extent.x0))


class Late(Counted):
    """The first chip of all is the last to be finished."""

    @staticmethod
    def kernel(red, place):
        if place == (0, 0):
            time.sleep(0.05)
        return red - np.float32(np.nanmean(red))


@pytest.fixture(scope="module")
def scene():
    return simulate_scene((150, 130), bands=("red", "nir"))


@pytest.fixture(autouse=True)
def fresh():
    CALLS.clear()
    FAIL.clear()


def blended(op=None, size=32, stride=24, **kwargs):
    return ApplyToChips(GridSampler(size, stride), op or Located(), kwargs.pop("stitcher", BLEND), **kwargs)


# ---- the same bits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "op", [blended(), blended(BoxMean(3, bands=("red",))), ApplyToChips(GridSampler(32), BoxMean(3))]
)
def test_the_result_is_that_of_the_operator_for_any_workers(scene, op):
    wanted = op(scene)
    for workers in (1, 2, 5):
        found = run_chips(op, scene, workers=workers, ahead=workers).tile
        assert found.red.identical(wanted.red)


def test_the_order_in_which_workers_finish_does_not_count(scene):
    op = blended(Late())
    assert run_chips(op, scene, workers=4, ahead=8).tile.identical(run_chips(op, scene).tile)


@pytest.mark.parametrize("how", [BLEND, Stitcher(aggregation=Median(), halo=0), Stitcher()], ids=repr)
def test_every_source_and_sink_gives_the_same_bits(scene, tmp_path, how):
    op = ApplyToChips(GridSampler(48, 20), BoxMean(4, bands=("red",)), how)
    (file,) = write_tile(scene, tmp_path / "in.tif")
    write_zarr(scene, tmp_path / "in.zarr")
    wanted = op(scene).red
    for source in (scene, file, tmp_path / "in.zarr", open_scene(file), scene.chunk({"y": 40})):
        np.testing.assert_array_equal(run_chips(op, source, workers=2).tile.red, wanted)
    cog = run_chips(op, file, tmp_path / "out.tif").paths
    np.testing.assert_array_equal(open_tile(cog[0]).red, wanted)
    (folder,) = run_chips(op, file, tmp_path / "out.zarr", workers=2).paths
    np.testing.assert_array_equal(open_zarr(folder).red, wanted)
    (second,) = run_chips(
        op, scene, WriteCOG(str(tmp_path / "{band}_b.tif"), bands=("red",), compress="deflate")
    ).paths
    np.testing.assert_array_equal(open_tile(second, bands=["red"]).red, wanted)
    assert run_chips(op, scene, WriteZarr(str(tmp_path / "c.zarr"))).paths


def test_processes_give_the_same_bits(scene):
    op = ApplyToChips(GridSampler(64, 48), BoxMean(3, bands=("red",)), BLEND)
    with ProcessPoolExecutor(1) as pool:
        found = run_chips(op, scene, executor=pool).tile
    assert found.identical(run_chips(op, scene).tile)


def test_votes_in_a_stream_equal_those_in_memory(scene, tmp_path):
    step = from_function(_classes)
    op = ApplyToChips(GridSampler(32, 12), step, Stitcher(aggregation=HardVote(2, fill=255)))
    wanted = run_chips(op, scene).tile.classes
    (path,) = run_chips(op, scene, tmp_path / "classes.tif").paths
    found = open_tile(path, raw=True)
    np.testing.assert_array_equal(next(iter(found.data_vars.values())), wanted)


def _classes(ds):
    values = (ds.red > ds.red.mean()).astype("uint8")
    return ds[[]].assign(classes=values)


def test_dates_in_blocks():
    stack = contract_tile((30, 34), times=5)[["red"]]
    op = ApplyToChips(GridSampler(Rectangle(16, time=2)), BoxMean(2))
    found = run_chips(op, stack)
    assert found.chips == 3 * 9 and found.tile.red.equals(BoxMean(2)(stack).red)
    step = ApplyToChips(GridSampler(Rectangle(16, time=2)), from_function(_less_mean), Stitcher(Hann()))
    blocks = [
        run_chips(step.replace(sampler=GridSampler(16)), stack.isel(time=slice(t, t + 2))).tile
        for t in (0, 2, 4)
    ]
    assert run_chips(step, stack).tile.red.equals(xr.concat([b.red for b in blocks], "time"))
    with pytest.raises(ExecutorError, match="no sink"):
        run_chips(op, stack, "a.tif")
    with pytest.raises(ParameterError, match="do not end with the 5 dates"):
        run_chips(op.replace(sampler=GridSampler(Rectangle(15, time=2), boundary="raise")), stack)


def _less_mean(ds):
    return ds - ds.mean()


# ---- memory ------------------------------------------------------------------------------------------------


def test_memory_is_known_beforehand_and_does_not_grow_with_the_height():
    low, high = (simulate_scene((height, 64), bands=("red",)) for height in (200, 800))
    op = blended()
    assert memory_bytes(op, low) == memory_bytes(op, high) < memory_bytes(op, high, workers=8)
    assert memory_bytes(op, high, sink=False) > 3 * memory_bytes(op, low)
    with pytest.raises(ExecutorError, match="the chips take"):
        run_chips(op, low, max_memory=1000)
    assert CALLS == []


class Nowhere:
    """A sink that lets everything go: what is measured is ours."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def write(self, first, rows):
        return None

    def close(self):
        return ()


def test_memory_stays_while_the_scene_grows(monkeypatch):
    import tracemalloc

    monkeypatch.setattr("geotoolz.patch._drive.open_end", lambda *args: Nowhere())
    op = ApplyToChips(GridSampler(64, 48), BoxMean(1, bands=("red",)), BLEND)
    peaks = []
    for height in (64, 600, 2400):
        scene = simulate_scene((height, 256), bands=("red",))
        tracemalloc.start()
        result = run_chips(op, scene, "nowhere.tif")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.3 * peaks[1] < 1.3 * result.memory < scene.red.nbytes


@pytest.mark.parametrize("how", [Mean(), Median(), Sum(), HardVote(20, fill=255)], ids=repr)
def test_a_result_in_memory_takes_little_more_than_itself(how):
    """Only unfinished rows are held as votes, values or weights, and the weights of gaps are no exception."""
    import tracemalloc

    vote = isinstance(how, HardVote)
    op = ApplyToChips(GridSampler(64, 40), from_function(_classes_or_red(vote)), Stitcher(aggregation=how))
    scene = simulate_scene((3000, 128), bands=("red",))
    scene.red.values[5::700, 9] = np.nan
    run_chips(op, scene.isel(y=slice(100)))  # compiles
    tracemalloc.start()
    found = run_chips(op, scene).tile
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < sum(v.nbytes for v in found.data_vars.values()) + 3_000_000


def _classes_or_red(vote):
    if not vote:
        return lambda ds: ds.assign(red=ds.red.copy())
    return lambda ds: ds[[]].assign(label=(("y", "x"), np.nan_to_num(ds.red.values * 9).astype("u1") % 20))


def test_every_chip_is_read_once_and_some_ahead(scene):
    events = []

    class Seen(DatasetSource):
        def arrays(self, *args, **kwargs):
            events.append("read")
            return super().arrays(*args, **kwargs)

    class Pool(ThreadPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):
            events.append("begun")
            return super().submit(fn, *args, **kwargs)

    with Pool(2) as pool:
        run_chips(blended(), Seen(scene), workers=2, ahead=3, executor=pool)
    assert events.count("begun") == events.count("read") == 36
    assert events.index("begun", 1) < len(events) - 1 - events[::-1].index("read")


# ---- chips that fail ---------------------------------------------------------------------------------------


def test_a_failing_chip_is_named(scene):
    FAIL[24, 48] = 1
    with pytest.raises(ExecutorError, match=r"chip \(1, 2\): RuntimeError: the model had a bad day"):
        run_chips(blended(), scene)


def test_skipped_chips_leave_their_place_to_others(scene):
    whole = run_chips(blended(), scene).tile.red
    FAIL[24, 48] = 9
    result = run_chips(blended(), scene, on_error="skip", workers=3)
    (failure,) = result.failures
    assert (failure.row, failure.col, failure.action, failure.attempts) == (1, 2, "skipped", 1)
    assert "bad day" in failure.error
    found = result.tile.red
    # only the pixels that lie in no other chip: 24 … 47 less what the neighbours cover
    gone = np.isnan(found.values)
    assert gone[32:48, 56:72].all() and gone.sum() == 16 * 16
    same = np.ones(found.shape, bool)
    same[24:56, 48:80] = False
    assert (found.values[same] == whole.values[same]).all()


def test_masked_chips_are_no_data_whatever_others_say(scene):
    FAIL[24, 48] = 9
    found = run_chips(blended(), scene, on_error="mask").tile.red.values
    gone = np.zeros(found.shape, bool)
    gone[24:56, 48:80] = True
    assert (np.isnan(found) == gone).all()


def test_masked_chips_in_a_stream(scene, tmp_path):
    FAIL[24, 48] = 9
    (path,) = run_chips(blended(), scene, tmp_path / "a.tif", on_error="mask").paths
    gone = np.isnan(open_tile(path).red.values)
    assert gone[24:56, 48:80].all() and gone.sum() == 32 * 32


def test_a_retried_chip_is_recorded(scene):
    whole = run_chips(blended(), scene).tile
    FAIL[24, 48] = 2
    result = run_chips(blended(), scene, on_error="retry", retries=2)
    assert [(f.action, f.attempts) for f in result.failures] == [("retried", 3)]
    assert result.tile.identical(whole)
    FAIL[24, 48] = 4
    with pytest.raises(ExecutorError, match="bad day"):
        run_chips(blended(), scene, on_error="retry", retries=2)


def test_skipping_needs_a_value_for_no_data(scene):
    ds = scene[["red"]].assign(red=(scene.red * 100).astype("u1").drop_attrs())
    op = ApplyToChips(GridSampler(32), from_function(_same), Stitcher())
    with pytest.raises(ParameterError, match=r"'red' \(uint8\) has no value for no-data"):
        run_chips(op, ds, on_error="skip")


def _same(ds):
    return ds.copy(deep=True)


def test_a_worker_that_dies_is_told(scene):
    op = ApplyToChips(GridSampler(64), from_function(_suicide), Stitcher())
    with ProcessPoolExecutor(1) as pool, pytest.raises(ExecutorError, match="a worker died around chip"):
        run_chips(op, scene, executor=pool)


def _suicide(ds):
    if os.getpid() != PARENT:
        os._exit(1)
    return ds + 0


PARENT = int(os.environ.setdefault("GTZ_PATCH_PARENT", str(os.getpid())))


def test_nothing_is_left_behind_by_a_run_that_fails(scene, tmp_path):
    FAIL[96, 48] = 1
    with pytest.raises(ExecutorError):
        run_chips(blended(), scene, tmp_path / "a.tif")
    assert list(tmp_path.iterdir()) == []


# ---- the journal -------------------------------------------------------------------------------------------


def test_a_stopped_run_goes_on_and_reads_finished_chips(scene, tmp_path):
    whole = run_chips(blended(), scene).tile
    CALLS.clear()
    FAIL[72, 48] = 1
    with pytest.raises(ExecutorError):
        run_chips(blended(), scene, journal=tmp_path / "j")
    done = len(CALLS)
    CALLS.clear()
    result = run_chips(blended(), scene, tmp_path / "out.zarr", journal=tmp_path / "j")
    assert 15 < result.resumed <= done and (72, 24) not in CALLS and (144, 0) not in CALLS
    np.testing.assert_array_equal(open_zarr(result.paths[0]).red, whole.red)
    CALLS.clear()
    again = run_chips(blended(), scene, journal=tmp_path / "j", workers=3)
    assert again.resumed == 36 and CALLS == [] and again.tile.identical(whole)


def test_a_broken_chip_of_a_journal_is_computed_again(scene, tmp_path):
    whole = run_chips(blended(), scene, journal=tmp_path / "j").tile
    (tmp_path / "j" / "0000007.npz").write_bytes(b"half a fi")
    (tmp_path / "j" / "0000009.npz").unlink()
    result = run_chips(blended(), scene, journal=tmp_path / "j")
    assert result.resumed == 34 and result.tile.identical(whole)


@pytest.mark.parametrize("change", ["chips", "pixels", "operator", "unreadable"])
def test_a_journal_of_another_plan_is_refused(scene, tmp_path, change):
    run_chips(blended(), scene, journal=tmp_path / "j")
    op, source = blended(), scene
    if change == "chips":
        op = blended(stride=23)
    elif change == "pixels":
        source = scene.copy(deep=True)
        source.red.values[0, 0] = 0.5
    elif change == "operator":
        op = blended(BoxMean(2, bands=("red",)))
    else:
        (tmp_path / "j" / "plan.json").write_text("{")
    with pytest.raises(BatchError, match="journal of another plan"):
        run_chips(op, source, journal=tmp_path / "j")


def test_a_function_without_a_name_has_no_journal(scene, tmp_path):
    op = ApplyToChips(GridSampler(32), from_function(lambda ds: ds + 0), Stitcher())
    with pytest.raises(ParameterError, match="cannot tell this operator from others"):
        run_chips(op, scene, journal=tmp_path / "j")


def test_the_journal_says_what_it_is(scene, tmp_path):
    run_chips(blended(), scene, journal=tmp_path / "j")
    assert len(json.loads((tmp_path / "j" / "plan.json").read_text())["plan"]) == 64
    assert not list((tmp_path / "j").glob("*.part"))


def test_bad_options_are_refused(scene):
    for options in ({"workers": 0}, {"ahead": -1}, {"on_error": "ignore"}):
        with pytest.raises(ParameterError):
            run_chips(blended(), scene, **options)
    with pytest.raises(ParameterError, match="the sink is int"):
        run_chips(blended(), scene, 3)
    with pytest.raises(ExecutorError, match="written to"):
        _ = gz.patch.ChipRun(None, ("a.tif",), 1, 0, (), 0).tile
