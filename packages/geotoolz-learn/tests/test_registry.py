"""A folder of models, its manifest, and the step that chooses among them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from geotoolz.core import ParameterError, ReadError, Switch, TileError, WriteError, dump, load, run
from geotoolz.core.testing import simulate_scene
from geotoolz.learn import ModelRegistry, PixelwiseRegressor, TrainingRows, _handle, fit_rows


def model(limit: float = 0.3, labels=(1, 2)):
    """Return a classifier that compares the near infrared with a limit."""
    X = np.array([[limit - 0.01, 0.0], [limit + 0.01, 0.0]], "f4")
    return fit_rows(
        DecisionTreeClassifier(random_state=0), TrainingRows(X=X, features=("nir", "red"), y=np.array(labels))
    )


def scene(region: str | None = None, seed: int = 0):
    tile = simulate_scene((12, 14), bands=("red", "nir"), cloud_cover=0, seed=seed)
    return tile.assign_attrs({"region": region}) if region else tile


@pytest.fixture
def models(tmp_path):
    registry = ModelRegistry(tmp_path / "models")
    registry.add("north", model(0.2), metrics={"accuracy": 0.91})
    registry.add("south", model(0.4))
    return registry


@pytest.fixture(autouse=True)
def nothing_loaded():
    _handle._loaded.clear()


def test_the_manifest_says_what_there_is(models):
    held = json.loads((models.folder / "manifest.json").read_text(encoding="utf-8"))
    north = held["models"]["north"]
    assert north["features"] == ["nir", "red"]
    assert north["metrics"]["accuracy"] == 0.91
    assert north["sha256"] == models.ref("north").sha256
    assert (models.folder / north["file"]).is_file()
    assert sorted(p.name for p in models.folder.iterdir()) == sorted(
        ["manifest.json", north["file"], held["models"]["south"]["file"]]
    )


def test_another_registry_of_the_folder_is_the_same(models):
    again = ModelRegistry(models.folder)
    assert list(again) == ["north", "south"]
    assert len(again) == 2
    assert "north" in again
    assert again["north"] == models["north"]
    again.verify()
    rows = np.array([[0.1, 0], [0.25, 0], [0.5, 0]])
    assert again.load("north").predict_rows(rows).tolist() == [1, 2, 2]
    assert again.load("south").predict_rows(rows).tolist() == [1, 1, 2]
    assert "north, south" in repr(again)


def test_a_replaced_model_leaves_the_file_that_pipelines_pin(models):
    before = models.ref("north")
    with pytest.raises(ParameterError, match="a model 'north' already"):
        models.add("north", model(0.9))
    models.add("north", model(0.9), replace=True)
    assert models.ref("north") != before
    before.verify()
    assert models.load("north").predict_rows([[0.5, 0]]).tolist() == [1]


def test_models_that_another_process_added_stay(models):
    other = ModelRegistry(models.folder)
    other.add("east", model())
    models.add("west", model())
    assert list(ModelRegistry(models.folder)) == ["east", "north", "south", "west"]


def test_a_removed_model_is_gone(models):
    file = models.folder / models["south"].file
    models.remove("south")
    assert list(ModelRegistry(models.folder)) == ["north"]
    assert not file.exists()


def test_an_unknown_name_names_those_there_are(models):
    with pytest.raises(
        ParameterError, match=r"no model 'nroth' \(did you mean 'north'\?\); expected one of north, south"
    ):
        models.ref("nroth")
    with pytest.raises(ParameterError, match="the registry is empty"):
        ModelRegistry(models.folder / "empty")["north"]


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "a b", "x" * 101, 5])
def test_names_that_are_no_files(models, name):
    with pytest.raises(ParameterError, match="letters, digits"):
        models.add(name, model())


def test_metrics_are_plain(models):
    for wrong in (np.nan, object()):
        with pytest.raises(ParameterError, match="no JSON"):
            models.add("x", model(), metrics={"accuracy": wrong})
    assert "x" not in models


def test_a_changed_file_is_found(models):
    file = models.folder / models["north"].file
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ReadError, match="sha256"):
        models.load("north")
    with pytest.raises(ReadError, match="sha256"):
        models.verify()
    file.unlink()
    with pytest.raises(ReadError, match="cannot be read"):
        models.verify()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no manifest"),
        ("[]", "no manifest"),
        ('{"layout": 9, "models": {}}', "layout 9"),
        ('{"layout": 1, "models": {"a": {"file": "a.gtz"}}}', "no manifest"),
        (
            '{"layout": 1, "models": {"a": {"file": "../a.gtz", "sha256": "0", "kind": "x", "features":[]}}}',
            "not in the folder",
        ),
    ],
)
def test_a_broken_manifest(tmp_path, text, message):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ReadError, match=message):
        ModelRegistry(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((WriteError, ReadError), match="file"):
        ModelRegistry(tmp_path / "file").add("a", model())


# --- one model per kind of tile ----------------------------------------------------------------------------


def test_every_tile_gets_its_model(models):
    step = models.switch("region")
    assert isinstance(step, Switch)
    for region, limit in (("north", 0.2), ("south", 0.4)):
        tile = scene(region)
        wanted = np.where(tile.nir.values > limit, 2, 1)
        assert np.array_equal(step(tile).label.values, wanted)


def test_the_step_stands_in_yaml(models):
    step = models.switch("region", cases={"alps": "north", "coast": "south"}, name="class", fill=99)
    again = load(dump(step))
    assert again == step
    assert again.config_hash() == step.config_hash()
    tile = scene("alps")
    assert np.array_equal(again(tile)["class"].values, np.where(tile.nir.values > 0.2, 2, 1))


def test_windows_change_nothing(models):
    tile = scene("south")
    step = models.switch("region")
    assert run(step, tile, window=(5, 3), threads=2).equals(step(tile))


def test_a_tile_without_a_model_names_the_known_ones(models):
    step = models.switch("region")
    with pytest.raises(
        TileError, match=r"region is 'nort' \(did you mean 'north'\?\); expected one of north, south"
    ):
        step(scene("nort"))
    with pytest.raises(TileError, match="no attribute 'region'"):
        step(scene())
    assert not _handle._loaded


def test_a_default_model(models):
    step = models.switch("region", default="south")
    tile = scene("elsewhere")
    assert np.array_equal(step(tile).label.values, np.where(tile.nir.values > 0.4, 2, 1))


def test_only_what_is_needed_is_loaded_and_few_are_held(tmp_path, monkeypatch):
    registry = ModelRegistry(tmp_path)
    for number in range(_handle.MOST_LOADED + 2):
        registry.add(f"r{number}", model(0.1 * (number + 1)))
    loaded = []
    load_one = _handle.load_model
    monkeypatch.setattr(
        _handle, "load_model", lambda ref, **how: loaded.append(ref.uri) or load_one(ref, **how)
    )
    step = registry.switch("region")
    assert loaded == []
    for _ in range(3):
        step(scene("r1"))
    assert len(loaded) == 1
    for number in range(_handle.MOST_LOADED + 2):
        step(scene(f"r{number}"))
        assert len(_handle._loaded) <= _handle.MOST_LOADED
    assert len(loaded) == _handle.MOST_LOADED + 2
    step(scene("r0"))  # went first
    assert len(loaded) == _handle.MOST_LOADED + 3


def test_the_bound_is_a_setting(tmp_path, monkeypatch):
    registry = ModelRegistry(tmp_path)
    for number in range(3):
        registry.add(f"r{number}", model(0.15 * (number + 1)))
    step = registry.switch("region")
    _handle._loaded.clear()
    monkeypatch.setenv(_handle.MOST_LOADED_ENV, "1")
    for number in (0, 1, 2):
        step(scene(f"r{number}"))
        assert len(_handle._loaded) == 1
    monkeypatch.setenv(_handle.MOST_LOADED_ENV, "none")
    with pytest.raises(ParameterError, match="GEOTOOLZ_LOADED_MODELS='none'"):
        step(scene("r0"))


def test_regressors_too(tmp_path):
    registry = ModelRegistry(tmp_path)
    rows = TrainingRows(X=np.array([[0.0], [1.0]], "f4"), features=("nir",), y=np.array([0.0, 10.0]))
    registry.add("only", fit_rows(LinearRegression(), rows))
    out = registry.switch("region", PixelwiseRegressor, names=("biomass",))(scene("only"))
    np.testing.assert_allclose(out.biomass.values, out.nir.values * 10, rtol=1e-5)


def test_nothing_to_choose_from(tmp_path, models):
    with pytest.raises(ParameterError, match="nothing to choose from"):
        ModelRegistry(tmp_path / "none").switch("region")
    with pytest.raises(ParameterError, match="no model 'west'"):
        models.switch("region", cases={"a": "west"})
    with pytest.raises(ParameterError, match="no parameter 'fil'"):
        models.switch("region", fil=7)
    with pytest.raises(ParameterError, match="operator=<class 'dict'>"):
        models.switch("region", dict)
