"""The list of passes: each finds what it requires, and sets what it ensures and nothing else."""

from dataclasses import fields

import pytest

from netspec.diagnostics import Report
from netspec.elaborate.passes.draft import Draft
from netspec.elaborate.passes.order import PASSES, run_passes
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import Reader
from netspec.pipeline import compile_spec

NAMES = [each.name for each in fields(Draft)]


def draft_of(target: str) -> tuple[Draft, object]:
    graph = compile_spec(target)
    reader = Reader(Report())
    return Draft(graph.body, graph.inputs, graph.requirements, reader, Scope(graph.parameters)), graph


@pytest.mark.parametrize("target", ["lenet", "gpt2", "resnet18"])
def test_each_pass_sets_what_it_ensures(target):
    draft, graph = draft_of(target)
    for each in PASSES:
        assert all(getattr(draft, name) is not None for name in each.requires), each.name
        before = {name: getattr(draft, name) for name in NAMES}
        each.run(draft)
        changed = {name for name in NAMES if getattr(draft, name) is not before[name]}
        assert changed <= {*each.ensures}, each.name
        assert all(getattr(draft, name) is not None for name in each.ensures), each.name
    assert draft.input_ranges == graph.input_ranges
    assert draft.sizes.keys() == graph.sizes.keys()


def test_a_pass_in_the_wrong_place_would_be_seen():
    settable = {name for each in PASSES for name in {*each.ensures} - {*each.requires}}
    known = set(NAMES) - settable
    for each in PASSES:
        assert {*each.requires} <= known
        known |= {*each.ensures}
    draft, _ = draft_of("lenet")
    assert draft.sizes is None
    run_passes(draft)
    assert draft.sizes is not None
