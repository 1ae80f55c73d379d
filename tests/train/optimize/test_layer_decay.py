"""Learning rates that fall from layer to layer, against formulas and torch's steps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from train.small import SPEC, begin, graph, guard_resumes

import netspec
from netspec.elaborate.training.layers import layer_numbers, layer_rates
from netspec.graph import Graph, walk_parameters
from netspec.pipeline import compile_spec

RECIPE = {"optimizer": "{sgd: {lr: 0.1, momentum: 0.9}}", "epochs": "1"}


def rates(run: object) -> dict[str, tuple[float, float]]:
    """The learning rate and the decay of each parameter of a run."""
    names = {id(parameter): name for name, parameter in run.setup.model.named_parameters()}  # type: ignore[attr-defined]
    return {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in run.optimizer.param_groups  # type: ignore[attr-defined]
        for parameter in group["params"]
    }


def spec(folder: Path, network: str) -> Graph:
    """A network of an image of 8×8."""
    path = folder / "net.yaml"
    path.write_text(f"netspec: 1\nname: net\ninputs: {{x: [N, 8]}}\n{network}\n")
    return compile_spec(path)


def test_layers_of_a_resnet_are_its_blocks() -> None:
    found = layer_numbers(netspec.load("resnet18").graph.body)
    for key, number in found.items():
        block = re.match(r"layer(\d)\.(\d)\.", key)
        expected = 2 * int(block[1]) + int(block[2]) - 1 if block else 9 * key.startswith("fc.")
        assert number == expected, key
    factors = layer_rates(netspec.load("resnet18").graph.body, 0.75)
    assert factors["conv1.weight"] == 0.75**9
    assert factors["layer4.1.bn2.weight"] == 0.75
    assert factors["fc.bias"] == 1.0


def test_layers_of_a_vision_transformer_are_its_encoder_s() -> None:
    for key, number in layer_numbers(netspec.load("vit_b_16").graph.body).items():
        block = re.match(r"encoder\.layers\.encoder_layer_(\d+)\.", key)
        behind = 12 * key.startswith("encoder.ln.") + 13 * key.startswith("heads.")
        assert number == (int(block[1]) + 1 if block else behind), key


def test_layers_of_a_network_without_blocks_are_its_steps() -> None:
    numbers = layer_numbers(netspec.load("lenet").graph.body)
    assert [numbers[key] for key in numbers if key.endswith(".weight")] == [0, 1, 2, 3, 4]


def test_branches_go_by_the_longest_path(tmp_path: Path) -> None:
    made = spec(
        tmp_path,
        """\
blocks: {hidden: {body: [linear: 8, relu]}}
network:
  - linear: {name: stem, out_features: 8}
  - hidden: {name: a}
  - hidden: {name: b}
  - linear: {name: between, out_features: 8}
  - hidden: {name: c, from: stem}
  - add: {from: [between, c]}
  - hidden: {name: d}
  - linear: {name: head, out_features: 2}
  - linear: {name: second, out_features: 3, from: a}
outputs: {head: head, second: second}""",
    )
    numbers = {key.split(".")[0]: number for key, number in layer_numbers(made.body).items()}
    assert numbers == {"stem": 0, "a": 1, "b": 2, "between": 2, "c": 1, "d": 3, "head": 4, "second": 4}


def test_a_stage_s_blocks_count_one_by_one(tmp_path: Path) -> None:
    made = spec(
        tmp_path,
        """\
blocks:
  hidden: {body: [linear: 8, relu]}
  stage:
    body:
      - linear: {name: first, out_features: 8}
      - repeat: {name: inner, count: 2, body: [hidden]}
network:
  - stage: {name: one}
  - stage: {name: two}
  - linear: {name: head, out_features: 2}""",
    )
    numbers = {key.rpartition(".")[0]: number for key, number in layer_numbers(made.body).items()}
    assert list(numbers.values()) == [0, 1, 2, 2, 3, 4, 5]


def test_rates_of_groups_are_multiplied_too(tmp_path: Path) -> None:
    recipe = {"weight_decay": "{value: 0.1, skip: [bias]}", "groups": "{first.bias: 0.3}"}
    run = begin(graph(tmp_path, layer_decay="0.5", **recipe), tmp_path / "run")
    assert rates(run) == {
        "first.weight": (0.005, 0.1),
        "first.bias": (0.15, 0.0),
        "head.weight": (0.01, 0.1),
        "head.bias": (0.01, 0.0),
    }
    assert run.optimizer.param_groups[0]["lr"] == 0.01  # which an epoch's record has


def test_a_step_is_torch_s_with_the_same_rates(tmp_path: Path) -> None:
    plain = SPEC.replace("dropout: 0.2", "dropout: 0.0")
    run = begin(graph(tmp_path, plain, layer_decay="0.25", **RECIPE), tmp_path / "run")
    theirs = begin(graph(tmp_path, plain, **RECIPE), tmp_path / "theirs").setup
    model = theirs.model
    divided = [{"params": [*model.first.parameters()], "lr": 0.025}, {"params": [*model.head.parameters()]}]
    optimizer = torch.optim.SGD(divided, lr=0.1, momentum=0.9)
    for batch in theirs.train.shuffled(0, 20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(*batch.inputs), next(iter(batch.targets.values())).long()).backward()
        optimizer.step()
    run.train_epoch()
    for name, parameter in run.setup.model.named_parameters():
        assert torch.allclose(parameter, model.get_parameter(name), rtol=0, atol=1e-6), name


def test_a_run_with_it_goes_on_bit_for_bit(tmp_path: Path) -> None:
    guard_resumes(graph(tmp_path, layer_decay="0.5", checkpoint="{steps: 1}", schedule="cosine"), tmp_path)


@pytest.mark.parametrize("name", ["gpt2", "densenet121", "googlenet"])
def test_every_parameter_has_a_layer(name: str) -> None:
    body = netspec.load(name).graph.body
    factors = layer_rates(body, 0.5)
    assert max(factors.values()) == 1.0
    assert factors.keys() == {key for *_, key in walk_parameters(body)}
