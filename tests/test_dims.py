"""Symbolic sizes that grow: nested divisions, long sums, and what is beyond the bounds."""

from __future__ import annotations

import random

import pytest

from netspec.diagnostics import Source, SpecError
from netspec.dims import MAX_DEPTH, Dim, Size, TooComplexError, evaluate, floor_div, pretty, total
from netspec.pipeline import compile_loaded, load_source

H, W = Dim.symbol("H"), Dim.symbol("W")


def nested(depth: int, times: int = 3, by: int = 2) -> Size:
    """Return what convolutions of stride 2 and upsampling in turns make of H."""
    size: Size = H
    for _ in range(depth):
        size = floor_div(size + 1, by) * times
    return size


@pytest.mark.parametrize("depth", [1, 2, 10, MAX_DEPTH])
def test_nested_divisions_do_not_grow_by_more_than_one_a_level(depth: int) -> None:
    size = nested(depth)
    assert isinstance(size, Dim)
    assert len(size.terms) == 1
    assert len(repr(size)) < 20 * depth + 20


def test_nested_divisions_are_worked_out_exactly() -> None:
    draw = random.Random(1)
    for _ in range(300):
        size: Size = H
        steps = [(draw.randint(1, 4), draw.randint(-2, 3), draw.randint(1, 4)) for _ in range(draw.randint(1, 8))]
        for times, more, by in steps:
            size = floor_div(size * times + more, by)
        number = draw.randint(1, 200)
        expected = number
        for times, more, by in steps:
            expected = (expected * times + more) // by
        assert evaluate(size, {"H": number}) == expected, (steps, number)


def test_more_than_can_be_nested_is_refused() -> None:
    with pytest.raises(TooComplexError, match="more than 100 nested divisions"):
        nested(MAX_DEPTH + 1)


def test_sums_that_hold_each_other_are_refused_before_they_explode() -> None:
    def grow() -> None:
        size: Size = H
        for step in range(60):
            size = size * 3 + floor_div(size + step, 2) * W + floor_div(size * W + step, 5)

    with pytest.raises(TooComplexError, match="more than 1000 divisions"):
        grow()


def test_products_of_long_sums_are_refused() -> None:
    long = total(floor_div(H, by) for by in range(2, 40))
    with pytest.raises(TooComplexError, match="more than 256 terms"):
        long * total(floor_div(W, by) for by in range(2, 40))  # type: ignore[operator]


def test_a_sum_of_any_length_is_no_trouble() -> None:
    sizes = [floor_div(H, by) for by in range(2, 1000)]
    assert evaluate(total(sizes), {"H": 100}) == sum(100 // by for by in range(2, 1000))


def test_what_is_too_long_to_read_shows_its_ends() -> None:
    assert pretty(nested(50)).startswith("3·⌈3·⌈3·")
    assert len(pretty(nested(50))) < 130


HOURGLASSES = """\
netspec: 1
name: deep
inputs: {x: [N, 3, H, W]}
network:
  - repeat:
      count: %d
      body: [{conv2d: {out_channels: 4, kernel_size: 3, stride: 2, padding: 1}}, {upsample: 3}]
"""


def test_a_network_of_nested_sizes_compiles_or_is_refused_at_its_line() -> None:
    graph = compile_loaded(load_source(Source("deep.yaml", HOURGLASSES % 60)), sizes={"H": 5, "W": 5})
    assert isinstance(graph.body.macs, Dim)
    told = r"conv2d computes a symbolic size of more than 100 nested divisions[\s\S]+deep\.yaml:7:15"
    with pytest.raises(SpecError, match=told):
        compile_loaded(load_source(Source("deep.yaml", HOURGLASSES % 101)))
