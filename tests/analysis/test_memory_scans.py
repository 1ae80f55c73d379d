"""The memory of scans against torch: the peak of a training step as the profiler sees it, what the hooks see."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
from places import ROOT

from netspec.analysis.memory import Memory
from netspec.dims import evaluate
from netspec.graph import Graph
from netspec.pipeline import compile_spec
from netspec.runtime.examples import example_inputs
from netspec.runtime.module import build_module
from netspec.testing.memory import nbytes, recording

BENCHMARK = runpy.run_path(str(ROOT / "benchmarks" / "memory.py"))

GATES = """
  - scan:
      name: rnn
      over: {x: x}
      state: {h: [N, HIDDEN], c: [N, HIDDEN]}
      body:
        - linear: {name: ih, from: x, out_features: 4 * HIDDEN}
        - linear: {name: hh, from: h, out_features: 4 * HIDDEN}
        - add: {from: [ih, hh]}
        - chunk: {name: part, chunks: 4, dim: -1}
        - sigmoid: {name: input, from: part.0}
        - sigmoid: {name: forget, from: part.1}
        - tanh: {name: new, from: part.2}
        - sigmoid: {name: open, from: part.3}
        - multiply: {name: kept, from: [forget, c]}
        - multiply: {name: added, from: [input, new]}
        - add: {name: cell, from: [kept, added]}
        - tanh: {from: cell}
        - multiply: {name: hidden, from: [open, prev]}
      next: {h: hidden, c: cell}
  - linear: {name: head, out_features: CLASSES}
"""
"""Weights that all iterations share, and what is read of them all at once."""

HEAD_INSIDE = """
  - linear: {name: first, from: x, out_features: HIDDEN}
  - scan:
      name: rnn
      over: {x: first}
      state: {h: [N, HIDDEN]}
      body:
        - concat: {from: [x, h], dim: -1}
        - linear: {name: A, out_features: HIDDEN}
        - tanh: {name: new}
        - linear: {name: head, from: new, out_features: CLASSES}
      next: {h: new}
"""
"""A layer that runs for all iterations at once, behind them."""

ATTENTION = """
  - linear: {name: encoder, from: z, out_features: HIDDEN}
  - linear: {name: start, from: s, out_features: HIDDEN}
  - scan:
      name: rnn
      over: {word: x}
      state: {s: start}
      body:
        - additive_attention: {name: context, query: s, key: encoder, value: encoder, hidden: HIDDEN}
        - concat: {from: [word, context], dim: -1}
        - gru_cell: {name: cell, hidden_size: HIDDEN, state: s}
        - concat: {from: [cell, context], dim: -1}
        - linear: {name: head, out_features: CLASSES}
      collect: {logits: head}
      next: {s: cell}
"""
"""A block that is prepared ahead, and values that every iteration reads."""

BLOCK = """
  - linear: {name: first, from: x, out_features: HIDDEN}
  - scan:
      name: rnn
      over: {x: first}
      state: {h: [N, HIDDEN]}
      body:
        - sequential:
            name: block
            from: h
            body:
              - linear: {name: one, out_features: 2 * HIDDEN}
              - gelu
              - linear: {name: two, out_features: HIDDEN}
        - add: {name: new, from: [block, x]}
      next: {h: new}
  - linear: {name: head, out_features: CLASSES}
