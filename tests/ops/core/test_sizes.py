"""Sizes that are worked out from those of tensors at hand."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from netspec.dims import Dim, Shape, Size, ceil_div, evaluate, evaluate_shape, floor_div
from netspec.ops import ShapeError, Tensor
from netspec.ops.core.sizes import find, formula, spell_size

N, H, W, P, T = map(Dim.symbol, "NHWPT")
HALF = floor_div(H, 4)


@pytest.mark.parametrize(
    ("size", "shapes", "text"),
    [
        (7, [(N,)], "7"),
        (H + 4, [(N, H)], "a.size(1) + 4"),
        (7 - H, [(N, H)], "7 - a.size(1)"),
        (ceil_div(H, 7) * 7 - H, [(N, H, W)], "(a.size(1) + 6) // 7 * 7 - a.size(1)"),
        (-H % 7, [(N, H, W)], "(a.size(1) + 6) // 7 * 7 - a.size(1)"),
        (ceil_div(HALF, 7) * 7 - HALF, [(N, HALF)], "(a.size(1) + 6) // 7 * 7 - a.size(1)"),
        (ceil_div(H, 28), [(N, ceil_div(H, 4))], "(a.size(1) + 6) // 7"),
        (P, [(N, P + T), (N, T)], "a.size(1) - b.size(1)"),
        (T, [(2 * T + 6,)], "(a.size(0) - 6) // 2"),
        (H * W * 3, [(N, H * W)], "a.size(1) * 3"),
        (N * HALF * W, [(N, HALF, W)], "a.size(0) * a.size(2) * a.size(1)"),
        (N * ceil_div(H, 7), [(N, ceil_div(H, 7) * 7)], "a.size(0) * (a.size(1) // 7)"),
    ],
)
def test_sizes_are_spelled_as_a_person_would(size: Size, shapes: list[Shape], text: str) -> None:
    assert spell_size("it", size, "ab", [Tensor(shape) for shape in shapes]) == text


def test_what_the_inputs_do_not_tell_is_refused() -> None:
    for shapes in ([(N, T)], [(N, P + T)], [()]):
        with pytest.raises(ShapeError, match="it has no input that tells the size P"):
            find("it", P, [Tensor(shape) for shape in shapes])
    assert formula(H, [(floor_div(H, 2), W)]) is None


def drawn(draw: random.Random, depth: int = 2) -> Size:
    """A random size of some symbols."""
    if depth == 0 or draw.random() < 0.2:
        return draw.choice([H, W, T, draw.randint(1, 5)])
    left, right = drawn(draw, depth - 1), drawn(draw, depth - 1)
    kind = draw.choice("+-*/")
    if kind == "/":
        return floor_div(left + draw.randint(0, 6), draw.randint(2, 4))
    return left + right if kind == "+" else left - right if kind == "-" else left * right


def test_what_is_found_is_right_whatever_the_symbols_are() -> None:
    draw = random.Random(1)
    found = 0
    for _ in range(3000):
        shapes = [tuple(drawn(draw) for _ in range(2)) for _ in range(2)]
        size = draw.choice([drawn(draw), drawn(draw, 3), H, W])
        if formula(size, shapes) is None:
            continue
        found += not isinstance(size, int)
        text = spell_size("it", size, "ab", [Tensor(shape) for shape in shapes])
        sizes = {name: draw.randint(1, 40) for name in "HWT"}
        made = [SimpleNamespace(size=evaluate_shape(shape, sizes).__getitem__) for shape in shapes]
        assert eval(text, dict(zip("ab", made))) == evaluate(size, sizes), f"{text} for {size} from {shapes}"
    assert found > 500
