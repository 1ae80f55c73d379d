"""Every loss against its formula in numpy, float64; and its gradient against differences of the formula."""

from __future__ import annotations

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


def target_of(loss: Loss, chance: np.random.Generator) -> Array:
    """Targets, [8] or [8, 4], such as the loss takes."""
    if loss.per_class:
        return np.array([0, 1, 2, 3, 3, 2, 0, 0])
    if loss.task == "binary":
        return chance.integers(0, 2, (8, 4)).astype(float)
    return chance.dirichlet(np.ones(4), 8)


@LOSSES.parameters()
def test_it_is_its_formula_and_so_is_its_gradient(case: Case):
    loss, chance = case.ingredient, np.random.default_rng(0)
    assert isinstance(loss, Loss)
    output, target = chance.normal(size=(8, 4)), target_of(loss, chance)
    scores = torch.tensor(output, dtype=torch.float32, requires_grad=True)
    found = criterion(loss, None)(scores, torch.tensor(target))
    assert found.item() == pytest.approx(case.oracle(output, target), rel=1e-5)
    found.backward()
    assert scores.grad is not None
    for place in ((0, 0), (2, 1), (5, 3)):
        step = np.zeros_like(output)
        step[place] = 1e-5
        slope = (case.oracle(output + step, target) - case.oracle(output - step, target)) / 2e-5
        assert scores.grad[place].item() == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_every_loss_has_a_judged_case():
    assert LOSSES.missing() == []
