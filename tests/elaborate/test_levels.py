"""Levels: names that structures give, and what equal steps share."""

import pytest

from netspec.ops.math.arithmetic import Add
from netspec.pipeline import compile_spec

HEAD = "netspec: 1\nname: tiny\ninputs: {x: [N, 8]}\nnetwork:\n"


@pytest.fixture
def body(tmp_path):
    def compiled(network):
        path = tmp_path / "tiny.yaml"
        path.write_text(HEAD + network, encoding="utf-8")
        return compile_spec(path).body

    return compiled


def test_merges_are_numbered_around_the_authors_names(body):
    residual = "  - residual: [linear: 8]\n"
    level = body(residual + "  - linear: {name: add_1, out_features: 8}\n" + residual * 3)
    assert [step.name for step in level.steps if step.op.name == "add"] == ["add", "add_2", "add_3", "add_4"]


def test_equal_ops_are_one_object(body):
    first, second, third = body("  - linear: 8\n  - linear: 8\n  - linear: {out_features: 8, bias: false}\n").steps
    assert first.op is second.op
    assert first.op is not third.op


def test_shapes_are_inferred_once_for_equal_steps(body, monkeypatch):
    calls = []
    infer = Add.infer
    monkeypatch.setattr(Add, "infer", lambda self, *inputs: calls.append(inputs) or infer(self, *inputs))
    body("  - residual: [linear: 8]\n" * 5)
    assert len(calls) == 1
