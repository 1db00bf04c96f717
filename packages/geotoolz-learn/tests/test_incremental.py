"""Incremental fits: every row once, in bounded memory, and on after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import tracemalloc

import geopandas
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import IncrementalPCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier

from geotoolz.catalog import ReadLabel
from geotoolz.core import (
    ParameterError,
    ReadError,
    Sequential,
    TileError,
    TileSpec,
    WriteError,
    tile_from_arrays,
)
from geotoolz.core.testing import simulate_scene
from geotoolz.io import write_tile
from geotoolz.learn import NanPolicy, PixelwiseClassifier, ToTemporalPixelMajor, fit_pixelwise_incremental
from geotoolz.learn._chips import Recipe
from geotoolz.learn._incremental_rows import Position, RowStream
from geotoolz.patch import CatalogPatches, GridSampler, RandomSampler
from geotoolz.radiometry import BandMath, BoxMean, SelectBands

FLAGS = {"flag_values": [1, 2, 3], "flag_meanings": "bare grass wood", "quantity": "flags", "_FillValue": 255}
SIDE = 24


def scene(seed: int, shape=(60, 50), legend: bool = True) -> xr.Dataset:
    """Return a tile with three classes; some labels and some features are missing."""
    tile = simulate_scene(shape, bands=("red", "nir"), cloud_cover=0, seed=seed)
    rng = np.random.default_rng(seed)
    nir = tile.nir.values.copy()
    label = np.digitize(nir, np.quantile(nir, [0.3, 0.6])).astype("u1") + 1
    label[rng.random(shape) < 0.4] = 255
    nir[rng.random(shape) < 0.1] = np.nan
    tile["nir"] = (("y", "x"), nir, tile.nir.attrs)
    attrs = FLAGS if legend else {"quantity": "flags", "_FillValue": 255}
    tile["label"] = (("y", "x"), label, attrs)
    tile["amount"] = (("y", "x"), (nir * 3).astype("f4"), {"units": "t/ha"})
    return tile.assign_attrs(tile_id=f"scene {seed}")


SCENES = [scene(seed) for seed in range(3)]
SAMPLER = GridSampler(SIDE, boundary="drop")
BANDS = SelectBands(("red", "nir"))


def chips_of(scenes=SCENES, sampler=SAMPLER, epoch: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the valid rows of every chip, by hand."""
    found = []
    for patch in CatalogPatches(scenes, sampler, epoch=epoch):
        tile = patch.tile
        X = np.column_stack([tile.red.values.ravel(), tile.nir.values.ravel()])
        y = tile.label.values.ravel()
        keep = np.isfinite(X).all(axis=1) & (y != 255)
        found.append((X[keep], y[keep].astype(np.int64)))
    return found


def rng_of(seed: int, epoch: int, draw: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch, draw)))


