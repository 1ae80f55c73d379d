"""The losses on a device, for which the CPU stands in: they are read seldom, and the run is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from train import small

from netspec.diagnostics import TrainingFault
from netspec.train.loop import losses
from netspec.train.run import Run

READS = ("item", "tolist", "__float__", "__int__", "__bool__", "cpu", "numpy", "nonzero")
"""The methods of a tensor that wait for a device."""


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs treat the CPU as a device that is never waited for because of the time."""
    monkeypatch.setattr(losses.StepLosses, "_next_reading", lambda self, steps: 4 * steps)
    begin = losses.StepLosses.__init__

    def init(self: losses.StepLosses, *arguments: Any) -> None:
        begin(self, *arguments)
        self.late = True

    monkeypatch.setattr(losses.StepLosses, "__init__", init)


def after_step(run: Run, step: int, act: Callable[[], object]) -> None:
    """Act after a step of the optimizer; the progress of a run is told too late for that."""
    run.optimizer.register_step_post_hook(lambda *_: act() if run.state.step == step else None)


def count_reads(run: Run, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the reads in the steps of a run, one by one; what it scores between epochs is left out."""
    found: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        real = getattr(torch.Tensor, name)

        def read(tensor: torch.Tensor, *arguments: Any, **keywords: Any) -> Any:
            found.append(name)
            return real(tensor, *arguments, **keywords)

        return read

    train_epoch = run.train_epoch

    def counted_epoch() -> bool:
        with pytest.MonkeyPatch.context() as patch:
            for name in READS:
                patch.setattr(torch.Tensor, name, counting(name))
            return train_epoch()

    monkeypatch.setattr(run, "train_epoch", counted_epoch)
    return found


def test_on_the_cpu_each_step_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = small.begin(small.graph(tmp_path, batch="2", epochs="2"), tmp_path / "run")
    reads = count_reads(run, monkeypatch)
    run.go()
    assert reads.count("item") == run.state.step == 2 * 45


def test_a_device_is_waited_for_seldom(tmp_path: Path, late: None, monkeypatch: pytest.MonkeyPatch):
    graph = small.graph(tmp_path, batch="2", epochs="2", augment="[{random_crop: 2}]", schedule="cosine", clip="1.0")
    run = small.begin(graph, tmp_path / "late")
    reads = count_reads(run, monkeypatch)
    run.go()
    assert run.state.step == 2 * 45
    assert reads == ["tolist"] * 5  # after 1, 5, 21, 45 and 90 steps
    monkeypatch.undo()
    small.begin(graph, tmp_path / "prompt").go()
    assert small.losses(tmp_path / "late") == small.losses(tmp_path / "prompt")


@pytest.mark.parametrize("keys", [{}, {"accumulate": "2"}, {"optimizer": "lbfgs", "batch": "null"}])
def test_a_late_run_that_is_stopped_goes_on_bit_for_bit(tmp_path: Path, late: None, keys: dict[str, str]):
    graph = small.graph(tmp_path, **keys, epochs="null", steps="12")
    small.begin(graph, tmp_path / "whole").go()
    run = small.begin(graph, tmp_path / "stopped")
    after_step(run, 8, lambda: setattr(run.requests, "asked_to_stop", True))
    assert run.go().interrupted
    assert [step for step, _ in small.losses(tmp_path / "stopped")] == [*range(1, 9)]
    small.begin(graph, tmp_path / "stopped").go()
    assert small.losses(tmp_path / "stopped") == small.losses(tmp_path / "whole")


def test_what_is_kept_comes_before_a_loss_that_is_no_number(tmp_path: Path, late: None):
    graph = small.graph(tmp_path, checkpoint="{steps: 6}")
    run = small.begin(graph, tmp_path / "run")

    def spoil() -> None:
        with torch.no_grad():
            run.setup.model.head.weight[0, 0] = float("inf")

    after_step(run, 7, spoil)
    with pytest.raises(TrainingFault) as found:
        run.go()
    assert str(found.value) == (
        "the loss is nan at step 8: later steps have changed the weights; `--set train.devices=cpu` names the layer. "
        "The last good checkpoint is kept; a smaller learning rate (`--set train.optimizer.lr=…`), a `schedule` with "
        "`warmup`, or `clip: 1.0` may help"
    )
    snapshot, damages = run.checkpoints.load(lambda sizes: {})
    assert snapshot is not None
    assert not damages
    assert snapshot.rest["state"]["step"] == 6
    assert all(tensor.isfinite().all() for tensor in snapshot.tensors.values())
    small.begin(graph, tmp_path / "run").go()
    small.begin(graph, tmp_path / "whole").go()
    assert small.losses(tmp_path / "run") == small.losses(tmp_path / "whole")


def test_a_loss_that_is_read_in_its_own_step_names_the_layer(tmp_path: Path, late: None):
    run = small.begin(small.graph(tmp_path), tmp_path / "run")
    with torch.no_grad():
        run.setup.model.head.weight[0, 0] = float("inf")
    with pytest.raises(TrainingFault, match=r"nan at step 1: the parameter `head\.weight` is no longer finite"):
        run.go()


def test_readings_come_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = small.begin(small.graph(tmp_path), tmp_path / "run")
    now = [run.losses._last_reading]
    monkeypatch.setattr(losses.time, "perf_counter", lambda: now[0])
    for taken, seconds, wanted in ((1, 8.0, 1), (1, 2**-7, 2), (2, 2**-6, 4), (4, 2**-5, 8), (8, 2**-4, 12)):
        now[0] += seconds
        assert run.losses._next_reading(taken) == wanted
