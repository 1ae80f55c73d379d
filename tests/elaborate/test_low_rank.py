"""The steps that ``lora`` adds: where they stand, what is frozen beside them, and what is not taken apart."""

from __future__ import annotations

import pytest
import torch

from netspec.diagnostics import Source
from netspec.graph import Call, Graph, Node, visits, walk_state
from netspec.pipeline import compile_loaded, load_source, load_spec, read_value
from netspec.runtime.interpret import check_module
from netspec.runtime.module import build_module, merged

BLOCKS = """\
netspec: 1
name: blocks
inputs: {x: [N, T, 8]}
blocks:
  layer:
    body:
      - linear: {name: wide, out_features: 16}
      - relu
      - linear: {name: narrow, out_features: 8}
network:
  - repeat: {name: h, count: 3, body: [layer]}
  - layer_norm: {name: norm}
  - linear: {name: head, out_features: 5}
"""
SHARED = """\
netspec: 1
name: shared
inputs: {x: [N, 8]}
blocks: {twice: {body: [linear: {name: inner, out_features: 8}]}}
network:
  - linear: {name: fc, out_features: 8}
  - relu
  - share: fc
  - twice: {name: one}
  - share: one
"""
LOOP = """\
netspec: 1
name: loop
inputs: {x: [N, T, 8], h: [N, 6]}
network:
  - scan:
      name: cell
      over: {x_t: x}
      state: {h_t: h}
      body:
        - linear: {name: from_x, out_features: 6, from: x_t}
        - linear: {name: from_h, out_features: 6, from: h_t}
        - add: {name: new, from: [from_x, from_h]}
        - linear: {name: out, out_features: 3, from: new}
      next: {h_t: new}
      collect: {y: out}
"""


def compiled(text: str, lora: str) -> Graph:
    return compile_loaded(load_source(Source("a.yaml", text)), overrides={"train.lora": read_value("lora", lora)})


def frozen(graph: Graph) -> set[str]:
    return {path for path, step, *_ in visits(graph.body) if isinstance(step, Node) and step.frozen}


def added(graph: Graph) -> set[str]:
    return {change.down.removesuffix(".lora_A.weight") for change in graph.changes}


def test_keys_are_those_of_the_network_and_two_for_each_change() -> None:
    graph = compiled(BLOCKS, "{rank: 2, of: '*.wide'}")
    assert graph.unchanged is not None
    keys, plain = dict(walk_state(graph.body)), dict(walk_state(graph.unchanged.body))
    more = {
        f"h.{at}.wide.lora_{end}.weight": shape for at in range(3) for end, shape in (("A", (2, 8)), ("B", (16, 2)))
    }
    assert keys == plain | more
    assert graph.body.parameter_count - graph.body.frozen_count == 3 * (2 * 8 + 16 * 2)
    assert frozen(graph) == {*(f"h.{at}.{name}" for at in range(3) for name in ("wide", "narrow")), "norm", "head"}


def test_blocks_that_are_changed_alike_stay_one() -> None:
    graph = compiled(BLOCKS, "{rank: 2, of: ['h.0', 'h.2.wide', 'h.1']}")
    levels = [step.body for path, step, *_ in visits(graph.body) if isinstance(step, Call) and path.startswith("h.")]
    assert levels[0] is levels[1]
    assert levels[2] is not levels[0]
    assert added(graph) == {"h.0.wide", "h.0.narrow", "h.1.wide", "h.1.narrow", "h.2.wide"}


def test_by_default_whatever_is_large_enough_is_changed() -> None:
    assert added(compiled(BLOCKS, "6")) == {f"h.{at}.{name}" for at in range(3) for name in ("wide", "narrow")}
    assert added(compiled(BLOCKS, "{rank: 5, skip: h.1}")) >= {"head"}
    loaded = load_spec("gpt2")
    changed = added(compile_loaded(loaded, overrides={"train.lora": read_value("lora", "8")}))
    assert "transformer.h.0.attn.c_attn" in changed
    assert not changed & {"transformer.wte", "lm_head"}


def test_a_module_that_runs_again_has_one_change() -> None:
    graph = compiled(SHARED, "2")
    assert added(graph) == {"fc", "one.inner"}
    nodes = [step for path, step, *_ in visits(graph.body) if isinstance(step, Node) and step.name.endswith("lora_A")]
    assert len(nodes) == 4
    assert [node.shares for node in nodes].count("fc.lora_A") == 1


@pytest.mark.parametrize("text", [SHARED, LOOP])
def test_the_source_does_what_the_graph_says(text: str) -> None:
    graph = compiled(text, "{rank: 2, alpha: 6}")
    module = build_module(graph)
    with torch.no_grad():
        for change in graph.changes:
            module.get_parameter(change.up).normal_()
    assert check_module(graph, module) < 1e-5
    inputs = [
        torch.randn([size if isinstance(size, int) else 5 for size in each.shape]) for each in graph.inputs.values()
    ]
    plain, whole = merged(graph, module)
    outputs = [made if isinstance(made, torch.Tensor) else made["y"] for made in (module(*inputs), whole(*inputs))]
    assert torch.allclose(*outputs, atol=1e-5)
    assert check_module(plain, whole) < 1e-5


def test_in_a_loop_changes_run_when_their_steps_do() -> None:
    graph = compiled(LOOP, "2")
    (body,) = (step.body for _, step, *_ in visits(graph.body) if isinstance(step, Call))
    phases = {step.name: body.phases.get(step) for step in body.steps}
    assert phases["from_x.lora_A"] == phases["from_x.lora_add"] == "before"
    assert phases["from_h.lora_A"] is None
    assert phases["out.lora_B"] == "after"
