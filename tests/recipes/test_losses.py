"""Every loss against its formula in numpy, float64; and its gradient against differences of the formula."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from recipes.judged import Case, Cases

from netspec.recipes.losses import Loss
from netspec.train.optimize.objective import criterion

LOSSES = Cases("loss")
Array = np.ndarray


def log_softmax(scores: Array) -> Array:
    return scores - np.log(np.exp(scores).sum(-1, keepdims=True))


def sigmoid(scores: Array) -> Array:
    return 1 / (1 + np.exp(-scores))


@LOSSES.add("cross_entropy")
def cross_entropy(output: Array, target: Array) -> float:
    return float(-log_softmax(output)[np.arange(len(target)), target].mean())


@LOSSES.add("cross_entropy", label_smoothing=0.2)
def smoothed(output: Array, target: Array) -> float:
    wanted = 0.2 / output.shape[1] + 0.8 * np.eye(output.shape[1])[target]
    return float(-(wanted * log_softmax(output)).sum(1).mean())


@LOSSES.add("cross_entropy", weight=[1.0, 2.0, 0.5, 4.0], ignore_index=1)
def weighted(output: Array, target: Array) -> float:
    weight = np.array([1.0, 0.0, 0.5, 4.0])[target]
    return float(-(weight * log_softmax(output)[np.arange(len(target)), target]).sum() / weight.sum())


@LOSSES.add("nll")
def negative_log_likelihood(output: Array, target: Array) -> float:
    return float(-output[np.arange(len(target)), target].mean())


@LOSSES.add("binary_cross_entropy")
def binary_cross_entropy(output: Array, target: Array) -> float:
    chance = sigmoid(output)
    return float(-(target * np.log(chance) + (1 - target) * np.log(1 - chance)).mean())


@LOSSES.add("binary_cross_entropy", pos_weight=3.0)
def weighted_binary_cross_entropy(output: Array, target: Array) -> float:
    chance = sigmoid(output)
    return float(-(3 * target * np.log(chance) + (1 - target) * np.log(1 - chance)).mean())


@LOSSES.add("minimize")
def minimized(output: Array, target: Array) -> float:
    return float(output.mean())


@LOSSES.add("mse")
def mean_squared_error(output: Array, target: Array) -> float:
    return float(((output - target) ** 2).mean())


@LOSSES.add("l1")
def mean_absolute_error(output: Array, target: Array) -> float:
    return float(np.abs(output - target).mean())


@LOSSES.add("huber", delta=0.7)
def huber(output: Array, target: Array) -> float:
    error = np.abs(output - target)
    return float(np.where(error <= 0.7, error**2 / 2, 0.7 * (error - 0.35)).mean())


@LOSSES.add("kl_div")
def divergence(output: Array, target: Array) -> float:
    return float((target * (np.log(target) - log_softmax(output))).sum(-1).mean())


@LOSSES.add("perceptron")
def perceptron(output: Array, target: Array) -> float:
    return float(np.maximum(0, -(2 * target - 1) * output).mean())


@LOSSES.add("focal", gamma=1.5)
def focal(output: Array, target: Array) -> float:
    likely = log_softmax(output)[np.arange(len(target)), target]
    return float(-((1 - np.exp(likely)) ** 1.5 * likely).mean())


@LOSSES.add("focal", weight=[1.0, 2.0, 0.5, 4.0], ignore_index=1)
def weighted_focal(output: Array, target: Array) -> float:
    weight, likely = np.array([1.0, 0.0, 0.5, 4.0])[target], log_softmax(output)[np.arange(len(target)), target]
    return float(-(weight * (1 - np.exp(likely)) ** 2 * likely).sum() / weight.sum())


@LOSSES.add("binary_focal", gamma=3.0, alpha=0.4)
def binary_focal(output: Array, target: Array) -> float:
    right = np.where(target == 1, sigmoid(output), 1 - sigmoid(output))
    return float(-(np.where(target == 1, 0.4, 0.6) * (1 - right) ** 3 * np.log(right)).mean())


@LOSSES.add("dice")
def dice(output: Array, target: Array, smooth: float = 1e-5, ignored: int | None = None) -> float:
    """An image at a time, a class at a time."""
    chances = np.exp(log_softmax(np.moveaxis(output, 1, -1)))
    coefficients = []
    for chance, truth in zip(chances, target):
        chance, truth = chance[truth != ignored], truth[truth != ignored]
        for each in range(output.shape[1]):
            a, b = chance[..., each], truth == each
            coefficients.append((2 * (a * b).sum() + smooth) / (a.sum() + b.sum() + smooth))
    return float(1 - np.mean(coefficients))


@LOSSES.add("dice", cross_entropy=0.7, smooth=1.0, ignore_index=2)
def dice_and_cross_entropy(output: Array, target: Array) -> float:
    likely = log_softmax(np.moveaxis(output, 1, -1))
    losses = [
        -each[truth != 2][np.arange((truth != 2).sum()), truth[truth != 2]] for each, truth in zip(likely, target)
    ]
    return dice(output, target, 1.0, 2) + 0.7 * float(np.mean([each.mean() for each in losses]))


@LOSSES.add("dice", background=False)
def dice_of_things(output: Array, target: Array) -> float:
    chances = np.moveaxis(np.exp(log_softmax(np.moveaxis(output, 1, -1))), -1, 1)[:, 1:]
    truths = np.stack([target == each for each in range(1, output.shape[1])], 1)
    both, sizes = (chances * truths).sum((2, 3)), chances.sum((2, 3)) + truths.sum((2, 3))
    return float(1 - ((2 * both + 1e-5) / (sizes + 1e-5)).mean())


@LOSSES.add("binary_dice", cross_entropy=0.5, smooth=1.0)
def binary_dice(output: Array, target: Array) -> float:
    chances = sigmoid(output)
    both, sizes = (chances * target).sum((2, 3)), chances.sum((2, 3)) + target.sum((2, 3))
    return float(1 - ((2 * both + 1) / (sizes + 1)).mean()) + 0.5 * binary_cross_entropy(output, target)


def of_pairs(output: Array, target: Array, loss: Callable[[float], float]) -> float:
    """The mean over the rows of the mean of a loss of the lead of each better item."""
    rows = []
    for scores, wanted in zip(output, target):
        leads = [a - b for a, x in zip(scores, wanted) for b, y in zip(scores, wanted) if x > y]
        rows.append(sum(map(loss, leads)) / max(len(leads), 1))
    return sum(rows) / len(rows)


@LOSSES.add("margin_ranking", margin=0.8)
def margin_ranking(output: Array, target: Array) -> float:
    return of_pairs(output, target, lambda lead: max(0, 0.8 - lead))


@LOSSES.add("rank_net")
def rank_net(output: Array, target: Array) -> float:
    return of_pairs(output, target, lambda lead: np.log1p(np.exp(-lead)))


@LOSSES.add("contrastive", margin=1.5)
def contrastive(output: Array, target: Array) -> float:
    return float(np.where(target == 1, output**2, np.maximum(0, 1.5 - output) ** 2).mean())


@LOSSES.add("triplet_margin", margin=0.4)
def triplet_margin(output: Array, target: Array) -> float:
    anchor, alike, other = np.moveaxis(output, 1, 0)
    near, far = (np.sqrt(((anchor - each + 1e-6) ** 2).sum(1)) for each in (alike, other))
    return float(np.maximum(0, near - far + 0.4).mean())


SHAPES = {"dice": (8, 4, 3, 2), "binary_dice": (8, 4, 3, 2), "triplet_margin": (8, 3, 4)}
"""The shape of the output, where it is not [8, 4]."""


def target_of(loss: Loss, chance: np.random.Generator) -> Array:
    """Targets, [8] or [8, 4], such as the loss takes, or those of images."""
    shape = SHAPES.get(loss.name, (8, 4))
    if len(shape) > 3:
        return chance.integers(0, 4, (8, 3, 2)) if loss.per_class else chance.integers(0, 2, shape).astype(float)
    if loss.per_class:
        return np.array([0, 1, 2, 3, 3, 2, 0, 0])
    if loss.task == "binary":
        return chance.integers(0, 2, (8, 4)).astype(float)
    return chance.dirichlet(np.ones(4), 8)


@LOSSES.parameters()
def test_it_is_its_formula_and_so_is_its_gradient(case: Case):
    loss, chance = case.ingredient, np.random.default_rng(0)
    assert isinstance(loss, Loss)
    output, target = chance.normal(size=SHAPES.get(loss.name, (8, 4))), target_of(loss, chance)
    scores = torch.tensor(output, dtype=torch.float32, requires_grad=True)
    found = criterion(loss, None)(scores, torch.tensor(target))
    assert found.item() == pytest.approx(case.oracle(output, target), rel=1e-5)
    found.backward()
    assert scores.grad is not None
    for row in ((0, 0), (2, 1), (5, 2)):
        place = (*row, *(1 for _ in output.shape[2:]))
        step = np.zeros_like(output)
        step[place] = 1e-5
        slope = (case.oracle(output + step, target) - case.oracle(output - step, target)) / 2e-5
        assert scores.grad[place].item() == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_every_loss_has_a_judged_case():
    assert LOSSES.missing() == []
