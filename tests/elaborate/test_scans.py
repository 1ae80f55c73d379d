"""Scans: what their bodies see, what runs when, and that none of it changes what is computed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from netspec.dims import evaluate
from netspec.elaborate.passes.sizes import other_sizes
from netspec.elaborate.steps import scan as scans
from netspec.graph import Call, Graph, Level, levels_in
from netspec.pipeline import compile_spec
from netspec.runtime.examples import example_inputs
from netspec.runtime.module import build_module
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.verify import compare_onnx
from netspec.runtime.reference import run

Compile = Callable[..., Graph]

HEAD = """netspec: 1
name: net
dims: {N: 3, T: 5, S: 4}
inputs: {x: [N, T, 6], z: [N, S, 8], start: [N, 8]}
network:
"""

LSTM = """
  - scan:
      name: rnn
      over: {x: x}
      state: {h: [N, 8], c: [N, 8]}
      body:
        - linear: {name: ih, from: x, out_features: 32}
        - linear: {name: hh, from: h, out_features: 32}
        - add: {name: gates, from: [ih, hh]}
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
      REVERSE
outputs: {output: rnn, h: rnn.h, c: rnn.c}
"""

ATTENTION = """
  - scan:
      name: decoder
      over: {word: x}
      state: {s: start}
      body:
        - attend: {name: context, query: s, key: z, value: z}
        - concat: {from: [word, context], dim: -1}
        - gru_cell: {name: cell, hidden_size: 8, state: s}
        - concat: {from: [cell, context], dim: -1}
        - dropout: 0.1
        - linear: {name: head, out_features: 7}
      collect: {logits: head, weights: context.weights}
      next: {s: cell}
outputs: {logits: decoder, weights: decoder.weights, s: decoder.s}
blocks:
  attend:
    inputs: [query, key, value]
    body:
      - linear: {name: of_query, from: query, out_features: 8, bias: false}
      - linear: {name: of_key, from: key, out_features: 8, bias: false}
      - unsqueeze: {name: q, from: of_query, dim: 1}
      - add: {from: [q, of_key]}
      - tanh
      - linear: {name: score, out_features: 1, bias: false}
      - squeeze: -1
      - softmax: {name: weights, dim: -1}
      - unsqueeze: 1
      - matmul: {from: [prev, value]}
      - squeeze: {name: context, dim: 1}
    outputs: {context: context, weights: weights}
"""


@pytest.fixture
def compiled(tmp_path: Path) -> Compile:
    def compile_network(network: str, head: str = HEAD) -> Graph:
        path = tmp_path / "net.yaml"
        path.write_text(head + network, encoding="utf-8")
        return compile_spec(path)

    return compile_network


def body_of(graph: Graph, name: str) -> Level:
    return next(step.body for step in graph.body.steps if isinstance(step, Call) and step.name == name)


def phases(level: Level) -> dict[str, str]:
    return {step.name: phase for step, phase in level.phases.items()}


def outputs_of(module: nn.Module, *inputs: Tensor) -> list[Tensor]:
    made = module(*inputs)
    return list(made.values()) if isinstance(made, dict) else [made]


def assert_close(got: list[Tensor], wanted: list[Tensor]) -> None:
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 5, 9])
def test_an_lstm_written_gate_by_gate_is_torchs(compiled: Compile, reverse: bool, length: int) -> None:
    graph = compiled(LSTM.replace("REVERSE", "reverse: true" if reverse else ""))
    ours = build_module(graph)
    theirs = nn.LSTM(6, 8, batch_first=True)
    theirs.load_state_dict(
        {
            f"{kind}_{wire}_l0": ours.state_dict()[f"rnn.{wire}.{kind}"]
            for kind in ("weight", "bias")
            for wire in ("ih", "hh")
        }
    )
    x = torch.randn(3, length, 6)
    output, (h, c) = theirs(x.flip(1) if reverse else x)
    made = outputs_of(ours, x, torch.zeros(3, 1, 8), torch.zeros(3, 8))
    assert_close(made, [output.flip(1) if reverse else output, h[0], c[0]])


class Decoder(nn.Module):
    """The attention decoder as a person would write it, every step in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.of_query, self.of_key = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.score, self.cell, self.head = nn.Linear(8, 1, bias=False), nn.GRUCell(14, 8), nn.Linear(16, 7)

    def forward(self, x: Tensor, z: Tensor, s: Tensor) -> list[Tensor]:
        logits, weights = [], []
        for t in range(x.size(1)):
            scores = self.score(torch.tanh(self.of_query(s)[:, None] + self.of_key(z)))[:, :, 0]
            alpha = torch.softmax(scores, dim=1)
            context = torch.einsum("ns,nsd->nd", alpha, z)
            s = self.cell(torch.cat([x[:, t], context], dim=1), s)
            logits.append(self.head(torch.cat([s, context], dim=1)))
            weights.append(alpha)
        return [torch.stack(logits, 1), torch.stack(weights, 1), s]


