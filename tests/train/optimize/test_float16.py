"""Float16 by autocast: a scaled loss, steps that are left out, and layers that a device does not have in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from train import small

from netspec.diagnostics import SpecError, TrainingFault
from netspec.train.optimize.scaling import LEAST
from netspec.train.run import Run

HALF = {"precision": "float16", "epochs": "1"}
FREE_OF_CHANCE = small.SPEC.replace("dropout: dropout", "identity")


def by_hand(run: Run, **keywords: float) -> list[float]:
    """The losses of an epoch of torch's own loop with a ``GradScaler``, on a copy of the run's network."""
    setup = run.setup
    model, scaler = setup.model, torch.amp.GradScaler("cpu", init_scale=2.0**16)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    losses = []
    for batch in setup.train.shuffled(0, 20):
        with torch.autocast("cpu", torch.float16):
            output = model(*batch.inputs)
        loss = torch.nn.functional.cross_entropy(output.float(), next(iter(batch.targets.values())))
        losses.append(loss.item())
        scaler.scale(loss).backward()
        if keywords:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), keywords["clip"])
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    model.load_state_dict(weights)
    return losses


@pytest.mark.parametrize("more", [{}, {"clip": "0.5"}])
def test_steps_are_those_of_torch_s_own_loop(more: dict[str, str], tmp_path: Path) -> None:
    run = small.begin(small.graph(tmp_path, FREE_OF_CHANCE, **HALF, **more), tmp_path / "run")
    expected = by_hand(run, **{key: float(value) for key, value in more.items()})
    run.go()
    assert [loss for _, loss in small.losses(tmp_path / "run")] == expected


def test_parts_of_a_batch_are_scaled_alike(tmp_path: Path) -> None:
    whole = small.begin(small.graph(tmp_path, FREE_OF_CHANCE, **HALF), tmp_path / "whole")
    parts = small.begin(small.graph(tmp_path, FREE_OF_CHANCE, accumulate="4", **HALF), tmp_path / "parts")
    whole.go()
    parts.go()
    pairs = zip(small.losses(tmp_path / "whole"), small.losses(tmp_path / "parts"))
    assert all(one == pytest.approx(other, rel=2e-3) for one, other in pairs)


@pytest.mark.parametrize("optimizer", ["{adam: 0.01}", "{rmsprop: 0.01}"])
def test_a_step_with_infinite_gradients_is_left_out(optimizer: str, tmp_path: Path) -> None:
    run = small.begin(small.graph(tmp_path, optimizer=optimizer, **HALF), tmp_path / "run")
    model, step = run.setup.model, run.stepper.function()
    batches = run.setup.train.shuffled(0, 20)
    step(next(batches), 1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    run.scaler.load_state_dict({**run.scaler.state_dict(), "scale": 2.0**40})
    step(next(batches), 2)
    assert run.scaler.get_scale() == 2.0**39
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_scale_that_falls_without_end_is_told(tmp_path: Path) -> None:
    run = small.begin(small.graph(tmp_path, **HALF), tmp_path / "run")
    run.scaler.load_state_dict({**run.scaler.state_dict(), "scale": LEAST / 2, "growth_interval": 10**6})
    with pytest.raises(TrainingFault, match=r"not finite in float16 before step 5.*train\.precision=mixed"):
        run.go()


def test_the_scale_is_resumed(tmp_path: Path) -> None:
    graph = small.graph(tmp_path, precision="float16", checkpoint="{steps: 1, minutes: null}")
    cut = small.begin(graph, tmp_path / "cut")
    cut.scaler.load_state_dict({**cut.scaler.state_dict(), "scale": 2.0**30})  # which falls in the first steps
    cut.train_epoch()
    scale = cut.scaler.get_scale()
    again = small.begin(graph, tmp_path / "cut")
    again.go()
    assert 2.0**16 < again.scaler.get_scale() < scale < 2.0**30  # where a new one begins
    small.guard_resumes(graph, tmp_path / "other")


def test_a_layer_that_the_device_lacks_is_named(tmp_path: Path) -> None:
    rows = "- flatten: {start_dim: 1, end_dim: 2}\n  - lstm: {name: cell, hidden_size: 8}\n  - flatten"
    text = small.SPEC.replace("- flatten", rows)
    run = small.begin(small.graph(tmp_path, text, **HALF), tmp_path / "run")
    with pytest.raises(SpecError) as found:
        run.go()
    (told,) = found.value.diagnostics
    assert told.message.startswith("the layer `cell` does not work in `float16` on this device (cpu): ")
    assert told.primary.span.line == 18
    assert told.help == "the precision `mixed` or `float32`"
