"""Functions of two numbers, and logic on bits, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.several import check_several, each, several

from netspec.ops import ShapeError
from netspec.testing.case import OpCase, Values
from netspec.testing.pytorch import lines_of


def positive(values: Values) -> Values:
    return [None if value is None else value.abs() + 1 for value in values]


def apart(values: Values) -> Values:
    """Divisors that are not 0, and no quotient near a whole number, where rounding decides."""
    x, y = (value for value in values if value is not None)
    return [x, y + y.sign() + (y == 0)]


def first_positive(values: Values) -> Values:
    return [values[0].abs() + 0.5, values[1]]  # type: ignore[union-attr]


def second_positive(values: Values) -> Values:
    return [values[0], values[1].abs() + 0.5]  # type: ignore[union-attr]


@each(
    *(several(name, "N T 4", "T 4", values=apart) for name in ("remainder", "fmod", "floor_divide")),
    *(several(name, "N T int64", "T int64", values=apart) for name in ("remainder", "fmod", "floor_divide")),
    *(several(name, "N T", None, divisor=0.7) for name in ("remainder", "fmod", "floor_divide")),
    *(several(name, "N T int64", None, divisor=-3) for name in ("remainder", "fmod", "floor_divide")),
    several("remainder", "N T int32", None, divisor=7),
    several("pow", "N T", None, exponent=2),
    several("pow", "N T", None, exponent=-0.5, values=positive),
    several("pow", "N T int64", None, exponent=2),
    several("pow", "N T 4", "T 1", values=first_positive),
    several("atan2", "N T 4", "T 4"),
    several("hypot", "N T 4", "T 4"),
    several("xlogy", "N T", "T", values=second_positive),
    several("logaddexp", "N T 4", "N T 1"),
    several("lerp", "N T", "T", None, weight=0.3),
    several("lerp", "N T", "N T", "T"),
    several("logical_xor", "N T bool", "T bool", "N T bool"),
    *(several(name, "N T int64", "T int64") for name in ("bitwise_and", "bitwise_or", "bitwise_xor")),
    several("bitwise_not", "N T int32"),
    several("scale", "N T int64", factor=3),
    several("shift", "N T int32", amount=-2),
    several("neg", "N T int64"),
    several("abs", "N T int64"),
)
def test_matches_torch(case: OpCase) -> None:
    check_several(case)


@pytest.mark.parametrize(
    ("case", "line"),
    [
        (several("pow", "N", None, exponent=2), "y = a ** 2"),
        (several("pow", "N", "N"), "y = a ** b"),
        (several("floor_divide", "N int64", None, divisor=2), "y = a // 2"),
        (several("floor_divide", "N", "N"), 'y = torch.div(a, b, rounding_mode="floor")'),
        (several("remainder", "N", None, divisor=0.5), "y = torch.remainder(a, 0.5)"),
        (several("lerp", "N", "N", None, weight=0.5), "y = torch.lerp(a, b, 0.5)"),
        (several("bitwise_not", "N int64"), "y = ~a"),
    ],
    ids=str,
)
def test_lines(case: OpCase, line: str) -> None:
    assert lines_of(case.op(), case.tensors(), ["y"]) == [line]


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (several("pow", "N", None), "pow takes `other` or a number `exponent`: give one of the two"),
        (
            several("fmod", "N", "N", divisor=2),
            "fmod takes `other` or a number `divisor`: give one of the two",
        ),
        (several("remainder", "N", None, divisor=0), "remainder cannot divide by 0"),
        (several("remainder", "N int64", None, divisor=0.5), "remainder: 0.5 cannot be int64"),
        (several("scale", "N int64", factor=0.5), "scale: 0.5 is not an integer, but the input is int64"),
        (several("hypot", "2", "3"), "hypot takes equal shapes, or sizes of 1 to repeat, but got [2] and [3]"),
        (several("bitwise_and", "N bool", "N bool"), "bitwise_and takes integers, but got bool"),
        (several("lerp", "N", "N", None), "lerp takes `weights` or a number `weight`: give one of the two"),
        (several("atan2", "N int64", "N int64"), "atan2 takes floating-point numbers, but its input is int64"),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError) as found:
        case.op().infer(*case.tensors())
    assert str(found.value) == text
