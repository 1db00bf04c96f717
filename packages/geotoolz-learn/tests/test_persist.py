"""Models in files."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import zipfile

import joblib
import numpy as np
import pytest
from gtz_clusters import NearestOfTwo
from gtz_learn import forest, rows, scene
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from geotoolz.core import (
    ConfigError,
    ParameterError,
    ReadError,
    Ref,
    Sequential,
    WriteError,
    dump,
    load,
    save,
)
from geotoolz.learn import (
    ModelVersionWarning,
    PixelwiseClassifier,
    PixelwiseClusterer,
    QuantileRegressors,
    ToPixelMajor,
    TrainingRows,
    fit_rows,
    load_model,
    read_info,
)
from geotoolz.learn._skops import require_sound_trees
from geotoolz.radiometry import SelectBands

PLAIN = TrainingRows(X=rows().X, features=("red", "nir"))
VALUES = TrainingRows(X=rows().X, features=("red", "nir"), y=rows().X[:, 1] * 9.0)


@pytest.mark.parametrize(
    ("estimator", "given"),
    [
        (RandomForestClassifier(4), rows()),
        (HistGradientBoostingClassifier(max_iter=4), rows()),
        (LogisticRegression(), rows()),
        (MLPClassifier((4,), max_iter=300, tol=0.1), rows()),
        (make_pipeline(SimpleImputer(), DecisionTreeClassifier()), rows()),
        (make_pipeline(StandardScaler(), DecisionTreeClassifier()), rows()),
        (GridSearchCV(DecisionTreeClassifier(), {"max_depth": [2, 5]}, cv=GroupKFold(3)), rows()),
        (IsolationForest(n_estimators=4), PLAIN),
        (QuantileRegressors(GradientBoostingRegressor(n_estimators=4), (0.1, 0.9)), VALUES),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_saved_model_predicts_the_same_bits(tmp_path, estimator, given):
    model = fit_rows(estimator, given, adapter=ToPixelMajor(("red", "nir")))
    ref = model.save(tmp_path / "deep" / "model.gtz")
    again = load_model(ref)
    np.testing.assert_array_equal(again.predict_rows(given.X), model.predict_rows(given.X))
    info = read_info(ref)
    for name in (
        "kind",
        "features",
        "classes",
        "class_names",
        "codes",
        "adapter",
        "nodata_policy",
        "targets",
        "dtype",
    ):
        assert getattr(again, name) == getattr(model, name) == getattr(info, name), name
    assert again.metrics == json.loads(json.dumps(model.metrics)) and again.exact == model.exact
    assert model.save(tmp_path / "again.gtz").sha256 == ref.sha256
    refit = fit_rows(estimator, given, adapter=ToPixelMajor(("red", "nir"))).save(tmp_path / "refit.gtz")
    assert refit.sha256 == ref.sha256  # equal fits are one file


def test_a_pipeline_with_a_model_is_plain_yaml(tmp_path):
    ref = forest().save(tmp_path / "forest.gtz")
    op = Sequential([SelectBands(("red", "nir")), PixelwiseClassifier(ref)])
    assert load(dump(op)) == op and load(dump(op)).config_hash() == op.config_hash()
    moved = load(save(op, tmp_path / "folder"))
    assert moved.config_hash() == op.config_hash()
    np.testing.assert_array_equal(moved(scene()).label, PixelwiseClassifier(forest())(scene()).label)
    assert PixelwiseClassifier(tmp_path / "forest.gtz") == PixelwiseClassifier(str(tmp_path / "forest.gtz"))
    other = fit_rows(RandomForestClassifier(3), rows()).save(tmp_path / "other.gtz")
    assert PixelwiseClassifier(other).config_hash() != PixelwiseClassifier(ref).config_hash()
    with pytest.raises(ConfigError, match="its model is in memory"):
        dump(PixelwiseClassifier(forest()))


def test_another_process_loads_it_without_running_code(tmp_path):
    ref = forest().save(tmp_path / "forest.gtz")
    (tmp_path / "op.pickle").write_bytes(pickle.dumps(PixelwiseClassifier(ref)))
    code = (
        "import pickle, sys; from geotoolz.core.testing import simulate_scene\n"
        f"op = pickle.loads(open({str(tmp_path / 'op.pickle')!r}, 'rb').read())\n"
        "print(op(simulate_scene((16, 16), bands=('red', 'nir'), seed=3)).label.values.sum())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    from geotoolz.core.testing import simulate_scene

    here = PixelwiseClassifier(ref)(simulate_scene((16, 16), bands=("red", "nir"), seed=3)).label.values.sum()
    assert done.stdout.strip() == str(here), done.stderr


def test_unknown_types_are_listed_and_need_trust(tmp_path):
    ref = fit_rows(NearestOfTwo(), PLAIN).save(tmp_path / "own.gtz")
    with pytest.raises(ReadError, match=r"holds gtz_clusters\.NearestOfTwo.*trusted="):
        load_model(ref)
    with pytest.raises(ReadError, match="NearestOfTwo"):
        PixelwiseClusterer(ref)(scene())
    trusted = ("gtz_clusters.NearestOfTwo",)
    assert set(np.unique(PixelwiseClusterer(ref, trusted=trusted)(scene()).cluster)) == {0, 1, 255}


def test_a_joblib_file_needs_trust_and_its_hash(tmp_path):
    ref = forest().save(tmp_path / "forest.gtz", format="joblib")
    for how in ({}, {"sha256": ref.sha256}, {"trust": True}):
        with pytest.raises(ReadError, match="as a pickle, and"):
            load_model(tmp_path / "forest.gtz", **how)
    with pytest.raises(ReadError, match="trust=True was not given"):
        load_model(ref)
    X = rows().X
    for again in (
        load_model(ref, trust=True),
        load_model(tmp_path / "forest.gtz", trust=True, sha256=ref.sha256),
    ):
        np.testing.assert_array_equal(again.predict_rows(X), forest().predict_rows(X))
    with pytest.raises(ReadError, match="as the pipeline says"):
        load_model(tmp_path / "forest.gtz", trust=True, sha256="0" * 64)
    assert (
        PixelwiseClassifier(ref, trust=True)(scene()).label == PixelwiseClassifier(forest())(scene()).label
    ).all()


class Bomb:
    """A pickle that would leave a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3)])
