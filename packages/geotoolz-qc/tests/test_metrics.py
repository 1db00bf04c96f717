"""Metrics by hand, on bad input, on two tiles; and that no cut changes a bit."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

import geotoolz as gz
from geotoolz.core import (
    GridMismatchError,
    MissingVariableError,
    ParameterError,
    QuantityError,
    TileError,
    TileSpec,
    check,
    tile_from_arrays,
)
from geotoolz.core.testing import contract_tile, data_path
from geotoolz.metrics import (
    MAE,
    R2,
    RMSE,
    Bias,
    ConfusionCounts,
    ConfusionMatrix,
    CrossEntropy,
    Histogram,
    IoU,
    KLDivergence,
    MeanScalar,
    Score,
    SummaryStats,
    compare,
)

NAN = float("nan")


def tile(nodata: dict[str, Any] | None = None, shift: float = 0.0, **bands: Any) -> xr.Dataset:
    arrays = {name: np.atleast_2d(values) for name, values in bands.items()}
    shape = next(iter(arrays.values())).shape[-2:]
    box = GeoBox(shape, Affine(10, 0, 5e5 + shift, 0, -10, 5e6), "EPSG:32633")
    return tile_from_arrays(arrays, box, nodata=nodata)


# ---- by hand -----------------------------------------------------------------------------------------------


def test_scores_by_hand() -> None:
    ds = tile(
        {"truth": 0},
        predicted=np.array([1, 2, 5, NAN, 9, np.inf], "f4"),
        truth=np.array([1, 4, 1, 2, 0, 7], "u2"),
    )
    # three pairs: 1|1, 2|4, 5|1
    assert RMSE()(ds) == math.sqrt(20 / 3)
    assert MAE()(ds) == 2.0
    assert Bias()(ds) == 2 / 3
    assert R2()(ds) == 1 - 20 / 6
    assert (RMSE()(ds).n, RMSE()(ds).left_out) == (3, 3)
    assert RMSE()(ds).to_dict() == {"metric": "rmse", "value": math.sqrt(20 / 3), "n": 3, "left_out": 3}


def test_unsigned_numbers_do_not_wrap() -> None:
    ds = tile(predicted=np.array([[1, 2]], "u1"), truth=np.array([[255, 254]], "u1"))
    assert (Bias()(ds), MAE()(ds)) == (-253.0, 253.0)


def test_large_offsets_cost_no_digits() -> None:
    values = 1e9 + np.array([0.0, 1.0, 2.0, 3.0])
    ds = tile(predicted=values + np.array([0.5, -0.5, 0.5, -0.5]), truth=values)
    assert R2()(ds) == 1 - 1 / 5
    found = SummaryStats(("truth",))(ds)["truth"]
    assert (found.mean, found.std) == (1e9 + 1.5, math.sqrt(1.25))


def test_nothing_valid_is_nan_and_counted() -> None:
    ds = tile(predicted=np.full((2, 2), NAN, "f4"), truth=np.ones((2, 2), "f4"))
    for op in (RMSE(), MAE(), Bias(), R2(), CrossEntropy(), KLDivergence()):
        score = op(ds)
        assert math.isnan(score) and (score.n, score.left_out) == (0, 4)
        assert json.loads(json.dumps(score.to_dict()))["value"] is None
    assert ConfusionMatrix()(ds.fillna(NAN)).n == 0
    assert math.isnan(float(IoU()(ds))) and IoU()(ds).left_out == 4
    summary = SummaryStats(("predicted",))(ds)["predicted"]
    assert (summary.n, summary.left_out) == (0, 4) and math.isnan(summary.mean)
    found = Histogram("predicted", 4)(ds)
    assert found.edges == (0.0, 0.25, 0.5, 0.75, 1.0) and found.n == 0 and found.left_out == 4


def test_empty_tiles() -> None:
    ds = contract_tile((0, 5))
    assert math.isnan(RMSE("red", "nir")(ds)) and RMSE("red", "nir")(ds).left_out == 0
    assert ConfusionMatrix("scl", "scl")(ds).matrix == ()
    assert ConfusionMatrix("scl", "scl", classes=(1, 2))(ds).matrix == ((0, 0), (0, 0))


def test_r2_of_a_constant_truth_is_unknown() -> None:
    ds = tile(predicted=np.array([[1.0, 2.0]]), truth=np.array([[5.0, 5.0]]))
    assert math.isnan(R2()(ds))
    assert math.isnan(R2()(tile(predicted=np.array([[1.0]]), truth=np.array([[5.0]]))))


def test_confusion_by_hand() -> None:
    ds = tile(
        {"truth": 255}, predicted=np.array([1, 1, 2, 2, 3, 1]), truth=np.array([1, 1, 1, 2, 2, 255], "u1")
    )
    ds["truth"].attrs.update(flag_values=[1, 2, 3, 255], flag_meanings="water field town fill")
    found = ConfusionMatrix()(ds)
    assert found.classes == (1, 2, 3) and found.labels == ("water", "field", "town")
    assert found.matrix == ((2, 1, 0), (0, 1, 1), (0, 0, 0)) and found.left_out == 1
    assert found.overall_accuracy == 3 / 5
    assert found.producers_accuracy[:2] == (2 / 3, 1 / 2) and math.isnan(found.producers_accuracy[2])
    assert found.users_accuracy == (1.0, 0.5, 0.0)
    assert found.iou == (2 / 3, 1 / 3, 0.0) and found.mean_iou == 1 / 3
    assert found.kappa == (5 * 3 - (3 * 2 + 2 * 2)) / (25 - (3 * 2 + 2 * 2))
    assert (found + found).matrix == ((4, 2, 0), (0, 2, 2), (0, 0, 0))
    assert json.loads(json.dumps(found.to_dict()))["producers_accuracy"][2] is None
    assert str(found).splitlines()[1].split() == ["water", "2", "1", "0"]
    with pytest.raises(ParameterError, match="same classes"):
        found + ConfusionCounts((1,), ((1,),))


def test_signed_and_unsigned_bytes_and_masks() -> None:
    ds = tile(predicted=np.array([-128, -1, 0, 127], "i1"), truth=np.array([0, 255, 200, 127], "u1"))
    assert ConfusionMatrix()(ds).classes == (-128, -1, 0, 127, 200, 255)
    ds = tile(predicted=np.array([True, True, False]), truth=np.array([1.0, 0.0, NAN]))
    assert ConfusionMatrix()(ds).matrix == ((0, 1), (0, 1))
    found = IoU()(ds)
    assert (found.both, found.only_predicted, found.neither, found.left_out) == (1, 1, 0, 1)
    assert found.iou == 0.5 and (found + found).both == 2


def test_entropies_by_hand() -> None:
    ds = tile(predicted=np.array([0.25, 0.5, 1.0]), truth=np.array([1, 0, 1]))
    assert CrossEntropy()(ds) == pytest.approx((math.log(4) + math.log(2)) / 3, rel=1e-15)
    impossible = tile(predicted=np.array([0.0]), truth=np.array([1]))
    assert CrossEntropy()(impossible) == math.inf
    others = tile(a=np.array([0.2]), b=np.array([0.5]), c=np.array([0.3]), truth=np.array([30]))
    found = CrossEntropy(("a", "b", "c"), classes=(10, 20, 30))(others)
    assert found == pytest.approx(-math.log(0.3), rel=1e-15)
    same = tile(predicted=np.array([0.0, 1.0, 0.3]), truth=np.array([0.0, 1.0, 0.3]))
    assert KLDivergence()(same) == 0
    assert KLDivergence()(tile(predicted=np.array([0.0]), truth=np.array([0.5]))) == math.inf
    half = tile(predicted=np.array([0.25]), truth=np.array([0.5]))
    assert KLDivergence()(half) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3), rel=1e-14)


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60),
    st.integers(1, 40),
    st.one_of(st.none(), st.tuples(st.floats(-10, 0), st.floats(0.1, 10))),
)
def test_histograms_are_numpys(values: list[float], bins: int, limits: tuple[float, float] | None) -> None:
    ds = tile(red=np.array(values, "f4"))
    found = Histogram("red", bins, limits)(ds)
    try:
        counts, edges = np.histogram(np.array(values, "f4").astype("f8"), bins, limits)
    except ValueError:  # "too many bins for data range": NumPy refuses edges that coincide
        return
    assert found.counts == tuple(counts.tolist()) and found.edges == tuple(edges.tolist())


def test_histograms_add_up() -> None:
    ds = contract_tile()
    whole = Histogram("red", 9, (0, 1))(ds)
    parts = [Histogram("red", 9, (0, 1))(ds.isel(y=rows)) for rows in (slice(0, 10), slice(10, None))]
    assert parts[0] + parts[1] == whole
    assert sum(d * 1 / 9 for d in whole.density) == pytest.approx(1)
    with pytest.raises(ParameterError, match="same edges"):
        whole + Histogram("red", 9, (0, 2))(ds)


# ---- the cut -----------------------------------------------------------------------------------------------

OPS = (RMSE(), MAE(), Bias(), R2())


@settings(max_examples=60)
@given(
    st.lists(st.tuples(*[st.floats(width=64, allow_subnormal=False)] * 2), min_size=1, max_size=50),
    st.data(),
)
def test_any_split_of_the_pixels_gives_the_same_bits(pairs: list[tuple[float, float]], data: Any) -> None:
    said, true = (np.array(side) for side in zip(*pairs, strict=True))
    where = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs))))
    order = data.draw(st.permutations(range(4)))
    ds = tile(predicted=said, truth=true)
    for op in (*OPS, SummaryStats()):
        spec = TileSpec.of(ds)
        arrays = (said, true)
        whole = op.finish(op.update(op.init(spec), *arrays))
        states = [op.update(op.init(spec), *(one[where == part] for one in arrays)) for part in order]
        merged = states[0]
        for state in states[1:]:
            merged = op.merge(merged, state)
        assert repr(op.finish(merged)) == repr(whole)


def test_scores_sort_pickle_and_compute() -> None:
    one, two = Score(0.5, "rmse", 3, 1), Score(0.25, "rmse", 4, 0)
    assert sorted([one, two], key=lambda s: -s) == [one, two] and one + two == 0.75
    again = pickle.loads(pickle.dumps(one))
    assert repr(again) == repr(one) == "Score(0.5, 'rmse', n=3, left_out=1)"


def test_stacks_count_all_dates() -> None:
    ds = contract_tile((9, 11), times=3)
    found = RMSE("red", "nir")(ds)
    alone = [RMSE("red", "nir")(ds.isel(time=i, drop=True)) for i in range(3)]
    assert found.n == sum(one.n for one in alone)
    assert found == pytest.approx(math.sqrt(sum(one**2 * one.n for one in alone) / found.n), rel=1e-14)


# ---- two tiles ---------------------------------------------------------------------------------------------


def test_two_tiles_band_by_band() -> None:
    a = tile(red=np.array([[1.0, 2.0]]), nir=np.array([[5.0, 5.0]]), blue=np.array([[0.0, 0.0]]))
    b = tile(red=np.array([[1.0, 4.0]]), nir=np.array([[5.0, 6.0]]), green=np.array([[0.0, 0.0]]))
    found = compare(a, b)
    assert set(found.bands) == {"red", "nir"} and found.only_a == ("blue",) and found.only_b == ("green",)
    assert found["red"]["rmse"] == math.sqrt(2) and found["nir"]["bias"] == -0.5
    assert json.loads(json.dumps(found.to_dict()))["bands"]["red"]["mae"]["value"] == 1.0
    assert set(compare(a, b, [RMSE()], bands=["nir"]).bands) == {"nir"}
    # the metric itself takes all bands together
    assert RMSE()(a, b) == math.sqrt(5 / 4) and RMSE()(a, b).n == 4
    with pytest.raises(MissingVariableError, match="did you mean 'red'"):
        found["rod"]


def test_sensors_names_find_each_other() -> None:
    a = tile(red=np.ones((2, 2)), nir=np.ones((2, 2)))
    b = tile(B04=np.ones((2, 2)), B08=np.zeros((2, 2))).assign_attrs(platform="sentinel-2a")
    found = compare(a, b, [Bias()])
    assert found["red"]["bias"] == 0 and found["nir"]["bias"] == 1


def test_class_maps_of_two_tiles() -> None:
    a = contract_tile()[["scl"]]
    found = compare(a, a, [ConfusionMatrix(), IoU(positive=4)])["scl"]
    assert found["confusion"].overall_accuracy == 1 and found["iou"].iou == 1
    assert ConfusionMatrix()(a, a) == found["confusion"]


CLASSES = {"flag_values": [1, 2, 3], "flag_meanings": "water field town", "quantity": "flags"}


def class_map(values: list[int], **attrs: Any) -> xr.Dataset:
    ds = tile(cls=np.array(values, "u1"))
    ds["cls"].attrs.update({**CLASSES, **attrs})
    return ds


def test_contradicting_meanings_are_refused() -> None:
    a, b = class_map([1, 2, 2]), class_map([1, 2, 3], flag_meanings="water town field")
    for metric in (ConfusionMatrix(), IoU()):
        with pytest.raises(QuantityError, match=r"2 is 'field' in predicted and 'town' in truth.*renumber"):
            metric(a, b)
        with pytest.raises(QuantityError, match="do not mean the same"):
            compare(a, b, [metric])
    assert ConfusionMatrix()(a, class_map([1, 2, 3], flag_meanings="Water Field TOWN")).n == 3
    bare = tile(cls=np.array([1, 2, 3], "u1"))  # says nothing, and contradicts nothing
    assert ConfusionMatrix()(bare, a).labels == ("water", "field", "town")


def test_classes_are_no_measurements() -> None:
    a, b = class_map([1, 2, 2, 1]), class_map([1, 2, 3, 2])
    for metric in (RMSE(), MAE(), Bias(), R2()):
        with pytest.raises(QuantityError, match=r"'cls' holds classes.*ConfusionMatrix\(\) or IoU"):
            metric(a, b)
    with pytest.raises(QuantityError, match="'cls' holds classes"):
        compare(a, b)
    with pytest.raises(QuantityError, match="'cls' holds classes"):
        compare(a, b, [RMSE()], bands=["cls"])
    with pytest.raises(QuantityError, match="'cls' holds classes"):
        RMSE()(tile(cls=np.ones(4, "u1")), b)
    assert float(IoU()(a, b)) == 0.5 and float(IoU(positive=2)(a, b)) == 1 / 3
    beside = a.assign(tile(red=np.array([0.5, 0.25, 0.5, 0.5])).data_vars)
    assert IoU()(beside, beside).iou == 1 and RMSE()(beside, beside) == 0


def test_a_confusion_is_told_in_words() -> None:
    a, b = class_map([1, 2, 2, 1]), class_map([1, 2, 3, 2])
    lines = str(compare(a, b, [ConfusionMatrix(), IoU()])).splitlines()
    assert lines[0].startswith("cls: overall accuracy 0.5, kappa ") and "iou 0.5" in lines[0]
    assert "rows are true, columns predicted" in lines[0]
    assert lines[1].split() == ["water", "field", "town"] and lines[3].split() == ["field", "1", "1", "0"]


def test_different_grids_and_dates_are_refused() -> None:
    a = tile(red=np.ones((2, 2)))
    for other in (tile(shift=5, red=np.ones((2, 2))), tile(red=np.ones((2, 3)))):
        with pytest.raises(GridMismatchError, match=r"first tile has 2 × 2 .*MatchGrid"):
            compare(a, other)
        with pytest.raises(GridMismatchError):
            RMSE()(a, other)
    stack = contract_tile((4, 4), times=2)
    later = stack.assign_coords(time=stack.time + np.timedelta64(1, "D"))
    with pytest.raises(GridMismatchError, match="'time'"):
        compare(stack, later)
    with pytest.raises(MissingVariableError, match="band in both"):
        compare(a, tile(nir=np.ones((2, 2))))
    with pytest.raises(MissingVariableError, match="did you mean 'red'"):
        compare(a, a, bands=["rad"])
    with pytest.raises(ParameterError, match="Histogram compares no pairs"):
        compare(a, a, [Histogram("red")])  # type: ignore[list-item]


# ---- bad input ---------------------------------------------------------------------------------------------


def test_unknown_variables_are_refused() -> None:
    ds = contract_tile((4, 4))
    for op in (RMSE("rod", "nir"), IoU("mask", "rod"), MeanScalar("rod"), Histogram("rod"),
               SummaryStats(("rod",)), CrossEntropy("rod", "mask"), KLDivergence("red", "rod"),
               ConfusionMatrix("rod", "scl")):  # fmt: skip
        with pytest.raises(MissingVariableError, match="did you mean 'red'"):
            op(ds)


def test_bad_pairs_are_refused() -> None:
    ds = contract_tile((4, 4), times=2)
    ds["flat"] = ds.red.isel(time=0, drop=True)
    ds["texts"] = ds.red.dims, np.full(ds.red.shape, "a")
    for op in (RMSE, MAE, Bias, R2):
        with pytest.raises(TileError, match="equal dims"):
            op("red", "flat")(ds)
        with pytest.raises(TileError, match="texts, which is <U1"):
            op("red", "texts")(ds)
        with pytest.raises(ParameterError):
            op(3)


def test_pairs_of_different_quantities_are_doubted() -> None:
    (finding,) = check(RMSE("red", "foreign"), contract_tile((4, 4)))
    assert finding.level == "warning" and "comparable" in finding.message


def test_classes_out_of_range_are_refused() -> None:
    ds = tile(predicted=np.array([1, 7, 7, 2]), truth=np.array([1, 1, 2, 2], "u1"))
    with pytest.raises(TileError, match=r"predicted holds 7 \(2 pixels\); expected the classes 1, 2"):
        ConfusionMatrix(classes=(1, 2))(ds)
    for classes in ((), (1, 1)):
        with pytest.raises(ParameterError):
            ConfusionMatrix(classes=classes)
    with pytest.raises(TileError, match=r"truth holds 2 in 1 pixels; expected the classes 0, 1"):
        CrossEntropy()(tile(predicted=np.array([0.5, 0.5]), truth=np.array([2, 1])))


def test_measurements_are_no_classes_and_refused() -> None:
    ds = contract_tile((8, 8), gaps=False)
    for op in (ConfusionMatrix("red", "scl"), IoU("red", "mask")):
        with pytest.raises(TileError, match=r"64 pixels whose value is no whole number.*RMSE"):
            op(ds)
    many = np.arange(1200 * 1200).reshape(1200, 1200)
    with pytest.raises(TileError, match="more than 1048576 different pairs"):
        ConfusionMatrix()(tile(predicted=many, truth=many))


def test_bad_probabilities_are_refused() -> None:
    ds = tile(
        a=np.array([0.5, 0.5]), b=np.array([0.5, 0.7]), predicted=np.array([0.5, 80]), truth=np.array([0, 1])
    )
    with pytest.raises(QuantityError, match=r"1 pixels have .*sums 1 … 1\.2.*expected 0 … 1"):
        CrossEntropy(("a", "b"))(ds)
    with pytest.raises(QuantityError, match="1 pixels"):
        CrossEntropy()(ds)
    with pytest.raises(QuantityError, match="1 pixels"):
        KLDivergence(("a", "b"), ("a", "a"))(ds.isel(x=[0, 1]))
    assert CrossEntropy(("a", "b"), tolerance=0.3)(ds).n == 2
    for wrong in (lambda: CrossEntropy(("a", "b", "c"), classes=(1, 2)), lambda: CrossEntropy(()),
                  lambda: KLDivergence(("a", "b"), "a"), lambda: CrossEntropy(tolerance=-1.0)):  # fmt: skip
        with pytest.raises(ParameterError):
            wrong()


@pytest.mark.parametrize(
    "wrong",
    [{"bins": 0}, {"bins": 2**21}, {"limits": (1, 0)}, {"limits": (0, float("inf"))}, {"limits": (NAN, 1)}],
)
def test_bad_bins_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        Histogram("red", **wrong)


# ---- real data ---------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
def test_a_real_scene_against_a_smoothed_one() -> None:
    from geotoolz.radiometry import BoxMean

    scene = gz.open_tile(data_path("s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A"), bands=["red", "nir"])
    found = compare(BoxMean(1)(scene), scene)
    for band in ("red", "nir"):
        assert abs(found[band]["bias"]) < 0.001 < found[band]["rmse"]
        assert found[band]["rmse"] > found[band]["mae"]
        assert 0.7 < found[band]["r2"] < 1
