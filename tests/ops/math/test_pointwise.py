"""Arithmetic on one input, comparisons, logic, masks and reductions, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.several import check_several, each, several

from netspec.ops import ShapeError
from netspec.testing.case import OpCase, Values
from netspec.testing.pytorch import lines_of


def positive(values: Values) -> Values:
    return [None if value is None else value.abs() + 0.1 for value in values]


@each(
    *(several(name, "N T 4") for name in ("exp", "sin", "cos", "neg", "abs")),
    *(several(name, "N T 4", values=positive) for name in ("log", "sqrt", "reciprocal")),
    several("scale", "N T", factor=0.5),
    several("shift", "N T", amount=2),
    several("pow", "N T", exponent=2),
    several("pow", "N T", exponent=-0.5, values=positive),
    several("clamp", "N T", min=-0.5),
    several("clamp", "N T", min=-0.5, max=1),
    several("clamp", "N T int64<9", min=2, max=5),
    several("cast", "N T", dtype="int64"),
    several("cast", "N T bool", dtype="float32"),
    several("cast", "N T int64<3", dtype="bool"),
    *(several(name, "N T", "T") for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")),
    *(several(name, "N T int64<4", None, value=2) for name in ("equal", "not_equal", "less", "greater_equal")),
    several("greater", "N T", None, value="-inf"),
    several("logical_and", "N T bool", "T bool", "N T bool"),
    several("logical_or", "N T bool", "N 1 bool"),
    several("logical_not", "N T bool"),
    several("where", "N T bool", "N T", "1 1"),
    several("where", "T bool", "N T int64<9", "N T int64<9"),
    several("masked_fill", "N T S", "T S bool", value="-inf"),
    several("masked_fill", "N T int64<9", "N T bool", value=3),
    several("tril", "N T S"),
    several("triu", "T S", diagonal=1),
    several("tril", "T S bool", diagonal=-1),
    *(several(f"reduce_{name}", "N T 4", dim=1) for name in ("sum", "mean", "max", "min", "prod")),
    *(several(f"reduce_{name}", "N T 4", dim=[0, -1], keepdim=True) for name in ("sum", "mean", "max", "min")),
    *(several(f"reduce_{name}", "N T", dim=None) for name in ("sum", "mean", "max")),
    several("reduce_sum", "N T bool", dim=1),
    several("reduce_sum", "N T int32<9", dim=[1]),
    several("reduce_max", "N T int64<99", dim=0),
    several("argmax", "N T 4", dim=-1),
    several("argmin", "N T 4", dim=1, keepdim=True),
    several("cumsum", "N T", dim=1),
    several("cumsum", "N T bool", dim=-1),
)
def test_matches_torch(case: OpCase) -> None:
    check_several(case)


@pytest.mark.parametrize(
    ("case", "line"),
    [
        (several("scale", "N", factor=0.5), "y = a * 0.5"),
        (several("pow", "N", exponent=2), "y = a ** 2"),
        (several("clamp", "N", max=1), "y = torch.clamp(a, max=1.0)"),
        (several("greater", "N", None, value=0), "y = a > 0"),
        (several("less", "N", "N"), "y = a < b"),
        (several("masked_fill", "N", "N bool", value="-inf"), 'y = a.masked_fill(b, float("-inf"))'),
        (several("reduce_mean", "N T", dim=1, keepdim=True), "y = a.mean(dim=1, keepdim=True)"),
        (several("reduce_max", "N T", dim=None), "y = a.amax(dim=(0, 1))"),
        (several("cast", "N", dtype="int64"), "y = a.to(torch.int64)"),
    ],
    ids=str,
)
def test_lines(case: OpCase, line: str) -> None:
    assert lines_of(case.op(), case.tensors(), ["y"]) == [line]


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (several("equal", "N", None), "equal compares with `other` or with a number: give one of the two"),
        (several("equal", "N", "N", value=1), "equal compares with `other` or with a number: give one of the two"),
        (several("less", "N int64", None, value=0.5), "less: 0.5 cannot be int64"),
        (several("less", "2", "3"), "less takes equal shapes, or sizes of 1 to repeat, but got [2] and [3]"),
        (several("logical_and", "N", "N bool"), "logical_and takes booleans as its input, but got float32"),
        (several("where", "N", "N", "N"), "where takes booleans as its condition, but got float32"),
        (several("masked_fill", "N", "N", value=0), "masked_fill takes booleans as its mask, but got float32"),
        (several("reduce_sum", "N T", dim=[1, -1]), "dim [1, 1] names a dimension twice"),
        (several("reduce_mean", "N int64", dim=0), "reduce_mean takes floating-point numbers, but its input is int64"),
        (several("reduce_max", "N bool", dim=0), "reduce_max takes numbers, but its input is bool"),
        (several("clamp", "N"), "clamp needs min or max, or both"),
        (several("tril", "N"), "tril takes at least two dimensions, but its input is [N]"),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError) as found:
        case.op().infer(*case.tensors())
    assert str(found.value) == text
