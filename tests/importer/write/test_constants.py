"""Long lists of numbers, as expressions that the language evaluates to the same."""

from __future__ import annotations

import math

import pytest
import torch

from netspec.expressions import parse
from netspec.importer.write.constants import spell_list
from netspec.importer.write.phrases import Formula

PLACES = tuple(84 + 13 * (a // 7 - b // 7) + a % 7 - b % 7 for a in range(49) for b in range(49))
ZERO, FAR = (0.0,) * 7, (-100.0,) * 7


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (tuple(range(512)), "range(512)"),
        ((tuple(range(3, 63, 3)),), "[range(3, 63, 3)]"),
        ((0,) * 100, "[0] * 100"),
        (tuple(5 - at // 9 + 2 * (at % 9) for at in range(36)), "[5 - a + 2 * b for a in range(4) for b in range(9)]"),
        (PLACES, "[84 + 13 * (a // 7) + a % 7 - 13 * (b // 7) - (b % 7) for a in range(49) for b in range(49)]"),
        (((0.0,) * 4 + (-100.0,) * 3) * 7, "([0.0] * 4 + [-100.0] * 3) * 7"),
        (
            tuple(tuple(7 + i - j for j in range(8)) for i in range(8)),
            "[[7 + row - column for column in range(8)] for row in range(8)]",
        ),
        (
            tuple(tuple(2 * j - i for j in range(7)) for i in range(5)),
            "[[-row + 2 * column for column in range(7)] for row in range(5)]",
        ),
        (
            tuple((1.0,) * (i + 1) + (0.0,) * (7 - i) for i in range(8)),
            "[[1.0] * (a + 1) + [0.0] * (7 - a) for a in range(8)]",
        ),
        (
            tuple((False,) * i + (True,) * (6 - i) for i in range(5)),
            "[[False] * a + [True] * (6 - a) for a in range(5)]",
        ),
        (((0, 1, 2),) * 40, "[[0, 1, 2]] * 40"),
        ((ZERO,) * 4 + (FAR,) * 3, "[[0.0] * 7] * 4 + [[-100.0] * 7] * 3"),
    ],
)
def test_what_repeats_is_said_once(value: object, text: str):
    made = spell_list(value)
    assert isinstance(made, Formula)
    assert made == text

    def tuples(each: object) -> object:
        return tuple(map(tuples, each)) if isinstance(each, list) else each

    assert tuples(parse(text).evaluate({})) == value


@pytest.mark.parametrize(("base", "parts"), [(10_000, 64), (10_000, 63), (500.0, 64)])
def test_powers_are_said_as_such(base, parts):
    speeds = torch.exp(torch.arange(64) * (-math.log(base) / parts))
    made = spell_list(tuple(speeds.tolist()))
    assert made == f"[{int(base)} ** (-a / {parts}) for a in range(64)]"
    torch.testing.assert_close(torch.tensor(parse(made).evaluate({})), speeds, rtol=1e-6, atol=0)


def test_a_short_list_and_one_without_a_pattern_stay():
    assert spell_list((1, 2, 3)) == (1, 2, 3)
    odd = tuple((7 * at * at) % 31 for at in range(40))
    assert spell_list(odd) == odd
