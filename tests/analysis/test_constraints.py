"""The constraints on sizes, against what the ops require and against the running module."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from netspec.analysis.constraints import SizeConstraint, size_constraints
from netspec.diagnostics import Source, Span
from netspec.dims import Dim, Size, floor_div
from netspec.elaborate.state.requirements import holds
from netspec.graph import Graph, Level, Requirement
from netspec.pipeline import compile_spec
from netspec.runtime.examples import example_inputs
from netspec.runtime.module import build_module

ZOO = {
    "unet": [
        "H and W must be multiples of 16, or the concat at line 39 fails",
        "N·⌊H/16⌋·⌊W/16⌋ must be above 1 in training, or the batch_norm2d at line 23 fails",
    ],
    "vgg16": ["H and W must be at least 32, or the max_pool2d at line 38 has an empty output"],
    "densenet121": [
        "H and W must be at least 29, or the avg_pool2d at line 47 has an empty output",
        "N·⌊(H+3)/32⌋·⌊(W+3)/32⌋ must be above 1 in training, or the batch_norm2d at line 25 fails",
    ],
    "googlenet": [
        "H and W must be at least 15, or the max_pool2d at line 63 has an empty output",
        "N·⌊(H+17)/32⌋·⌊(W+17)/32⌋ must be above 1 in training, or the batch_norm2d at line 23 fails",
    ],
    "inception_v3": [
        "H and W must be at least 75, or the conv2d at line 15 has an empty output",
        "H and W must be at least 299 in training, or the conv2d at line 15 has an empty output",
        "N above 1, H above 346 or W above 346 must hold in training, or the batch_norm2d at line 16 fails",
    ],
    "gpt2": ["T must be at most 1024, as line 24 says"],
    "resnet18": ["N·⌈H/32⌉·⌈W/32⌉ must be above 1 in training, or the batch_norm2d at line 40 fails"],
    "lenet": [],
}


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo(name: str) -> None:
    assert [*map(str, size_constraints(compile_spec(name)))] == ZOO[name]


FOUR_INPUTS = """
netspec: 1
name: four
inputs: {left: [N, T, 8], right: [N, S, 8], even: [N, L], whole: [M, H, W]}
network:
  - add: {name: sum, from: [left, right]}
  - glu: {name: gated, from: even, dim: 1}
  - conv2d: {from: whole, out_channels: 3, kernel_size: 3, stride: 2}
  - pixel_unshuffle: 3
outputs: {sum: sum, gated: gated, small: prev}
"""


def test_other_facts(tmp_path: Path) -> None:
    path = tmp_path / "four.yaml"
    path.write_text(FOUR_INPUTS.replace("[M, H, W]", "[N, 4, H, W]"))
    graph = compile_spec(path, sizes={"N": 2, "T": 5, "S": 5, "L": 4, "H": 7, "W": 13})
    assert [*map(str, size_constraints(graph))] == [
        "L must be even, or the glu at line 7 fails",
        "H and W must leave one of 1, 2 when divided by 6, or the pixel_unshuffle at line 9 fails",
        "H and W must be at least 7, or the pixel_unshuffle at line 9 has an empty output",
        "T must be S, or the add at line 6 fails",
    ]


def test_lines_of_other_files_are_told_with_their_names(tmp_path: Path) -> None:
    path = tmp_path / "seg.yaml"
    path.write_text("""
netspec: 1
name: seg
inputs: {image: [N, 3, H, W], tokens: {shape: [N, T], dtype: int64, below: 9}}
network:
  - use: {network: unet, from: image}
  - conv2d: {name: low, out_channels: 4, kernel_size: 3}
  - use: {name: text, network: gpt2, from: tokens}
outputs: {map: low, words: text}
""")
    told = [*map(str, size_constraints(compile_spec(path)))]
    assert told[0] == "H and W must be multiples of 16, or the concat at line 39 of unet.yaml fails"
    assert "T must be at most 1024, as line 8 says" in told
    path.write_text("netspec: 1\nname: seg\nextends: unet\nnetwork: {head: {out_channels: 4}}\n")
    assert str(size_constraints(compile_spec(path))[0]) == told[0]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("unet", {"H": 48, "W": 16}, {"H": 48, "W": 24}),
        ("densenet121", {"H": 29, "W": 29}, {"H": 28, "W": 29}),
        ("googlenet", {"H": 15, "W": 16}, {"H": 14, "W": 16}),
        ("alexnet_torchvision", {"H": 63, "W": 64}, {"H": 63, "W": 62}),
    ],
)
def test_the_module_runs_where_they_hold_and_not_where_they_do_not(
    name: str, good: dict[str, int], bad: dict[str, int]
) -> None:
    graph = compile_spec(name)
    module = build_module(graph).eval()
    with torch.no_grad():
        module(*example_inputs(graph, {"N": 1, **good}).values())
        with pytest.raises(RuntimeError):
            module(*example_inputs(graph, {"N": 1, **bad}).values())


H = Dim.symbol("H")
SOURCE = Source("net.yaml", "network:\n  - concat: 1\n")
SPAN = Span(SOURCE, 2, 5, 2, 11)


@st.composite
def sizes(draw: st.DrawFn) -> Size:
    """A sum of floors, as convolutions, poolings and their like make them."""
    made: Size = H
    for _ in range(draw(st.integers(0, 3))):
        made = floor_div(made * draw(st.integers(1, 3)) + draw(st.integers(-3, 3)), draw(st.integers(1, 4)))
        if not isinstance(made, Dim):
            break
    return made


@st.composite
def requirements(draw: st.DrawFn) -> Requirement:
    left, right = draw(sizes()), draw(st.one_of(sizes(), st.integers(1, 9)))
    assume(isinstance(left - right, Dim))
    return Requirement(left, draw(st.sampled_from(("==", ">="))), right, SPAN, "concat")  # type: ignore[arg-type]


@given(st.lists(requirements(), min_size=1, max_size=4))
@example([Requirement(floor_div(H, 4), "==", floor_div(3 * floor_div(H, 3), 4), SPAN, "concat")])  # many remainders
def test_facts_say_no_more_and_no_less_than_is_required(needed: list[Requirement]) -> None:
    level = Level("network", "", (), (), (), (), (), SPAN)
    found = size_constraints(Graph("net", "", level, {}, {}, {"H": 1}, tuple(needed), (), {}, "", ""))
    for size in range(1, 150):
        assert all(is_met(constraint, size) for constraint in found) == all(
            holds(each, {"H": size}) for each in needed
        ), size


def is_as_said(constraint: SizeConstraint, size: int) -> bool:
    """Return whether a size is as the constraint says, going by its words."""
    numbers = [int(number) for number in re.findall(r"\d+", constraint.must)]
    match re.sub(r"\d+(, \d+)*", "#", constraint.must):
        case "be a multiple of #":
            return size % numbers[0] == 0
        case "be even" | "be odd":
            return size % 2 == (constraint.must == "be odd")
        case "leave # when divided by #" | "leave one of # when divided by #":
            return size % numbers[-1] in numbers[:-1]
        case "be at least #":
            return size >= numbers[0]
        case "be at most #":
            return size <= numbers[0]
        case "be #":
            return size == numbers[0]
        case "fit, which no size does":
            return False
    raise AssertionError(constraint.must)


def is_met(constraint: SizeConstraint, size: int) -> bool:
    """Return whether a size is as the constraint says; of one that is said as it is required, as is required."""
    if constraint.symbols == ("H",) and not re.search("[⌊⌈H]", constraint.must):
        return is_as_said(constraint, size)
    (cause,) = constraint.causes
    return holds(cause, {"H": size})
