"""Models that are loaded once; ensembles; uncertainty; a U-Net."""

from __future__ import annotations

import itertools
import math
import pickle
import re

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="pip install 'geotoolz-learn[torch]'")

from gtz_torch import BANDS, config, network, saved  # noqa: E402

from geotoolz.core import (  # noqa: E402
    SEGMENTED,
    MissingVariableError,
    ParameterError,
    ReadError,
    TileSpec,
    check,
    dump,
    from_config,
    load,
    run,
)
from geotoolz.core.testing import simulate_scene  # noqa: E402
from geotoolz.learn import (  # noqa: E402
    Checkpoint,
    Ensemble,
    ModelOp,
    SegmentationModel,
    SuperResolutionModel,
    UNet,
)


def scene(shape=(60, 70), seed=0, bands=("red", "nir", "green")):
    tile = simulate_scene(shape, bands=bands, seed=seed)
    tile["red"] = tile.red.where((tile.x > tile.x[5]) | (tile.y > tile.y[8]))
    return tile


def constant(value):
    return lambda x: x[:, :1] * 0 + np.float32(value)


ABOUT = {"classes": ["slump"], "task": "binary", "halo": 0, "stride": 1, "mode": "crop"}


# --- loaded models -------------------------------------------------------------------------------
def test_segment_and_segment_batched(tmp_path):
    model = SegmentationModel.load(saved(tmp_path, depth=2), batch_size=4)
    tiles = [scene((60, 70)), scene((61, 33), seed=1), scene((9, 9), seed=2), scene((130, 64), seed=3)]
    before = [tile.copy(deep=True) for tile in tiles]
    alone = [model.segment(tile) for tile in tiles]
    together = model.segment_batched(iter(tiles))
    for tile, was, one, other in zip(tiles, before, alone, together, strict=True):
        assert one.identical(other) and tile.identical(was)
    assert set(together[0].data_vars) - set(tiles[0].data_vars) == {"probabilities"}


def test_batches_are_filled_across_tiles():
    sizes = []

    def watched(x):
        sizes.append(int((np.abs(x).max(axis=(1, 2, 3)) > 0).sum()))
        return x[:, :1]

    model = SegmentationModel(ModelOp(watched, inputs=["nir"], patch_size=32, batch_size=4, **ABOUT))
    model.segment_batched([scene((32, 32), seed=n) for n in range(8)])
    assert sizes == [4, 4]


def test_models_are_what_they_are_loaded_as(tmp_path):
    with pytest.raises(ParameterError, match="expected a network for super-resolution"):
        SuperResolutionModel.load(saved(tmp_path))
    with pytest.raises(ParameterError, match="the checkpoint's task is regression"):
        SegmentationModel.load(saved(tmp_path, task="regression"))


def test_a_model_travels_to_a_worker(tmp_path):
    model = SegmentationModel.load(saved(tmp_path))
    again = pickle.loads(pickle.dumps(model))
    assert len(pickle.dumps(model)) < 4000
    assert again.segment(scene()).identical(model.segment(scene()))


def test_a_tile_without_a_band_stops_before_any_is_computed(tmp_path):
    model = SegmentationModel.load(saved(tmp_path))
    with pytest.raises(MissingVariableError, match="nir"):
        model.segment_batched([scene(), scene(bands=("red", "green"))])


def test_enhance_batched_keeps_every_grid():
    finer = torch.nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False).eval()
    op = ModelOp(finer, inputs=["nir"], classes=["nir"], task="super_resolution", zoom=2)
    tiles = [simulate_scene((20, 24), bands=("nir",), seed=n) for n in range(2)]
    out = SuperResolutionModel(op).enhance_batched(tiles)
    for tile, made in zip(tiles, out, strict=True):
        step = float(tile.x[1] - tile.x[0])
        assert float(made.x[0]) == pytest.approx(float(tile.x[0]) - step / 4)
        with torch.inference_mode():
            expected = finer(torch.from_numpy(tile.nir.values)[None, None])[0, 0].numpy()
        np.testing.assert_array_equal(made.nir, expected)


# --- ensembles -----------------------------------------------------------------------------------
def test_members_with_different_inputs_and_gaps():
    members = {
        "s2": ModelOp(constant(0.2), inputs=["red"], **ABOUT),
        "tc": ModelOp(constant(0.6), inputs=["nir"], **ABOUT),
    }
    out = Ensemble(members, weights={"s2": 1.0, "tc": 3.0}, keep_members=True)(scene())
    gone = scene().red.isnull().values
    assert gone.any()
    np.testing.assert_allclose(out.probabilities.values[~gone], (0.2 + 3 * 0.6) / 4, rtol=1e-6)
    np.testing.assert_allclose(out.probabilities.values[gone], 0.6, rtol=1e-6)
    assert np.isnan(out["probabilities-model-s2"].values[gone]).all()
    spec = TileSpec.of(out)
    for name in ("probabilities", "probabilities-model-s2", "probabilities-model-tc"):
        pattern = "probabilities" if name == "probabilities" else "probabilities-model-*"
        assert not SEGMENTED.variables[pattern].problems(name, spec.variables[name])


