"""Calls that have no op of their own: each is said by others that compute the same."""

from __future__ import annotations

import pytest
import torch
from running import difference, lowered, ops_of
from torch import nn


class Said(nn.Module):
    """A function of ``x`` as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def change_view(x):
    y = x + 1
    y[:, 2:].view(-1, 2, 2).mul_(3)
    return y


def put_entry(x):
    y = x + 1
    y[:, 2] = x[:, 0] * 2
    return y


def attend_with_one_head(x):
    query, key = x.view(-1, 3, 2)[:, None].expand(-1, 4, -1, -1), x.view(-1, 1, 3, 2)
    return torch.nn.functional.scaled_dot_product_attention(query, key, key)


NUMBERS = torch.arange(4 * 6).reshape(4, 6).float().cos()

FORMS = {
    "rsub": (lambda x: 2 - x, ["scale", "shift"]),
    "add with alpha": (lambda x: torch.add(x, x, alpha=2), ["scale", "add"]),
    "an integer and a fraction": (lambda x: x.long() * 0.5, ["cast", "cast", "scale"]),
    "integers and numbers": (lambda x: x.long() + x, ["cast", "cast", "add"]),
    "division of integers": (lambda x: x.long() / 2, ["cast", "cast", "scale"]),
    "one number": (lambda x: x * torch.tensor(2.5), ["scale"]),
    "nothing added": (lambda x: (x + 0) * 1, []),
    "a view of the same shape": (lambda x: x.view(x.shape).expand(x.shape)[:], []),
    "views there and back": (lambda x: x.flatten().view(x.shape) + 1, ["shift"]),
    "addmm": (lambda x: torch.addmm(x[0, :2], x, x.t()[:, :2]), ["select", "slice", "transpose", "slice", "affine"]),
    "softmax in another dtype": (lambda x: x.softmax(-1, dtype=torch.float64), ["cast", "softmax"]),
    "where with a number": (lambda x: torch.where(x > 0, x, 0.5), ["greater", "logical_not", "masked_fill"]),
    "where with two numbers": (lambda x: torch.where(x > 0, 1.0, 0.5), ["greater", "constant", "masked_fill"]),
    "the largest with its index": (lambda x: x.max(1)[0], ["reduce_max"]),
    "max of two": (lambda x: torch.max(x, x + 1), ["shift", "maximum"]),
    "an index": (lambda x: x[:, torch.tensor([2, 0])], ["constant", "take"]),
    "indices that count": (
        lambda x: x[torch.arange(x.shape[0])[:, None, None], torch.arange(6)[None, None]],
        ["unsqueeze"],
    ),
    "one of each row": (
        lambda x: x[torch.arange(x.shape[0]), x.argmax(1)],
        ["argmax", "unsqueeze", "gather", "squeeze"],
    ),
    "repeat": (lambda x: x.repeat(2, 1), ["tile"]),
    "repeat by a symbolic size": (lambda x: x[:1].repeat(x.shape[0], 2), ["slice", "unflatten", "expand", "flatten"]),
    "new tensors": (lambda x: x.new_zeros(x.shape[0], 2) + 1, ["zeros", "shift"]),
    "arange of fractions": (lambda x: torch.arange(x.shape[0], dtype=torch.float32), ["arange", "cast"]),
    "diff": (lambda x: x.diff(prepend=x[:, :1]), ["slice", "concat", "slice", "subtract"]),
    "clamp of integers": (lambda x: x.long().clamp(0, 3), ["cast", "clamp"]),
    "a change of a view": (change_view, ["shift", "slice", "unflatten", "scale", "flatten", "slice", "concat"]),
    "a change of an entry": (put_entry, ["shift", "select", "scale", "unsqueeze", "slice", "slice", "concat"]),
    "an empty part": (lambda x: torch.cat([x * 2, x[:, 6:]], dim=1), ["scale"]),
    "the largest in any order": (lambda x: x.topk(2, sorted=False)[0].sum(1), ["topk", "reduce_sum"]),
    "a head for all": (
        attend_with_one_head,
        ["unflatten", "unsqueeze", "expand", "unflatten", "expand", "expand", "scaled_dot_product_attention"],
    ),
    "a norm": (lambda x: torch.linalg.vector_norm(x, dim=1), ["norm"]),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_call_is_said_by_others(form):
    function, _ = FORMS[form]
    inputs = {"x": NUMBERS}
    program = lowered(Said(function), inputs, {"x": {0: "N"}})
    assert difference(Said(function), program, inputs) < 1e-6
    assert ops_of(program) == FORMS[form][1]
