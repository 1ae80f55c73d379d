"""Recurrent cells, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.several import check_several, each, several

from netspec.ops import ShapeError
from netspec.testing.case import OpCase
from netspec.testing.pytorch import lines_of


@each(
    several("rnn_cell", "N 4", "N 6", hidden_size=6),
    several("rnn_cell", "N 4", "N 6", hidden_size=6, nonlinearity="relu", bias=False),
    several("gru_cell", "N 4", "N 6", hidden_size=6),
    several("gru_cell", "N 4", "N 6", hidden_size=6, bias=False),
    several("lstm_cell", "N 4", "N 6", "N 6", hidden_size=6),
    several("lstm_cell", "N 4", "N 6", "N 6", hidden_size=6, bias=False),
)
def test_matches_torch(case: OpCase) -> None:
    check_several(case)


def test_lines() -> None:
    case = several("lstm_cell", "N 4", "N 6", "N 6", hidden_size=6)
    assert lines_of(case.op(), case.tensors(), ["b", "c"]) == ["b, c = self.op(a, (b, c))"]


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (several("gru_cell", "2 4", "2 5", hidden_size=6), "gru_cell needs a state of shape [2, 6], but got [2, 5]"),
        (several("gru_cell", "2 3 4", "2 6", hidden_size=6), "gru_cell takes [N, C], but its input is [2, 3, 4]"),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError) as found:
        case.op().infer(*case.tensors())
    assert str(found.value) == text
