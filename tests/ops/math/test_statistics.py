"""Variances, norms, truth of many and cumulative reductions, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import bounded, case, cases, check
from ops.several import check_several, each, several

from netspec.ops import ShapeError
from netspec.testing.case import OpCase, Values
from netspec.testing.pytorch import lines_of

LONG = ({"N": 2, "T": 5, "S": 4}, {"N": 3, "T": 2, "S": 3}, {"N": 3, "T": 8, "S": 11})


def some_zero(values: Values) -> Values:
    return [None if value is None else value * (value.abs() > 1) for value in values]


@cases(
    case("var", "N L 4", dim=1),
    case("std", "N L 4", dim=[1, 2], keepdim=True),
    case("var", "N L 4", dim=None, correction=0),
    case("logsumexp", "N L 4", dim=1),
    case("norm", "N L 4", dim=1),
    case("norm", "N L 4", dim=[0, 2], keepdim=True, p=1),
)
def test_matches_torch_at_every_magnitude(case: OpCase) -> None:
    check(case)


@each(
    several("var", "4", dim=0),
    several("std", "N T 4", dim=1, at=LONG),
    several("logsumexp", "N T 4", dim=None),
    *(several("norm", "N T 4", dim=1, p=p) for p in (3, 0.5, "inf", "-inf", 0)),
    several("norm", "N T 4", dim=None),
    *(several(name, "N T bool", dim=1) for name in ("any", "all", "count_nonzero")),
    *(several(name, "N T 4", dim=[0, 2], keepdim=True, values=some_zero) for name in ("any", "all", "count_nonzero")),
    several("any", "N T int64<3", dim=None),
    several("cumprod", "N T 3", dim=1),
    several("cumprod", "N T int32<4", dim=0),
    several("logcumsumexp", "N T 3", dim=-2),
    several("cummax", "N T 3", dim=1),
    several("cummin", "N T", dim=-1),
)
def test_matches_torch(case: OpCase) -> None:
    check_several(case)


@pytest.mark.parametrize(
    ("case", "line"),
    [
        (several("var", "N T", dim=1, correction=0), "y = a.var(dim=1, correction=0)"),
        (several("norm", "N T", dim=1), "y = torch.linalg.vector_norm(a, dim=1)"),
        (several("norm", "N T", dim=1, p="inf"), 'y = torch.linalg.vector_norm(a, float("inf"), dim=1)'),
        (several("count_nonzero", "N T", dim=1), "y = (a != 0).sum(dim=1)"),
        (several("any", "N T", dim=None), "y = a.any(dim=(0, 1))"),
        (several("cumprod", "N T", dim=1), "y = torch.cumprod(a, dim=1)"),
    ],
    ids=str,
)
def test_lines(case: OpCase, line: str) -> None:
    assert lines_of(case.op(), case.tensors(), ["y"]) == [line]


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (several("var", "N 1", dim=1), "var divides by the number of elements less 1, not 1"),
        (several("std", "N int64", dim=0), "std takes floating-point numbers, but its input is int64"),
        (several("cumprod", "N", dim=1), "dim 1 is out of range for 1 dimensions"),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError) as found:
        bounded(case.op(), case.tensors())
    assert str(found.value) == text