def test_disagreement_by_hand():
    members = {n: ModelOp(constant(p), inputs=["nir"], **ABOUT) for n, p in (("a", 0.1), ("b", 0.9))}
    out = Ensemble(members, uncertainty=True)(scene())

    def entropy(p):
        return -(p * math.log(p) + (1 - p) * math.log(1 - p))

    np.testing.assert_allclose(out.entropy, math.log(2), rtol=1e-6)
    np.testing.assert_allclose(out.mutual_information, math.log(2) - entropy(0.1), rtol=1e-5)


def test_an_ensemble_of_a_folder_stands_in_yaml(tmp_path):
    saved(tmp_path, name="a.pt", depth=1)
    saved(tmp_path, name="b.pt", depth=2, bands=("green",))
    ensemble = Ensemble.load(tmp_path, keep_members=True, patch_size=64)
    assert list(ensemble.members) == ["a", "b"]
    again = from_config(ensemble.config())
    tile = scene()
    out = ensemble.segment(tile)
    assert again(tile).identical(out) and again.config_hash() == ensemble.config_hash()
    for name, bands in (("a", BANDS), ("b", ("green",))):
        alone = ModelOp(tmp_path / f"{name}.pt", patch_size=64)(tile).probabilities
        assert alone.equals(out[f"probabilities-model-{name}"]), bands
    assert run(ensemble, tile, window=(23, 31)).identical(out)
    assert ensemble.segment_batched([tile])[0].identical(out)


def test_members_of_several_classes(tmp_path):
    members = {n: saved(tmp_path, 3, name=f"{n}.pt", depth=d) for n, d in (("a", 1), ("b", 2))}
    out = Ensemble(members)(scene())
    assert {"probability_class_0", "probability_class_1", "probability_class_2"} <= set(out.data_vars)
    there = out.probability_class_0.notnull().values
    total = sum(out[f"probability_class_{k}"].values[there] for k in range(3))
    np.testing.assert_allclose(total, 1, rtol=1e-6)


def test_a_dumped_ensemble_finds_its_files_from_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, name="runs/a.pt")
    (tmp_path / "sub").mkdir()
    ensemble = Ensemble({"a": "runs/a.pt"})
    text = dump(ensemble, "sub/ens.yaml")
    assert "uri: ../runs/a.pt" in text and "uri: runs/a.pt" in dump(ensemble)
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    again = load(tmp_path / "sub" / "ens.yaml")
    assert again.config_hash() == ensemble.config_hash()
    assert again(scene()).probabilities.notnull().any()
    # a plain path is, as all paths of operators are, one from the working directory: the error says which
    with pytest.raises(ReadError, match=re.escape(str(tmp_path / "else" / "runs" / "a.pt"))):
        ModelOp("runs/a.pt")


def test_members_own_doubts_never_pass_as_those_of_the_ensemble(tmp_path):
    members = {n: ModelOp(saved(tmp_path, name=f"{n}.pt", depth=d), uncertainty="tta")
               for n, d in (("a", 1), ("b", 2))}  # fmt: skip
    tile = scene()
    plain = Ensemble(members)(tile)
    assert set(plain.data_vars) - set(tile.data_vars) == {"probabilities"}
    kept = Ensemble(members, keep_members=True, uncertainty=True)(tile)
    for name, member in members.items():
        alone = member(tile)
        for variable in ("entropy", "mutual_information"):
            assert kept[f"{variable}-model-{name}"].equals(alone[variable])
            assert not kept[variable].equals(alone[variable])


def test_the_class_map_of_an_ensemble_is_that_of_the_means(tmp_path):
    files = {n: saved(tmp_path, 3, name=f"{n}.pt", depth=d, codes=(1, 4, 7)) for n, d in (("a", 1), ("b", 2))}
    tile = scene()
    out, alone = Ensemble(files)(tile), ModelOp(files["a"])(tile)
    means = np.stack([out[f"probability_class_{k}"].values for k in range(3)])
    there = ~np.isnan(means[0])
    assert not there.all()
    expected = np.where(there, np.array([1, 4, 7])[np.argmax(means, 0)], 255)
    np.testing.assert_array_equal(out.label, expected)
    assert (
        out.label.isel(y=0, x=0, drop=True)
        .copy(data=0)
        .identical(alone.label.isel(y=0, x=0, drop=True).copy(data=0))
    )
    assert run(Ensemble(files), tile, window=(23, 31)).identical(out)
    named = Ensemble({n: ModelOp(f, writes="classes", name="predicted") for n, f in files.items()})(tile)
    assert set(named.data_vars) - set(tile.data_vars) == {"predicted"}
    assert named.predicted.equals(out.label)
    other = saved(tmp_path, 3, name="c.pt", codes=(1, 4, 8))
    with pytest.raises(ParameterError, match="the same codes for the same classes"):
        Ensemble({"a": files["a"], "c": other})(tile)


