"""Blocks that are alike but for their ``drop_path``, and what variants of a spec share of their blocks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netspec.diagnostics import Source, SpecError
from netspec.elaborate import ElaborationCache
from netspec.emit.source import emit_source
from netspec.emit.table.table import ShapeTable
from netspec.graph import Graph
from netspec.pipeline import Loaded, compile_loaded, load_source

UNIT = """\
netspec: 1
name: net
params: {rates: [0.0, 0.1, 0.25, 0.1, 1.0], prefix: a}
variants: {other: {rates: [0.3, 0.1, 0.0], prefix: b}, third: {rates: [0.1, 0.2]}}
inputs: {image: [N, 4, H, W]}
blocks:
  unit:
    params: {width: int, rate: 0.0}
    body:
      - if:
          test: shape[1] == width
          then:
            - residual:
                drop_path: rate
                body:
                  - max_pool2d: {kernel_size: 3, stride: 1, padding: 1}
                  - conv2d: {out_channels: width, kernel_size: 1}
          else: [conv2d: {out_channels: width, kernel_size: 4}]
network:
  - for: {each: {rate: rates}, index: i, body: [unit: {width: "4 if i < 4 else 8", rate: rate, name: "unit{i}"}]}
"""


def loaded(text: str = UNIT) -> Loaded:
    return load_source(Source("net.yaml", text))


def written(graph: Graph) -> tuple[str, str, list[str]]:
    graph = replace(graph, digest="")
    requirements = [f"{each.left} {each.relation} {each.right} {each.span.place}" for each in graph.requirements]
    return ShapeTable(graph).to_json(), emit_source(graph).text, requirements


@pytest.mark.parametrize("order", [[None, "other", "third"], ["third", "other", None]])
def test_a_block_for_another_rate_is_what_it_would_be_by_itself(order: list[str | None]):
    """``1 * rate`` is elaborated for each rate."""
    ours, plain = loaded(), loaded(UNIT.replace("drop_path: rate", "drop_path: 1 * rate"))
    shared = ElaborationCache()
    for variant in order:
        made = compile_loaded(ours, variant=variant, shared=shared)
        assert written(made) == written(compile_loaded(plain, variant=variant))


def test_a_level_for_another_rate_has_values_of_its_own():
    graph = compile_loaded(loaded())
    bodies = {call.body for call in graph.body.steps}
    values = [value for body in bodies for step in body.steps for value in step.outputs]
    assert len(bodies) == 4
    assert len(values) == len({*values})


def test_a_rate_that_is_none_is_told():
    with pytest.raises(SpecError, match="`drop_path` must be a probability"):
        compile_loaded(loaded(UNIT.replace("0.25, 0.1", "0.25, 1.5")))


@pytest.mark.parametrize(
    "key", ['{relu: {state_key: "{prefix}"}}', '{sequential: {state_key: "{prefix}", body: [relu]}}']
)
def test_variants_have_their_own_state_keys(key: str):
    spec = loaded(UNIT.replace("      - if:\n", f"      - {key}\n      - if:\n"))
    shared = ElaborationCache()
    for variant, name in ((None, "a"), ("other", "b")):
        graph = compile_loaded(spec, variant=variant, shared=shared)
        assert {call.body.steps[0].name for call in graph.body.steps} == {name}
