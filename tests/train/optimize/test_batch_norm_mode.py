"""Batch norms that run as in evaluation while the network is trained, against torch's own."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from train.small import SPEC, begin, graph, guard_resumes

NORMED = SPEC.replace("dropout: 0.2", "dropout: 0.0").replace(
    "  - relu\n", "  - batch_norm1d: {name: bn1}\n  - relu\n  - batch_norm1d: {name: bn2}\n"
)
RECIPE = {"optimizer": "{sgd: {lr: 0.1, momentum: 0.9}}", "checkpoint": "{steps: 1}"}
STATISTICS = {"running_mean", "running_var", "num_batches_tracked"}


def changed(before: dict[str, torch.Tensor], model: nn.Module) -> set[str]:
    """The keys of a network whose tensors are others now."""
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


def test_steps_are_torch_s_with_its_batch_norms_in_evaluation(tmp_path: Path) -> None:
    run = begin(graph(tmp_path, NORMED, batch_norm="{train: false}", **RECIPE), tmp_path / "run")
    theirs = begin(graph(tmp_path, NORMED, **RECIPE), tmp_path / "theirs").setup
    model = theirs.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(3):
        model.train()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()
        for batch in theirs.train.shuffled(epoch, 20):
            optimizer.zero_grad()
            target = next(iter(batch.targets.values())).long()
            nn.functional.cross_entropy(model(*batch.inputs), target).backward()
            optimizer.step()
    run.setup.model.train()
    for _ in range(3):
        run.train_epoch()
        run.end_epoch()  # the evaluator puts the network back into training
    for name, tensor in run.setup.model.state_dict().items():
        assert torch.allclose(tensor, model.state_dict()[name], atol=1e-6), name
    found = changed(before, run.setup.model)
    assert {"bn1.weight", "bn1.bias"} <= found
    assert not {name for name in found if name.rpartition(".")[2] in STATISTICS}


def test_some_are_held_and_others_are_not(tmp_path: Path) -> None:
    run = begin(graph(tmp_path, NORMED, batch_norm="{train: false, of: bn1}", **RECIPE), tmp_path / "run")
    before = {name: tensor.clone() for name, tensor in run.setup.model.state_dict().items()}
    run.go()
    found = {name for name in changed(before, run.setup.model) if name.rpartition(".")[2] in STATISTICS}
    assert found == {"bn2.running_mean", "bn2.running_var", "bn2.num_batches_tracked"}
    model = run.setup.model.train()
    assert not model.bn1.training
    assert model.bn2.training


def test_a_frozen_batch_norm_stays_as_it_is(tmp_path: Path) -> None:
    frozen = {"batch_norm": "{train: false, of: bn1}", "groups": "{bn1: {freeze: true}}"}
    run = begin(graph(tmp_path, NORMED, **frozen, **RECIPE), tmp_path / "run")
    before = {name: tensor.clone() for name, tensor in run.setup.model.state_dict().items()}
    run.go()
    assert not {name for name in changed(before, run.setup.model) if name.startswith("bn1.")}


def test_a_run_with_them_goes_on_bit_for_bit(tmp_path: Path) -> None:
    guard_resumes(graph(tmp_path, NORMED, batch_norm="{train: false, of: bn1}", **RECIPE), tmp_path)


def test_one_whose_tensors_stand_elsewhere_is_held_by_its_key(tmp_path: Path) -> None:
    keys = "{weight: scale.w, bias: scale.b, running_mean: scale.mean, running_var: scale.var}"
    text = NORMED.replace("{name: bn1}", f"{{name: bn1, state_key: {keys}}}")
    run = begin(graph(tmp_path, text, batch_norm="{train: false, of: scale}", **RECIPE), tmp_path / "run")
    before = {name: tensor.clone() for name, tensor in run.setup.model.state_dict().items()}
    run.go()
    found = changed(before, run.setup.model)
    assert "scale.w" in found
    assert not {"scale.mean", "scale.var"} & found
    assert "bn2.running_mean" in found
