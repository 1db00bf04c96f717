"""ModelOp: whole-scene results from patches, its outputs, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import rioxarray  # noqa: F401 - the accessor

torch = pytest.importorskip("torch", reason="pip install 'geotoolz-learn[torch]'")

from gtz_torch import as_input, config, network, saved, whole  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import geotoolz as gz  # noqa: E402
from geotoolz.core import (  # noqa: E402
    SEGMENTED,
    ConfigError,
    MissingVariableError,
    ParameterError,
    TileSpec,
    VarSpec,
    from_config,
    run,
)
from geotoolz.core.testing import contract_tile, simulate_scene  # noqa: E402
from geotoolz.learn import Checkpoint, ModelOp  # noqa: E402
from geotoolz.learn._model_op_cells import Axis, default_patch, require_patch  # noqa: E402
from geotoolz.patch import ApplyToChips, GridSampler  # noqa: E402


def scene(shape=(75, 90), seed=0, gaps=False):
    tile = simulate_scene(shape, bands=("red", "nir"), seed=seed)
    if gaps:
        values = tile.nir.values.copy()
        values[3:9, 5:40] = np.nan
        tile["nir"] = (tile.nir.dims, values, tile.nir.attrs)
    return tile


def in_memory(classes=1, depth=1, **more):
    return Checkpoint(config(classes, depth=depth, **more), network(classes, depth=depth).state_dict())


# --- whole scene = patches -----------------------------------------------------------------------
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("shape", [(150, 131), (64, 64), (9, 13), (5, 140)])
def test_equals_the_whole_scene(depth, shape):
    """max |Δ| = 0 against torch alone, at the scene's border too, whatever its size."""
    tile, about = scene(shape), config(depth=depth)
    op = ModelOp(Checkpoint(about, network(depth=depth).state_dict()))
    exact = whole(network(depth=depth), as_input(tile, about, 2**depth)).sigmoid()
    difference = np.abs(op(tile).probabilities.values - exact[0, : shape[0], : shape[1]].numpy())
    # torch computes the last numbers of an array without registers: those of a scene, never those of a patch
    assert difference.max() <= 6e-8 and (difference > 0).sum() <= 32


@pytest.mark.parametrize("size", [24, 40, 64])
def test_logits_are_those_of_the_whole_scene(size):
    """Values are written as they are, so nothing rounds between the network and us: max |Δ| = 0."""
    tile = scene((117, 103))
    about = config(3, task="regression")
    op = ModelOp(Checkpoint(about, network(3).state_dict()), patch_size=size)
    found = np.stack([op(tile)[name].values for name in about.classes])
    np.testing.assert_array_equal(found, whole(network(3), as_input(tile, about, 2))[:, :117, :103].numpy())


@settings(max_examples=6)
@given(
    window=st.tuples(st.integers(7, 80), st.integers(7, 95)),
    threads=st.integers(1, 3),
    batch=st.sampled_from([2, 3, 5]),
)
def test_no_cut_changes_a_bit(window, threads, batch):
    op, tile = ModelOp(in_memory(3, depth=2), patch_size=60, batch_size=batch), scene(gaps=True)
    once = run(op, tile)
    again = run(op, tile, window=window, threads=threads)
    for name in ("label", "probability_class_0", "probability_class_2"):
        np.testing.assert_array_equal(again[name], once[name])


def test_torch_threads_change_no_bit():
    op, tile = ModelOp(in_memory(3, depth=2)), scene()
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            found.append(op(tile).probability_class_1.values)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


def test_batches_hold_the_same_number_of_patches():
    shapes = []

    def watched(x):
        shapes.append(x.shape)
        return x[:, :1]

    op = ModelOp(watched, inputs=["red", "nir"], halo=2, stride=2, patch_size=16, batch_size=4, mode="crop")
    run(op, scene((50, 33)), window=(20, 20))
    assert set(shapes) == {(4, 2, 16, 16)}


def test_chips_of_the_pipeline_give_the_whole_scene():
    op = gz.Sequential([gz.indices.NDVI(), ModelOp(in_memory())])
    chips = ApplyToChips(GridSampler(48, stride=24), op)
    np.testing.assert_array_equal(chips(scene()).probabilities, op(scene()).probabilities)


