"""A small network for finer pixels: what interpolation gives, and a learned correction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from geotoolz.core import ParameterError


class FinerNet(nn.Module):  # type: ignore[misc]
    """Bicubic interpolation plus a learned correction, rearranged into the finer grid.

    Untrained it is the interpolation, because the last layer begins at zero. It looks at a bounded
    neighbourhood and works at every position alike, so tiled inference is that of the whole scene.

    Parameters
    ----------
    in_channels : int
        Variables of ``input_combination``.
    classes : int
        Output channels: the first inputs, on the finer grid.
    zoom : int
        Output pixels per input pixel along an axis.
    width : int
        Channels inside.
    depth : int
        Convolutions between the first and the last.

    Raises
    ------
    ParameterError
        If a parameter is out of range.

    References
    ----------
    Shi, W., Caballero, J., Huszár, F. et al. (2016). Real-time single image and video super-resolution using
    an efficient sub-pixel convolutional neural network. CVPR.

    Examples
    --------
    >>> import torch
    >>> from geotoolz.learn import FinerNet
    >>> FinerNet(in_channels=3, classes=3, zoom=2)(torch.zeros(1, 3, 8, 10)).shape
    torch.Size([1, 3, 16, 20])
    """

    total_stride = 1

    def __init__(self, in_channels: int, classes: int, zoom: int, width: int = 16, depth: int = 2) -> None:
        super().__init__()
        for name, value, least in (
            ("in_channels", in_channels, 1), ("classes", classes, 1), ("zoom", zoom, 2), ("width", width, 1),
            ("depth", depth, 0),
        ):  # fmt: skip
            if value < least:
                raise ParameterError(f"FinerNet has {name}={value}", expected=f"{least} or more")
        if classes > in_channels:
            raise ParameterError(
                f"FinerNet makes {classes} channels of {in_channels}", expected="no more than it is given"
            )
        self.zoom, self.classes = zoom, classes
        self.first = nn.Conv2d(in_channels, width, 5, padding=2)
        self.inner = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.last = nn.Conv2d(width, classes * zoom * zoom, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        if self.last.bias is not None:
            nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return values on the finer grid: ``(chip, class, zoom · y, zoom · x)``."""
        plain = nn.functional.interpolate(
            x[:, : self.classes], scale_factor=float(self.zoom), mode="bicubic", align_corners=False
        )
        held = torch.relu(self.first(x))
        for layer in self.inner:
            held = held + torch.relu(layer(held))
        found: Tensor = plain + nn.functional.pixel_shuffle(self.last(held), self.zoom)
        return found
