"""Symbolic sizes as arguments: where a step finds them when it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.diagnostics import Source, SpecError
from netspec.emit.source import emit_source
from netspec.graph import Graph
from netspec.pipeline import compile_loaded, load_source
from netspec.runtime.interpret import check_module
from netspec.runtime.module import build_module
from netspec.runtime.onnx.verify import export_verified

TOKENS = """
netspec: 1
name: tokens
inputs: {image: [N, 3, H, W]}
blocks:
  mix:
    params: {h: size, w: {type: size}}
    body:
      - linear: 8
      - unflatten: {dim: 1, unflattened_size: [h, w]}
network:
  - conv2d: {out_channels: 8, kernel_size: 3, stride: 2, padding: 1}
  - let: {h: "shape[2]", w: "shape[3]"}
  - residual:
      - flatten: {start_dim: 2}
      - transpose: {dim0: 1, dim1: 2}
      - linear: 8
      - transpose: {dim0: 1, dim1: 2}
      - unflatten: {dim: 2, unflattened_size: [h, w]}
  - repeat:
      name: layers
      count: 2
      body:
        - flatten: {start_dim: 2}
        - transpose: {dim0: 1, dim1: 2}
        - mix: {h: h, w: w}
        - permute: [0, 3, 1, 2]
"""


def graph_of(text: str) -> Graph:
    return compile_loaded(load_source(Source("spec.yaml", text)))


def test_pixels_become_tokens_and_pixels_again(tmp_path: Path) -> None:
    graph = graph_of(TOKENS)
    module = build_module(graph)
    assert check_module(graph, module) < 1e-6
    _, parity = export_verified(graph, module, tmp_path / "tokens.onnx")
    assert parity.agrees
    assert len({sizes["H"] for sizes in (each.sizes for each in parity.comparisons)}) == 3


def test_the_source_reads_them_off_the_nearest_tensor() -> None:
    text = emit_source(graph_of(TOKENS)).text
    assert "y = torch.unflatten(y, 2, (x.size(2), x.size(3)))" in text
    assert "x = torch.unflatten(x, 1, (-1, (image.size(3) + 1) // 2))" in text
    assert text.count("class Mix") == 1


def test_a_block_reads_sizes_of_the_networks_inputs() -> None:
    text = """
netspec: 1
name: rows
inputs: {a: [N, T, 4], b: [N, S, 4]}
blocks:
  scores:
    body:
      - linear: 2
      - reshape: [N, T, S, -1]
network:
  - einsum: {from: [a, b], equation: "ntc,nsc->nts"}
  - unsqueeze: -1
  - flatten: {start_dim: 0, end_dim: 2}
  - scores
"""
    graph = graph_of(text)
    call = graph.body.steps[-1]
    assert call.body.input_names == ("input", "a", "b")
    assert check_module(graph, build_module(graph)) < 1e-6


def test_what_no_tensor_tells_is_an_error() -> None:
    text = """
netspec: 1
name: hidden
inputs: {a: [N, T, 4], b: {shape: [N, S], optional: true}}
network:
  - arange: S
"""
    with pytest.raises(SpecError, match="arange has no input that tells the size S"):
        graph_of(text)