def plain_loop(
    estimator, chips, *, chunk: int, block: int, epochs: int = 1, seed: int = 0, shuffle: bool = True
):
    """Hand the same rows to partial_fit, in the order that the docstring promises."""
    for epoch in range(epochs):
        order = rng_of(seed, epoch, 0).permutation(len(chips)) if shuffle else np.arange(len(chips))
        parts = []
        for number in range(-(-len(chips) // block)):
            mine = np.sort(order[number * block : (number + 1) * block])
            X, y = (np.concatenate([chips[i][k] for i in mine]) for k in (0, 1))
            turn = rng_of(seed, epoch, 1 + number).permutation(len(X)) if shuffle else np.arange(len(X))
            parts.append((X[turn], y[turn]))
        X, y = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        for first in range(0, len(X), chunk):
            some = slice(first, first + chunk)
            estimator.partial_fit(X[some], y[some], classes=np.array([1, 2, 3]))
    return estimator


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what it is given."""

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        self.classes_ = np.asarray(classes)
        self.sizes_ = [*getattr(self, "sizes_", []), len(X)]
        self.rows_ = [*getattr(self, "rows_", []), *map(tuple, np.column_stack([X, y]).tolist())]
        self.weights_ = [*getattr(self, "weights_", []), *([] if sample_weight is None else sample_weight)]
        return self

    def fit(self, X, y):
        return self.partial_fit(X, y)

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Counter(ClassifierMixin, BaseEstimator):
    """Counts rows and keeps none."""

    def partial_fit(self, X, y, classes=None):
        self.classes_, self.n_ = np.asarray(classes), getattr(self, "n_", 0) + len(X)
        return self

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def fitted(estimator, *, scenes=SCENES, y="label", sampler=SAMPLER, X=BANDS, **options):
    return fit_pixelwise_incremental(estimator, X, y, scenes, sampler, **options)


# --- every row, once ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("chunk_size", [7, 100, 333, 10_000])
def test_every_row_is_seen_once_an_epoch(chunk_size, shuffle):
    """The sketch that cut its buffer to chunk_size and cleared it lost 85 % of each chip, the bottom ones."""
    wanted = sorted(tuple(row) for X, y in chips_of() for row in np.column_stack([X, y]).tolist())
    model = fitted(Recorder(), chunk_size=chunk_size, shuffle=shuffle, epochs=2)
    found = model.estimator
    n = len(wanted)
    assert sorted(found.rows_[:n]) == sorted(found.rows_[n:]) == wanted
    sizes = [chunk_size] * (n // chunk_size) + [n % chunk_size] * (n % chunk_size > 0)
    assert found.sizes_ == sizes * 2
    assert model.metrics["rows_per_epoch"] == [n, n]
    assert model.n_rows == n
    assert (found.rows_[:n] != found.rows_[n:]) == shuffle


@pytest.mark.parametrize(
    "make", [lambda: SGDClassifier(random_state=3), GaussianNB, lambda: MLPClassifier((4,), random_state=1)]
)
def test_the_model_of_a_plain_loop(make):
    model = fitted(make(), chunk_size=150, block_chips=3, epochs=2, random_state=5)
    wanted = plain_loop(make(), chips_of(), chunk=150, block=3, epochs=2, seed=5)
    X = np.concatenate([X for X, _ in chips_of()])
    assert np.array_equal(model.estimator.predict(X), wanted.predict(X))
    for name in ("coef_", "intercept_", "theta_", "var_"):
        if hasattr(wanted, name):
            assert getattr(model.estimator, name).tobytes() == getattr(wanted, name).tobytes()


def test_unshuffled_rows_come_as_they_lie():
    model = fitted(Recorder(), chunk_size=100, shuffle=False)
    wanted = plain_loop(Recorder(), chips_of(), chunk=100, block=8, shuffle=False)
    assert model.estimator.rows_ == wanted.rows_


def test_the_seed_decides_the_order():
    one, again, other = (fitted(Recorder(), random_state=seed).estimator.rows_ for seed in (1, 1, 2))
    assert one == again != other
    assert sorted(one) == sorted(other)


def test_random_samplers_choose_other_chips_in_every_epoch():
    sampler = RandomSampler(8, count=5, seed=2)
    model = fitted(Recorder(), sampler=sampler, epochs=2, shuffle=False)
    wanted = [row for e in range(2) for X, y in chips_of(sampler=sampler, epoch=e)
              for row in map(tuple, np.column_stack([X, y]).tolist())]  # fmt: skip
    assert model.estimator.rows_ == wanted


def test_the_estimator_that_was_given_stays_as_it_is():
    given = SGDClassifier(random_state=0)
    fitted(given, chunk_size=500)
    assert not hasattr(given, "coef_")


def test_weights_go_along():
    scenes = [one.assign(weight=one.red * 2) for one in SCENES]
    model = fitted(Recorder(), scenes=scenes, sample_weight="weight", chunk_size=90)
    rows = np.array(model.estimator.rows_)
    np.testing.assert_allclose(model.estimator.weights_, rows[:, 0] * 2, rtol=1e-6)


# --- what comes out ----------------------------------------------------------------------------------------


def test_the_model_predicts_maps():
    model = fitted(
        SGDClassifier(random_state=0),
        X=Sequential(
            [BandMath("(nir - red) / (nir + red)", name="ndvi"), SelectBands(("red", "nir", "ndvi"))]
        ),
        epochs=3,
    )
    assert model.features == ("red", "nir", "ndvi")
    assert model.class_names == ("bare", "grass", "wood")
    assert model.extent is not None
    assert model.pipeline_hash is not None
    tile = model.feature_pipeline()(SCENES[0])
    out = PixelwiseClassifier(model)(tile).label
    assert set(np.unique(out.values)) <= {1, 2, 3, 255}
    assert np.array_equal(out.values == 255, np.isnan(tile.nir.values))
    good = (SCENES[0].label.values != 255) & (out.values != 255)
    assert (out.values == SCENES[0].label.values)[good].mean() > 0.6


def test_regressors_clusterers_and_transformers():
    amount = fitted(SGDRegressor(random_state=0), y="amount", epochs=2)
    assert amount.kind == "regressor"
    assert amount.targets == ("amount",)
    assert fitted(MiniBatchKMeans(3, n_init=1), y=None).kind == "clusterer"
    parts = fitted(IncrementalPCA(2), y=None, chunk_size=400)
    assert parts.kind == "transformer"
    assert parts.metrics["rows"] == sum(len(X) for X, _ in chips_of(
        [one.assign(label=one.label * 0 + 1) for one in SCENES]))  # fmt: skip


def test_a_stack_of_dates():
    first, second = SCENES[0].drop_vars(["amount"]), SCENES[1].drop_vars(["amount"])
    stack = xr.concat([first, second], "time", combine_attrs="override")
    stack = stack.assign_coords(time=np.array(["2024-05-01", "2024-06-01"], "datetime64[ns]"))
    stack["label"] = first.label
    model = fitted(GaussianNB(), scenes=[stack], adapter=ToTemporalPixelMajor("features"))
    assert model.features == ("red_0", "red_1", "nir_0", "nir_1")


def test_a_catalog_of_files_with_outlines(tmp_path):
    """Files, a pipeline that looks around, labels from polygons: the rows of the whole scenes."""
    outlines, scenes = [], []
    for number in range(2):
        tile = simulate_scene((70, 80), bands=("red", "nir"), cloud_cover=0, seed=number)
        grid = GeoBox((70, 80), Affine(10, 0, 500_000 + 2000 * number, 0, -10, 5_100_000), "EPSG:32633")
        tile = tile_from_arrays(
            {n: tile[n].values for n in ("red", "nir")}, grid, nodata={"red": np.nan, "nir": np.nan}
        )
        scenes.append(tile)
        write_tile(tile, str(tmp_path / f"s{number}" / "{band}.tif"))
        outlines += [(1, grid[5:40, 5:30].extent.geom), (2, grid[20:65, 40:75].extent.geom)]
    frame = geopandas.GeoDataFrame(
        {"crop": [c for c, _ in outlines]}, geometry=[g for _, g in outlines], crs=32633
    )
    frame.to_file(tmp_path / "fields.gpkg")
    X, y = BoxMean(2), ReadLabel(str(tmp_path / "fields.gpkg"), column="crop")
    paths = [str(tmp_path / f"s{number}") for number in range(2)]
    model = fit_pixelwise_incremental(
        Recorder(), X, y, paths, GridSampler(32, boundary="shift"), chunk_size=500
    )
    wanted = []
    for tile in scenes:
        whole = y(X(tile))
        for patch in CatalogPatches([whole], GridSampler(32, boundary="shift")):
            part = patch.tile
            keep = part.label.values.ravel() != 255
            columns = [part[n].values.ravel()[keep].tolist() for n in (*model.features, "label")]
            wanted += zip(*columns, strict=True)
    assert sorted(model.estimator.rows_) == sorted(wanted)
    assert model.classes == (1, 2)
    assert len(model.class_names) == 2


# --- bounded memory ----------------------------------------------------------------------------------------


class Endless:
    """A scene whose pixels are made when they are read."""

    def __init__(self, number: int, like: TileSpec) -> None:
        self.spec, self._number = like, number

    def arrays(self, names=None, rows=slice(None), cols=slice(None)):
        rng = np.random.default_rng(self._number)
        made = {"red": rng.random((256, 256), "f4"), "nir": rng.random((256, 256), "f4")}
        made["label"] = (made["nir"] * 3).astype("u1") + 1
        return {name: made[name][rows, cols] for name in names or made}


def test_memory_does_not_grow_with_the_catalog():
    small = scene(0, (256, 256))[["red", "nir", "label"]]
    scenes = [Endless(n, TileSpec.of(small)) for n in range(48)]
    peaks = []
    for count in (8, 48):
        tracemalloc.start()
        model = fitted(
            Counter(), scenes=scenes[:count], sampler=GridSampler(128), block_chips=4, chunk_size=20_000
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert model.estimator.n_ == model.n_rows == count * 256 * 256
    assert peaks[1] < 1.3 * peaks[0] < 20e6  # all rows would be 63 MB as float32 and int64 labels


# --- on after a kill ---------------------------------------------------------------------------------------

CHILD = """
    import os, signal, sys
    import numpy as np
    from sklearn.linear_model import SGDClassifier
    from geotoolz.core.testing import simulate_scene
    from geotoolz.learn import fit_pixelwise_incremental
    from geotoolz.patch import GridSampler

    calls = 0

    class Killed(SGDClassifier):
        def partial_fit(self, X, y, classes=None, sample_weight=None):
            global calls
            calls += 1
            if str(calls) == os.environ.get("GTZ_KILL_AT"):
                os.kill(os.getpid(), signal.SIGKILL)
            return super().partial_fit(X, y, classes, sample_weight)

    def fit(state=None):
        scenes = []
        for seed in range(2):
            tile = simulate_scene((40, 40), bands=("red", "nir"), cloud_cover=0, seed=seed)
            tile["label"] = (("y", "x"), (tile.nir.values > 0.3).astype("u1") + 1, {"quantity": "flags"})
            scenes.append(tile.assign_attrs(tile_id=str(seed)))
        return fit_pixelwise_incremental(
            Killed(random_state=1), None, "label", scenes, GridSampler(16, boundary="drop"), chunk_size=110,
            classes=[1, 2], epochs=3, block_chips=3, random_state=4, state=state, save_every=3,
        )

    if __name__ == "__main__":
        import gtz_killed
        gtz_killed.fit(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_killed_fit_goes_on_where_it_was(tmp_path, monkeypatch):
    (tmp_path / "gtz_killed.py").write_text(textwrap.dedent(CHILD))
    monkeypatch.syspath_prepend(str(tmp_path))
    import gtz_killed

    state = tmp_path / "fit.state"
    whole = gtz_killed.fit()
    total = gtz_killed.calls
    kill_at = 26  # within the second epoch
    child = subprocess.run(
        [sys.executable, str(tmp_path / "gtz_killed.py"), str(state)],
        env={**os.environ, "GTZ_KILL_AT": str(kill_at), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    gtz_killed.calls = 0
    resumed = gtz_killed.fit(state)
    assert (
        total - (kill_at - 1) <= gtz_killed.calls <= total - (kill_at - 1) + 3
    )  # but for what was not saved
    assert resumed.estimator.coef_.tobytes() == whole.estimator.coef_.tobytes()
    assert resumed.estimator.intercept_.tobytes() == whole.estimator.intercept_.tobytes()
    assert resumed.estimator.t_ == whole.estimator.t_
    assert resumed.metrics == whole.metrics
    assert resumed.extent == whole.extent
    assert resumed.deviation == whole.deviation


class _StopError(Exception):
    pass


@pytest.mark.parametrize("make", [
    lambda: SGDClassifier(random_state=0), GaussianNB, lambda: MLPClassifier((3,), random_state=0),
    lambda: MiniBatchKMeans(3, random_state=0, n_init=1), lambda: IncrementalPCA(1),
])  # fmt: skip
def test_any_interruption_is_taken_up(make, tmp_path, monkeypatch):
    y = None if hasattr(make(), "transform") else "label"
    options = {"y": y, "chunk_size": 170, "epochs": 2, "block_chips": 2}
    whole = fitted(make(), **options)
    kind, calls = type(make()), 0
    plain = kind.partial_fit

    def stopping(self, *args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == 9:
            raise _StopError
        return plain(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "partial_fit", stopping)
        with pytest.raises((_StopError, ParameterError)):
            fitted(make(), **options, state=tmp_path / "s", save_every=2)
    resumed = fitted(make(), **options, state=tmp_path / "s", save_every=2)
    X = np.concatenate([X for X, _ in chips_of()])
    assert resumed.predict_rows(X).tobytes() == whole.predict_rows(X).tobytes()
    assert resumed.metrics == whole.metrics


def test_a_state_that_is_done_gives_its_model_and_more_epochs(tmp_path):
    path = tmp_path / "deep" / "fit.state"
    options = {"chunk_size": 200, "random_state": 1}
    one = fitted(SGDClassifier(), **options, epochs=1, state=path)
    written = path.read_bytes()
    again = fitted(SGDClassifier(), **options, epochs=1, state=path)
    assert path.read_bytes() == written
    assert np.array_equal(one.estimator.coef_, again.estimator.coef_)
    more = fitted(SGDClassifier(), **options, epochs=3, state=path)
    assert np.array_equal(more.estimator.coef_, fitted(SGDClassifier(), **options, epochs=3).estimator.coef_)
    with pytest.raises(ParameterError, match="after 3 epochs"):
        fitted(SGDClassifier(), **options, epochs=2, state=path)
    assert [p.name for p in path.parent.iterdir()] == ["fit.state"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chunk_size": 201}, "chunk_size differ.*was 200, and is 201"),
        ({"random_state": 9}, "estimator, seed differ"),
        ({"scenes": SCENES[:2]}, "scenes differ"),
        ({"X": Sequential([BANDS])}, "X_pipeline differ"),
        ({"sampler": GridSampler(16)}, "sampler differ"),
        ({"shuffle": False}, "shuffle differ"),
        ({"estimator": SGDClassifier(alpha=0.5)}, "estimator differ"),
        ({"classes": [1, 2, 3, 4]}, "classes differ"),
    ],
)
def test_the_state_of_another_fit_is_refused(tmp_path, changes, message):
    path = tmp_path / "fit.state"
    options = {"chunk_size": 200, "estimator": SGDClassifier(), "state": path}
    fitted(**options)
    with pytest.raises(ParameterError, match=f"another fit: .*{message}"):
        fitted(**{**options, **changes})


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + b"\0" * 18, b"\x80\x04nonsense"])
def test_a_file_that_is_no_state(tmp_path, content):
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(ReadError, match="no state of an incremental fit"):
        fitted(GaussianNB(), state=tmp_path / "s")


def test_a_state_with_strange_types_is_not_loaded(tmp_path):
    import io
    import json
    import zipfile

    import skops.io

    fitted(GaussianNB(), state=tmp_path / "s")
    with zipfile.ZipFile(tmp_path / "s") as archive:
        about = archive.read("state.json")
    evil = GaussianNB()
    evil.extra = textwrap.TextWrapper()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("state.json", json.dumps(json.loads(about)))
        archive.writestr("estimator.skops", skops.io.dumps(evil))
    (tmp_path / "s").write_bytes(buffer.getvalue())
    with pytest.raises(ReadError, match=r"textwrap\.TextWrapper"):
        fitted(GaussianNB(), state=tmp_path / "s")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("state.json", about)
        archive.writestr("estimator.skops", b"broken")
    (tmp_path / "s").write_bytes(buffer.getvalue())
    with pytest.raises(ReadError, match="cannot be read"):
        fitted(GaussianNB(), state=tmp_path / "s")


def test_a_state_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((WriteError, ReadError), match="file"):
        fitted(GaussianNB(), state=tmp_path / "file" / "s")


# --- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk_size": 0}, "chunk_size=0"),
        ({"chunk_size": True}, "chunk_size=True"),
        ({"epochs": 0}, "epochs=0"),
        ({"block_chips": 1.5}, "block_chips=1.5"),
        ({"save_every": 0}, "save_every=0"),
        ({"random_state": None}, "random_state=None"),
        ({"sampler": 256}, "the sampler is int"),
        ({"classes": 3}, "classes=3"),
        ({"classes": "ab"}, "classes='ab'"),
        ({"classes": [1, 2]}, "labels 3.*one of the classes 1, 2"),
        ({"classes": [1, 1, 2]}, "each once"),
        ({"classes": [1]}, "two whole numbers"),
        ({"classes": ["a", "b"]}, "two whole numbers"),
        ({"estimator": RandomForestClassifier()}, "has no partial_fit.*SGDClassifier"),
        ({"y": None}, "SGDClassifier without labels"),
        ({"scenes": [scene(0, legend=False)]}, "labels have no legend"),
        ({"estimator": Counter(), "sample_weight": "red"}, "takes no weights"),
        ({"estimator": IncrementalPCA(2), "y": None, "chunk_size": 1}, "cannot take a chunk of 1 rows"),
    ],
)
def test_what_cannot_be_fitted(options, message):
    with pytest.raises(ParameterError, match=message):
        fitted(**{"estimator": SGDClassifier(), **options})


def test_no_valid_pixel():
    empty = [
        one.assign(label=one.label * 0 + 255).assign(label=lambda t: t.label.astype("u1").assign_attrs(FLAGS))
        for one in SCENES
    ]
    with pytest.raises(TileError, match="no pixel has both"):
        fitted(SGDClassifier(), scenes=empty)


def test_one_class_only():
    same = [one.assign(label=(("y", "x"), np.full((60, 50), 2, "u1"), FLAGS)) for one in SCENES]
    with pytest.raises(ParameterError, match="are of the class 2"):
        fitted(SGDClassifier(), scenes=same)


def test_scenes_that_do_not_fit_together():
    wide = SCENES[1].assign(red=SCENES[1].red.astype("f8").assign_attrs(SCENES[1].red.attrs))
    with pytest.raises(TileError, match=r"scene 1 are float64.*as in the first scene"):
        fitted(SGDClassifier(), scenes=[SCENES[0], wide])
    other = SCENES[1].assign(label=SCENES[1].label.assign_attrs(flag_meanings="bare wood grass"))
    with pytest.raises(ParameterError, match=r"'grass'.*'wood' in scene 1"):
        fitted(SGDClassifier(), scenes=[SCENES[0], other])


def test_nan_where_the_estimator_takes_none():
    with pytest.raises(ParameterError, match="cannot take a chunk"):
        fitted(SGDClassifier(), nodata_policy=NanPolicy(on_input="propagate"))


@pytest.mark.parametrize("shuffle", [True, False])
def test_an_epoch_can_be_taken_up_after_any_chunk(shuffle):
    recipe = Recipe(BANDS, "label")
    stream = RowStream(SCENES, SAMPLER, recipe, chunk_size=230, block_chips=3, shuffle=shuffle, seed=9)
    whole = list(stream.chunks(Position(1)))
    assert len({chunk.then for chunk in whole}) == len(whole)
    assert [chunk.then for chunk in whole] == sorted(chunk.then for chunk in whole)
    for number, chunk in enumerate(whole):
        rest = list(stream.chunks(chunk.then))
        assert len(rest) == len(whole) - number - 1
        for one, two in zip(rest, whole[number + 1 :], strict=True):
            assert one.then == two.then
            assert one.rows.X.tobytes() == two.rows.X.tobytes()
            assert np.array_equal(one.rows.y, two.rows.y)


def test_positions_are_ordered():
    assert Position(0, 5, 9) < Position(1) < Position(1, 0, 1)
