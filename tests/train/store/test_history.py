"""What a run's folder says of how it went, and the picture of it."""

from __future__ import annotations

import json
import random
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from netspec.diagnostics import UsageError
from netspec.train.report.curves import curves_svg
from netspec.train.store.folder import RunFolder
from netspec.train.store.history import History, read_history


def written(folder: Path, lines: list[str]) -> History:
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    return read_history(RunFolder(folder))


def test_steps_epochs_and_a_torn_line(tmp_path: Path):
    scores = {"train": {"loss": 1.5}, "validation": {"loss": 1.2, "accuracy": 0.5}}
    epoch = {"epoch": 1, "step": 2, **scores, "lr": 0.1, "seconds": 0.5}
    lines = ['{"step": 1, "loss": 2.0}', '{"step": 2, "loss": 1.0}', json.dumps(epoch), '{"step": 3, "lo']
    found = written(tmp_path, lines)
    assert found.steps == [(1, 2.0), (2, 1.0)]
    assert found.labels == ["loss", "accuracy"]
    assert found.curve("validation", "accuracy") == [(2, 0.5)]
    assert found.points("train", "accuracy") == []
    with pytest.raises(UsageError, match="the history of train has no score `accuracy`: there is only `loss`"):
        found.curve("train", "accuracy")
    with pytest.raises(UsageError, match=r"the history has no part `valid`: did you mean `validation`\?"):
        found.curve("valid", "loss")


def test_what_is_smooth_keeps_the_level():
    """The first value is the first loss; noise around a level comes out as the level."""
    noise = random.Random(0)
    steps = [(step, 3.0 + noise.uniform(-1, 1)) for step in range(1, 2001)]
    smooth = History(steps, []).smoothed()
    assert smooth[0] == steps[0]
    assert [step for step, _ in smooth] == [step for step, _ in steps]
    late = [value for _, value in smooth[500:]]
    assert max(late) - min(late) < 0.7
    assert sum(late) / len(late) == pytest.approx(3.0, abs=0.05)


def test_few_steps_are_left_as_they_are():
    steps = [(1, 2.0), (2, 1.0), (3, 4.0)]
    assert History(steps, []).smoothed() == steps


def test_the_picture_in_a_page_takes_its_colours_from_it(tmp_path: Path):
    epochs = [
        {"epoch": at, "step": 4 * at, "train": {"loss": 1 / at}, "validation": {"loss": 2 / at, "accuracy": at / 5}}
        for at in range(1, 5)
    ]
    history = History([(step, 2 / step) for step in range(1, 17)], epochs)
    svg = curves_svg(history, {"accuracy": 0.9})
    ElementTree.fromstring(svg)
    for name in ("--ink", "--faint", "--line", "--train", "--validation"):
        assert f"var({name})" in svg
    assert re.findall(r"#[0-9a-fA-F]{6}\b", svg) == []
    texts = ["loss", "accuracy", "train", "validation", "published"]
    assert all(f">{text}</text>" in svg for text in texts)
    assert svg == curves_svg(history, {"accuracy": 0.9})
