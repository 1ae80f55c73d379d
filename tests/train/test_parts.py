"""Losses, optimizers, schedules and measures, against torch, closed forms and definitions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from train import small

from netspec.recipes import ingredients
from netspec.recipes.losses import Loss
from netspec.recipes.optimizers import LBFGS, SGD, Adam, AdamW, Newton
from netspec.recipes.schedules import (
    CosineAnnealingLR,
    ExponentialLR,
    InverseSquareRootLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    StepLR,
)
from netspec.recipes.settings import WeightDecay
from netspec.train.names import resolve
from netspec.train.optimize.objective import Objective, criterion, shares
from netspec.train.optimizers import build_optimizer, penalised
from netspec.train.schedules import build_schedule


def test_every_ingredient_names_what_there_is():
    for kind in ("loss", "optimizer", "transform"):
        for each in ingredients(kind).values():  # type: ignore[arg-type]
            assert callable(resolve(each.torch)), each.name
    for metric in ingredients("metric").values():
        assert all(map(callable, map(resolve, metric.tasks.values())))  # type: ignore[attr-defined]


# Losses


def of(name: str, **arguments: Any) -> Loss:
    made = ingredients("loss")[name](**arguments)
    assert isinstance(made, Loss)
    return made


def test_cross_entropy_is_the_negative_log_likelihood_up_to_its_base():
    scores, label = torch.randn(8, 5), torch.randint(5, (8,))
    nats = criterion(of("cross_entropy"), None)(scores, label)
    likelihood = torch.softmax(scores, 1)[torch.arange(8), label].log2().mean()
    assert nats.item() == pytest.approx(-likelihood.item() * math.log(2), rel=1e-5)
    assert criterion(of("nll"), None)(scores.log_softmax(1), label).item() == pytest.approx(nats.item(), rel=1e-5)


@pytest.mark.parametrize("shape", [(8, 5), (4, 7, 5), (2, 5, 3, 4)])
def test_classes_stand_last_in_rows_and_sequences_and_first_in_images(shape: tuple[int, ...]):
    scores = torch.randn(shape)
    classes_last = scores.movedim(1, -1) if len(shape) > 3 else scores
    label = torch.randint(5, classes_last.shape[:-1])
    label[0] = 0
    expected = F.cross_entropy(classes_last.reshape(-1, 5), label.flatten(), ignore_index=0, label_smoothing=0.1)
    made = criterion(of("cross_entropy", label_smoothing=0.1), 0)(scores, label)
    assert made.item() == pytest.approx(expected.item(), rel=1e-5)


def test_losses_of_numbers():
    output, target = torch.randn(6, 1), torch.rand(6)
    column = target[:, None]
    for name, expected in {
        "mse": ((output - column) ** 2).mean(),
        "l1": (output - column).abs().mean(),
        "binary_cross_entropy": -(column * output.sigmoid().log() + (1 - column) * (-output).sigmoid().log()).mean(),
    }.items():
        assert criterion(of(name), None)(output, target).item() == pytest.approx(expected.item(), rel=1e-5), name


def test_divergence_is_zero_for_the_same_and_as_defined():
    scores, p = torch.randn(3, 4), torch.softmax(torch.randn(3, 4), 1)
    q = torch.softmax(scores, 1)
    made = criterion(of("kl_div"), None)
    assert made(scores, p).item() == pytest.approx((p * (p / q).log()).sum(1).mean().item(), rel=1e-4)
    assert made(scores, q).item() == pytest.approx(0, abs=1e-6)


def test_the_perceptron_moves_only_for_the_wrong_side():
    weight = torch.zeros(2, requires_grad=True)
    rule, x = criterion(of("perceptron"), None), torch.tensor([[1.0, 2.0]])
    rule(x @ weight, torch.tensor([1])).backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [-1.0, -2.0]  # a point on the line counts as wrong: w becomes w + y·x
    weight = torch.tensor([1.0, 1.0], requires_grad=True)
    rule(x @ weight, torch.tensor([1])).backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [0.0, 0.0]


def test_losses_of_several_outputs_add_up_with_their_factors():
    losses = {"logits": of("cross_entropy"), "aux": of("cross_entropy", scale=0.3)}
    objective = Objective(losses, {})
    outputs = {"logits": torch.randn(4, 3), "aux": torch.randn(4, 3)}
    targets = dict.fromkeys(losses, torch.tensor([0, 1, 2, 0]))
    main, aux = (F.cross_entropy(outputs[name], targets[name]) for name in losses)
    assert objective(outputs, targets).item() == pytest.approx((main + 0.3 * aux).item())
    assert objective({"logits": outputs["logits"]}, targets).item() == pytest.approx(main.item())


def test_the_losses_of_parts_add_up_however_much_padding_each_has():
    torch.manual_seed(0)
    objective = Objective({"words": of("cross_entropy"), "rest": of("cross_entropy", scale=0.5)}, {"words": 0})
    outputs = {"words": torch.randn(6, 5, 4), "rest": torch.randn(6, 3)}
    targets = {"words": torch.randint(0, 4, (6, 5)), "rest": torch.randint(3, (6,))}
    targets["words"][1, 2:] = 0
    targets["words"][4:] = 0  # the last part has nothing that counts
    wholes, parts = objective.counts(targets), []
    for part in (slice(0, 1), slice(1, 4), slice(4, 6)):
        of_part = {name: target[part] for name, target in targets.items()}
        share = shares(objective.counts(of_part), wholes)
        parts.append(objective({name: output[part] for name, output in outputs.items()}, of_part, share).item())
    assert sum(parts) == pytest.approx(objective(outputs, targets).item(), rel=1e-6)


# Optimizers


def test_newton_solves_a_quadratic_in_one_step_and_beats_saddles():
    torch.manual_seed(0)
    x, wanted = torch.randn(50, 4, dtype=torch.float64), torch.randn(4, 1, dtype=torch.float64)
    model = nn.Linear(4, 1).double()
    optimizer = build_optimizer(Newton(damping=1e-12), model, None)
    optimizer.step(lambda: F.mse_loss(model(x), x @ wanted + 3))  # type: ignore[arg-type]
    assert torch.allclose(model.weight.flatten(), wanted.flatten(), atol=1e-6)
    assert model.bias.item() == pytest.approx(3, abs=1e-6)
    w = nn.Parameter(torch.tensor([0.1], dtype=torch.float64))
    saddle = nn.ParameterList([w])
    optimizer = build_optimizer(Newton(), saddle, None)
    for _ in range(30):
        optimizer.step(lambda: ((w**2 - 1) ** 2).sum())  # type: ignore[arg-type]
    assert abs(w.item()) == pytest.approx(1, abs=1e-6)


def test_newton_and_lbfgs_find_the_same_minimum():
    torch.manual_seed(0)
    x, label = torch.randn(40, 3), torch.randint(2, (40, 1)).float()
    found = []
    for recipe in (Newton(), LBFGS()):
        model = nn.Linear(3, 1)
        nn.init.zeros_(model.weight)
        nn.init.zeros_(model.bias)
        optimizer = build_optimizer(recipe, model, None)

        def closure(model: nn.Module = model, optimizer: Any = optimizer, recipe: Any = recipe) -> torch.Tensor:
            loss = F.binary_cross_entropy_with_logits(model(x), label)
            if recipe.backward:
                optimizer.zero_grad()
                loss.backward()
            return loss

        for _ in range(20):
            optimizer.step(closure)
        found.append(closure().item())
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_weights_decay_but_what_is_left_out_does_not():
    model = nn.Sequential(nn.Embedding(3, 4), nn.Linear(4, 4), nn.LayerNorm(4))
    decay = WeightDecay(value=0.1, skip=["bias", "norm", "embedding"])
    decaying, others = build_optimizer(AdamW(), model, decay).param_groups
    assert [each.shape for each in decaying["params"]] == [(4, 4)]
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert len(others["params"]) == 4
    assert build_optimizer(AdamW(), model, None).param_groups[0]["weight_decay"] == 0.0


def test_decay_is_a_term_of_the_loss_where_the_optimizer_has_none():
    model = nn.Linear(2, 1)
    terms = penalised(LBFGS(), model, WeightDecay(value=0.5, skip=["bias"]))
    assert terms == [model.weight]
    assert penalised(SGD(), model, WeightDecay(value=0.5)) == []
    objective = Objective({"output": of("mse")}, {}, terms, 0.5)
    plain = F.mse_loss(torch.ones(3, 1), torch.zeros(3, 1)).item()
    loss = objective(torch.ones(3, 1), {"output": torch.zeros(3)}).item()
    assert loss == pytest.approx(plain + 0.25 * model.weight.square().sum().item())


# Schedules


def rates(schedule: Any, steps: int = 20, per_epoch: int = 5) -> list[float]:
    optimizer = build_optimizer(Adam(lr=1.0), nn.Linear(1, 1), None)
    moving, found = build_schedule(schedule, optimizer, steps, per_epoch), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        moving.step()
    return found


def test_schedules_are_as_they_say():
    assert rates(StepLR(step_size=2)) == pytest.approx([1.0] * 10 + [0.1] * 10)
    assert rates(MultiStepLR(milestones=[1, 3])) == pytest.approx([1.0] * 5 + [0.1] * 10 + [0.01] * 5)
    assert rates(ExponentialLR(gamma=0.5))[::5] == pytest.approx([1, 0.5, 0.25, 0.125])
    assert rates(CosineAnnealingLR()) == pytest.approx([(1 + math.cos(math.pi * step / 20)) / 2 for step in range(20)])
    assert rates(LinearLR()) == pytest.approx([1 - step / 20 for step in range(20)])
    cycle = rates(OneCycleLR())
    assert max(cycle) == pytest.approx(1.0, abs=0.05)
    assert cycle[0] < 0.1 > cycle[-1]


def test_warm_up_comes_first():
    found = rates(CosineAnnealingLR(warmup=4))
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found[4:] == pytest.approx([(1 + math.cos(math.pi * step / 16)) / 2 for step in range(16)])
    found = rates(InverseSquareRootLR(warmup=4))
    assert found[4:] == pytest.approx([(4 / (4 + step)) ** 0.5 for step in range(16)])


# Evaluator


def test_measures_are_what_their_definitions_say(tmp_path: Path):
    graph = small.graph(tmp_path, metrics="[accuracy, {accuracy: 2}, f1]")
    setup = small.begin(graph, tmp_path / "run").setup
    assert setup.test is not None
    (batch,) = setup.test.in_order(100)
    scores = setup.model.eval()(*batch.inputs)
    label = batch.targets["output"]
    found = setup.evaluate(setup.test)
    assert found["loss"] == pytest.approx(F.cross_entropy(scores, label).item(), rel=1e-5)
    best = scores.topk(2).indices
    assert found["accuracy"] == pytest.approx((scores.argmax(1) == label).float().mean().item())
    assert found["top2_accuracy"] == pytest.approx((best == label[:, None]).any(1).float().mean().item())
