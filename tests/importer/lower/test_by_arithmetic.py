"""Losses that a module computes, and entries that it puts somewhere: as torch's own functions have them."""

from __future__ import annotations

import pytest
import torch
from running import difference, lowered
from torch import nn
from torch.nn import functional as F


class Said(nn.Module):
    """A function of numbers [4, 6] and whole numbers below 4, [4], as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x, ids):
        return self.function(x, ids)


NUMBERS = torch.arange(4 * 6).reshape(4, 6).float().cos()
IDS = torch.tensor([2, 0, 3, 2])
INPUTS = {"x": NUMBERS, "ids": IDS}
BATCHED = {"x": {0: "N"}, "ids": {0: "N"}}

LOSSES = {
    "mse": lambda x, ids: F.mse_loss(x, x.roll(1)),
    "l1": lambda x, ids: F.l1_loss(x, x.roll(1), reduction="sum"),
    "smooth l1": lambda x, ids: F.smooth_l1_loss(2 * x, x.roll(1), beta=0.7),
    "huber": lambda x, ids: F.huber_loss(2 * x, x.roll(1), reduction="none", delta=0.6),
    "cross entropy": F.cross_entropy,
    "cross entropy that ignores": lambda x, ids: F.cross_entropy(x, ids, ignore_index=2, reduction="mean"),
    "cross entropy of maps": lambda x, ids: F.cross_entropy(x.view(4, 3, 2), ids.view(4, 1).repeat(1, 2).clamp(max=2)),
    "likelihood": lambda x, ids: F.nll_loss(x, ids, reduction="sum"),
    "binary": lambda x, ids: F.binary_cross_entropy(x.abs(), x.roll(1).abs()),
    "binary of logits": lambda x, ids: F.binary_cross_entropy_with_logits(x, x.roll(1).abs()),
    "divergence": lambda x, ids: F.kl_div(x, x.roll(1).abs(), reduction="batchmean"),
    "divergence of logs": lambda x, ids: F.kl_div(x, x.roll(1), reduction="sum", log_target=True),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_the_arithmetic_that_it_is(name):
    module = Said(LOSSES[name])
    assert difference(module, lowered(module, INPUTS, BATCHED), INPUTS) < 1e-6


def put_where(x, ids):
    y = x.clone()
    y[x > 0.5] = 0.25
    return y


def put_at(x, ids):
    y = x + 1
    y[torch.arange(x.shape[0]), ids] = x[:, 0]
    return y


def put_columns(x, ids):
    y = x + 1
    y[:, torch.tensor([4, 1])] = x[:, :2]
    return y


def put_every_other(x, ids):
    y = x + 1
    y[:, 1::2] = x[:, :3]
    y[..., -1] = y[..., 0]
    return y


PLACES = {
    "every other column, and the last": put_every_other,
    "take_along_dim": lambda x, ids: torch.take_along_dim(x[:, :1], ids[None].clamp(max=0), 1),
    "index_add": lambda x, ids: torch.zeros_like(x).index_add(0, ids, x, alpha=2),
    "index_copy": lambda x, ids: x.index_copy(1, torch.tensor([3, 1]), x[:, :2] * 2),
    "index_fill": lambda x, ids: x.index_fill(1, torch.tensor([3, 1]), 7.0),
    "scatter_add": lambda x, ids: torch.zeros(4).scatter_add(0, ids, x[:, 1]),
    "scatter_reduce": lambda x, ids: x.scatter_reduce(0, ids[:, None].expand(-1, 6), 2 * x, "amax"),
    "a number under a mask": put_where,
    "values at places": put_at,
    "values in columns": put_columns,
    "values that are added": lambda x, ids: torch.zeros(5, 6).index_put((ids,), x, accumulate=True),
    "rows from the end": lambda x, ids: x[:, [-1]] + x[:, torch.tensor([-2, 0])],
    "rows of a symbolic number": lambda x, ids: x[ids[:, None], ids[None]],
}


@pytest.mark.parametrize("name", PLACES)
def test_entries_are_put_where_an_index_says(name):
    module = Said(PLACES[name])
    assert difference(module, lowered(module, INPUTS, BATCHED), INPUTS) == 0


SIZES = {
    "a mean by hand": (lambda x, ids: x.sum(0) / x.shape[0], ["reduce_mean"]),
    "a size that divides": (lambda x, ids: x / x.shape[0], ["arange", "cast", "divide"]),
    "a mask that is compared": (lambda x, ids: ((x > 0) == 0, (x > 0) == 1), ["greater", "logical_not", "greater"]),
    "sides spread together": (lambda x, ids: torch.broadcast_tensors(x[0], x)[0] + 1, ["select", "expand", "shift"]),
    "parts of a symbolic size": (lambda x, ids: torch.cat([x, x]).split(x.shape[0])[1], ["concat", "chunk"]),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_and_masks_in_arithmetic(name):
    function, ops = SIZES[name]
    module = Said(function)
    program = lowered(module, INPUTS, BATCHED)
    assert difference(module, program, INPUTS) < 1e-6
    assert [step.op for step in program.steps] == ops


FRACTIONS = {
    "a power of a size": (lambda x: x * x.shape[0] ** -0.5, ["arange", "squeeze", "cast", "pow", "multiply"]),
    "a multiple of a size": (lambda x: x / (2.0 * x.shape[0]), ["arange", "squeeze", "cast", "scale", "divide"]),
    "equal steps": (lambda x: torch.arange(x.shape[0] + 1) * (6.25 / x.shape[0]), ["linspace"]),
    "equal steps from -1": (lambda x: torch.arange(x.shape[0] + 1) * (2.5 / x.shape[0]) - 1, ["linspace"]),
}


@pytest.mark.parametrize("name", FRACTIONS)
def test_a_fraction_that_a_size_decides(name):
    function, ops = FRACTIONS[name]
    module = Said(lambda x, ids: function(x))
    program = lowered(module, INPUTS, BATCHED)
    assert difference(module, program, INPUTS) < 1e-6
    assert [step.op for step in program.steps] == ops
