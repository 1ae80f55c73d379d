"""TensorBoard's files have what the run's own have."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from train import small

from netspec.diagnostics import EnvironmentFault


def test_the_scores_of_every_epoch_are_on_the_board(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = small.begin(small.graph(tmp_path, tensorboard="true", metrics="[accuracy]"), tmp_path / "run")
    run.go()
    assert run.journal.board is not None
    run.journal.board.close()
    board = EventAccumulator(str(tmp_path / "run/tensorboard")).Reload()
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if "epoch" in line]
    parts = {f"{part}/{name}" for part in ("train", "validation") for name in epochs[0].get(part, {})}
    assert {*board.Tags()["scalars"]} == parts
    assert "train/loss" in parts
    for tag in parts:
        part, _, name = tag.partition("/")
        shown = [(event.step, event.value) for event in board.Scalars(tag)]
        assert shown == [(epoch["step"], pytest.approx(epoch[part][name])) for epoch in epochs]


def test_without_it_a_run_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(EnvironmentFault) as found:
        small.begin(small.graph(tmp_path, tensorboard="true"), tmp_path / "run")
    assert str(found.value) == "`tensorboard: true` needs TensorBoard: `pip install 'netspec[tensorboard]'`"
