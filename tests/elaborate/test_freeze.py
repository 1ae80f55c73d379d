"""``freeze``: which parameters it reaches, and what says so."""

from __future__ import annotations

import copy
import json
import re

import pytest
from places import CASES

from netspec.emit.diff import Diff
from netspec.emit.diff.text import diff_text
from netspec.emit.explorer.data import explorer_data
from netspec.emit.source import emit_source
from netspec.emit.table import ShapeTable
from netspec.graph import Call, Graph, walk
from netspec.pipeline import compile_spec
from netspec.runtime.module import build_module

SPEC = CASES / "passing" / "freeze.yaml"
FROZEN = (
    "wte.",
    "h.0.",
    "h.1.",
    "h.2.0.",
    "h.3.0.",
    "inner.",
    "mixer.",
    "right.right.",
    "twice.",
    "loop.",
)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return compile_spec(SPEC)


def test_what_is_frozen_asks_for_no_gradient(graph: Graph) -> None:
    module = build_module(graph)
    frozen = {key for key, parameter in module.named_parameters() if not parameter.requires_grad}
    assert frozen == {key for key, _ in module.named_parameters() if key.startswith(FROZEN)}
    assert graph.body.frozen_count == sum(module.get_parameter(key).numel() for key in frozen)
    twin = copy.deepcopy(module)
    assert [each.requires_grad for each in twin.parameters()] == [each.requires_grad for each in module.parameters()]


def test_the_keys_stay(graph: Graph) -> None:
    tuned = compile_spec(SPEC, overrides={"frozen": 0, "tune": True})
    assert [*build_module(tuned).state_dict()] == [*build_module(graph).state_dict()]


def test_the_source_says_it_where_the_module_is_made(graph: Graph) -> None:
    lines = [line.strip() for line in emit_source(graph).text.splitlines() if "requires_grad" in line]
    assert lines == [
        'self.add_module("0", nn.LayerNorm(8).requires_grad_(False))',
        "self.right = nn.Linear(8, 8).requires_grad_(False)",
        "self.wte = nn.Embedding(50, 8).requires_grad_(False)",
        "Layer().requires_grad_(False),",
        "Layer().requires_grad_(False),",
        "self.inner = Layer2().requires_grad_(False)",
        "self.mixer = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).requires_grad_(False)",
        "self.twice = nn.Linear(8, 8).requires_grad_(False)",
        "self.loop = Loop().requires_grad_(False)",
    ]


def test_levels_that_are_frozen_alike_are_one(graph: Graph) -> None:
    turns = [step for path, step, _ in walk(graph.body) if re.fullmatch(r"h\.\d", path) and isinstance(step, Call)]
    assert [turn.frozen for turn in turns] == [True, True, False, False]
    assert len({turn.body for turn in turns}) == 1


def test_a_share_is_as_frozen_as_what_it_shares(graph: Graph) -> None:
    assert [step.frozen for _, step, _ in walk(graph.body) if step.shares == "twice"] == [True]


def test_the_table_marks_it(graph: Graph) -> None:
    table = ShapeTable(graph)
    text = table.text()
    assert "216 trained, 1,344 frozen ‡" in text
    assert "├ 0–1 ×2 ‡     layer" in text
    assert "\n‡   frozen: not trained" in text
    read = json.loads(table.to_json())
    assert read["totals"]["frozen"] == sum(row["params"] for row in read["rows"] if row.get("frozen")) == 1344


def test_the_explorer_knows_it(graph: Graph) -> None:
    paths = [name.removesuffix(".") for name in FROZEN]
    assert explorer_data(graph)["frozen"] == {"paths": paths, "params": 1344}


def test_a_difference_says_it(graph: Graph) -> None:
    tuned = compile_spec(SPEC, overrides={"frozen": 1})
    text = diff_text(Diff(graph, tuned), 80, colour=False)
    assert "no longer frozen" in text