@pytest.mark.parametrize("length", [1, 5, 8])
def test_a_decoder_with_attention_is_one_written_by_hand(compiled: Compile, length: int) -> None:
    ours, theirs = build_module(compiled(ATTENTION)).eval(), Decoder()
    names = {"of_query": "context.of_query", "of_key": "context.of_key", "score": "context.score"}
    state = ours.state_dict()
    theirs.load_state_dict(
        {
            key: state[
                "decoder." + names.get(key.partition(".")[0], key.partition(".")[0]) + "." + key.partition(".")[2]
            ]
            for key in theirs.state_dict()
        }
    )
    inputs = torch.randn(3, length, 6), torch.randn(3, 4, 8), torch.randn(3, 8)
    wanted = theirs(*inputs)
    assert_close(outputs_of(ours, *inputs), wanted)
    sum(each.sum() for each in outputs_of(ours, *inputs)).backward()
    sum(each.sum() for each in wanted).backward()
    assert_close([ours.get_parameter("decoder.context.of_key.weight").grad], [theirs.of_key.weight.grad])


def test_what_need_not_be_done_in_every_turn_is_not(compiled: Compile) -> None:
    decoder = body_of(compiled(ATTENTION), "decoder")
    assert phases(decoder) == {"3": "after", "4": "after", "head": "after"}
    assert phases(body_of_step(decoder, "context")) == {"of_key": "hoisted"}
    assert phases(body_of(compiled(LSTM.replace("REVERSE", "")), "rnn")) == {"ih": "before"}


def test_a_selective_scan_keeps_what_needs_the_state_in_its_loop_alone() -> None:
    states = next(level for level in levels_in(compile_spec("mamba").body) if level.loop is not None)
    assert [step.name for step in states.steps if step not in states.phases] == ["5", "new"]
    assert {states.phases[step] for step in states.steps if step.name in ("decay", "added", "out")} == {"before"}
    assert phases(states)["y"] == "after"


def body_of_step(level: Level, name: str) -> Level:
    return next(step.body for step in level.steps if isinstance(step, Call) and step.name == name)


DROPPING = """
  - scan:
      name: r
      over: {v: x}
      state: {s: start}
      body:
        - dropout: {name: dropped, from: start, p: 0.5}
        - add: {name: sum, from: [dropped, s]}
      next: {s: sum}
"""


def test_chance_is_not_taken_once_for_all_turns(compiled: Compile) -> None:
    assert phases(body_of(compiled(DROPPING), "r")) == {}


MEMORY = """
  - arange: {name: places, end: T, like: x}
  - scan:
      name: r
      over: {word: x}
      state: {memory: [N, T, 4]}
      index: t
      body:
        - linear: {name: h, from: word, out_features: 4}
        - unsqueeze: {name: row, from: h, dim: 1}
        - equal: {name: here, input: places, other: t}
        - unsqueeze: {name: column, from: here, dim: -1}
        - where: {name: written, condition: column, input: row, other: memory}
        - less_equal: {name: seen, input: places, other: t}
        - scaled_dot_product_attention: {name: read, query: row, key: written, value: written, attn_mask: seen}
        - squeeze: {name: context, from: read, dim: 1}
      next: {memory: written}
outputs: {c: r, memory: r.memory}
"""


