"""What a training run is told, and where its chips come to lie."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gtz_train import CONFIG, scene
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from geotoolz.core import ConfigError, MissingCRSError, ReadError
from geotoolz.learn import TrainConfig, TrainingError
from geotoolz.learn._train_batch import batches, coarser, turned
from geotoolz.learn._train_chips import (
    DROPPED,
    TEST,
    TRAIN,
    VALIDATION,
    lay_chips,
    normalisation_of,
    split_chips,
)
from geotoolz.learn._train_config import DataConfig, SplitConfig
from geotoolz.learn._train_scenes import prepare_scenes


def config(**parts):
    return TrainConfig.load({**CONFIG, **parts})


def chips_of(tmp_path, tiles, told, **split):
    ready, _ = prepare_scenes(told.data, tiles, tmp_path / "data")
    chips = lay_chips(told.data, ready)
    return replace(chips, side=split_chips(chips, SplitConfig(**split), told.data))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fit": {"epoch": 3}}, r"fit\.epoch: there is no such key.*epochs"),
        ({"fit": {"epochs": 0, "batch_size": "x"}}, r"fit\.epochs: .*greater.*; fit\.batch_size: .*integer"),
        ({"loss": {"parts": {"focall": 1}}}, "no loss 'focall'.*focal"),
        ({"loss": {"parts": {"dice": 0}}}, "dice has the factor 0"),
        ({"loss": {"parts": {"mean_squared": 1}}}, "mean_squared is none of task=segmentation"),
        ({"loss": {"class_weights": [1.0]}}, "1 class_weights for 2 classes"),
        ({"data": {"bands": ["red"], "classes": {"a": 1, "b": 2}}}, r"codes are \[1, 2\]"),
        ({"data": {"bands": ["red"], "classes": {"a": 0}}}, "there is one class"),
        ({"data": {"bands": ["red"]}}, r"no data\.classes with task=segmentation"),
        ({"zoom": 2}, "zoom=2 with task=segmentation"),
        (
            {"task": "super_resolution", "zoom": 3, "loss": {}, "data": {"bands": ["red"], "chip": 16}},
            "no multiple of zoom=3",
        ),
        ({"split": {"folds": 2}}, r"split\.folds"),
        ({"data": {}}, r"data\.bands: Field required"),
    ],
    ids=str,
)  # fmt: skip
def test_mistakes_are_named(change, said):
    with pytest.raises(ConfigError, match=said):
        config(**change)


def table_of_keys():
    """Return the table of all keys, as it stands in the guide: from the models and their docstrings."""
    lines = ["| key | default | what |", "| --- | --- | --- |"]
    for name, part in TrainConfig.model_fields.items():
        if isinstance(part.annotation, type) and issubclass(part.annotation, BaseModel):
            lines += _rows_of(part.annotation, f"{name}.")
        else:
            lines.append(_row(TrainConfig, name, ""))
    return "\n".join(lines)


def _rows_of(model, prefix):
    return [_row(model, name, prefix) for name in model.model_fields]


def _row(model, name, prefix):
    field = model.model_fields[name]
    default = "required" if field.is_required() else field.get_default(call_default_factory=True)
    shown = default if default == "required" else f"`{json.dumps(default)}`"
    return f"| `{prefix}{name}` | {shown} | {_described(model, name)} |"


def _described(model, name):
    part = inspect.getdoc(model).partition("Attributes\n----------\n")[2].partition("\n\n")[0]
    entries = re.split(r"\n(?=\S)", part)
    (found,) = [one for one in entries if one.partition(" : ")[0] == name]
    return " ".join(found.partition("\n")[2].split()).replace("``", "`").replace("|", "or")


def test_the_guide_lists_every_key():
    guide = Path(__file__).parents[3] / "docs" / "guide" / "learn-train.md"
    if not guide.exists():
        pytest.skip("the guide is not there: the package alone is tested")
    assert table_of_keys() in guide.read_text()


def test_files(tmp_path):
    path = tmp_path / "train.yaml"
    with pytest.raises(ReadError, match=r"train\.yaml"):
        TrainConfig.load(path)
    path.write_text("- a list")
    with pytest.raises(ConfigError, match="holds list"):
        TrainConfig.load(path)
    path.write_text(
        "data: {bands: [red], classes: {b: 1, a: 0}, scenes: [in, 's3://x/y.tif'], labels: l.gpkg}"
    )
    told = TrainConfig.load(path)
    assert told.data.scenes == (str(tmp_path / "in"), "s3://x/y.tif")
    assert told.data.labels == str(tmp_path / "l.gpkg")
    assert list(told.data.classes) == ["a", "b"]


def test_the_digest_is_of_what_changes_the_weights():
    told = config()
    other = {**CONFIG, "fit": {**CONFIG["fit"], "threads": 3, "device": "auto"}}
    assert TrainConfig.load(other).digest() == told.digest()
    assert config(fit={**CONFIG["fit"], "seed": 1}).digest() != told.digest()


def test_labels_of_other_codes_and_of_pixels_without_data_are_none(tmp_path):
    tile = scene((16, 16))
    tile.label[:2] = 7
    tile.red[5, 5] = tile.nir[5, 5] = tile.nir[6, 6] = np.nan
    told = config()
    (ready,), _ = prepare_scenes(told.data, [tile], tmp_path)
    assert (ready.labels[:2] == 255).all() and ready.labels[5, 5] == 255
    assert ready.labels[6, 6] == tile.label[6, 6]  # one band is there
    assert (np.asarray(ready.labels)[2:] != tile.label.values[2:]).sum() == 1


def test_labels_of_a_file(tmp_path):
    import geopandas
    from shapely import box

    tile = scene((16, 16)).drop_vars("label")
    west, north = 500_000, 5_000_160
    shapes = [box(west, north - 80, west + 50, north), box(west + 50, north - 80, west + 160, north)]
    frame = geopandas.GeoDataFrame({"what": ["water", "land"]}, geometry=shapes, crs=32633)
    frame.to_file(tmp_path / "labels.gpkg")
    data = {**CONFIG["data"], "labels": str(tmp_path / "labels.gpkg"), "label_column": "what"}
    (ready,), _ = prepare_scenes(config(data=data).data, [tile], tmp_path / "d")
    expected = np.full((16, 16), 255)
    expected[:8, :5], expected[:8, 5:] = 1, 0
    assert np.array_equal(ready.labels, expected)


def test_blocks_lie_on_one_side(tmp_path):
    told = config()
    chips = chips_of(tmp_path, [scene(), scene(seed=1, west=501_120)], told)
    blocks = {}
    for (number, e), side in zip(chips.places, chips.side, strict=True):
        grid = chips.scenes[number].grid
        x, y = grid.affine.c + grid.affine.a * (e.x0 + 8), grid.affine.f + grid.affine.e * (e.y0 + 8)
        blocks.setdefault((x // 320, y // 320), set()).add(side)
    assert all(len(sides) == 1 for sides in blocks.values())
    share = np.bincount([(TRAIN, VALIDATION, TEST).index(s) for s in chips.side]) / len(chips.side)
    assert share[0] > 0.5 and share[1] > 0.1 and share[2] > 0.1


@settings(max_examples=15)
@given(st.integers(0, 1000), st.sampled_from(["blocks", "kmeans"]), st.sampled_from([8, 12, 16]))
def test_no_pixel_is_on_two_sides(tmp_path_factory, seed, method, stride):
    told = config(data={**CONFIG["data"], "stride": stride})
    chips = chips_of(tmp_path_factory.mktemp("c"), [scene()], told, seed=seed, method=method, folds=4)
    seen = {side: np.zeros((96, 112), bool) for side in (TRAIN, VALIDATION, TEST)}
    for (_, e), side in zip(chips.places, chips.side, strict=True):
        if side != DROPPED:
            seen[side][e.y0 : e.y1, e.x0 : e.x1] = True
    assert not (seen[TRAIN] & (seen[VALIDATION] | seen[TEST])).any()
    assert not (seen[VALIDATION] & seen[TEST]).any()
    if stride == 16:
        assert DROPPED not in chips.side


def test_the_same_ground_on_two_dates_is_on_one_side(tmp_path):
    chips = chips_of(tmp_path, [scene(), scene(seed=1)], config())
    half = len(chips.side) // 2
    assert chips.side[:half] == chips.side[half:]


def test_a_split_needs_ground_and_enough_of_it(tmp_path):
    tile = scene().drop_vars("spatial_ref")
    with pytest.raises(MissingCRSError, match=r"split\.method"):
        chips_of(tmp_path, [tile], config())
    random = chips_of(tmp_path, [tile], config(), method="random")
    assert {random.side.count(s) for s in (VALIDATION, TEST)} <= {8, 9}
    with pytest.raises(ValueError, match="group"):
        chips_of(tmp_path, [scene((32, 32))], config())


def test_chips_without_labels_are_left_out(tmp_path):
    tile = scene()
    tile.label[:16, :16] = 9
    told = config()
    ready, _ = prepare_scenes(told.data, [tile], tmp_path)
    chips = lay_chips(told.data, ready)
    assert chips.skipped == 1 and len(chips.places) == 41
    with pytest.raises(TrainingError, match="the largest chip that fits is 96"):
        lay_chips(DataConfig(bands=("red",), chip=128), ready)


def test_normalisation_is_that_of_the_training_chips(tmp_path):
    tile = scene()
    tile.red[3, 7] = np.nan
    chips = chips_of(tmp_path, [tile], config())
    held = normalisation_of(chips)
    mask = np.zeros((96, 112), bool)
    for n in chips.numbers(TRAIN):
        e = chips.places[n][1]
        mask[e.y0 : e.y1, e.x0 : e.x1] = True
    for k, name in enumerate(("red", "nir")):
        values = tile[name].values[mask].astype(np.float64)
        np.testing.assert_allclose(held.offset[k], np.nanmean(values), rtol=1e-12)
        np.testing.assert_allclose(held.scale[k], np.nanstd(values), rtol=1e-12)


def test_a_gap_is_the_mean_and_a_turned_chip_has_turned_labels(tmp_path):
    tile = scene()
    tile.nir[0, 0] = np.nan
    told = config()
    chips = chips_of(tmp_path, [tile], told)
    chips = replace(chips, normalisation=normalisation_of(chips))
    (plain,) = batches(chips, told, [0])
    assert plain.inputs[0, 1, 0, 0] == 0
    seen = set()
    for epoch in range(40):
        (batch,) = batches(chips, told, [0], epoch)
        ways = [w for w in range(8) if np.array_equal(turned(plain.inputs[0], w), batch.inputs[0])]
        assert len(ways) == 1 and np.array_equal(turned(plain.target[0], ways[0]), batch.target[0])
        seen.add(ways[0])
    assert seen == set(range(8))


def test_epochs_go_through_every_training_chip_once_in_another_order(tmp_path):
    chips = chips_of(tmp_path, [scene()], config())
    first, second = chips.order(0, 0), chips.order(0, 1)
    assert sorted(first) == sorted(second) == chips.numbers(TRAIN).tolist()
    assert first.tolist() != second.tolist() and chips.order(0, 0).tolist() == first.tolist()


def test_coarser_by_hand():
    planes = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    planes[0, 0, 0] = np.nan
    found = coarser(planes, 2)
    assert np.isnan(found[0, 0, 0]) and found[0, 0, 1] == 4.5 and found[0, 1].tolist() == [10.5, 12.5]
