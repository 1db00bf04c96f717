"""A small U-Net without operations that see the whole image: what it finds does not depend on the cut."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from geotoolz.core import ParameterError

Norm = Literal["batch", "none"]


class UNet(nn.Module):  # type: ignore[misc]
    """Encoder and decoder with skips (Ronneberger et al. 2015), small enough for a CPU.

    Every level halves the grid, so the total stride is ``2 ** depth``: rows and columns have to be
    multiples of it. All operations look at a bounded neighbourhood; batch normalisation is one number per
    channel once the network is in evaluation mode. Global pooling, group or instance normalisation would
    make every pixel depend on the whole image, and tiled inference inexact.

    Parameters
    ----------
    in_channels : int
        Variables of ``input_combination``.
    classes : int
        Output channels, as logits or values; no activation is applied.
    width : int
        Channels of the first level; each level doubles them.
    depth : int
        Levels below the first: 3 gives a total stride of 8.
    norm : {"batch", "none"}
        Normalisation behind each convolution.
    dropout : float
        Share of channels dropped at the deepest level: at training, and for Monte-Carlo dropout.

    Raises
    ------
    ParameterError
        If a parameter is out of range.

    References
    ----------
    Ronneberger, O., Fischer, P., Brox, T. (2015). U-Net: convolutional networks for biomedical image
    segmentation. MICCAI 2015, 234-241.

    Examples
    --------
    >>> import torch
    >>> from geotoolz.learn import UNet
    >>> UNet(in_channels=3, classes=2, width=8, depth=2).eval()(torch.zeros(1, 3, 16, 24)).shape
    torch.Size([1, 2, 16, 24])
    """

    def __init__(
        self,
        in_channels: int,
        classes: int,
        width: int = 16,
        depth: int = 3,
        norm: Norm = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _require_sane(in_channels, classes, width, depth, norm, dropout)
        self.total_stride = 2**depth
        widths = [width * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            _block(before, after, norm)
            for before, after in zip([in_channels, *widths[:-1]], widths, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout2d(dropout)
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1]))
        self.merge = nn.ModuleList(_block(2 * w, w, norm) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, classes, 1)

    def features(self, x: Tensor) -> Tensor:
        """Return what lies before the last layer: ``(chip, width, y, x)``."""
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            skips.append(x)
        x = self.drop(skips.pop())
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat((skips.pop(), up(x)), dim=1))
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Return logits or values: ``(chip, class, y, x)``."""
        logits: Tensor = self.head(self.features(x))
        return logits


def _block(before: int, after: int, norm: Norm) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers.append(nn.Conv2d(channels, after, 3, padding=1, bias=norm == "none"))
        if norm == "batch":
            layers.append(nn.BatchNorm2d(after))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _require_sane(in_channels: int, classes: int, width: int, depth: int, norm: str, dropout: float) -> None:
    for name, value in (
        ("in_channels", in_channels),
        ("classes", classes),
        ("width", width),
        ("depth", depth),
    ):
        if value < 1:
            raise ParameterError(f"UNet has {name}={value}", expected="1 or more")
    if norm not in ("batch", "none"):
        raise ParameterError(
            f"UNet has norm={norm!r}", expected="'batch' or 'none'",
            fix="normalisations over the image would make tiled inference inexact",
        )  # fmt: skip
    if not 0 <= dropout < 1:
        raise ParameterError(f"UNet has dropout={dropout}", expected="0 up to, not including, 1")
