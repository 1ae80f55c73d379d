"""Every optimizer against its paper's update, written out in numpy, float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from recipes.judged import Case, Cases
from torch import nn

from netspec.recipes.optimizers import Optimizer
from netspec.train.optimizers import build_optimizer

OPTIMIZERS = Cases("optimizer")
Array = np.ndarray
CURVE, CENTRE = np.array([[3.0, 0.5], [0.5, 1.0]]), np.array([1.0, -2.0])
"""The loss is (w − centre)ᵀ·curve·(w − centre)/2."""
START = np.array([4.0, 3.0])


def slope(w: Array) -> Array:
    return CURVE @ (w - CENTRE)


@OPTIMIZERS.add("sgd", lr=0.1)
def plain() -> Iterator[Array]:
    w = START
    while True:
        w = w - 0.1 * slope(w)
        yield w


@OPTIMIZERS.add("sgd", lr=0.1, momentum=0.9, dampening=0.2)
def momentum() -> Iterator[Array]:
    w, velocity = START, slope(START)
    while True:
        w = w - 0.1 * velocity
        yield w
        velocity = 0.9 * velocity + 0.8 * slope(w)


@OPTIMIZERS.add("sgd", lr=0.1, momentum=0.9, nesterov=True)
def nesterov() -> Iterator[Array]:
    w, velocity = START, np.zeros(2)
    while True:
        velocity = 0.9 * velocity + slope(w)
        w = w - 0.1 * (slope(w) + 0.9 * velocity)
        yield w


@OPTIMIZERS.add("adagrad", lr=0.5, lr_decay=0.1)
def adagrad() -> Iterator[Array]:
    w, total, step = START, np.zeros(2), 0
    while True:
        g = slope(w)
        total = total + g**2
        w = w - 0.5 / (1 + 0.1 * step) * g / (np.sqrt(total) + 1e-10)
        step += 1
        yield w


@OPTIMIZERS.add("rmsprop", lr=0.1, alpha=0.9)
def rmsprop() -> Iterator[Array]:
    w, square = START, np.zeros(2)
    while True:
        g = slope(w)
        square = 0.9 * square + 0.1 * g**2
        w = w - 0.1 * g / (np.sqrt(square) + 1e-8)
        yield w


@OPTIMIZERS.add("rmsprop", lr=0.1, alpha=0.9, centered=True, momentum=0.5)
def centred_rmsprop() -> Iterator[Array]:
    w, square, mean, velocity = START, np.zeros(2), np.zeros(2), np.zeros(2)
    while True:
        g = slope(w)
        square, mean = 0.9 * square + 0.1 * g**2, 0.9 * mean + 0.1 * g
        velocity = 0.5 * velocity + g / (np.sqrt(square - mean**2) + 1e-8)
        w = w - 0.1 * velocity
        yield w


@OPTIMIZERS.add("adadelta", lr=1.0, rho=0.8, eps=1e-3)
def adadelta() -> Iterator[Array]:
    w, square, moved = START, np.zeros(2), np.zeros(2)
    while True:
        g = slope(w)
        square = 0.8 * square + 0.2 * g**2
        step = np.sqrt(moved + 1e-3) / np.sqrt(square + 1e-3) * g
        moved = 0.8 * moved + 0.2 * step**2
        w = w - step
        yield w


def adam_steps(amsgrad: bool) -> Iterator[Array]:
    w, mean, square, largest, step = START, np.zeros(2), np.zeros(2), np.zeros(2), 0
    while True:
        g, step = slope(w), step + 1
        mean, square = 0.8 * mean + 0.2 * g, 0.9 * square + 0.1 * g**2
        largest = np.maximum(largest, square) if amsgrad else square
        w = w - 0.3 * (mean / (1 - 0.8**step)) / (np.sqrt(largest / (1 - 0.9**step)) + 1e-8)
        yield w


@OPTIMIZERS.add("adam", lr=0.3, betas=[0.8, 0.9])
@OPTIMIZERS.add("adamw", lr=0.3, betas=[0.8, 0.9])
def adam() -> Iterator[Array]:
    return adam_steps(amsgrad=False)


@OPTIMIZERS.add("adam", lr=0.3, betas=[0.8, 0.9], amsgrad=True)
def amsgrad() -> Iterator[Array]:
    return adam_steps(amsgrad=True)


@OPTIMIZERS.add("lbfgs")
def lbfgs() -> Iterator[Array]:
    """Within a step of twenty iterations it solves a quadratic."""
    while True:
        yield np.linalg.solve(CURVE, CURVE @ CENTRE)


@OPTIMIZERS.add("newton", damping=1e-12)
def newton() -> Iterator[Array]:
    """One step solves a quadratic."""
    while True:
        yield np.linalg.solve(CURVE, CURVE @ CENTRE)


@OPTIMIZERS.parameters()
def test_its_steps_are_those_of_its_paper(case: Case):
    assert isinstance(case.ingredient, Optimizer)
    model = nn.Module()
    model.w = nn.Parameter(torch.tensor(START))
    optimizer = build_optimizer(case.ingredient, model, None)
    curve, centre = torch.tensor(CURVE), torch.tensor(CENTRE)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (model.w - centre) @ curve @ (model.w - centre) / 2
        if case.ingredient.backward:  # type: ignore[attr-defined]
            loss.backward()
        return loss

    for _, wanted in zip(range(7), case.oracle()):
        optimizer.step(closure)
        near = 1e-4 if case.ingredient.name == "lbfgs" else 1e-6  # which stops where nothing much is left to gain
        assert model.w.detach().numpy() == pytest.approx(wanted, rel=near)


def test_every_optimizer_has_a_judged_case():
    assert OPTIMIZERS.missing() == []
