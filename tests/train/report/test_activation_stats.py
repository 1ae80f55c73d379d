"""Vanishing and exploding, shown and named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from train import small

from netspec.recipes import ingredients
from netspec.train.data.batches import Batch
from netspec.train.optimize.objective import Objective
from netspec.train.report.activation_stats import activation_stats, stats_at_start, stats_table, verdict


def deep(activation: type[nn.Module], gain: float, layers: int = 12) -> tuple[nn.Module, Batch, Objective]:
    torch.manual_seed(0)
    parts: list[nn.Module] = []
    for _ in range(layers):
        parts += [nn.Linear(32, 32), activation()]
    model = nn.Sequential(*parts, nn.Linear(32, 4))
    for each in model:
        if isinstance(each, nn.Linear):
            nn.init.normal_(each.weight, std=gain / 32**0.5)
    batch = Batch((torch.randn(64, 32),), {"output": torch.randint(4, (64,))}, 64, 64)
    return model, batch, Objective({"output": ingredients("loss")["cross_entropy"]()}, {})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("activation", "gain", "layers", "says"),
    [
        (nn.Sigmoid, 1.0, 12, r"gradients vanish: at `0` they are \S+e-\d+ of those at `24`"),
        (nn.Tanh, 4.0, 40, r"gradients explode: at `0` they are \S+e\+\d+ times those at `80`"),
        (nn.ReLU, 2**0.5, 12, ""),  # Kaiming's
        (nn.Identity, 8.0, 12, r"activations explode: at `8` they are \S+e\+03 times those at `0`"),  # 8⁴ = 4096
        (nn.Identity, 1 / 8, 12, r"activations vanish: at `8` they are \S+e-04 of those at `0`"),
    ],
)
def test_the_layer_is_named(activation: type[nn.Module], gain: float, layers: int, says: str):
    model, batch, objective = deep(activation, gain, layers)
    for each in model:
        if isinstance(each, nn.Linear):
            nn.init.zeros_(each.bias)
    found = activation_stats(model, objective, batch)
    assert [each.path for each in found] == [str(2 * at) for at in range(layers + 1)]
    assert re.fullmatch(says, verdict(found))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_number_that_is_none_is_named_first():
    model, batch, objective = deep(nn.Identity, 1e20)
    found = activation_stats(model, objective, batch)
    assert re.fullmatch(r"activations explode: at `\d` they are no longer finite", verdict(found))
    assert {each.plain()["activation"] for each in found} >= {None}


def test_what_is_frozen_has_no_gradient():
    model, batch, objective = deep(nn.Tanh, 1.0, 2)
    model[0].requires_grad_(False)  # type: ignore[index]
    found = activation_stats(model, objective, batch)
    assert [each.gradient is None for each in found] == [True, False, False]
    assert stats_table(found).splitlines()[1].split()[2] == "frozen"
    assert verdict(found) == ""
    model.requires_grad_(False)
    assert verdict(activation_stats(model, objective, batch)) == ""


SPEC = small.SPEC.replace("  - relu\n", "  - batch_norm1d\n  - relu\n  - dropout: 0.3\n")


@pytest.mark.parametrize("compiling", ["none", "whole"])
def test_a_run_goes_as_if_nobody_had_looked(compiling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Random numbers, statistics and the order of rows are as they were; what is compiled has not been yet."""
    monkeypatch.setattr(nn.Module, "compile", lambda module: setattr(module, "asked", True))
    graph = small.graph(tmp_path, SPEC, compile=compiling)
    small.begin(graph, tmp_path / "plain").go()
    looked = small.begin(graph, tmp_path / "looked")
    before = {name: tensor.clone() for name, tensor in looked.setup.model.state_dict().items()}
    assert [each.path for each in stats_at_start(looked.setup)] == ["first", "head"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in looked.setup.model.state_dict().items())
    looked.go()
    assert small.losses(tmp_path / "looked") == small.losses(tmp_path / "plain")


def test_it_costs_one_pass_forward_and_one_backward_over_a_part_of_a_batch(tmp_path: Path):
    setup = small.begin(small.graph(tmp_path, SPEC, accumulate="4"), tmp_path / "run").setup
    passes: list[tuple[str, int]] = []
    head: nn.Module = setup.model.head  # type: ignore[assignment]
    head.register_forward_hook(lambda _, inputs, made: passes.append(("forward", len(made))))
    head.register_full_backward_hook(lambda _, given, gradients: passes.append(("backward", len(gradients[0]))))
    stats_at_start(setup)
    assert passes == [("forward", 5), ("backward", 5)]


def test_they_are_those_of_torch():
    model, batch, objective = deep(nn.Tanh, 1.0, 2)
    found = activation_stats(model, objective, batch)
    first = model[0](batch.inputs[0])  # type: ignore[index]
    assert found[0].activation == pytest.approx(first.square().mean().sqrt().item(), rel=1e-5)
    objective(model(*batch.inputs), batch.targets).backward()
    assert found[0].gradient == pytest.approx(model[0].weight.grad.square().mean().sqrt().item(), rel=1e-5)  # type: ignore[index]


def test_a_block_of_bare_weights_is_a_layer(tmp_path: Path):
    """As `transposed_linear` is one; a block with layers inside is none beside these."""
    text = small.SPEC.replace("  - relu\n", "  - transposed_linear: {name: turned, out_features: 8}\n  - relu\n")
    graph = small.graph(tmp_path, f"{text}init: {{turned.weight: {{normal: {{std: 0.1}}}}}}\n")
    found = stats_at_start(small.begin(graph, tmp_path / "run").setup)
    assert [each.path for each in found] == ["first", "turned", "head"]
    assert all(each.gradient for each in found)


def test_a_table_of_many_layers_stays_short():
    model, batch, objective = deep(nn.Sigmoid, 1.0, 60)
    lines = stats_table(activation_stats(model, objective, batch)).splitlines()
    assert len(lines) == 1 + 24 + 1
    assert lines[1].startswith("0 ")
    assert lines[-1].startswith("gradients vanish: at `0` they are ")