def test_blended_patches_are_near_and_tagged():
    op = ModelOp(in_memory(), mode="hann", patch_size=32)
    exact, tile = ModelOp(in_memory())(scene()).probabilities, scene()
    blended = op(tile).probabilities
    assert "approximate" in op.tags and "approximate" not in ModelOp(in_memory()).tags
    assert 0 < float(np.abs(blended - exact).max()) < 0.2
    np.testing.assert_array_equal(run(op, tile, window=(30, 41)).probabilities, blended)


def test_norms_over_the_image_are_blended_and_not_cropped():
    net = torch.nn.Sequential(torch.nn.GroupNorm(1, 2), torch.nn.Conv2d(2, 1, 1)).eval()
    own = {"inputs": ["red", "nir"], "classes": ["slump"], "task": "binary"}
    assert ModelOp(net, **own).chosen_mode() == "hann"
    assert ModelOp(net, patch_size=32, **own)(scene()).probabilities.notnull().all()
    with pytest.raises(ParameterError, match="mode='hann' blends"):
        ModelOp(net, mode="crop", **own)(scene())


def test_whole_tile_at_once():
    tile, about = scene((30, 41)), config(task="regression")
    op = ModelOp(Checkpoint(about, network().state_dict()), mode="whole", stride=2)
    np.testing.assert_array_equal(
        op(tile).class_0, whole(network(), as_input(tile, about, 2))[0, :30, :41].numpy()
    )


