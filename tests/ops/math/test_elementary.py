"""Elementary functions, rounding and tests of single numbers, against torch and onnxruntime."""

from __future__ import annotations

import torch
from ops.oracle import case, cases, check
from ops.several import check_several, each, several

from netspec.testing.case import OpCase, Values


def positive(values: Values) -> Values:
    return [None if value is None else value.abs() + 0.1 for value in values]


def within_one(values: Values) -> Values:
    return [None if value is None else value.tanh() * 0.9 for value in values]


def probabilities(values: Values) -> Values:
    return [None if value is None else value.sigmoid() for value in values]


def above_one(values: Values) -> Values:
    return [None if value is None else value.abs() + 1.1 for value in values]


def small(values: Values) -> Values:
    return [None if value is None else value * 1e-4 for value in values]


def lost(values: Values) -> Values:
    numbers = torch.tensor([1.5, float("nan"), float("inf"), -float("inf"), 0.0])
    picked = (None if value is None else numbers[torch.arange(value.numel()) % 5].to(value.dtype) for value in values)
    return [None if new is None else new.reshape(old.shape) for new, old in zip(picked, values)]  # type: ignore[union-attr]


@cases(*(case(name, "N L 4") for name in ("floor", "ceil", "trunc", "frac", "sign", "square", "erf", "atan", "asinh")))
def test_matches_torch_at_every_magnitude(case: OpCase) -> None:
    check(case)


@each(
    several("round", "N T"),
    several("round", "N T", decimals=2),
    several("round", "N T", decimals=-1),
    several("sign", "N T int64"),
    several("square", "N T int32"),
    *(several(name, "N T 4") for name in ("exp2", "expm1", "sinc", "tan", "sinh", "cosh")),
    *(several(name, "N T 4", values=positive) for name in ("rsqrt", "log2", "log10", "log1p")),
    *(several(name, "N T 4", values=within_one) for name in ("asin", "acos", "atanh")),
    *(several(name, "N T 4", values=small) for name in ("expm1", "log1p")),
    several("acosh", "N T 4", values=above_one),
    several("logit", "N T 4", values=probabilities),
    several("logit", "N T 4", eps=0.1, values=probabilities),
    *(several(name, "N T 4", values=lost) for name in ("isnan", "isinf", "isfinite", "nan_to_num")),
    several("nan_to_num", "N T 4", nan=2.0, posinf=9.0, neginf=-9.0, values=lost),
)
def test_matches_torch(case: OpCase) -> None:
    check_several(case)
