"""Two pipelines on the same tiles, against both run alone."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest

from geotoolz.core import (
    Assertion,
    BatchError,
    ConfigError,
    Graph,
    Input,
    MissingVariableError,
    ParameterError,
    Plan,
    QCError,
    QCWarning,
    Sequential,
    Switch,
    Tap,
    TileSpec,
    compile,
    run_detailed,
)
from geotoolz.core.testing import data_path, simulate_scene, write_scene
from geotoolz.diff import AB
from geotoolz.diff._both import both
from geotoolz.diff._measures import measure
from geotoolz.diff._pictures import pictures_of
from geotoolz.grid import Resample
from geotoolz.indices import NDVI, NDWI
from geotoolz.io import open_tile
from geotoolz.radiometry import BoxMean, ClassifyByThresholds, PercentileClip, SelectBands, ToFloat32


def scenes(n=3, shape=(40, 30), **options):
    return {
        f"t{i}": simulate_scene(shape, bands=("green", "red", "nir"), seed=i, **options) for i in range(n)
    }


def brute(a, b, name, tiles):
    off = [
        (b(t)[name].values.astype("f8") - a(t)[name].values.astype("f8")).astype("f4").astype("f8").ravel()
        for t in tiles.values()
    ]
    off = np.concatenate(off)
    return off[np.isfinite(off)]


A, B = Sequential([NDVI()]), Sequential([BoxMean(1), NDVI()])


def test_metrics_are_those_of_both_run_alone():
    tiles = scenes()
    report = AB(A, B).run(tiles)
    off = brute(A, B, "ndvi", tiles)
    found = report["ndvi"]
    assert (found.kind, found.metric, found.n) == ("continuous", "rmse", off.size)
    assert found.metrics["rmse"] == pytest.approx(np.sqrt((off**2).mean()), rel=1e-13)
    assert found.metrics["bias"] == pytest.approx(off.mean(), rel=1e-9)
    assert found.metrics["mae"] == pytest.approx(np.abs(off).mean(), rel=1e-13)
    assert found.metrics["max_abs"] == np.abs(off).max()
    assert found.metrics["q95"] == pytest.approx(np.quantile(off, 0.95), rel=1 / 128)
    one = brute(A, B, "ndvi", {"t1": tiles["t1"]})
    assert found.tiles[1].metrics["rmse"] == pytest.approx(np.sqrt((one**2).mean()), rel=1e-13)
    low, high = found.intervals["rmse"]
    assert low <= found.metrics["rmse"] <= high
    assert report.tiles == ("t0", "t1", "t2") and report.passed and report.exit_code == 0
    with pytest.raises(MissingVariableError, match=r"'ndvii' was not compared.*'ndvi'"):
        report["ndvii"]


def test_equal_pipelines_differ_by_nothing():
    report = AB(B, B).run(scenes())
    assert report.diff.equal and report["ndvi"].metrics["max_abs"] == 0.0
    assert report["ndvi"].n == 3 * 1200


def test_what_begins_alike_runs_once_and_is_read_once():
    tile = simulate_scene((20, 20))
    spec = TileSpec.of(tile)
    alone = [
        len(compile(op, spec, ("ndvi",)).instructions) for op in (B, Sequential([*B, BoxMean(1, ("ndvi",))]))
    ]
    joint = compile(both(B, Sequential([*B, BoxMean(1, ("ndvi",))])), spec, ())
    assert len(joint.instructions) == max(alone) < sum(alone)
    other = compile(both(A, Sequential([NDWI()])), spec, ())
    assert sorted(other.inputs) == []  # nothing in common is made, nothing is read
    read = compile(both(A, Sequential([NDVI("red", "nir"), NDWI()]), variables=("ndvi",)), spec, ())
    assert sorted(read.inputs) == ["nir", "red"] and len(read.instructions) == 1
    scene = Input("scene")
    graph = Graph({"scene": scene}, outputs={"out": NDVI()(BoxMean(1)(scene))})
    assert len(compile(both(B, graph), spec, ()).instructions) == alone[0]


@pytest.mark.parametrize("window", [None, (7, 11), (40, 3)])
def test_windows_and_threads_change_no_bit(window):
    tile = simulate_scene((40, 30))
    joint = both(A, B, step=3)
    found = run_detailed(joint, tile, outputs=(), write=False, window=window, threads=3)
    whole = run_detailed(joint, tile, outputs=(), write=False, threads=1)
    mine, other = (r.statistics["compare[ndvi]"] for r in (found, whole))
    assert measure("continuous", mine.gathered) == measure("continuous", other.gathered)
    assert np.array_equal(mine.gathered.differences.cells, other.gathered.differences.cells)
    assert np.array_equal(mine.thumbs, other.thumbs, equal_nan=True)
    assert np.array_equal(mine.thumbs[1], B(tile).ndvi.values[::3, ::3], equal_nan=True)


def test_large_tiles_are_read_in_strips(tmp_path, monkeypatch):
    import geotoolz.batch._compute as batch

    path = write_scene({"shape": (90, 40)}, tmp_path)
    whole = AB(A, B).run([path])
    monkeypatch.setattr(batch, "STREAM_ABOVE", 0)
    monkeypatch.setattr(batch, "STRIP_ROWS", 32)
    assert AB(A, B).run([path]).to_json() == whole.to_json()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_the_order_of_tiles_changes_their_list_only(order):
    tiles = list(scenes().items())
    report = AB(A, B).run(dict(tiles[i] for i in order))
    first = AB(A, B).run(dict(tiles))
    assert report["ndvi"].metrics == first["ndvi"].metrics
    assert [w.tile_id for w in report["ndvi"].worst] == [w.tile_id for w in first["ndvi"].worst]


def test_classes():
    a = Sequential([NDVI(), ClassifyByThresholds("ndvi", (0.2, 0.5), names=("low", "mid", "high"))])
    b = Sequential([NDVI(), ClassifyByThresholds("ndvi", (0.3, 0.5), names=("low", "mid", "high"))])
    tiles = scenes()
    report = AB(a, b).run(tiles)
    (name,) = (n for n in report.variables if n != "ndvi")
    found = report[name]
    assert (found.kind, found.metric) == ("classes", "agreement")
    one, two = (np.concatenate([op(t)[name].values.ravel() for t in tiles.values()]) for op in (a, b))
    assert found.metrics["agreement"] == (one == two).mean()
    low = found.classes[0]
    assert (
        low.name == "low"
        and low.pixels_b - low.pixels_a == (two == low.value).sum() - (one == low.value).sum()
    )
    assert low.iou == pytest.approx(
        ((one == low.value) & (two == low.value)).sum() / ((one == low.value) | (two == low.value)).sum()
    )
    assert found.confusion().sum() == found.n and np.trace(found.confusion()) == (one == two).sum()
    assert "class low:" in report.summary()


def test_by_classes_of_another_variable():
    tiles = {f"t{i}": simulate_scene((30, 20), seed=i) for i in range(2)}
    assert len(np.unique(tiles["t0"].scl)) > 1
    report = AB(A, B, by="scl").run(tiles)
    found = report["ndvi"]
    off = {n: (B(t).ndvi.values.astype("f8") - A(t).ndvi.values).astype("f4") for n, t in tiles.items()}
    total = 0
    for value in np.unique([t.scl.values for t in tiles.values()]):
        if value == 0:
            continue
        here = np.concatenate([off[n][t.scl.values == value] for n, t in tiles.items()]).astype("f8")
        held = found.by[names_of(tiles["t0"].scl)[int(value)]]
        assert held["pixels"] == np.isfinite(here).sum()
        assert held["rmse"] == pytest.approx(np.sqrt((here[np.isfinite(here)] ** 2).mean()), rel=1e-12)
        total += held["pixels"]
    assert total == found.n and "  in vegetation: " in report.summary() and "vegetation" in report.to_html()
    tapped = AB(Sequential([Tap(print_nothing), NDVI()]), B, by="scl").run(tiles)
    assert tapped["ndvi"].by == found.by
    worst = max(held["rmse"] for held in found.by.values())
    assert found.metrics["rmse"] < worst
    rules = {"variables": {"ndvi": {"per_class": {"rmse": worst * 0.999}}}}
    assert len(report.judged(rules).verdict.failures) == 1
    with_threads = AB(A, B, by="scl").run(tiles, engine="inline")
    assert with_threads.to_json() == report.to_json()
    assert "holds measurements" in AB(A, B, by="red").run(tiles).failed["t0"]
    assert "by='lulc' is neither" in AB(A, B, by="lulc").run(tiles).failed["t0"]


def print_nothing(tile):
    """Look at nothing."""


def names_of(variable):
    return dict(zip(variable.attrs["flag_values"], variable.attrs["flag_meanings"].split(), strict=True))


def test_probabilities_and_kinds():
    tile = simulate_scene((16, 16), bands=("red", "nir"))
    report = AB(BoxMean(1), BoxMean(2), kinds={"red": "probability"}, metric={"nir": "mae"}).run(tile)
    assert report["red"].metric == "jensen_shannon" and report["nir"].metric == "mae"
    assert report["red"].metrics["brier"] == pytest.approx(report["red"].metrics["rmse"] ** 2)
    assert report["red"].metrics["kl"] > 0


def test_metric_by_name_or_by_label():
    class RMSE:
        label = "rmse"

    assert AB(A, B, metric=RMSE()).run(scenes(2))["ndvi"].metric == "rmse"
    assert AB(A, B, metric="agreement").run(scenes(2))["ndvi"].metric == "rmse"  # does not fit
    with pytest.raises(ParameterError, match=r"'rmsee'.*'rmse'"):
        AB(A, B, metric="rmsee")
    with pytest.raises(ParameterError, match="kinds"):
        AB(A, B, kinds={"ndvi": "numbers"})
    with pytest.raises(ParameterError, match="confidence"):
        AB(A, B, confidence=1.0)
    with pytest.raises(ParameterError, match="worst"):
        AB(A, B, worst=-1)
    with pytest.raises(ConfigError, match="no preset"):
        AB("nope", B)


def test_what_one_makes_alone_and_chosen_variables():
    report = AB(A, Sequential([NDVI(), NDWI()])).run(scenes(2))
    assert report.only_b == {"ndwi": 2} and report.only_a == {}
    assert "only the second pipeline makes ndwi (2 tiles)" in report.summary()
    chosen = AB(A, B, variables=("ndvi", "red")).run(scenes(2))
    assert set(chosen.variables) == {"ndvi", "red"}
    failed = AB(A, B, variables=("evi",)).run(scenes(2)).failed
    assert "neither pipeline makes evi" in failed["t0"]


def test_outputs_that_cannot_be_compared_are_named():
    coarse = Sequential([NDVI(), Resample(resolution=20.0)])
    report = AB(A, coarse).run(scenes(2))
    assert report.different["t0"]["ndvi"].startswith("grid: 40 × 30 and 20 × 15")
    assert not report.variables and not report.passed and "not compared: t1 ndvi" in report.summary()
    other = Sequential([NDVI(), ClassifyByThresholds("ndvi", (0.2,), name="ndvi")])
    assert "values: continuous and classes" in AB(A, other).run(scenes(1)).different["t0"]["ndvi"]


def test_types_and_no_data_that_differ_are_noted():
    tiles = {"t": simulate_scene((16, 16), raw=True, bands=("red",))}
    report = AB(SelectBands(("red",)), ToFloat32(("red",))).run(tiles)
    assert any("data type: uint16 and float32" in note for note in report.notes)
    assert report["red"].metrics["max_abs"] == 0.0


def test_a_tile_on_which_one_fails_is_named_and_the_others_count():
    tiles = scenes(3)
    tiles["t1"].attrs["processing_level"] = "L0"
    level = Switch("processing_level", {"L2A": NDVI()})
    report = AB(A, level).run(tiles)
    assert list(report.failed) == ["t1"] and "b (Switch): processing_level is 'L0'" in report.failed["t1"]
    assert report.tiles == ("t0", "t2") and report.exit_code == 3 and not report.passed
    off = brute(A, A, "ndvi", {k: tiles[k] for k in ("t0", "t2")})
    assert report["ndvi"].n == off.size


class AssertNothing(Assertion):
    """Fails on every tile."""

    def plan(self, tile: TileSpec) -> Plan:
        return Plan((tile.find("red"),))

    def init(self, tile, previous=None):
        return None

    def update(self, state, *arrays):
        return None

    def merge(self, a, b):
        return None

    def finish(self, state):
        return None

    def decide(self, result, tile):
        raise QCError("nothing is good enough")


class AssertDoubt(AssertNothing):
    """Warns on every tile."""

    def decide(self, result, tile):
        warnings.warn("this looks odd", QCWarning, stacklevel=2)


def test_warnings_of_checks_are_notes():
    report = AB(A, Sequential([NDVI(), AssertDoubt()])).run(scenes(2))
    assert report.notes == {"this looks odd": 2} and report.passed


def test_a_variable_of_two_kinds_counts_where_it_is_frequent():
    tiles = scenes(3)
    tiles["t0"].attrs["processing_level"] = "L1C"
    classes = ClassifyByThresholds("ndvi", (0.2,), name="cover")
    made = Sequential([NDVI(), Switch("processing_level", {"L2A": classes}, default=NDVI(name="cover"))])
    for order in (("t0", "t1", "t2"), ("t2", "t0", "t1")):
        report = AB(made, made, variables=("cover",)).run({name: tiles[name] for name in order})
        assert report["cover"].kind == "classes" and len(report["cover"].tiles) == 2
        assert report.different == {"t0": {"cover": "values: continuous, and classes on other tiles"}}


def test_a_failed_check_is_a_failed_tile(tmp_path, monkeypatch):
    checked = Sequential([NDVI(), AssertNothing()])
    report = AB(A, checked).run(scenes(2))
    assert "nothing is good enough" in report.failed["t0"] and not report.variables
    import geotoolz.batch._compute as batch

    path = write_scene({"shape": (40, 40)}, tmp_path)
    monkeypatch.setattr(batch, "STREAM_ABOVE", 0)
    assert "nothing is good enough" in next(iter(AB(A, checked).run([path]).failed.values()))


def test_steps_that_cannot_be_planned():
    seen = []
    tapped = Sequential([BoxMean(1), Tap(seen.append), NDVI()])
    tiles = scenes(2)
    report = AB(A, tapped).run(tiles)
    assert report["ndvi"].metrics == AB(A, B).run(tiles)["ndvi"].metrics and len(seen) == 2
    assert [w.pictures for w in report["ndvi"].worst] == [
        w.pictures for w in AB(A, B).run(tiles)["ndvi"].worst
    ]


def test_graphs_with_several_outputs():
    scene = Input("scene")
    one = Graph({"scene": scene}, outputs={"veg": NDVI()(scene), "soft": BoxMean(1, ("red",))(scene)})
    two = Graph(
        {"scene": scene}, outputs={"veg": NDVI()(BoxMean(1)(scene)), "soft": BoxMean(1, ("red",))(scene)}
    )
    tiles = scenes(2)
    report = AB(one, two).run(tiles)
    off = brute(A, B, "ndvi", tiles)
    assert report["veg/ndvi"].metrics["rmse"] == pytest.approx(np.sqrt((off**2).mean()), rel=1e-13)
    many = Graph({"a": Input("a"), "b": Input("b")}, outputs={"x": NDVI()(Input("a"))})
    failed = AB(many, many).run(tiles).failed["t0"]
    assert "inputs a, b" in failed


def test_statistics_of_the_tile_are_found_first():
    a = Sequential([NDVI(), PercentileClip(bands=("ndvi",))])
    b = Sequential([NDVI(), PercentileClip(p_min=10.0, bands=("ndvi",))])
    tiles = scenes(2)
    off = brute(a, b, "ndvi", tiles)
    assert AB(a, b).run(tiles)["ndvi"].metrics["rmse"] == pytest.approx(np.sqrt((off**2).mean()), rel=1e-13)


def test_two_groups_drift_and_worst_tiles():
    tiles = {}
    for i in range(12):
        tile = simulate_scene((16, 16), bands=("red", "nir"), seed=i)
        tile.attrs["datetime"] = f"20{10 + i:02d}-06-01T00:00:00Z"
        tile.attrs["processing_level"] = "L2A" if i < 10 else "L1C"
        tiles[f"t{i:02d}"] = tile
    b = Switch("processing_level", {"L2A": NDVI()}, default=Sequential([BoxMean(3), NDVI()]))
    found = AB(NDVI(), b, worst=3).run(tiles)["ndvi"]
    assert found.bimodality.flagged and found.bimodality.worse == ("t10", "t11")
    assert [w.tile_id for w in found.worst][:2] == sorted(
        ("t10", "t11"), key=lambda t: -found.values[int(t[1:])]
    )
    assert {d.along for d in found.drifts} >= {"time"} and found.drifts[0].tiles == 12
    assert found.distribution["median"] == 0.0
    summary = "\n".join(line for line in AB(NDVI(), b, worst=3).run(tiles).summary().splitlines())
    assert "two groups of tiles" in summary and "drift along time" in summary
    for worst in found.worst:
        assert list(worst.pictures) == ["a", "b", "difference"]
        assert all(png.startswith(b"\x89PNG") for png in worst.pictures.values())


def test_lazy_tiles():
    dask = pytest.importorskip("dask", reason="lazy tiles need dask")
    assert dask is not None
    tiles = scenes(1)
    lazy = {name: tile.chunk({"y": 16}) for name, tile in tiles.items()}
    assert AB(A, B).run(lazy)["ndvi"].metrics == AB(A, B).run(tiles)["ndvi"].metrics


def test_tiles_that_are_none():
    with pytest.raises(BatchError, match="there is no tile"):
        AB(A, B).run({})
    same = simulate_scene((8, 8))
    with pytest.raises(BatchError, match="more than once"):
        AB(A, B).run([same, same])
    with pytest.raises(BatchError, match="is a int"):
        AB(A, B).run({"a": same, "b": 3})
    with pytest.raises(BatchError, match="catalog of type int"):
        AB(A, B).run(3)
    empty = AB(A, B).run({"e": same.isel(y=slice(0, 0))})
    assert (
        empty["ndvi"].n == 0
        and math.isnan(empty["ndvi"].metrics["rmse"])
        and empty["ndvi"].worst[0].pictures == {}
    )
    json.loads(empty.to_json())
    assert "none has a pixel in both" in empty.summary() and "<svg" in empty.to_html()


def test_stacks():
    import xarray as xr

    tiles = [simulate_scene((12, 10), bands=("red", "nir"), seed=i) for i in range(3)]
    stack = xr.concat([t.drop_vars("time", errors="ignore") for t in tiles], "time", combine_attrs="override")
    report = AB(A, B).run({"s": stack})
    assert report["ndvi"].n == 3 * 120


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")  # the scenes were reduced to 120 m
def test_real_scenes():
    catalog = [data_path(f"s2_l2a_33TWL_croatia/S2B_33TWL_202308{day}_0_L2A") for day in (10, 20)]
    report = AB(A, B).run(catalog, read={"bands": ["red", "nir"]})
    alone = [open_tile(path, bands=["red", "nir"]) for path in catalog]
    off = brute(A, B, "ndvi", dict(enumerate(alone)))
    assert report["ndvi"].n == off.size
    assert report["ndvi"].metrics["rmse"] == pytest.approx(np.sqrt((off**2).mean()), rel=1e-13)
    assert len(report["ndvi"].tiles) == 2 and report["ndvi"].tiles[0].datetime.startswith("2023-08-10")
    lon, lat = report["ndvi"].tiles[0].place
    assert 15 < lon < 17 and 45 < lat < 46.5


def test_page_is_whole_and_escaped():
    tile = simulate_scene((16, 16), bands=("red", "nir"))
    report = AB(NDVI(), B).run({"<img src=x onerror=alert(1)>": tile})
    text = report.to_html()
    assert "<img src=x" not in text and "&lt;img src=x" in text and "<script" not in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert text.count("data:image/png;base64,") == 3 and report._repr_html_() in text


def decoded(png):
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.MemoryFile(png) as held, held.open() as picture:
            return picture.read().transpose(1, 2, 0)


def test_pictures_are_red_where_the_second_is_larger():
    thumbs = np.array([[[0.0, 0.5, 0.5, np.nan]], [[1.0, 0.5, 0.0, 0.5]]], np.float32)
    found = {name: decoded(png) for name, png in pictures_of("continuous", thumbs, {}).items()}
    larger, same, smaller, nothing = found["difference"][0].astype(int)
    assert larger[0] > larger[2] and smaller[2] > smaller[0] and nothing[3] == 0
    assert min(same[:3]) > 200 and found["a"][0, 3, 3] == 0 and found["b"][0, 3, 3] == 255
    classes = np.array([[[1.0, 2.0, np.nan]], [[1.0, 3.0, np.nan]]], np.float32)
    legend = {"flag_values": [1, 2, 3], "flag_meanings": "low mid high", "quantity": "flags"}
    for attrs in (legend, {}):
        drawn = {name: decoded(png) for name, png in pictures_of("classes", classes, attrs).items()}
        assert tuple(drawn["difference"][0, 1, :3]) == (197, 48, 48) and drawn["difference"][0, 2, 3] == 0
        assert tuple(drawn["a"][0, 0]) == tuple(drawn["b"][0, 0]) != tuple(drawn["b"][0, 1])