# --- where the patches lie -----------------------------------------------------------------------
@given(st.integers(1, 200), st.integers(0, 8), st.integers(1, 4), st.integers(1, 30), st.data())
def test_patches_cover_every_pixel_once_and_see_enough(size, radius, stride, more, data):
    halo = -(-radius // stride) * stride
    axis = Axis(size, 2 * halo + more * stride, halo, stride, radius)
    low = data.draw(st.integers(0, size - 1))
    high = data.draw(st.integers(low + 1, size))
    covered = []
    for piece in axis.pieces(low, high):
        assert piece.start % stride == 0 and piece.start >= 0 and piece.start + axis.side <= axis.padded
        assert piece.first - piece.start >= radius or piece.start == 0
        assert piece.start + axis.side - piece.end >= radius or piece.start + axis.side == axis.padded
        covered += range(piece.first, piece.end)
    assert covered == list(range(low, high))


def test_sizes_that_do_not_fit_are_refused_with_those_that_do():
    with pytest.raises(ParameterError, match="patch_size=120 or 128"):
        require_patch(125, 56, 8)
    with pytest.raises(ParameterError, match="multiple of 8, 120 or more"):
        require_patch(64, 56, 8)
    with pytest.raises(ParameterError, match="works in blocks of 4"):
        ModelOp(in_memory(depth=2), patch_size=62)(scene())
    with pytest.raises(ParameterError, match="patch_size=20 or 24"):
        ModelOp(in_memory(depth=2), mode="hann", stride=4, patch_size=22)(scene())
    assert default_patch(256, 56, 8) == 256 and default_patch(64, 56, 8) == 224


# --- no-data -------------------------------------------------------------------------------------
def test_one_nan_changes_no_more_than_its_receptive_field():
    tile, op = scene(), ModelOp(in_memory())
    spoilt = tile.copy(deep=True)
    spoilt.red[40, 33] = np.nan
    before, after = op(tile).probabilities.values, op(spoilt).probabilities.values
    radius = op.receptive_field.radius
    changed = np.argwhere((before != after) | np.isnan(after))
    assert np.isnan(after).sum() == 1 and np.isnan(after[40, 33])
    assert np.abs(changed - [40, 33]).max() <= radius


def test_patches_without_data_are_not_computed():
    calls = []

    def watched(x):
        calls.append(len(x))
        return x[:, :1]

    op = ModelOp(watched, inputs="red", halo=0, stride=1, patch_size=16, batch_size=1, mode="crop")
    tile = scene((64, 64))
    tile["red"] = tile.red.where(tile.x > tile.x[31])
    out = op(tile).prediction
    assert sum(calls) == 8 and int(out.isnull().sum()) == 32 * 64
    calls.clear()
    tile["red"] = tile.red * np.float32(np.nan)
    assert op(tile).prediction.isnull().all() and not calls


def test_integers_with_no_data():
    tile = contract_tile((20, 22), raw=True)
    op = ModelOp(lambda x: x[:, :1], inputs="red", classes="red2", halo=0, stride=1, mode="crop")
    out = op(tile).red2.values
    gone = tile.red.values == tile.red.attrs["_FillValue"]
    np.testing.assert_array_equal(np.isnan(out), gone)
    np.testing.assert_array_equal(out[~gone], tile.red.values[~gone])


# --- what is written -----------------------------------------------------------------------------
def test_probabilities_are_those_of_the_segmented_table():
    out = TileSpec.of(ModelOp(in_memory())(scene()))
    assert not SEGMENTED.variables["probabilities"].problems("probabilities", out.variables["probabilities"])
    assert out.variables["probabilities"].dtype == np.float32


def test_classes_have_codes_names_and_no_data():
    op = ModelOp(in_memory(3, codes=(4, 1, 9)), name="cover", writes="classes")
    out = op(scene(gaps=True))
    assert set(out.data_vars) == {"red", "nir", "cover"}
    assert out.cover.attrs["flag_values"].tolist() == [1, 4, 9]
    assert out.cover.attrs["flag_meanings"] == "class_1 class_0 class_2"
    assert (out.cover.values[3:9, 5:40] == 255).all() and set(np.unique(out.cover)) <= {1, 4, 9, 255}
    both = ModelOp(in_memory(3, codes=(4, 1, 9)))(scene(gaps=True))
    planes = np.stack([both[f"probability_class_{k}"].values for k in range(3)])
    there = ~np.isnan(planes[0])
    np.testing.assert_allclose(planes[:, there].sum(0), 1, rtol=1e-6)
    np.testing.assert_array_equal(np.array([4, 1, 9])[planes[:, there].argmax(0)], both.label.values[there])


def test_finer_pixels_lie_where_they_should():
    net = torch.nn.Upsample(scale_factor=3, mode="nearest").eval()
    op = ModelOp(net, inputs=["red", "nir"], classes=["red", "nir"], task="super_resolution", zoom=3)
    tile = scene((20, 17), gaps=True)
    out = op(tile)
    assert set(out.data_vars) == {"red", "nir"} and out.red.shape == (60, 51)
    assert out.rio.resolution() == tuple(r / 3 for r in tile.rio.resolution())
    assert out.rio.bounds() == pytest.approx(tile.rio.bounds())
    np.testing.assert_array_equal(
        out.red, tile.where(tile.nir.notnull()).red.values.repeat(3, 0).repeat(3, 1)
    )
    assert out.red.attrs["units"] == tile.red.attrs["units"]


def test_values_are_denormalised():
    about = config(1, task="regression").replace(classes=("agb",))
    about = about.replace(output_normalisation={"offset": [100.0], "scale": [20.0]})
    plain = ModelOp(Checkpoint(about.replace(output_normalisation=None), network().state_dict()))(scene()).agb
    out = ModelOp(Checkpoint(about, network().state_dict()))(scene()).agb
    np.testing.assert_allclose(out, plain * 20 + 100, rtol=1e-6)


def test_stacks_are_asked_date_by_date():
    tile = contract_tile((21, 18), times=3)
    op = ModelOp(in_memory())
    out = op(tile).probabilities
    assert out.dims == ("time", "y", "x")
    np.testing.assert_array_equal(out[1], op(tile.isel(time=1)).probabilities)


# --- other models --------------------------------------------------------------------------------
def test_estimators_and_rows():
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(0)
    X, tile = rng.random((200, 2)).astype(np.float32), scene((30, 31), gaps=True)
    forest = RandomForestClassifier(8, random_state=0).fit(X, (X[:, 0] > X[:, 1]).astype(int))
    op = ModelOp(forest, inputs=["red", "nir"], classes=["no", "yes"], task="multiclass")
    out = op(tile)
    there = tile.nir.notnull().values
    rows = np.column_stack([tile.red.values[there], tile.nir.values[there]])
    np.testing.assert_allclose(out.probability_yes.values[there], forest.predict_proba(rows)[:, 1], rtol=1e-6)
    assert out.probability_yes.isnull().sum() == (~there).sum()
    np.testing.assert_array_equal(run(op, tile, window=(17, 31)).label, out.label)


def test_networks_on_rows():
    net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)).eval()
    op = ModelOp(net, inputs=["red", "nir"], classes="v", mode="pixelwise")
    tile = scene((40, 50))
    out = op(tile).v
    with torch.inference_mode():
        expected = net(torch.from_numpy(np.stack([tile.red.values, tile.nir.values], -1)))[..., 0].numpy()
    np.testing.assert_allclose(out, expected, atol=1e-6)
    np.testing.assert_array_equal(run(op, tile, window=(13, 17)).v, out)