def test_a_pickle_is_refused_and_not_run(tmp_path, compress):
    trace = tmp_path / "trace"
    joblib.dump(Bomb(str(trace)), tmp_path / "model.gtz", compress=compress)
    for call in (load_model, read_info):
        with pytest.raises(ReadError, match="is a pickle, and loading one can run anything"):
            call(tmp_path / "model.gtz")
    with pytest.raises(ReadError, match="is a pickle"):
        PixelwiseClassifier(tmp_path / "model.gtz")(scene())
    assert not trace.exists()


def test_a_pickle_inside_a_model_file_is_refused_too(tmp_path):
    ref = forest().save(tmp_path / "forest.gtz")
    with zipfile.ZipFile(ref.path) as archive:
        about = json.loads(archive.read("model.json"))
    bad = pickle.dumps(Bomb(str(tmp_path / "trace")))
    import hashlib

    about["sha256"] = hashlib.sha256(bad).hexdigest()
    with zipfile.ZipFile(tmp_path / "bad.gtz", "w") as archive:
        archive.writestr("model.json", json.dumps(about))
        archive.writestr("estimator.skops", bad)
    with pytest.raises(ReadError, match="cannot be read"):
        load_model(tmp_path / "bad.gtz")
    assert not (tmp_path / "trace").exists()


def test_files_that_are_no_models(tmp_path):
    import skops.io

    (tmp_path / "text.gtz").write_text("hello")
    skops.io.dump(DecisionTreeClassifier(), tmp_path / "bare.skops")
    ref = forest().save(tmp_path / "forest.gtz")
    content = ref.path.read_bytes()
    (tmp_path / "cut.gtz").write_bytes(content[: len(content) // 2])
    for name, text in (
        ("text.gtz", "is no model"), ("bare.skops", "a bare skops file.*wrap_estimator"),
        ("cut.gtz", "is no model"), ("absent.gtz", "cannot be read"),
    ):  # fmt: skip
        with pytest.raises(ReadError, match=text):
            load_model(tmp_path / name)
    ref.path.write_bytes(content + b" ")
    with pytest.raises(ReadError, match="has sha256"):
        load_model(ref)
    with pytest.raises(WriteError, match="cannot be written"):
        forest().save(tmp_path / "text.gtz" / "model.gtz")
    with pytest.raises(ParameterError, match=r"format='skop'.*'skops'"):
        forest().save(tmp_path / "x.gtz", format="skop")


def _versioned(tmp_path, **versions):
    """Return a model file that says it was made with other versions."""
    ref = forest().save(tmp_path / "forest.gtz")
    with zipfile.ZipFile(ref.path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(members["model.json"])
    about["model"]["versions"].update(versions)
    members["model.json"] = json.dumps(about).encode()
    with zipfile.ZipFile(tmp_path / "other.gtz", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return Ref.of(tmp_path / "other.gtz")


def test_a_model_of_another_library_version(tmp_path):
    import sklearn

    same = ".".join(sklearn.__version__.split(".")[:2]) + ".99"
    load_model(_versioned(tmp_path, **{"scikit-learn": same, "numpy": "1.0", "python": "3.9.0"}))
    ref = _versioned(tmp_path, **{"scikit-learn": "0.24.2"})
    with pytest.raises(
        ReadError, match=r"fitted with scikit-learn 0\.24\.2, and here is .*install scikit-learn==0\.24\.2"
    ):
        load_model(ref)
    with pytest.raises(ReadError, match=r"0\.24\.2"):
        PixelwiseClassifier(ref)(scene())
    with pytest.warns(ModelVersionWarning, match=r"0\.24\.2"):
        load_model(ref, other_versions="warn")
    with pytest.raises(ReadError, match="here is none"):
        load_model(_versioned(tmp_path, nolibrary="1.0"))


@pytest.mark.parametrize("how", ["left", "feature", "circle"])
def test_trees_whose_nodes_lead_outside_are_refused(how):
    tree = DecisionTreeClassifier().fit(rows().X, rows().y)
    require_sound_trees(tree)
    state = tree.tree_.__getstate__()
    nodes = state["nodes"].copy()
    if how == "feature":
        nodes["feature"][0] = 10**6
    else:
        nodes["left_child"][0] = 10**6 if how == "left" else 0
    state["nodes"] = nodes
    tree.tree_.__setstate__(state)
    with pytest.raises(ReadError, match="nodes lead outside"):
        require_sound_trees(make_pipeline(StandardScaler().fit(rows().X), tree))


def test_boosted_trees_are_checked_too():
    boosted = HistGradientBoostingClassifier(max_iter=2).fit(rows().X, rows().y)
    require_sound_trees(boosted)
    boosted._predictors[1][0].nodes["feature_idx"][0] = 77
    with pytest.raises(ReadError, match="HistGradientBoostingClassifier"):
        require_sound_trees(boosted)


def test_a_forest_that_hands_too_few_features_on_is_refused():
    wide = RandomForestClassifier(2).fit(np.random.default_rng(0).random((50, 5)), np.arange(50) % 2)
    wide.n_features_in_ = 1
    with pytest.raises(ReadError, match="RandomForestClassifier"):
        require_sound_trees(wide)
