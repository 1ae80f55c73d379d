"""Signals that come while a run trains: what it has done is saved, however many come, and it says what it does."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from train import small

from netspec.train import stopping
from netspec.train.run import Run


def signalled(run: Run, step: int, *signals: int) -> list[str]:
    """Have signals come in the midst of a step; return what is told of them."""
    told: list[str] = []
    run.warn = told.append
    seen = set()

    def send(*_: object) -> None:
        if run.state.step == step and step not in seen:
            seen.add(step)
            for each in signals:
                os.kill(os.getpid(), each)

    run.optimizer.register_step_pre_hook(send)
    return told


def epochs(folder: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{**line, "seconds": 0} for line in lines if "epoch" in line]


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_in_the_step_loses_nothing(tmp_path: Path, second: int) -> None:
    graph = small.graph(tmp_path)
    small.begin(graph, tmp_path / "whole").go()
    run = small.begin(graph, tmp_path / "stopped")
    told = signalled(run, 7, signal.SIGINT, second)
    assert run.go().interrupted
    assert told == [stopping.FIRST, stopping.AGAIN]
    assert stopping.stopped_code() == 130
    assert len(small.losses(tmp_path / "stopped")) == 7
    assert not small.begin(graph, tmp_path / "stopped").go().interrupted
    assert small.losses(tmp_path / "stopped") == small.losses(tmp_path / "whole")


def test_a_third_signal_ends_the_run_as_it_is(tmp_path: Path) -> None:
    run = small.begin(small.graph(tmp_path), tmp_path / "stopped")
    signalled(run, 7, signal.SIGINT, signal.SIGTERM, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run.go()
    assert not [*(tmp_path / "stopped").glob("checkpoints/step-*")]


@pytest.mark.parametrize(("epoch", "lengths"), [(1, {}), (3, {}), (2, {"epochs": "null", "steps": "8"})])
@pytest.mark.parametrize("signals", [(signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM)])
def test_a_signal_while_an_epoch_is_judged_saves_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int, lengths: dict[str, str], signals: tuple[int, ...]
) -> None:
    graph = small.graph(tmp_path, ema="0.9", validation="0.2", **lengths)
    small.begin(graph, tmp_path / "whole").go()
    run = small.begin(graph, tmp_path / "stopped")
    told: list[str] = []
    run.warn = told.append
    save: Callable[[], None] = run._save
    measure = run._measure

    def measured() -> dict[str, dict[str, float]]:
        if run.state.epoch + 1 == epoch:
            os.kill(os.getpid(), signals[0])
        return measure()

    def saved() -> None:
        for each in signals[1:]:
            os.kill(os.getpid(), each)
        save()

    monkeypatch.setattr(run, "_measure", measured)
    monkeypatch.setattr(run, "_save", saved)
    assert run.go().interrupted
    assert told == [stopping.NOW, *[stopping.AGAIN] * (len(signals) - 1)]
    assert len(epochs(tmp_path / "stopped")) == epoch - 1
    assert not small.begin(graph, tmp_path / "stopped").go().interrupted
    assert small.losses(tmp_path / "stopped") == small.losses(tmp_path / "whole")
    assert epochs(tmp_path / "stopped") == epochs(tmp_path / "whole")