def test_attention_over_all_earlier_turns(compiled: Compile, tmp_path: Path) -> None:
    graph = compiled(MEMORY)
    module = build_module(graph)
    x = torch.randn(2, 7, 6)
    h = module.get_submodule("r.h")(x)
    wanted = nn.functional.scaled_dot_product_attention(h, h, h, is_causal=True)
    made = outputs_of(module, x, torch.zeros(2, 1, 8), torch.zeros(2, 8))
    assert_close(made, [wanted, h])
    assert compare_onnx(graph, module, export_onnx(graph, module, tmp_path / "net.onnx")).agrees


NESTED = """
  - scan:
      name: outer
      over: {row: x}
      state: {s: start}
      body:
        - linear: {name: wide, from: row, out_features: 8}
        - scan:
            name: inner
            over: {col: z}
            state: {u: s}
            body:
              - linear: {name: step, from: col, out_features: 8}
              - add: {name: both, from: [u, step]}
              - multiply: {name: gated, from: [both, wide]}
              - tanh: {name: squashed}
            next: {u: squashed}
      collect: {last: inner.u}
      next: {s: inner.u}
outputs: {last: outer, s: outer.s}
"""


def test_a_scan_within_a_scan(compiled: Compile, tmp_path: Path) -> None:
    graph = compiled(NESTED)
    module = build_module(graph)
    x, z, s = torch.randn(2, 3, 6), torch.randn(2, 4, 8), torch.randn(2, 8)
    wide, step = module.get_submodule("outer.wide"), module.get_submodule("outer.inner.step")
    wanted, u = [], s
    for t in range(3):
        for k in range(4):
            u = torch.tanh((u + step(z[:, k])) * wide(x[:, t]))
        wanted.append(u)
    assert_close(outputs_of(module, x, z, s), [torch.stack(wanted, 1), u])
    with FlopCounterMode(display=False) as counted:
        module(*example_inputs(graph, graph.sizes).values())
    assert 2 * evaluate(graph.body.macs, graph.sizes) == counted.get_total_flops()
    assert compare_onnx(graph, module, export_onnx(graph, module, tmp_path / "net.onnx")).agrees


@pytest.mark.parametrize("network", [LSTM.replace("REVERSE", "reverse: true"), ATTENTION, MEMORY])
def test_compiles_without_a_break(compiled: Compile, network: str) -> None:
    graph = compiled(network)
    module = build_module(graph).eval()
    inputs = [*example_inputs(graph, graph.sizes).values()]
    fast = torch.compile(module, fullgraph=True, backend="eager")
    assert_close(outputs_of(fast, *inputs), outputs_of(module, *inputs))


@pytest.mark.parametrize("network", [LSTM.replace("REVERSE", ""), ATTENTION])
def test_costs_are_those_that_run(compiled: Compile, network: str) -> None:
    graph = compiled(network)
    module = build_module(graph)
    with FlopCounterMode(display=False) as counted:
        module(*example_inputs(graph, graph.sizes).values())
    assert 2 * evaluate(graph.body.macs, graph.sizes) == counted.get_total_flops()


@pytest.mark.parametrize("network", [LSTM.replace("REVERSE", ""), LSTM.replace("REVERSE", "reverse: true"), ATTENTION])
def test_onnxruntime_agrees_at_other_lengths(compiled: Compile, network: str, tmp_path: Path) -> None:
    graph = compiled(network)
    module = build_module(graph)
    path = export_onnx(graph, module, tmp_path / "net.onnx")
    import onnx

    scans = [node for node in onnx.load(path).graph.node if node.op_type == "Scan"]
    assert len(scans) == 1
    for sizes in ({"N": 1, "T": 1, "S": 1}, {"N": 2, "T": 11, "S": 6}):
        graph.sizes.update(sizes)  # type: ignore[attr-defined]
        assert compare_onnx(graph, module, path).agrees


