"""Picking parts of tensors, and making tensors, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import bounded
from ops.several import check_several, each, several

from netspec.dims import Dim
from netspec.ops import ShapeError, Tensor
from netspec.testing.case import OpCase
from netspec.testing.pytorch import constructor_text, lines_of

N, T, S = (Dim.symbol(name) for name in "NTS")
LONG = ({"N": 2, "T": 5, "S": 4}, {"N": 1, "T": 3, "S": 3}, {"N": 3, "T": 8, "S": 11})
LONGER = ({"N": 2, "T": 5, "S": 4}, {"N": 1, "T": 3, "S": 3})


@each(
    several("embedding", "N T int64<9", num_embeddings=9, embedding_dim=4),
    several("embedding", "N int32<9", num_embeddings=9, embedding_dim=4, padding_idx=0),
    several("one_hot", "N T int64<5", num_classes=5),
    several("gather", "N 4", "N T int64<4", dim=1),
    several("gather", "6 4", "T 2 int64<6", dim=0),
    several("select", "N T 4", dim=1, index=-1),
    several("select", "N T 4 int64<9", dim=-1, index=2),
    several("slice", "N T 4", dim=1, start=1, at=LONG),
    several("slice", "N T 4", dim=1, end=-1),
    several("slice", "N T 4", dim=1, start=1, end=-1, step=2, at=LONG),
    several("slice", "N T 4", dim=1, start=-1),
    several("slice", "N 9", dim=-1, start=-5, end=8, step=3),
    several("slice", "N T 4", dim=1, end=3, at=LONG),
    several("slice", "N T 4", dim=1, start=-3, at=LONG),
    several("slice", "N T 4", dim=1, start=-3, end=-1, at=LONG),
    several("slice", "N T 4", dim=1, start=1, end=3, step=2, at=LONG),
    several("slice", "N T 4", "S", dim=1, end=S, at=LONGER),
    several("slice", "N T 4", "S", dim=1, start=-S, at=LONGER),
    several("slice", "N T 4", dim=1, start=T // 2, at=LONG),
    several("split", "N T 4", split_size_or_sections=[2, T - 2], dim=1, at=LONG),
    several("split", "N T 4", split_size_or_sections=[T // 2, T - T // 2], dim=1, at=LONG),
    several("flip", "N T 4", dims=[1]),
    several("flip", "N T int64<9", dims=[0, -1]),
    several("split", "N 7", split_size_or_sections=[2, 4, 1], dim=1),
    several("split", "N 7 T", split_size_or_sections=3, dim=1),
    several("split", "N 7", split_size_or_sections=7, dim=-1),
    several("chunk", "N T 6", chunks=3, dim=-1),
    several("chunk", "N 7", chunks=3, dim=1),
    several("chunk", "N 2*T", chunks=2, dim=1),
    several("parameter", shape=[1, 3, 4]),
    several("parameter", shape=[]),
    several("parameter", value=[[1, 2.5], [3, 4]]),
    several("parameter", value=3),
    several("buffer", value=[[1, 2, 3], [4, 5, 6]]),
    several("buffer", value=[0, 2**40], dtype="int64"),
    several("buffer", value=[True, False], dtype="bool"),
    several("buffer", value=0.5, dtype="float64", persistent=False),
    several("buffer", shape=[]),
    several("buffer", shape=[2, 3], dtype="int32"),
    several("buffer", shape=[2, 3], persistent=False),
    several("constant", None, value=[[1, 2, 3], [4, 5, 6]]),
    several("constant", "N T", value=0.5),
    several("constant", "N T", value=[True, False], dtype="bool"),
    several("arange", "N T", end=T),
    several("arange", None, end=7),
    several("arange", "N T", start=-1, end=T + 4, step=2),
    several("arange", "N T", start=T, end=-1, step=-1),
    several("arange", "N T", start=N, end=N + T),
    several("zeros", "N T", size=[N, 3, T]),
    several("zeros", None, size=[2, 3]),
    several("zeros", "N T", size=[N, 3], dtype="int64"),
    several("ones", "N T int64<9", size=[T, 1]),
    several("expand", "1 1 4", "N T", shape=[N, T, -1]),
    several("expand", "N 1", None, shape=[3, -1, 5]),
    several("expand", "N 1", "T", shape=[N, T]),
    several("zeros", "N T", size=[T + 1, N * T]),
    several("expand", "N 1", "T", shape=[N, T + 1]),
)
def test_matches_torch(case: OpCase) -> None:
    check_several(case)


@pytest.mark.parametrize(
    ("case", "line"),
    [
        (several("select", "N T 4", dim=1, index=-1), "y = a[:, -1]"),
        (several("slice", "N T 4", dim=1, end=-1), "y = a[:, :-1]"),
        (several("slice", "N T 4", dim=1, end=3), "y = a.narrow(1, 0, 3)"),
        (several("slice", "N T 4", dim=1, start=-3), "y = a.narrow(1, -3, 3)"),
        (several("slice", "N T 4", dim=1, end=4, step=2), "y = a.narrow(1, 0, 4)[:, ::2]"),
        (several("slice", "N T 4", dim=1, start=T // 2), "y = a[:, a.size(1) // 2:]"),
        (several("split", "N 7", split_size_or_sections=[3, 4], dim=1), "y, _ = a.split((3, 4), dim=1)"),
        (several("split", "N 7", split_size_or_sections=[7], dim=1), "y = a.split((7,), dim=1)[0]"),
        (several("arange", "N T", end=T), "y = torch.arange(a.size(1), device=a.device)"),
        (several("arange", None, end=5), "y = torch.arange(5)"),
        (
            several("arange", "N T", start=N, end=N + T),
            "y = torch.arange(a.size(0), a.size(0) + a.size(1), device=a.device)",
        ),
        (several("expand", "1 4", "N T 4", shape=[N, -1]), "y = a.expand(b.size(0), -1)"),
        (several("parameter", shape=[3]), "y = self.op"),
        (several("buffer", shape=[3]), "y = self.op"),
        (several("zeros", "N T", size=[N, 3]), "y = a.new_zeros(a.size(0), 3)"),
        (several("ones", "N T int64", size=[N, 3]), "y = a.new_ones(a.size(0), 3)"),
        (
            several("ones", "N T int64", size=[N, 3], dtype="float32"),
            "y = torch.ones(a.size(0), 3, device=a.device)",
        ),
        (several("gather", "N 4", "N 2 int64", dim=1), "y = a.gather(1, b)"),
        (several("constant", "N", value=[1, 2]), "y = torch.tensor((1, 2), dtype=torch.float32, device=a.device)"),
    ],
    ids=str,
)
def test_lines(case: OpCase, line: str) -> None:
    op, tensors = case.op(), case.tensors()
    count = len(op.output_names(*tensors))
    assert lines_of(op, tensors, ["y", *[None] * (count - 1)]) == [line]


def test_constructors() -> None:
    made = several("embedding", num_embeddings=9, embedding_dim=4, padding_idx=0).op().module(Tensor((2,), "int64"))
    assert constructor_text(made) == "nn.Embedding(9, 4, padding_idx=0)"
    made = several("parameter", shape=[1, 4]).op().module()
    assert constructor_text(made) == "nn.Parameter(torch.zeros((1, 4)))"
    made = several("parameter", value=[[1, 2]]).op().module()
    assert constructor_text(made) == "nn.Parameter(torch.tensor(((1.0, 2.0),)))"
    made = several("buffer", shape=[1, 4], persistent=False).op().module()
    assert constructor_text(made) == "nn.Buffer(torch.zeros((1, 4)), persistent=False)"
    made = several("buffer", value=1.0, shape=[3]).op().module()
    assert constructor_text(made) == "nn.Buffer(torch.full((3,), 1.0, dtype=torch.float32))"
    made = several("parameter", value=[1, 2], shape=[3, 2]).op().module()
    assert constructor_text(made) == "nn.Parameter(torch.tile(torch.tensor((1.0, 2.0)), (3, 1)))"
    made = several("buffer", value=[1, 2], dtype="int64").op().module()
    assert constructor_text(made) == "nn.Buffer(torch.tensor((1, 2), dtype=torch.int64))"


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (
            several("embedding", "N", num_embeddings=9, embedding_dim=4),
            "embedding takes integers (int64), but its input is float32",
        ),
        (
            several("embedding", "N int64", num_embeddings=9, embedding_dim=4, padding_idx=9),
            "padding_idx 9 is not one of the 9 rows",
        ),
        (several("flip", "2 3", dims=[1, -1]), "dims [1, -1] name a dimension twice"),
        (several("select", "2 3", dim=1, index=3), "select takes a dimension of at least 4 for its entry 3, not 3"),
        (several("split", "2 7", split_size_or_sections=[3, 3], dim=1), "the parts [3, 3] do not add up to 7"),
        (
            several("split", "N T", split_size_or_sections=3, dim=1),
            "a dimension that is split into parts of equal size must be a known number, but is T",
        ),
        (several("buffer"), "buffer takes a shape or a value"),
        (several("buffer", value=[1, 2], shape=[2, 3]), "buffer: a value of [2] cannot be repeated to [2, 3]"),
        (several("parameter", value=[[1, 2]], shape=[2]), "parameter: a value of [1, 2] cannot be repeated to [2]"),
        (several("buffer", shape=[2**20, 2**20]), "a buffer holds at most 268,435,456 numbers"),
        (several("buffer", value=[0.5], dtype="int64"), "buffer: 0.5 cannot be int64"),
        (several("constant", None, value=[2**31], dtype="int32"), "constant: 2147483648 cannot be int32"),
        (several("arange", "N 4", end=T), "arange has no input that tells the size T"),
        (several("expand", "2 3", None, shape=[2, 4]), "expand cannot make [2, 4] of [2, 3]"),
        (several("expand", "2 3", None, shape=[-1]), "expand cannot make [-1] of [2, 3]"),
        (
            several("gather", "2 3", "3 3 int64", dim=1),
            "gather takes an index of at most 2 in dim 0, not 3",
        ),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError) as found:
        bounded(case.op(), case.tensors())
    assert str(found.value) == text


def test_sections_of_a_symbolic_size_are_required_to_fit() -> None:
    case = several("split", "N T", split_size_or_sections=[3, 4], dim=1)
    assert list(case.op().requirements(*case.tensors())) == [(T, 7, "split makes 7 of dim 1")]
