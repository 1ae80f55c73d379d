"""Recurrent layers, against torch and onnxruntime."""

from __future__ import annotations

import pytest
import torch
from ops.several import SIZES, check_several, each, several

from netspec.ops import ShapeError, Tensor
from netspec.testing.case import OpCase, Values, read_shape
from netspec.testing.pytorch import constructor_text, lines_of, random_module, run_lines


def lengths(values: Values) -> Values:
    """Lengths from 1 to the padded length."""
    x, at = values[0], len(values) - 1
    assert x is not None
    batch, padded = x.shape[:2]
    return [*values[:at], torch.tensor([padded - row * 2 % padded for row in range(batch)])]


STATE = "2 N 6"


@each(
    *(several(name, "N T 4", None, None, hidden_size=6) for name in ("rnn", "gru")),
    several("lstm", "N T 4", None, None, None, hidden_size=6),
    *(several(name, "N T 4", STATE, None, hidden_size=6, bidirectional=True) for name in ("rnn", "gru")),
    several("lstm", "N T 4", STATE, STATE, None, hidden_size=6, num_layers=2),
    several("lstm", "N T 4", "4 N 6", "4 N 6", None, hidden_size=6, num_layers=2, bidirectional=True, dropout=0.5),
    several("lstm", "N T 4", None, None, None, hidden_size=6, proj_size=3),
    several("lstm", "N T 4", None, None, None, hidden_size=6, proj_size=3, num_layers=2, bidirectional=True),
    several("gru", "T N 4", "1 N 6", None, hidden_size=6, batch_first=False, bias=False),
    several("rnn", "N T 4", None, None, hidden_size=6, nonlinearity="relu", num_layers=3),
)
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_matches_torch(case: OpCase) -> None:
    check_several(case)


@each(
    several("rnn", "N T 4", None, "N int64", hidden_size=6, counted=False, values=lengths),
    several(
        "gru",
        "N T 4",
        "4 N 6",
        "N int64",
        hidden_size=6,
        num_layers=2,
        bidirectional=True,
        counted=False,
        values=lengths,
    ),
    several(
        "lstm",
        "N T 4",
        None,
        None,
        "N int64",
        hidden_size=6,
        num_layers=2,
        bidirectional=True,
        counted=False,
        values=lengths,
    ),
)
def test_padded_batches_match_torch_and_each_sequence_alone(case: OpCase) -> None:
    check_several(case)
    op, tensors = case.op(), case.tensors()
    module = random_module(op, tensors)
    for sizes in SIZES:
        values = case.values(sizes)
        *others, ends = values
        whole = run_lines(op, module, tensors, values, set(range(len(op.outputs))))
        for row in range(sizes["N"]):
            alone = [None if other is None else other[:, row : row + 1] for other in others]
            alone[0] = others[0][row : row + 1, : ends[row]]
            made = run_lines(op, module, [*tensors[:-1], None], [*alone, None], {0, len(op.outputs) - 1})
            torch.testing.assert_close(whole[-1][row], made[-1][0])
            torch.testing.assert_close(whole[0][row, : ends[row]], made[0][0])
            assert not whole[0][row, ends[row] :].any()


def spelled(case: OpCase, *reads: int) -> list[str]:
    op = case.op()
    return lines_of(op, case.tensors(), ["xyzu"[at] if at in reads else None for at in range(len(op.outputs))])


@pytest.mark.parametrize(
    ("case", "reads", "lines"),
    [
        (several("gru", "N T 4", None, None, hidden_size=6), (0,), ["x, _ = self.op(a)"]),
        (several("gru", "N T 4", None, None, hidden_size=6), (0, 1), ["x, y = self.op(a)"]),
        (several("gru", "N T 4", None, None, hidden_size=6), (2,), ["_, z = self.op(a)", "z = z[-1]"]),
        (several("gru", "N T 4", "1 N 6", None, hidden_size=6), (0,), ["x, _ = self.op(a, b)"]),
        (several("lstm", "N T 4", None, None, None, hidden_size=6), (0,), ["x, _ = self.op(a)"]),
        (
            several("lstm", "N T 4", None, None, None, hidden_size=6, bidirectional=True),
            (3,),
            ["_, (h_n, _) = self.op(a)", "u = torch.cat((h_n[-2], h_n[-1]), dim=1)"],
        ),
        (
            several("lstm", "N T 4", "1 N 6", "1 N 6", "N int64", hidden_size=6),
            (0, 1, 2),
            [
                "length = a.size(1)",
                "packed = nn.utils.rnn.pack_padded_sequence(a, d.cpu(), batch_first=True, enforce_sorted=False)",
                "packed, (y, z) = self.op(packed, (b, c))",
                "x, _ = nn.utils.rnn.pad_packed_sequence(packed, batch_first=True, total_length=length)",
            ],
        ),
    ],
    ids=str,
)
def test_lines(case: OpCase, reads: tuple[int, ...], lines: list[str]) -> None:
    assert spelled(case, *reads) == lines


def test_constructor_says_batch_first_where_torch_would_not() -> None:
    made = several("lstm", "N T 4", hidden_size=6, num_layers=2).op().module(Tensor((2, 3, 4)))
    assert constructor_text(made) == "nn.LSTM(4, 6, num_layers=2, batch_first=True)"
    made = several("lstm", "N T 4", hidden_size=6, batch_first=False).op().module(Tensor((2, 3, 4)))
    assert constructor_text(made) == "nn.LSTM(4, 6)"


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (several("gru", "2 4", None, None, hidden_size=6), "gru takes [N, T, C], but its input is [2, 4]"),
        (
            several("gru", "N T S", None, None, hidden_size=6),
            "the last dimension that gru takes must be a known number, but is S",
        ),
        (
            several("gru", "N T 4 int64", None, None, hidden_size=6),
            "gru takes floating-point numbers as its input, but got int64",
        ),
        (
            several("gru", "2 5 4", None, "3 int64", hidden_size=6),
            "gru needs lengths of shape [2], but got [3]",
        ),
        (several("gru", "2 5 4", None, "2", hidden_size=6), "gru takes int64 as its lengths, but got float32"),
        (
            several("lstm", "2 5 4", "2 6", "1 2 6", None, hidden_size=6),
            "lstm needs h_0 of shape [1, 2, 6], but got [2, 6]",
        ),
        (several("lstm", "2 5 4", "1 2 6", None, None, hidden_size=6), "lstm takes h_0 and c_0, or neither of them"),
        (
            several("lstm", "2 5 4", None, None, None, hidden_size=6, proj_size=6),
            "proj_size 6 must be below hidden_size 6",
        ),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError) as found:
        case.op().infer(*case.tensors())
    assert str(found.value) == text


def test_states_of_symbolic_sizes_are_required_to_fit() -> None:
    case = several("gru", "N T 4", "1 S 6", None, hidden_size=6)
    batch, other = read_shape("N S")
    assert (other, batch, "gru needs h_0 of shape [1, N, 6]: dim 1") in list(case.op().requirements(*case.tensors()))
