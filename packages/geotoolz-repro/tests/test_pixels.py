from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.core import ParameterError, pixel_hash
from geotoolz.core.testing import simulate_scene
from geotoolz.io import open_scene, open_tile, write_tile
from geotoolz.repro import Kind, Tolerance, Weight, _pixels
from geotoolz.repro._json import canonical, differing
from geotoolz.repro._pixels import block_hashes, changed_blocks, record_of, scene_hashes
from geotoolz.repro._tolerance import compare


def _compared(old, new, tolerance=Tolerance(), nodata=None, reference=True):  # noqa: B008 - frozen
    return compare("x", record_of("x", old, nodata), new, old if reference else None, tolerance, nodata)


def test_a_scene_is_hashed_in_strips_as_a_whole(tmp_path, monkeypatch):
    tile = simulate_scene((130, 90), bands=("red", "nir", "scl"))
    write_tile(tile, tmp_path / "{band}.tif")
    whole = {name: pixel_hash(open_tile(tmp_path), name) for name in ("red", "nir", "scl")}
    for strip in (1, 90 * 7, 10**9):
        monkeypatch.setattr(_pixels, "_STRIP", strip)
        assert scene_hashes(open_scene(tmp_path), whole) == whole


def test_by_hand():
    old = np.zeros((300, 520), "f4")
    new = old.copy()
    new[299, 510:512] = [0.5, np.nan]
    assert len(block_hashes(old)) == 6 and changed_blocks(block_hashes(old), new) == (
        1,
        6,
        [256, 300, 256, 512],
    )
    (found,) = _compared(old, new)
    assert found.kind is Kind.OUTPUT_PIXELS and found.weight is Weight.DIFFERENCE
    wanted = {"pixels": 2, "outside": 2, "largest": 0.5, "one_sided": 1, "extent": [299, 300, 510, 512]}
    assert {name: found.facts[name] for name in wanted} == wanted
    (kept,) = _compared(old, new, Tolerance(atol=0.5, share=1 / old.size))
    assert kept.weight is Weight.TOLERATED and kept.facts["outside"] == 1
    assert _compared(old, old.copy()) == []


def test_bits_count_not_values():
    old = np.array([[0.0, np.nan]], "f4")
    new = np.array([[-0.0, np.nan]], "f4")
    (found,) = _compared(old, new, Tolerance(atol=1e-9))
    assert found.facts["pixels"] == 1 and found.facts["largest"] == 0 and found.weight is Weight.TOLERATED
    assert _compared(old, new)[0].weight is Weight.DIFFERENCE


def test_classes_by_share():
    old = np.zeros((10, 10), "u1")
    new = old.copy()
    new[0, :3] = 7
    assert _compared(old, new, Tolerance(share=0.03))[0].weight is Weight.TOLERATED
    assert _compared(old, new, Tolerance(share=0.029))[0].weight is Weight.DIFFERENCE


def test_integers_do_not_wrap():
    old, new = np.array([[0]], "u1"), np.array([[255]], "u1")
    assert _compared(old, new)[0].facts["largest"] == 255


def test_no_data_on_one_side_is_never_within():
    old, new = np.array([[5, 9]], "i2"), np.array([[5, -1]], "i2")
    (found,) = _compared(old, new, Tolerance(atol=100), nodata=-1)
    assert found.weight is Weight.DIFFERENCE and found.facts["one_sided"] == 1


def test_another_shape_or_type_is_named():
    old = np.zeros((4, 4), "f4")
    for new in (np.zeros((4, 5), "f4"), np.zeros((4, 4), "f8")):
        assert _compared(old, new)[0].kind is Kind.OUTPUT_SHAPE


def test_without_pixels_the_figures_tell_how_much():
    old = np.zeros((4, 4), "f4")
    (found,) = _compared(old, old + 1, reference=False)
    assert "max 0 → 1" in found.found and "mean 0 → 1" in found.found and found.weight is Weight.DIFFERENCE


@pytest.mark.parametrize(
    "bad", [{"atol": -1.0}, {"rtol": float("nan")}, {"share": 1.5}, {"atol": float("inf")}]
)
def test_tolerances_that_are_none(bad):
    with pytest.raises(ParameterError):
        Tolerance(**bad)


_KINDS = st.sampled_from(["f4", "f8", "u1", "i2", "?", "c8", ">f4", ">u2"])


@settings(max_examples=60, deadline=None)
@given(st.data(), _KINDS)
def test_against_brute_force(data, kind):
    """Count, extent and verdict of any two arrays are those of a loop over their pixels."""
    shape = data.draw(st.sampled_from([(3, 4), (1, 1), (2, 3, 4)]))
    values = (
        st.integers(0, 3) if np.dtype(kind).kind in "uib" else st.sampled_from([0.0, -0.0, 0.5, np.nan, 2.0])
    )
    size = int(np.prod(shape))
    old = np.array(data.draw(st.lists(values, min_size=size, max_size=size))).reshape(shape).astype(kind)
    new = np.array(data.draw(st.lists(values, min_size=size, max_size=size))).reshape(shape).astype(kind)
    atol = data.draw(st.sampled_from([0.25, 1.0]))
    found = _compared(old, new, Tolerance(atol=atol))
    where = [i for i in np.ndindex(shape) if old[i].tobytes() != new[i].tobytes()]
    assert bool(found) == bool(where)
    if not where:
        return
    facts = found[0].facts
    rows, cols = [i[-2] for i in where], [i[-1] for i in where]
    assert facts["pixels"] == len(where)
    assert facts["extent"] == [min(rows), max(rows) + 1, min(cols), max(cols) + 1]
    if old.dtype.kind != "c":
        outside = 0
        for i in np.ndindex(shape):
            a, b = float(old[i]), float(new[i])
            outside += (np.isnan(a) != np.isnan(b)) or (not np.isnan(a) and abs(a - b) > atol)
        assert facts["outside"] == outside and (found[0].weight is Weight.TOLERATED) == (outside == 0)


def test_hashes_of_named_pixels_are_cores(tmp_path):
    values = np.arange(6, dtype=">i2").reshape(2, 3)
    tile = xr.Dataset({"a": (("y", "x"), values)})
    assert record_of("a", values, None)["sha256"] == pixel_hash(tile, "a")


def test_canonical_json():
    assert canonical({"z": 1, "ä": 2.5, "a": None}) == '{"a":null,"z":1,"ä":2.5}'.encode()
    assert differing({"a": [1]}, {"a": [1, 2]}) == [("a", "[1]", "[1, 2]")]
    assert differing(1, True) == [("", "1", "true")] and differing({"a": 1}, {"a": 1}) == []
