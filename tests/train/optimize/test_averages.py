"""Moving averages of the weights, against torch's own and the formula."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from train.small import SPEC, begin, graph, guard_resumes, losses

from netspec.recipes.settings import MovingAverage
from netspec.train.optimize.averages import Averages

NORMED = SPEC.replace("  - relu\n", "  - batch_norm1d\n  - relu\n")


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2))


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.randn(8, 4)).square().sum().backward()
    optimizer.step()


def test_averages_are_torch_s_of_parameters_and_of_statistics() -> None:
    model = network()
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    ours = Averages(model, MovingAverage(decay=0.9))
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    for _ in range(12):
        step(model, optimizer)
        ours.update()
        theirs.update_parameters(model)
    for name, tensor in theirs.module.state_dict().items():
        if tensor.is_floating_point():
            assert torch.allclose(ours.tensors[name], tensor, rtol=0, atol=1e-6), name
    assert ours.tensors["1.num_batches_tracked"] == 12


def test_a_warm_up_grows_the_decay_by_its_formula() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    ours, expected = Averages(model, MovingAverage(decay=0.6, warmup=True)), 0.0
    for t in range(1, 20):
        with torch.no_grad():
            model.weight.fill_(t * t)
        ours.update()
        decay = min(0.6, (1 + t) / (10 + t))
        expected = float(t * t) if t == 1 else decay * expected + (1 - decay) * t * t
        assert ours.tensors["weight"].item() == pytest.approx(expected, rel=1e-6)


def test_averages_of_half_precision_do_not_stand_still() -> None:
    model = torch.nn.Linear(1, 1, bias=False).to(torch.bfloat16)
    ours = Averages(model, MovingAverage(decay=0.999))
    for value in (1.0, *[2.0] * 1000):
        with torch.no_grad():
            model.weight.fill_(value)
        ours.update()
    assert ours.tensors["weight"].item() == pytest.approx(2 - 0.999**1000, rel=1e-4)
    with ours.applied():
        assert model.weight.dtype == torch.bfloat16
        assert model.weight.item() == torch.tensor(2 - 0.999**1000, dtype=torch.bfloat16)
    assert model.weight.item() == 2.0


def test_the_averages_are_what_is_judged_and_kept(tmp_path: Path) -> None:
    run = begin(graph(tmp_path, NORMED, ema="0.9", epochs="1"), tmp_path / "run")
    result = run.go()
    assert run.averages is not None
    best = load_file(tmp_path / "run" / "best.safetensors")
    assert best.keys() == run.averages.tensors.keys()
    for name, tensor in best.items():
        assert torch.equal(tensor, run.averages.tensors[name]), name
    epoch = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert result.scores["validation" if "validation" in epoch else "test"]["loss"] > 0
    plain = begin(graph(tmp_path, NORMED, epochs="1"), tmp_path / "plain")
    plain.go()
    assert losses(tmp_path / "plain") == losses(tmp_path / "run")  # the steps are those without averages
    assert not torch.equal(load_file(tmp_path / "plain" / "best.safetensors")["head.weight"], best["head.weight"])


def test_a_run_with_averages_goes_on_bit_for_bit(tmp_path: Path) -> None:
    guard_resumes(graph(tmp_path, NORMED, ema="{decay: 0.95, warmup: true}", checkpoint="{steps: 1}"), tmp_path)


def test_closures_are_averaged_too(tmp_path: Path) -> None:
    run = begin(graph(tmp_path, ema="0.5", optimizer="lbfgs", epochs="1", batch="null"), tmp_path / "run")
    run.go()
    assert run.averages is not None
    assert run.averages.steps == 1
