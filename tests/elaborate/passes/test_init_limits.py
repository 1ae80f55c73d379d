"""Initialisations are refused where torch cannot do them, with these numbers or on this shape, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from netspec.diagnostics import Source, SpecError
from netspec.elaborate.passes.init_limits import RANKS
from netspec.elaborate.passes.init_rules import FUNCTIONS
from netspec.pipeline import compile_loaded, load_source

SHAPES = ([4], [4, 3], [4, 3, 2], [4, 3, 2, 2], [4, 3, 2, 2, 2], [4, 3, 2, 2, 1, 1])
NUMBERS: dict[str, list[float]] = {
    "a": [-1.5, 1, 3],
    "b": [-1, 2],
    "std": [0, 2],
    "mean": [1e300, 3],
    "val": [1e300, -2],
    "gain": [-1, 0, 2.5],
    "groups": [0, 1, 2, 3, 1.5],
    "sparsity": [0, 0.5, 1],
}


def filled(function: str, shape: list[int], arguments: dict[str, Any]) -> bool:
    """Whether torch fills a parameter so."""
    fill: Callable[..., Any] = getattr(torch.nn.init, f"{function}_")
    try:
        return bool(fill(torch.empty(shape), **arguments).isfinite().all())
    except (ValueError, RuntimeError, ArithmeticError, TypeError):
        return False


def refused(function: str, shape: list[int], arguments: dict[str, Any]) -> list[str]:
    rule = {function: arguments} if arguments else function
    step = {"name": "p", "shape": shape, "init": rule}
    text = f"netspec: 1\nname: n\ninputs: {{x: [N, 4]}}\nnetwork:\n  - parameter: {step}\noutputs: {{p: p}}\n"
    try:
        compile_loaded(load_source(Source("net.yaml", text)))
    except SpecError as found:
        faults = found.diagnostics
    else:
        return []
    assert {(each.id, each.primary.span.line) for each in faults} == {("bad-argument", 5)}
    return [each.message for each in faults]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.filterwarnings("ignore")
def test_what_torch_cannot_do_is_refused(function: str):
    needed = {name: 0.5 for name, default in FUNCTIONS[function].items() if default is float}
    given = [{**needed, name: value} for name in FUNCTIONS[function] for value in NUMBERS.get(name, [])]
    for arguments in [needed, *given]:
        for shape in SHAPES:
            done = filled(function, shape, arguments)
            assert done == (not refused(function, shape, arguments)), (arguments, shape)


def test_a_rule_says_of_which_parameter():
    text = "netspec: 1\nname: n\ninputs: {x: [N, 4]}\ninit: {linear.weight: dirac}\nnetwork: [linear: 3]\n"
    with pytest.raises(SpecError) as found:
        compile_loaded(load_source(Source("net.yaml", text)))
    (fault,) = found.value.diagnostics
    assert fault.message == "`dirac` is for parameters of 3 to 5 dimensions, and `linear.weight` is 3×4"
    assert fault.primary.span.line == 4


def test_every_function_with_a_shape_of_its_own_is_known():
    assert RANKS.keys() <= FUNCTIONS.keys()


@pytest.mark.parametrize("function", ["normal", "trunc_normal"])
def test_a_deviation_is_not_negative(function: str):
    assert refused(function, [4], {"std": -0.5})
