"""The memory of a step that a dry run tells: of the batch that is drawn, and of the optimizer that will run."""

from __future__ import annotations

import runpy
from typing import Any

import pytest
import torch
from places import ROOT

from netspec.diagnostics import EnvironmentFault
from netspec.pipeline import compile_spec, read_value
from netspec.recipes import ingredients
from netspec.runtime import machine
from netspec.train.distributed.strategies import ModelWithLoss
from netspec.train.job import first_setup
from netspec.train.memory.step import run_memory, step_memory
from netspec.train.optimize.objective import Objective
from netspec.train.optimizers import build_optimizer
from netspec.train.start.memory import guard_memory


def memory(**overrides: str) -> int:
    """Bytes of a step of the language model of letters, with other values under ``train``."""
    given = {f"train.{key.replace('__', '.')}": read_value(key, text) for key, text in overrides.items()}
    graph = compile_spec("rnn_lm", overrides=given)
    setup = first_setup(graph)
    batch = next(iter(setup.train.shuffled(0, setup.recipe.settings.batch)))
    return step_memory(graph, setup, [None if each is None else each.shape for each in batch.inputs], batch.rows)


def test_longer_rows_and_larger_batches_take_more() -> None:
    usual = memory(data="{alice: {length: 35}}")
    assert 7 < memory(data="{alice: {length: 350}}") / usual < 10
    assert memory(data="{alice: {length: 35}}", batch="64") > usual


def test_the_state_of_the_optimizer_is_in_it() -> None:
    weights = 1.05 * 4 * compile_spec("rnn_lm").body.parameter_count  # with the allocator's margin
    plain = memory(optimizer="{sgd: 0.1}")
    assert memory(optimizer="{sgd: {lr: 0.1, momentum: 0.9}}") - plain == pytest.approx(weights, abs=2)
    assert memory(optimizer="{adam: {lr: 0.1, amsgrad: true}}") - plain == pytest.approx(3 * weights, abs=2)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("sgd", {}),
        ("sgd", {"momentum": 0.9}),
        ("adagrad", {}),
        ("rmsprop", {}),
        ("rmsprop", {"momentum": 0.9}),
        ("rmsprop", {"momentum": 0.9, "centered": True}),
        ("adadelta", {}),
        ("adam", {}),
        ("adam", {"amsgrad": True}),
        ("adamw", {}),
    ],
)
def test_states_are_those_that_torch_keeps(name: str, arguments: dict[str, Any]) -> None:
    kind: Any = ingredients("optimizer")[name]
    optimizer = kind(**arguments)
    parameter = torch.nn.Parameter(torch.zeros(100))
    running = getattr(torch.optim, optimizer.torch.rpartition(".")[2])([parameter], **optimizer.keywords())
    parameter.sum().backward()
    running.step()
    kept = sum(each.numel() for each in running.state[parameter].values() if isinstance(each, torch.Tensor))
    assert optimizer.states == kept // 100


def test_a_step_that_does_not_fit_is_told_before_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = compile_spec("rnn_lm")
    setup = first_setup(graph)
    guard_memory(graph, setup)
    monkeypatch.setattr(machine, "free_memory", lambda device=None: 1_000_000)
    with pytest.raises(EnvironmentFault, match=r"a step with \d+ rows takes about 5\.\d+ MB, and 1 MB are free here"):
        guard_memory(graph, setup)


PEAK_OF = runpy.run_path(str(ROOT / "benchmarks" / "memory.py"))["peak_of"]


@pytest.mark.parametrize("optimizer", ["{sgd: {lr: 0.1, momentum: 0.9}}", "{adam: 0.001}", "rmsprop"])
@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_the_plan_of_a_run_does_not_promise_too_much(optimizer: str, precision: str) -> None:
    """A step of the run, as the profiler sees it, takes no more than is foretold, nor much less."""
    written = {"train.optimizer": optimizer, "train.precision": precision, "train.devices": "cpu"}
    given = {key: read_value(key, text) for key, text in written.items()}
    graph = compile_spec("gru_lm", overrides=given)
    setup = first_setup(graph)
    batch = next(iter(setup.train.shuffled(0, setup.recipe.settings.batch)))
    objective = Objective(setup.losses, setup.padding)
    judged = ModelWithLoss(setup.model, objective, setup.autocast)
    running = build_optimizer(setup.recipe.optimizer, setup.model, None)

    def step() -> None:
        loss = judged(batch)
        loss.backward()
        running.step()
        running.zero_grad(set_to_none=True)

    step()
    state = [each for kept in running.state.values() for each in kept.values() if isinstance(each, torch.Tensor)]
    inputs = [each for each in batch.inputs if each is not None]
    measured = PEAK_OF(step, [*setup.model.parameters(), *state, *inputs, *batch.targets.values()])
    assert measured <= run_memory(graph, setup) <= 1.16 * measured
