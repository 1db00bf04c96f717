"""Receptive radius and total stride, measured, against radii worked out by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="pip install 'geotoolz-learn[torch]'")

from torch import nn  # noqa: E402

from geotoolz.core import ParameterError  # noqa: E402
from geotoolz.learn import ReceptiveField, UNet, measure_receptive_field  # noqa: E402


def _conv(size: int = 3, dilation: int = 1, channels: int = 1) -> nn.Module:
    return nn.Conv2d(channels, channels, size, padding=dilation * (size - 1) // 2, dilation=dilation)


@pytest.mark.parametrize(
    ("name", "net", "zoom", "radius", "stride"),
    [
        ("pointwise", _conv(1), 1, 0, 1),
        ("5 × 5", _conv(5), 1, 2, 1),
        ("two 3 × 3 with a dead ReLU between", nn.Sequential(_conv(), nn.ReLU(), _conv()), 1, 2, 1),
        ("dilation 4", _conv(dilation=4), 1, 4, 1),
        ("1 × 7 sees as far along x only", nn.Conv2d(1, 1, (1, 7), padding=(0, 3)), 1, 3, 1),
        (
            "a block of 2 sees its neighbour",
            nn.Sequential(nn.MaxPool2d(2), nn.Upsample(scale_factor=2)),
            1,
            1,
            2,
        ),
        # the pixel at one end of a block of 4 sees the far end of the next block: 4 + 3
        ("pool 4, 3 × 3, up", nn.Sequential(nn.MaxPool2d(4), _conv(), nn.Upsample(scale_factor=4)), 1, 7, 4),
        ("finer pixels", nn.Sequential(_conv(channels=4), nn.PixelShuffle(2)), 2, 1, 1),
        # double convolutions: 2 at strides 1, 2, 4, 2, 1 → 2·(1+2+4+2+1) = 20, and 3 of the blocks' ends
        ("U-Net of depth 2", UNet(1, 1, 4, 2), 1, 23, 4),
        ("U-Net of depth 3", UNet(1, 1, 4, 3), 1, 51, 8),
    ],
)
def test_by_hand(name, net, zoom, radius, stride):
    if name == "two 3 × 3 with a dead ReLU between":
        net[0].bias.data.fill_(-100.0)  # no gradient comes through
    channels = 4 if zoom == 2 else 1
    assert measure_receptive_field(net.eval(), channels, zoom) == ReceptiveField(radius, stride)


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(_conv(channels=4), nn.GroupNorm(2, 4)),
        nn.Sequential(_conv(channels=4), nn.InstanceNorm2d(4)),
    ],
)
def test_norms_over_the_image_have_no_radius(net):
    assert measure_receptive_field(net.eval(), 4).radius is None


class _WithPlaces(nn.Module):
    def forward(self, x):
        return x + torch.linspace(-3, 3, x.shape[-1])


def test_positional_encodings_are_found():
    assert measure_receptive_field(_WithPlaces().eval(), 1).radius is None


def test_halo_is_whole_blocks():
    assert ReceptiveField(51, 8).halo == 56
    with pytest.raises(ParameterError, match="whole image"):
        _ = ReceptiveField(None, 8).halo


def test_wrong_channels_and_hidden_nan():
    with pytest.raises(ParameterError, match="with 3 channels"):
        measure_receptive_field(_conv(), 3)

    class Hides(nn.Module):
        def forward(self, x):
            return torch.nan_to_num(x)

    with pytest.raises(ParameterError, match="hides NaN"):
        measure_receptive_field(Hides(), 1)


def test_training_mode_is_kept():
    net = UNet(1, 1, 4, 1).train()
    measure_receptive_field(net, 1)
    assert net.training