UNARY = (
    "tanh",
    "sigmoid",
    "layer_norm",
    "{linear: {out_features: 8}}",
    "{linear: {out_features: 8, bias: false}}",
    "dropout",
    "softmax: {dim: -1}",
)
NAMES = ("word", "s", "u", "start", "z0")


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, list[str]]:
    """The steps of a scan's body over values of shape [N, 8]: what lies outside, a step of the sequence, two states."""
    names, lines = list(NAMES), []
    for number in range(draw(st.integers(2, 8))):
        name = f"v{number}"
        if draw(st.booleans()):
            op = draw(st.sampled_from(["add", "multiply", "maximum"]))
            lines.append(
                f"- {op}: {{name: {name}, from: [{draw(st.sampled_from(names))}, {draw(st.sampled_from(names))}]}}"
            )
        else:
            op = draw(st.sampled_from(["tanh", "sigmoid", "layer_norm", "linear", "softmax", "mix"]))
            more = {"linear": ", out_features: 8", "softmax": ", dim: -1"}.get(op, "")
            if op == "mix":
                more = f", other: {draw(st.sampled_from(names))}"
                lines.append(f"- mix: {{name: {name}, input: {draw(st.sampled_from(names))}{more}}}")
            else:
                lines.append(f"- {op}: {{name: {name}, from: {draw(st.sampled_from(names))}{more}}}")
        names.append(name)
    return "\n".join("        " + line for line in lines), names


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), body=bodies(), reverse=st.booleans())
def test_random_bodies_give_the_same_whatever_runs_when(
    data: st.DataObject, body: tuple[str, list[str]], reverse: bool, tmp_path: Path
) -> None:
    lines, names = body
    picked = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
    collect = ", ".join(f"o{number}: {name}" for number, name in enumerate(picked))
    following = [data.draw(st.sampled_from(names)) for _ in range(2)]
    network = f"""
  - select: {{name: z0, from: z, dim: 1, index: 0}}
  - linear: {{name: words, from: x, out_features: 8}}
  - scan:
      name: r
      over: {{word: words}}
      state: {{s: start, u: [N, 8]}}
      body:
{lines}
      collect: {{{collect}}}
      next: {{s: {following[0]}, u: {following[1]}}}
      reverse: {str(reverse).lower()}
outputs: {{{", ".join(f"o{number}: r.o{number}" for number in range(len(picked)))}, s: r.s, u: r.u}}
blocks:
  mix:
    inputs: [input, other]
    body:
      - linear: {{name: a, from: input, out_features: 8}}
      - linear: {{name: b, from: other, out_features: 8}}
      - tanh: {{name: t}}
      - add: {{from: [a, t]}}
"""
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + network, encoding="utf-8")
    graph = compile_spec(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scans, "hoisted", lambda level, interned: level)
        plain = compile_spec(path)
    module, reference = build_module(graph).eval(), build_module(plain).eval()
    inputs = [*example_inputs(graph, {"N": 2, "T": 3, "S": 2}).values()]
    assert_close(outputs_of(module, *inputs), outputs_of(reference, *inputs))
    for sizes in other_sizes(graph, 2):  # a state that is squared in each turn outgrows any number: nothing to compare
        assume(all(np.isfinite(made).all() for made in run(module, example_inputs(graph, sizes))))
    assert compare_onnx(graph, module, export_onnx(graph, module, tmp_path / "net.onnx")).agrees


def test_a_scan_that_is_no_level_has_the_keys_of_the_level_around(compiled: Compile, tmp_path: Path) -> None:
    graph = compiled(
        LSTM.replace("REVERSE", "level: false").replace(
            "outputs: {", "  - linear: {name: head, out_features: 5}\noutputs: {head: head, "
        )
    )
    module = build_module(graph).eval()
    assert {*module.state_dict()} == {f"{name}.{part}" for name in ("ih", "hh", "head") for part in ("weight", "bias")}
    lstm = nn.LSTM(6, 8, batch_first=True)
    own = module.state_dict()
    lstm.load_state_dict(
        {f"{part}_{name}_l0": own[f"{name}.{part}"] for name in ("ih", "hh") for part in ("weight", "bias")}
    )
    inputs = example_inputs(graph, graph.sizes)
    wanted, (h, c) = lstm(inputs["x"])
    for each in (module, copy.deepcopy(module)):
        made = each(**inputs)
        torch.testing.assert_close((made["output"], made["h"], made["c"]), (wanted, h[0], c[0]))
    for name, parameter in own.items():
        own[name] = torch.zeros_like(parameter)
    module.load_state_dict(own, assign=True)
    assert module(**inputs)["output"].abs().max() == 0
    assert compare_onnx(graph, module, export_onnx(graph, module, tmp_path / "net.onnx")).agrees
