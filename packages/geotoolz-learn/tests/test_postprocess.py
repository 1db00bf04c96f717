"""`Postprocess`: by hand, against brute force, on the documented table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import (
    POSTPROCESSED,
    MissingVariableError,
    ParameterError,
    QuantityError,
    TileSpec,
    tile_from_arrays,
)
from geotoolz.learn import Postprocess, postprocess

GRID = GeoBox.from_bbox((500_000, 5_000_000, 500_080, 5_000_060), "EPSG:32633", resolution=10)


def tile(values, **more):
    values = np.asarray(values, np.float32)
    rows, cols = values.shape
    return tile_from_arrays({"probabilities": values, **more}, GRID.zoom_to((rows, cols)))


def test_percent_is_rounded_not_truncated():
    given = [[0.999, 0.996, 0.994, 0.016, 0.004], [0.125, 0.375, 0.0, 1.0, np.nan]]
    out = postprocess(tile(given))
    assert out.probabilities_percent.values.tolist() == [[100, 100, 99, 2, 0], [12, 38, 0, 100, 255]]
    assert (out.probabilities.values == np.asarray(given, np.float32)).sum() == 9  # the input stays


def test_threshold_is_compared_with_the_probability_not_the_percent():
    out = postprocess(tile([[0.496, 0.5, 0.504, np.nan]]))
    assert out.probabilities_percent.values.tolist() == [[50, 50, 50, 255]]
    assert out.binarized_segmentation.values.tolist() == [[0, 1, 1, 0]]


def test_what_is_no_probability_is_no_data():
    out = postprocess(tile([[-0.1, 1.1, np.inf, -np.inf, 0.7]]))
    assert out.probabilities_percent.values.tolist() == [[255, 255, 255, 255, 70]]
    assert out.binarized_segmentation.values.tolist() == [[0, 0, 0, 0, 1]]


def test_small_objects_by_both_connectivities():
    found = [[1, 0, 0, 0, 1], [0, 1, 0, 0, 1], [0, 0, 0, 0, 1]]
    eight = postprocess(tile(found), min_pixels=2).binarized_segmentation.values
    four = postprocess(tile(found), min_pixels=2, connectivity=4).binarized_segmentation.values
    assert eight.tolist() == found
    assert four.tolist() == [[0, 0, 0, 0, 1]] * 3


def test_the_edge_of_no_data_is_eroded_and_the_tile_s_border_is_not():
    values = np.full((5, 7), 0.9)
    values[2, 3] = np.nan
    out = postprocess(tile(values), erosion=1)
    expected = np.full((5, 7), 90)
    expected[2, 2:5] = expected[1:4, 3] = 255
    assert out.probabilities_percent.values.tolist() == expected.tolist()
    assert out.binarized_segmentation.values.tolist() == (expected == 90).astype(int).tolist()


def test_a_mask_says_what_is_valid():
    mask = np.array([[True, False, True]])
    out = postprocess(tile([[0.9, 0.9, 0.2]], valid_data_mask=mask), valid="valid_data_mask")
    assert out.probabilities_percent.values.tolist() == [[90, 255, 20]]
    assert out.binarized_segmentation.values.tolist() == [[1, 0, 0]]


def test_keeps_what_the_schema_says():
    out = postprocess(tile([[0.9, np.nan]]))
    own = {n: POSTPROCESSED.variables[n] for n in ("probabilities_percent", "binarized_segmentation")}
    spec = TileSpec.of(out)
    assert [p for name, schema in own.items() for p in schema.problems(name, spec.variables[name])] == []
    assert out.probabilities_percent.attrs["units"] == "%"


def _brute_force(values, threshold, least, radius):
    """Flood fill and distances, pixel by pixel."""
    rows, cols = values.shape
    bad = [(i, j) for i in range(rows) for j in range(cols) if np.isnan(values[i, j])]
    near = np.zeros(values.shape, bool)
    for i in range(rows):
        for j in range(cols):
            near[i, j] = any((i - k) ** 2 + (j - m) ** 2 <= radius**2 for k, m in bad)
    left = {(i, j) for i, j in zip(*np.nonzero((values >= threshold) & ~near), strict=True)}
    out = np.zeros(values.shape, np.uint8)
    while left:
        object_, todo = set(), [left.pop()]
        while todo:
            i, j = todo.pop()
            object_.add((i, j))
            beside = {(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & left
            left -= beside
            todo += beside
        if len(object_) >= least:
            for i, j in object_:
                out[i, j] = 1
    return out, near


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(0, 3))
def test_against_brute_force(seed, least, radius):
    rng = np.random.default_rng(seed)
    values = rng.random((int(rng.integers(1, 12)), int(rng.integers(1, 12)))).astype(np.float32)
    values[rng.random(values.shape) < 0.03] = np.nan
    out = postprocess(tile(values), threshold=0.4, min_pixels=least, erosion=radius)
    expected, near = _brute_force(values, 0.4, least, radius)
    assert np.array_equal(out.binarized_segmentation, expected)
    assert np.array_equal(out.probabilities_percent == 255, near)


@pytest.mark.parametrize(
    "bad", [{"threshold": 0.0}, {"threshold": 1.5}, {"min_pixels": 0}, {"erosion": -1}], ids=str
)
def test_parameters_out_of_range(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        Postprocess(**bad)


def test_refuses_what_holds_no_probabilities():
    with pytest.raises(MissingVariableError, match="probabilities"):
        postprocess(tile([[0.5]]).drop_vars("probabilities"))
    with pytest.raises(QuantityError, match="holds uint8"):
        postprocess(tile([[1]]).astype(np.uint8))
    with pytest.raises(QuantityError, match="a bool mask"):
        postprocess(tile([[0.5]], m=np.array([[1]], np.uint8)), valid="m")
