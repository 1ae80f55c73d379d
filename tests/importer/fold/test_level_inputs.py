"""The inputs of levels: as many as equal levels need together, by names that say what they are."""

from __future__ import annotations

from importer.trees import meaning, tree_of

from netspec.diagnostics import Source
from netspec.graph import Graph
from netspec.importer.fold import fold
from netspec.importer.write import write
from netspec.pipeline import compile_loaded, load_source

ATTENTION = """
netspec: 1
name: it
inputs: {x: [N, T, 8], context: [N, S, 8]}
blocks:
  attention:
    inputs: [input, memory]
    body:
      - linear: {name: q, out_features: 8}
      - linear: {name: k, from: memory, out_features: 8}
      - linear: {name: v, from: memory, out_features: 8}
      - scaled_dot_product_attention: {query: q, key: k, value: v}
network: [attention: {name: own, from: x, memory: x}, attention: {name: cross, memory: context}]
"""
MASKED = """
netspec: 1
name: it
inputs: {x: [N, T, 8], seen: {shape: [T, T], dtype: bool}}
blocks:
  attention:
    inputs: [input, visible]
    body:
      - linear: {name: qkv, out_features: 24}
      - chunk: {name: parts, chunks: 3, dim: -1}
      - scaled_dot_product_attention: {query: parts.0, key: parts.1, value: parts.2, attn_mask: visible}
network: [attention: {name: first, visible: seen}, attention: {name: second, visible: seen}]
"""
TIMED = """
netspec: 1
name: it
inputs: {x: [N, T, 8]}
blocks:
  layer:
    inputs: [input, time]
    body: [linear: {name: wide, out_features: 8}, add: {from: [prev, time]}, linear: {name: out, out_features: 8}]
network:
  - linear: {name: clock, out_features: 8}
  - layer: {name: first, from: x, time: clock}
  - layer: {name: second, time: clock}
"""


def compiled(text: str) -> Graph:
    return compile_loaded(load_source(Source("written.yaml", text)))


def folded(text: str) -> str:
    """Return the text of the same network, which is checked to be the same."""
    graph = compiled(text)
    made = write(fold(tree_of(graph)))
    assert [*meaning(compiled(made)).values()] == [*meaning(graph).values()]
    return made


def test_attention_to_itself_and_to_a_memory_is_one_block():
    made = folded(ATTENTION)
    assert made.count("scaled_dot_product_attention") == 1
    assert "inputs: [input, memory]" in made
    assert "attention: {name: cross, memory: context}" in made


def test_an_input_that_is_read_by_a_port_is_called_so():
    assert "inputs: [input, mask]" in folded(MASKED)


def test_an_input_that_all_calls_give_one_value_has_its_name():
    assert "inputs: [input, clock]" in folded(TIMED)