"""
"""A level in each iteration."""

NETWORKS = {"gates": GATES, "head": HEAD_INSIDE, "attention": ATTENTION, "block": BLOCK}
SIZES = [(16, 20, 20, 128, 50), (4, 3, 40, 256, 50), (64, 10, 5, 64, 20), (2, 12, 30, 512, 10), (16, 6, 6, 256, 2000)]
"""Rows, iterations, places, width, classes: what takes the most is the state of iterations, weights, or scores."""


def scan_of(folder: Path, network: str, sizes: tuple[int, ...]) -> Graph:
    """A network of so many rows, iterations and places, of a width, and with so many classes."""
    rows, length, places, hidden, classes = sizes
    shapes = {"x": "[N, T, 48]", "z": "[N, S, 40]", "s": "[N, 24]"}
    inputs = ", ".join(f"{name}: {shape}" for name, shape in shapes.items() if f"from: {name}," in network + "from: x,")
    places_of = f", S: {places}" if "z: " in inputs else ""
    text = network.replace("CLASSES", str(classes)).replace("HIDDEN", str(hidden))
    path = folder / "net.yaml"
    head = f"netspec: 1\nname: net\ndims: {{N: {rows}, T: {length}{places_of}}}\ninputs: {{{inputs}}}\nnetwork:"
    path.write_text(head + text)
    return compile_spec(path)


def ratio(graph: Graph, recipe: str) -> float:
    """Return the foretold peak of a step by the one that the profiler sees."""
    sizes, how = dict(graph.sizes), BENCHMARK["RECIPES"][recipe]
    return float(BENCHMARK["predicted"](graph, sizes, how) / BENCHMARK["measured"](graph, sizes, how))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_peak_of_a_step(name: str, sizes: tuple[int, ...], tmp_path: Path) -> None:
    assert 0.95 <= ratio(scan_of(tmp_path, NETWORKS[name], sizes), "momentum") <= 1.03


@pytest.mark.parametrize("sizes", [(16, 20, 20, 128, 50), (2, 12, 30, 512, 10), (16, 6, 6, 256, 2000)])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_peak_of_a_step_in_mixed_precision(name: str, sizes: tuple[int, ...], tmp_path: Path) -> None:
    assert 0.95 <= ratio(scan_of(tmp_path, NETWORKS[name], sizes), "adam, mixed") <= 1.07


@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_few_iterations(name: str, length: int, tmp_path: Path) -> None:
    """The kernels' own room is a larger part here."""
    assert 0.95 <= ratio(scan_of(tmp_path, NETWORKS[name], (32, length, 8, 128, 100)), "momentum") <= 1.1


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["momentum", "adam, mixed", "recomputed"])
@pytest.mark.parametrize("name", ["rnn_attention", "rnn_attention_dates", "rnn_self_attention", "mamba"])
def test_the_peak_of_a_step_of_the_zoo(name: str, recipe: str) -> None:
    overrides, sizes = ({"layers": 2, "vocab": 3000, "width": 128}, {"N": 2, "T": 64}) if name == "mamba" else ({}, {})
    graph = compile_spec(name, overrides=overrides)
    sizes, how = {**graph.sizes, "N": 8, **sizes}, BENCHMARK["RECIPES"][recipe]
    found = BENCHMARK["predicted"](graph, sizes, how) / BENCHMARK["measured"](graph, sizes, how)
    assert BENCHMARK["LEAST"] <= found <= BENCHMARK["MOST"]


REPEATED = """
  - linear: {name: left, from: x, out_features: HIDDEN}
  - linear: {name: right, from: x, out_features: 40}
  - unsqueeze: {name: column, from: left, dim: -1}
  - unsqueeze: {name: row, from: right, dim: -2}
  - multiply: {from: [column, row]}
  - flatten: {start_dim: 2}
  - linear: {name: head, out_features: CLASSES}
"""


def test_gradients_of_what_is_repeated_are_as_large_as_the_product_first(tmp_path: Path) -> None:
    assert 0.98 <= ratio(scan_of(tmp_path, REPEATED, (16, 20, 0, 128, 3)), "momentum") <= 1.02


CELL = """
  - linear: {name: first, from: x, out_features: HIDDEN}
  - linear: {name: start, from: s, out_features: HIDDEN}
  - scan:
      name: rnn
      over: {x: first}
      state: {h: STATE}
      body:
        - CELL: {name: cell, hidden_size: HIDDEN, state: h}
      next: {h: cell}
  - concat: {from: [rnn.h, start], dim: -1}
  - linear: {name: head, out_features: CLASSES}
"""


@pytest.mark.parametrize("precision", ["float32", "mixed"])
@pytest.mark.parametrize(("cell", "state"), [("gru_cell", "[N, HIDDEN]"), ("gru_cell", "start"), ("rnn_cell", "start")])
def test_a_cell_keeps_what_the_hooks_see(cell: str, state: str, precision: str, tmp_path: Path) -> None:
    """On CPU a state in float32 stays so, and autocast copies the weights once for all iterations."""
    network = CELL.replace("CELL", cell).replace("STATE", state)
    graph = scan_of(tmp_path, network, (4, 5, 0, 8, 7))
    module, sizes = build_module(graph).train(), dict(graph.sizes)
    made = example_inputs(graph, sizes)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "mixed")
    with recording(besides=[*module.parameters(), *module.buffers()]) as found, autocast:
        _results = module(*(made[name] for name in graph.inputs))
    wanted = sum(map(nbytes, found.values()))
    assert evaluate(Memory(graph, device="cpu").kept(precision=precision), sizes) == wanted
