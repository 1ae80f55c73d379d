"""Steps and outputs that nothing reads are left out, with all that only they depend on."""

from __future__ import annotations

import torch

import netspec
from netspec.diagnostics import Source
from netspec.graph import Call, Graph, walk_state
from netspec.pipeline import compile_loaded, load_source

HEAD = """\
netspec: 1
name: net
inputs: {x: [N, 8]}
blocks:
  two:
    params: {width: 4}
    body:
      - linear: {name: first, out_features: width}
      - linear: {name: second, from: input, out_features: 4}
      - linear: {name: third, from: first, out_features: 4}
    outputs: {main: first, other: second, last: third}
  around: {body: [{two: {name: a}}, {two: {name: b, from: a.last}}], outputs: {one: a.main, two: b.other}}
network:
"""


def compiled(network: str) -> Graph:
    return compile_loaded(load_source(Source("net.yaml", HEAD + network)))


def modules(graph: Graph) -> list[str]:
    """The paths of the layers with weights."""
    return [key.removesuffix(".weight") for key, _ in walk_state(graph.body) if key.endswith(".weight")]


def test_an_output_that_no_step_reads_is_left_out():
    graph = compiled("- two: {name: a}\n- two: {name: b, from: a.main, width: 8}\n- relu: {from: b.last}\n")
    assert modules(graph) == ["a.first", "b.first", "b.third"]
    assert [step.output_names for step in graph.body.steps if isinstance(step, Call)] == [("main",), ("last",)]


def test_steps_of_one_module_give_what_any_of_them_is_read_for():
    graph = compiled("- two: {name: a}\n- two: {name: b, from: x}\n- add: {from: [a.main, b.last]}\n")
    assert modules(graph) == ["a.first", "a.third", "b.first", "b.third"]
    first, second, _ = graph.body.steps
    assert isinstance(first, Call)
    assert isinstance(second, Call)
    assert first.body is second.body
    assert first.output_names == ("main", "last")


def test_what_is_unread_inside_follows_from_what_is_unread_outside():
    assert modules(compiled("- around: {name: c}\n- relu\n")) == ["c.a.first"]
    assert modules(compiled("- around: {name: c}\n- relu: {from: c.two}\n")) == ["c.a.first", "c.a.third", "c.b.second"]


def test_a_module_that_runs_again_stays_whole():
    graph = compiled("- two: {name: a}\n- share: {step: a, name: b, from: x}\n- relu: {from: b.last}\n")
    assert modules(graph) == ["a.first", "a.second", "a.third"]
    graph = compiled("- two: {name: a}\n- linear: {name: c, out_features: 4, tie: {weight: a.third.weight}}\n")
    assert "a.third" in modules(graph)


def test_a_group_is_computed_as_far_as_it_is_read(tmp_path):
    path = tmp_path / "net.yaml"
    group = "{name: g, outputs: {low: 0}, body: [linear: 3, relu, linear: 8]}"
    path.write_text(HEAD + f"- sequential: {group}\n- add: {{from: [g.low, g.low]}}\n")
    model = netspec.load(path)
    assert modules(model.graph) == ["g.0"]
    module, x = model.module(), torch.ones(2, 8)
    assert torch.equal(module(x), 2 * module.g[0](x))