def test_a_truth_that_is_replaced_is_told_before(tmp_path):
    tile = scene()
    tile["label"] = (("y", "x"), np.zeros((60, 70), np.uint8))
    ref = saved(tmp_path, 3)
    for op in (ModelOp(ref), Ensemble({"a": ref})):
        found = [one for one in check(op, TileSpec.of(tile)) if "replaces" in one.message]
        assert len(found) == 1 and "'label'" in found[0].message and "name='predicted'" in found[0].message
        assert found[0].level == "warning"
    for op in (ModelOp(ref, name="predicted"), Ensemble({"a": ModelOp(ref, name="predicted")})):
        assert not [one for one in check(op, TileSpec.of(tile)) if "replaces" in one.message]
        assert op(tile).label.equals(tile.label)


def test_a_folder_of_a_training_run_is_no_two_members(tmp_path):
    saved(tmp_path)
    torch.save({"epoch": 1}, tmp_path / "state.pt")
    assert list(Ensemble.load(tmp_path).members) == ["model"]


def test_weights_of_no_member_are_refused(tmp_path):
    members = {"a": ModelOp(constant(0.5), inputs=["nir"], **ABOUT)}
    with pytest.raises(ParameterError, match="a positive number for each of a"):
        Ensemble(members, weights={"b": 1.0})
    with pytest.raises(ParameterError, match="a positive number for each of a"):
        Ensemble(members, weights={"a": 0.0})
    with pytest.raises(ParameterError, match="one at least"):
        Ensemble({})
    with pytest.raises(ParameterError, match="no checkpoints"):
        Ensemble.load(tmp_path)
    with pytest.raises(ParameterError, match="the members' tasks are"):
        Ensemble({**members, "b": saved(tmp_path, 3)})


# --- uncertainty ---------------------------------------------------------------------------------
def _dropping():
    return Checkpoint(config(dropout=0.5), network(dropout=0.5).state_dict())


def test_dropout_is_the_same_for_every_cut_and_differs_by_seed():
    op, tile = ModelOp(_dropping(), uncertainty="mc_dropout", samples=4), scene()
    out = op(tile)
    assert run(op, tile, window=(19, 33)).identical(out)
    assert run(op, tile, threads=2).identical(out)
    there = out.probabilities.notnull().values
    assert (out.mutual_information.values[there] > 0).mean() > 0.9
    assert not op.replace(seed=1)(tile).probabilities.equals(out.probabilities)


def test_dropout_by_hand():
    """One layer of dropout on 4 channels: every pass drops the channels that the seed says."""
    net = torch.nn.Sequential(torch.nn.Dropout2d(0.5), torch.nn.Conv2d(2, 1, 1, bias=False)).eval()
    net[1].weight.data.fill_(1.0)
    from geotoolz.learn._uncertainty import Dropout

    op = ModelOp(net, inputs=["nir", "green"], classes=["v"], uncertainty="mc_dropout", samples=8, seed=3)
    out, tile = op(scene()), scene()
    passes = [
        sum(
            f * tile[n].values.astype(np.float64)
            for f, n in zip(Dropout(3, k).factors(0, 2, 0.5), ("nir", "green"), strict=True)
        )
        for k in range(8)
    ]
    np.testing.assert_allclose(out.v, np.mean(passes, 0), rtol=1e-5)
    np.testing.assert_allclose(out.v_std, np.std(passes, 0), rtol=1e-5, atol=1e-6)


def test_mirrored_patches_by_hand():
    net = network()
    op = ModelOp(
        Checkpoint(config(task="regression", normalisation=None), net.state_dict()), uncertainty="tta"
    )
    tile = simulate_scene((40, 48), bands=BANDS)
    x = torch.from_numpy(np.stack([tile[n].values for n in BANDS]))[None]
    with torch.inference_mode():
        turned = [net(x.flip(a)).flip(a)[0, 0].double().numpy() for a in ((), (3,), (2,), (2, 3))]
    out = op(tile)
    np.testing.assert_allclose(out.class_0, np.mean(turned, 0), atol=1e-6)
    np.testing.assert_allclose(out.class_0_std, np.std(turned, 0), atol=1e-6)


def test_a_network_without_dropout_is_refused():
    with pytest.raises(ParameterError, match="drops nothing"):
        ModelOp(Checkpoint(config(), network().state_dict()), uncertainty="mc_dropout")(scene())


# --- U-Net ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("depth", "norm"), list(itertools.product([1, 3], ["batch", "none"])))
def test_unet_keeps_the_size_and_learns(depth, norm):
    torch.manual_seed(0)
    net = UNet(2, 3, 4, depth, norm)
    x = torch.rand(2, 2, 16, 24)
    out = net(x)
    assert out.shape == (2, 3, 16, 24) and net.total_stride == 2**depth
    out.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize(
    ("wrong", "match"),
    [({"depth": 0}, "depth=0"), ({"norm": "group"}, "norm='group'"), ({"dropout": 1.0}, "dropout=1")],
)
def test_unet_parameters(wrong, match):
    with pytest.raises(ParameterError, match=match):
        UNet(2, 1, **wrong)
