"""Losses for segmentation with rare classes and unlabelled pixels, and for values."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

IGNORE = 255
"""Code of pixels without a label: they have no part in any loss."""

Loss = Callable[[Tensor, Tensor], Tensor]


def two_sided(logits: Tensor) -> Tensor:
    """Return a single channel's logit as logits of two classes, whose softmax is its sigmoid."""
    return torch.cat([torch.zeros_like(logits), logits], dim=1) if logits.shape[1] == 1 else logits


def cross_entropy(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the weighted mean of ``−log p`` of the true class.

    Parameters
    ----------
    logits : Tensor
        ``(chip, class, y, x)``; of one channel, that of class 1 against 0.
    target : Tensor
        ``(chip, y, x)``, int64; 255 is no label.
    weights : Tensor, optional
        One per class. The mean is weighted too, so that a factor of all weights changes nothing.

    Returns
    -------
    Tensor
        A scalar; 0 where there is no label.

    Examples
    --------
    >>> import torch
    >>> logits = torch.log(torch.tensor([[[[0.25, 0.5]], [[0.75, 0.5]]]]))
    >>> round(float(cross_entropy(logits, torch.tensor([[[1, 255]]]))), 4)  # −ln 0.75
    0.2877
    """
    return _mean_of(lambda log_p: -log_p, logits, target, weights)


def focal(logits: Tensor, target: Tensor, weights: Tensor | None = None, gamma: float = 2.0) -> Tensor:
    """Return the mean of ``−(1 − p)^γ log p``: pixels that are right already count little.

    Parameters
    ----------
    logits, target, weights
        As for `cross_entropy`, which it is with ``gamma=0``.
    gamma : float
        The larger, the less.

    References
    ----------
    Lin, T.-Y., Goyal, P., Girshick, R., He, K., Dollár, P. (2017). Focal loss for dense object detection.
    ICCV.
    """
    return _mean_of(lambda log_p: -((1 - log_p.exp()) ** gamma) * log_p, logits, target, weights)


def dice(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return one minus the soft Dice coefficient ``2 Σ p·t / (Σ p + Σ t)``, averaged over classes.

    Sums run over the whole batch. A class that has no pixel in it has no part; of two classes of a single
    channel only class 1 has. A rare class weighs as much as a frequent one.

    Parameters
    ----------
    logits, target
        As for `cross_entropy`.
    weights : Tensor, optional
        Of the classes in the mean.

    References
    ----------
    Milletari, F., Navab, N., Ahmadi, S.-A. (2016). V-Net: fully convolutional neural networks for volumetric
    medical image segmentation. 3DV.
    """
    both = two_sided(logits)
    labelled = (target != IGNORE).unsqueeze(1)
    p = both.softmax(dim=1) * labelled
    t = _one_hot(target, both.shape[1]).to(p.dtype)
    overlap, size = (p * t).sum(dim=(0, 2, 3)), (p + t).sum(dim=(0, 2, 3))
    there = t.sum(dim=(0, 2, 3)) > 0
    if logits.shape[1] == 1:
        there = there & torch.tensor([False, True], device=there.device)
    share = there.to(p.dtype) * (1.0 if weights is None else weights)
    coefficient = 2 * overlap / torch.where(there, size, torch.ones_like(size))
    total = share.sum()
    return (share * (1 - coefficient)).sum() / torch.where(total > 0, total, torch.ones_like(total))


def mean_absolute(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference where the target is finite; 0 where it is nowhere."""
    return _over_finite(lambda d: d.abs(), output, target)


def mean_squared(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference where the target is finite; 0 where it is nowhere."""
    return _over_finite(lambda d: d * d, output, target)


def combined(parts: dict[str, float], weights: Tensor | None, gamma: float = 2.0) -> Loss:
    """Return a weighted sum of losses by name, for segmentation or values."""
    per_class: dict[str, Loss] = {
        "cross_entropy": lambda o, t: cross_entropy(o, t, weights),
        "focal": lambda o, t: focal(o, t, weights, gamma),
        "dice": lambda o, t: dice(o, t, weights),
        "mean_absolute": mean_absolute,
        "mean_squared": mean_squared,
    }
    chosen = [(factor, per_class[name]) for name, factor in parts.items()]

    def loss(output: Tensor, target: Tensor) -> Tensor:
        return torch.stack([factor * one(output, target) for factor, one in chosen]).sum()

    return loss


def _mean_of(
    per_pixel: Callable[[Tensor], Tensor], logits: Tensor, target: Tensor, weights: Tensor | None
) -> Tensor:
    both = two_sided(logits)
    hot = _one_hot(target, both.shape[1]).to(both.dtype)
    # a product instead of a gather: its gradient is the same on every run of a GPU, too
    log_p = (functional.log_softmax(both, dim=1) * hot).sum(dim=1)
    each = hot.sum(dim=1) if weights is None else (hot * weights.view(1, -1, 1, 1)).sum(dim=1)
    total = each.sum()
    return (per_pixel(log_p) * each).sum() / torch.where(total > 0, total, torch.ones_like(total))


def _one_hot(target: Tensor, classes: int) -> Tensor:
    """Return a plane per class; none is set where there is no label."""
    return target.unsqueeze(1) == torch.arange(classes, device=target.device).view(1, -1, 1, 1)


def _over_finite(per_pixel: Callable[[Tensor], Tensor], output: Tensor, target: Tensor) -> Tensor:
    fine = torch.isfinite(target)
    away = torch.where(
        fine, output - torch.where(fine, target, torch.zeros_like(target)), torch.zeros_like(output)
    )
    count = fine.sum()
    return per_pixel(away).sum() / torch.where(count > 0, count, torch.ones_like(count))
