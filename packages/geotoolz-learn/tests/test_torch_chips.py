"""GeoChips: the same pixels as inference, each chip once, whoever reads it."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

torch = pytest.importorskip("torch", reason="pip install 'geotoolz-learn[torch]'")

from torch.utils.data import DataLoader  # noqa: E402

import geotoolz as gz  # noqa: E402
from geotoolz.augment import Compose, GaussianNoise, RandomFlip  # noqa: E402
from geotoolz.core import MissingVariableError, ParameterError  # noqa: E402
from geotoolz.core.testing import simulate_scene  # noqa: E402
from geotoolz.learn import GeoChips, Normalisation  # noqa: E402
from geotoolz.learn._geochips import IGNORED  # noqa: E402
from geotoolz.patch import GridSampler, RandomSampler  # noqa: E402
from geotoolz.radiometry import BoxMean  # noqa: E402


def scenes(count=3, shape=(96, 80)):
    made = []
    for n in range(count):
        tile = simulate_scene(shape, bands=("red", "nir"), seed=n)
        cover = np.digitize(tile.nir.values, [0.2, 0.3]).astype(np.uint8) * 2
        cover[:5] = 255
        made.append(tile.assign(cover=(("y", "x"), cover, {"_FillValue": 255})))
    return made


def chips(sampler=None, **more):
    given = {"inputs": ["red", "nir"], "target": "cover", "codes": (0, 2, 4), **more}
    return GeoChips(scenes(), sampler or RandomSampler(16, 20), **given)


def ids(loader):
    return [int(n) for batch in loader for n in batch["chip"]]


def test_a_chip_is_what_inference_makes_of_the_whole_scene():
    preprocess = gz.Sequential([BoxMean(3, bands=("nir",)), gz.indices.NDVI()])
    data = chips(
        inputs=["nir", "ndvi"], preprocess=preprocess, normalisation=Normalisation([0.1, 0], [0.5, 2])
    )
    whole = [preprocess(tile) for tile in scenes()]
    for number in (0, 17, 33, 59):
        sample, patch = data[number], data.patches[number]
        e = patch.chip.extent
        part = whole[patch.scene].isel(y=slice(e.y0, e.y1), x=slice(e.x0, e.x1))
        expected = [(part.nir.values - np.float32(0.1)) / np.float32(0.5), part.ndvi.values / np.float32(2)]
        np.testing.assert_array_equal(sample["image"], np.stack(expected))
        cover = part.cover.values
        mask = np.select([cover == 0, cover == 2, cover == 4], [0, 1, 2], IGNORED)
        np.testing.assert_array_equal(sample["mask"], mask)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", ["map", "stream"])
def test_each_chip_once_whatever_the_workers(kind, workers):
    data = chips()
    if kind == "map":
        loader = data.loader(8, workers=workers)
    else:
        loader = DataLoader(data.stream(8, buffer=16), batch_size=None, num_workers=workers)
    first = ids(loader)
    assert sorted(first) == list(range(60)) and first != sorted(first)
    data.set_epoch(1)
    assert sorted(second := ids(loader)) == list(range(60)) and second != first


@pytest.mark.parametrize("workers", [0, 1])
def test_a_plain_data_loader_of_torch_gives_the_same_batches(workers):
    data = chips()
    plain = torch.utils.data.DataLoader(data, batch_size=8, num_workers=workers)
    ours = torch.utils.data.DataLoader(data, batch_size=8, collate_fn=data.collate)
    pairs = list(zip(plain, ours, strict=True))
    assert len(pairs) == 8
    for one, other in pairs:
        assert list(one) == list(other)
        assert all(torch.equal(one[name], other[name]) for name in one)


def equal(one, other):
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("balance", [False, True])
def test_the_loader_gives_what_a_plain_one_gives_in_that_order(workers, balance):
    data = chips()
    loader = data.loader(8, workers=workers, balance=balance, buffer=24)
    made = list(loader)
    assert len(made) == len(loader) == 8
    for batch in made:
        assert equal(batch, data[batch["chip"].tolist()])
    if not balance:
        assert [n for batch in made for n in batch["chip"].tolist()] == data.patches.order(0)


def test_the_loader_reads_ahead_in_the_order_of_the_files(monkeypatch):
    data, reads = chips(), []
    own = data._chips.read
    monkeypatch.setattr(data._chips, "read", lambda patches: reads.append(len(patches)) or own(patches))
    assert len(ids(data.loader(8, buffer=24))) == 60
    assert reads == [24, 24, 12]


def test_ranks_of_the_loader_make_the_epoch():
    data = chips()
    whole = [batch["chip"].tolist() for batch in data.loader(8)]
    shares = [[b["chip"].tolist() for b in data.loader(8, rank=r, world=3, workers=r)] for r in range(3)]
    assert [shares[n % 3][n // 3] for n in range(8)] == whole
    assert [len(data.loader(8, rank=r, world=3)) for r in range(3)] == [3, 3, 2]


def test_shares_of_ranks_make_the_plan():
    data = chips()
    shares = [ids(data.stream(4, rank=rank, world=3)) for rank in range(3)]
    assert sorted(number for share in shares for number in share) == list(range(60))


def test_augmentation_depends_on_epoch_and_chip_not_on_the_worker():
    augment = Compose([RandomFlip(), GaussianNoise(0.05)], seed=4)
    data = chips(augment=augment)
    alone = {int(b["chip"][0]): b["image"][0] for b in (data[[n]] for n in range(60))}
    for workers in (1, 2):
        for batch in DataLoader(data.stream(8, buffer=16), batch_size=None, num_workers=workers):
            for number, image in zip(batch["chip"].tolist(), batch["image"], strict=True):
                assert torch.equal(image, alone[number])
    assert len({image.numpy().tobytes() for image in alone.values()}) == 60
    grid = chips(GridSampler(16), augment=augment)
    before = grid[3]["image"].clone()
    grid.set_epoch(1)
    assert not torch.equal(grid[3]["image"], before)
    grid.set_epoch(0)
    assert torch.equal(grid[3]["image"], before)


def test_labels_move_with_the_image():
    flip = Compose([RandomFlip()], seed=1)
    plain, drawn = chips(GridSampler(16)), chips(GridSampler(16), augment=flip, inputs=["red", "nir"])
    moved = 0
    for n in range(12):
        a, b = plain[n], drawn[n]
        found = [
            axes
            for axes in ((), (0,), (1,), (0, 1))
            if torch.equal(a["image"].flip([x + 1 for x in axes]), b["image"])
        ]
        assert found and torch.equal(a["mask"].flip(found[0]), b["mask"])
        moved += bool(found[0])
    assert 0 < moved < 12


def test_batches_and_back_to_tiles():
    data = chips(GridSampler(32), normalisation=Normalisation([0.2, 0.1], [0.3, 0.4]))
    batch = data[[0, 5, 9]]
    assert batch["image"].dtype == torch.float32 and batch["mask"].dtype == torch.int64
    tiles = data.to_datasets(batch, probabilities=batch["image"][:, 0])
    for number, tile in zip((0, 5, 9), tiles, strict=True):
        patch = data.patches[number].tile
        np.testing.assert_allclose(tile.nir, patch.nir, rtol=1e-5)
        xr.testing.assert_equal(tile.x, patch.x)
        assert tile.probabilities.shape == (32, 32)


def test_chips_without_data_or_labels_are_left_out_of_streams_and_filled_in_maps():
    tiles = scenes(1, (64, 64))
    tiles[0]["red"] = tiles[0].red.where(tiles[0].x > tiles[0].x[31])
    data = GeoChips(tiles, GridSampler(32), ["red", "nir"], "cover", codes=(0, 2, 4))
    assert sorted(ids(data.stream(2))) == [1, 3]
    empty = data[0]
    assert not empty["valid"].any() and torch.equal(empty["image"][0], torch.zeros(32, 32))
    assert (data[1]["mask"][:5] == IGNORED).all()


def test_a_target_of_values():
    data = chips(target="nir", codes=None, inputs=["red"])
    assert data[0]["mask"].dtype == torch.float32
    np.testing.assert_array_equal(data[0]["mask"], data.patches[0].tile.nir)


def test_classes_are_drawn_alike():
    data = chips(GridSampler(16))
    counts = data.class_counts()
    everything = np.bincount(np.concatenate([t.cover.values.ravel() for t in scenes()]), minlength=256)
    assert counts.sum(0).tolist() == everything[[0, 2, 4]].tolist()
    weights = data.balanced_weights()
    assert weights.sum() == pytest.approx(1)
    shares = (counts / counts.sum(0)).mean(1)
    np.testing.assert_allclose(weights, shares)
    drawn = ids(data.loader(8, balance=True))
    assert len(drawn) == len(data) and drawn == ids(data.loader(8, balance=True)) != sorted(drawn)


def test_normalisation_of_the_pixels_with_data():
    data = chips(GridSampler(16), target=None, codes=None)
    found = data.estimate_normalisation()
    for name, mean, std in zip(("red", "nir"), found.offset, found.scale, strict=True):
        values = np.concatenate([t[name].values.ravel() for t in scenes()]).astype(np.float64)
        assert mean == pytest.approx(values.mean(), rel=1e-9) and std == pytest.approx(values.std(), rel=1e-9)


def test_what_was_read_is_kept_within_a_bound(monkeypatch):
    data = chips(GridSampler(16), cache_bytes=3 * 16 * 16 * 9)
    for _ in range(2):
        for number in range(5):
            data[number]
    assert len(data._chips._held) == 3
    reads = []
    kind = type(data._chips._scenes[0][0])
    own = kind.read
    monkeypatch.setattr(kind, "read", lambda self, extent: reads.append(extent) or own(self, extent))
    data[[0, 1, 2, 3]]
    assert len(reads) == 1


def test_the_way_is_drawn():
    from xml.etree import ElementTree

    data = chips(preprocess=gz.indices.NDVI(), augment=Compose([RandomFlip()]), cache_bytes=1 << 20)
    root = ElementTree.fromstring(data._repr_html_())
    text = " ".join(root.itertext())
    for word in (
        "RandomSampler",
        "60 chips in epoch 0",
        "NDVI",
        "RandomFlip",
        "cache of 1 MiB",
        "mask: cover",
    ):
        assert word in text


def test_bad_input():
    with pytest.raises(MissingVariableError, match="scene 0 has no 'swir16'"):
        chips(inputs=["red", "swir16"])
    with pytest.raises(ParameterError, match="1 numbers"):
        chips(normalisation=Normalisation([0], [1]))
    with pytest.raises(ParameterError, match="no classes"):
        chips(codes=None).class_counts()
    with pytest.raises(ParameterError, match="no chip has a label"):
        chips(codes=(7,)).balanced_weights()
    with pytest.raises(ParameterError, match="buffer=4"):
        chips().stream(8, buffer=4)
    with pytest.raises(ParameterError, match="buffer=4"):
        chips().loader(8, buffer=4)
    with pytest.raises(ParameterError, match="rank=2 of 2"):
        chips().loader(8, rank=2, world=2)


@pytest.mark.filterwarnings("ignore")  # Lightning's advice, and what it uses of torch
@pytest.mark.parametrize("kind", ["map", "stream"])
def test_lightning_takes_them_as_they_are(kind):
    lightning = pytest.importorskip("lightning", reason="pip install 'geotoolz-learn[train]'")
    from geotoolz.learn import UNet

    data = chips(GridSampler(32))

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net, self.seen = UNet(2, 3, 4, 1), []

        def training_step(self, batch, number):
            self.seen += batch["chip"].tolist()
            return torch.nn.functional.cross_entropy(self.net(batch["image"]), batch["mask"])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.01)

    module = Module()
    loader = data.loader(8) if kind == "map" else DataLoader(data.stream(8), batch_size=None)
    silent = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    lightning.Trainer(max_epochs=1, accelerator="cpu", **silent).fit(module, loader)
    assert sorted(module.seen) == list(range(len(data)))
