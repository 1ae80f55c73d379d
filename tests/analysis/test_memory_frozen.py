"""Memory where parameters are frozen, against torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from analysis.test_memory import inputs_of, kept_by_torch, parts_add_up
from ops.kept import LiveBytes

from netspec.analysis.memory import Memory
from netspec.dims import evaluate
from netspec.graph import Graph
from netspec.pipeline import compile_spec, read_value
from netspec.runtime.module import build_module

IMAGES = """
netspec: 1
name: tuned
params: {first: true}
dims: {N: 2, H: 16, W: 16}
inputs: {image: [N, 3, H, W]}
blocks:
  layer:
    params: {width: int, still: false}
    body:
      - conv2d: {name: conv, out_channels: width, kernel_size: 3, padding: 1, bias: false, freeze: still}
      - batch_norm2d: {name: norm}
      - gelu
network:
  - layer: {name: stem, width: 16, freeze: first}
  - repeat: {name: stage, count: 4, index: i, body: [{layer: {width: 16, freeze: first or i == 2}}]}
  - layer: {name: narrow, width: 8, still: true, freeze: first}
  - flatten: {start_dim: 2}
  - transpose: {dim0: 1, dim1: 2}
  - multihead_attention: {name: attention, num_heads: 2, freeze: true}
  - reduce_mean: 1
  - linear: {name: wide, out_features: 32, freeze: first}
  - layer_norm: {name: scale, freeze: true}
  - linear: {name: head, out_features: 8}
"""
WORDS = """
netspec: 1
name: words
params: {first: true, last: true}
dims: {N: 2, T: 7}
inputs: {tokens: {shape: [N, T], dtype: int64, below: 50}}
network:
  - embedding: {name: wte, num_embeddings: 50, embedding_dim: 12, freeze: first}
  - repeat:
      name: h
      count: 3
      index: i
      freeze: first
      body: [{sequential: {body: [{linear: 12}, gelu]}}]
  - gru: {hidden_size: 12}
  - linear: {name: lm_head, out_features: 50, tie: {weight: wte.weight}, freeze: last}
"""
LORA = "{rank: 2, alpha: 4, of: [stage, wide, head], dropout: 0.1}"
CASES: list[tuple[str, dict[str, Any]]] = [
    (IMAGES, {"first": True}),
    (IMAGES, {"first": False}),
    (WORDS, {"first": True, "last": True}),
    (WORDS, {"first": True, "last": False}),
    (WORDS, {"first": False, "last": True}),
    (IMAGES, {"first": False, "train.lora": read_value("lora", LORA)}),
    (
        WORDS.replace("  - gru: {hidden_size: 12}\n", ""),
        {"first": False, "train.lora": read_value("lora", "{of: h, rank: 2}")},
    ),
]


@pytest.fixture(
    params=CASES, ids=lambda case: "_".join([str(len(case[0])), *(str(each)[:5] for each in case[1].values())])
)
def tuned(request: pytest.FixtureRequest, tmp_path: Path) -> Graph:
    path = tmp_path / "tuned.yaml"
    path.write_text(request.param[0])
    return compile_spec(path, overrides=request.param[1])


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of what oneDNN does not do
def test_what_is_frozen_keeps_less(tuned: Graph) -> None:
    with torch.backends.mkldnn.flags(enabled=False):  # type: ignore[no-untyped-call]
        wanted = kept_by_torch(tuned, tuned.sizes)
    assert evaluate(Memory(tuned).total_kept, tuned.sizes) == wanted
    if not tuned.changes:  # whose steps have names with dots, which are no levels
        parts_add_up(tuned)


def test_what_is_frozen_has_neither_gradients_nor_state(tuned: Graph) -> None:
    trained = sum(each.numel() for each in build_module(tuned).parameters() if each.requires_grad)
    memory = Memory(tuned)
    assert memory.trained == trained
    assert 0 < trained < memory.parameters
    assert evaluate(memory.training_peak("adam") - memory.training_peak("sgd"), tuned.sizes) == 8 * trained


def test_the_peak_is_in_the_forward_pass_where_all_but_the_end_is_frozen(tmp_path: Path) -> None:
    path = tmp_path / "tuned.yaml"
    lines = IMAGES.replace("reduce_mean: 1", "global_avg_pool").splitlines()
    path.write_text("\n".join(line for line in lines if not re.search("flatten|transpose|attention", line)))
    graph = compile_spec(path, sizes={"H": 64, "W": 64})
    module = build_module(graph).train()
    given = inputs_of(graph, graph.sizes)
    steps = torch.optim.SGD([each for each in module.parameters() if each.requires_grad], 0.01)
    with LiveBytes([*module.parameters(), *given]) as live:
        module(*given).mean().backward()
        steps.step()
    peak = evaluate(Memory(graph).training_peak("sgd"), graph.sizes)
    assert peak == pytest.approx(live.peak, rel=0.01)
