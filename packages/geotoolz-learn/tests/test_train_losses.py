"""Losses, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the losses are torch's: pip install 'geotoolz-learn[torch]'")

from geotoolz.learn._loss import (  # noqa: E402
    combined,
    cross_entropy,
    dice,
    focal,
    mean_absolute,
    mean_squared,
)

# Probabilities of three pixels for two classes: 0.8/0.2, 0.4/0.6, 0.5/0.5
P = torch.tensor([[[[0.8, 0.4, 0.5]], [[0.2, 0.6, 0.5]]]], dtype=torch.float64)
LOGITS = P.log()


def target(*codes):
    return torch.tensor([[list(codes)]])


def test_cross_entropy_by_hand():
    found = cross_entropy(LOGITS, target(0, 1, 255))
    assert float(found) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    weighted = cross_entropy(LOGITS, target(0, 1, 255), torch.tensor([1.0, 3.0]))
    assert float(weighted) == pytest.approx(-(math.log(0.8) + 3 * math.log(0.6)) / 4)


def test_cross_entropy_is_torch_s():
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn((2, 4, 5, 6), generator=rng)
    codes = torch.randint(0, 4, (2, 5, 6), generator=rng)
    codes[0, 0] = 255
    weights = torch.tensor([0.1, 1.0, 2.0, 0.5])
    theirs = torch.nn.functional.cross_entropy(logits, codes, weights, ignore_index=255)
    torch.testing.assert_close(cross_entropy(logits, codes, weights), theirs)


def test_one_channel_is_a_sigmoid():
    rng = torch.Generator().manual_seed(1)
    logits, codes = torch.randn((2, 1, 5, 6), generator=rng), torch.randint(0, 2, (2, 5, 6), generator=rng)
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], codes.float())
    torch.testing.assert_close(cross_entropy(logits, codes), theirs)


def test_focal_by_hand():
    found = focal(LOGITS, target(0, 1, 255), gamma=2.0)
    assert float(found) == pytest.approx(-(0.2**2 * math.log(0.8) + 0.4**2 * math.log(0.6)) / 2)
    torch.testing.assert_close(
        focal(LOGITS, target(0, 1, 1), gamma=0.0), cross_entropy(LOGITS, target(0, 1, 1))
    )


def test_dice_by_hand():
    found = dice(LOGITS, target(0, 1, 255))
    # without the third pixel: class 0 has 2·0.8/(1.2 + 1), class 1 has 2·0.6/(0.8 + 1)
    assert float(found) == pytest.approx(1 - (1.6 / 2.2 + 1.2 / 1.8) / 2)
    # a class without a pixel has no part
    assert float(dice(LOGITS, target(0, 0, 255))) == pytest.approx(1 - 2 * 1.2 / (1.2 + 2))


def test_dice_of_one_channel_is_that_of_class_one():
    logit = torch.tensor([[[[0.0, math.log(3.0)]]]], dtype=torch.float64)  # p = 0.5, 0.75
    assert float(dice(logit, target(0, 1))) == pytest.approx(1 - 2 * 0.75 / (1.25 + 1))


def test_values_by_hand():
    output, wanted = torch.tensor([1.0, 2.0, 9.0]), torch.tensor([2.0, 4.0, float("nan")])
    assert float(mean_absolute(output, wanted)) == 1.5
    assert float(mean_squared(output, wanted)) == 2.5


def test_a_sum_of_losses():
    both = combined({"cross_entropy": 0.5, "dice": 2.0}, None)(LOGITS, target(0, 1, 1))
    expected = 0.5 * cross_entropy(LOGITS, target(0, 1, 1)) + 2 * dice(LOGITS, target(0, 1, 1))
    torch.testing.assert_close(both, expected)


@pytest.mark.parametrize("loss", [cross_entropy, focal, dice, mean_absolute, mean_squared])
def test_nothing_to_learn_from_is_zero_with_a_gradient_of_zero(loss):
    values = loss in (mean_absolute, mean_squared)
    output = torch.randn((1, 2, 3, 3), requires_grad=True)
    wanted = torch.full((1, 2, 3, 3), float("nan")) if values else torch.full((1, 3, 3), 255)
    found = loss(output, wanted)
    found.backward()
    assert float(found.detach()) == 0
    assert np.array_equal(output.grad.numpy(), np.zeros((1, 2, 3, 3)))


@pytest.mark.parametrize("loss", [cross_entropy, focal, dice])
def test_unlabelled_pixels_get_no_gradient(loss):
    logits = torch.randn((1, 3, 2, 2), requires_grad=True)
    loss(logits, torch.tensor([[[0, 255], [2, 1]]])).backward()
    assert bool((logits.grad[0, :, 0, 1] == 0).all())
    assert bool((logits.grad[0, :, 0, 0] != 0).any())
