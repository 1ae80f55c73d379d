"""The lines of a run's epochs, in columns that a terminal has room for."""

from __future__ import annotations

import pytest

from netspec.train.report.progress import Plain

RECORD = {"epoch": 12, "train": {"loss": 2.76}, "validation": {"loss": 2.2}, "lr": 0.003, "seconds": 8.9}


def test_one_row_of_headings_where_there_is_room(capsys: pytest.CaptureFixture[str]):
    progress = Plain(10)
    for _ in range(2):
        progress.epoch(RECORD)
    heading, first, second = capsys.readouterr().out.splitlines()
    assert heading == "epoch  train loss  validation loss        lr      time"
    assert first == "   12      2.7600           2.2000     0.003     8.9 s"
    assert second == first


def test_two_rows_where_there_is_not(capsys: pytest.CaptureFixture[str]):
    measured = {"loss": 2.2, "accuracy": 0.3268, "perplexity": 9.9543}
    Plain(10).epoch(RECORD | {"validation": measured})
    assert capsys.readouterr().out.splitlines() == [
        "          train  validation  validation  validation",
        "epoch      loss        loss    accuracy  perplexity        lr      time",
        "   12    2.7600      2.2000      0.3268      9.9543     0.003     8.9 s",
    ]
