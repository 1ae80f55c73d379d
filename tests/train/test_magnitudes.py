"""Vanishing and exploding, shown and named."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from netspec.recipes import ingredients
from netspec.train.feed import Batch
from netspec.train.magnitudes import magnitude_table, magnitudes, verdict
from netspec.train.objective import Objective


def deep(activation: type[nn.Module], gain: float, layers: int = 12) -> tuple[nn.Module, Batch, Objective]:
    torch.manual_seed(0)
    parts: list[nn.Module] = []
    for _ in range(layers):
        parts += [nn.Linear(32, 32), activation()]
    model = nn.Sequential(*parts, nn.Linear(32, 4))
    for each in model:
        if isinstance(each, nn.Linear):
            nn.init.normal_(each.weight, std=gain / 32**0.5)
    batch = Batch((torch.randn(64, 32),), {"output": torch.randint(4, (64,))}, 64)
    return model, batch, Objective({"output": ingredients("loss")["cross_entropy"]()}, {})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("activation", "gain", "says"),
    [
        (nn.Sigmoid, 1.0, r"gradients vanish: at `0` they are \S+e-\d+ of those at `24`"),
        (nn.ReLU, 2**0.5, ""),  # Kaiming's
        (nn.Identity, 8.0, ""),
    ],
)
def test_the_layer_is_named(activation: type[nn.Module], gain: float, says: str):
    model, batch, objective = deep(activation, gain)
    found = magnitudes(model, objective, batch)
    assert [each.path for each in found] == [str(2 * at) for at in range(13)]
    if says or activation is nn.ReLU:
        assert re.fullmatch(says, verdict(found))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_they_are_those_of_torch():
    model, batch, objective = deep(nn.Tanh, 1.0, 2)
    found = magnitudes(model, objective, batch)
    first = model[0](batch.inputs[0])  # type: ignore[index]
    assert found[0].activation == pytest.approx(first.square().mean().sqrt().item(), rel=1e-5)
    objective(model(*batch.inputs), batch.targets).backward()
    assert found[0].gradient == pytest.approx(model[0].weight.grad.square().mean().sqrt().item(), rel=1e-5)  # type: ignore[index]


def test_a_table_of_many_layers_stays_short():
    model, batch, objective = deep(nn.Sigmoid, 1.0, 60)
    lines = magnitude_table(magnitudes(model, objective, batch)).splitlines()
    assert len(lines) == 1 + 24 + 1
    assert lines[1].startswith("0 ")
    assert lines[-1].startswith("gradients vanish: at `0` they are ")