class _TwoWays(torch.nn.Module):
    def forward(self, x):
        return x[:, :1]

    def larger(self, x):
        return x.amax(1, keepdim=True)


def test_method():
    own = {"inputs": ["red", "nir"], "classes": ["v"], "halo": 0, "stride": 1}
    tile = scene((16, 16))
    np.testing.assert_array_equal(ModelOp(_TwoWays().eval(), method="larger", **own)(tile).v,
                                  np.maximum(tile.red, tile.nir))  # fmt: skip
    with pytest.raises(ParameterError, match="no method 'largest'"):
        ModelOp(_TwoWays().eval(), method="largest", **own)(tile)


# --- configuration -------------------------------------------------------------------------------
def test_a_file_stands_in_yaml(tmp_path):
    op = ModelOp(saved(tmp_path), patch_size=48)
    text = gz.Sequential([op]).config()
    again = from_config(text)
    assert again.config_hash() == gz.Sequential([op]).config_hash()
    np.testing.assert_array_equal(again(scene()).probabilities, op(scene()).probabilities)
    assert ModelOp(tmp_path / "model.pt") == ModelOp(saved(tmp_path))


def test_a_function_in_a_module_stands_in_yaml():
    import gtz_functions

    op = ModelOp(gtz_functions.brightest, inputs=["red"], mode="pixelwise")
    assert op.config()["model"] == "import:gtz_functions.brightest" and "loads_code" in op.tags
    with pytest.raises(ParameterError, match="cannot be imported"):
        ModelOp("import:gtz_functions.missing", inputs=["red"], mode="pixelwise")(scene())


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (lambda x: x, "a function at the top of a module can be saved"),
        (network(), "save_checkpoint"),
        (in_memory(), "save_checkpoint"),
    ],
)
def test_what_is_in_memory_does_not_stand_in_yaml(model, match):
    own = {} if isinstance(model, Checkpoint) else {"inputs": ["red", "nir"], "classes": ["y"]}
    with pytest.raises(ConfigError, match=match):
        ModelOp(model, **own).config()


# --- bad input -----------------------------------------------------------------------------------
def test_a_band_that_the_tile_lacks_is_told_before_pixels(tmp_path):
    spec = TileSpec({"red": VarSpec()}, {"y": 10_000, "x": 10_000})
    with pytest.raises(MissingVariableError, match="ModelOp reads 'nir', and the tile has red"):
        ModelOp(saved(tmp_path)).plan(spec)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"halo": -1}, "halo=-1"),
        ({"overlap": 1.0}, "overlap=1"),
        ({"inputs": ["red"]}, "beside a checkpoint"),
        ({"writes": "classes"}, "Postprocess"),
        ({"mode": "pixelwise", "uncertainty": "tta"}, "pixelwise"),
    ],
)
def test_parameters_are_checked(change, match):
    with pytest.raises(ParameterError, match=match):
        ModelOp(in_memory(), **change)(scene())


def test_models_are_checked():
    with pytest.raises(ParameterError, match="the model is int"):
        ModelOp(3)
    with pytest.raises(ParameterError, match="inputs="):
        ModelOp(lambda x: x, halo=0, stride=1)(scene())
    with pytest.raises(ParameterError, match="how far the function looks"):
        ModelOp(lambda x: x, inputs="red")(scene())
    with pytest.raises(ParameterError, match=r"network\.eval\(\)"):
        ModelOp(network().train(), inputs=["red", "nir"], classes="y")(scene())
    with pytest.raises(ParameterError, match="one channel for each of a, b"):
        ModelOp(lambda x: x[:, :1], inputs="red", classes=["a", "b"], halo=0, stride=1, mode="crop")(scene())
