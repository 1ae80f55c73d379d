"""Sorting, ranks and searches, against torch and onnxruntime."""

from __future__ import annotations

import pytest
import torch
from ops.oracle import bounded
from ops.several import check_several, each, several

from netspec.ops import ShapeError
from netspec.testing.case import OpCase, Values
from netspec.testing.pytorch import lines_of

LONG = ({"N": 2, "T": 5, "S": 4}, {"N": 3, "T": 3, "S": 3}, {"N": 3, "T": 8, "S": 11})


def distinct(values: Values) -> Values:
    """Integers without two that are equal, whose order torch leaves open."""
    generator = torch.Generator().manual_seed(3)
    (value,) = (value for value in values if value is not None)
    return [torch.randperm(value.numel(), generator=generator).reshape(value.shape)]


def ascending(values: Values) -> Values:
    first, *others = values
    assert first is not None
    return [first.sort()[0], *others]


@each(
    several("topk", "N T 7", k=3),
    several("topk", "N T 4", k=2, dim=1, largest=False, at=LONG),
    several("topk", "N T int64", k=1, values=distinct),
    several("sort", "N T 4", dim=1),
    several("sort", "N T", descending=True),
    several("sort", "N T int64<3", stable=True),
    several("argsort", "N T 4", dim=0),
    several("argsort", "N T", descending=True),
    several("kthvalue", "N T 4", k=3),
    several("kthvalue", "N T 4", k=2, dim=1, keepdim=True, at=LONG),
    several("median", "N T 4", dim=1),
    several("median", "N T", dim=-1, keepdim=True),
    several("searchsorted", "7", "N T", values=ascending),
    several("searchsorted", "N S", "N T", right=True, values=ascending),
    several("searchsorted", "T int64<9", "N int64<9", values=ascending),
)
def test_matches_torch(case: OpCase) -> None:
    check_several(case)


@pytest.mark.parametrize(
    ("case", "line"),
    [
        (several("topk", "N 7", k=3), "y, _ = torch.topk(a, 3)"),
        (several("sort", "N 7", dim=1), "y, _ = torch.sort(a, dim=1)"),
        (several("median", "N 7", dim=1), "y, _ = a.median(dim=1)"),
    ],
    ids=str,
)
def test_lines(case: OpCase, line: str) -> None:
    assert lines_of(case.op(), case.tensors(), ["y", None]) == [line]


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (several("topk", "N 7", k=8), "topk takes a dimension of at least 8, not 7"),
        (several("sort", "N bool"), "torch does not support sort of bool on a CPU"),
        (
            several("searchsorted", "2 4", "3 5"),
            "searchsorted takes one sequence, or one for each row of the input, but got [2, 4] and [3, 5]",
        ),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError) as found:
        bounded(case.op(), case.tensors())
    assert str(found.value) == text
