"""Numbers and paths as references: what they lead to, and what the levels on the way give out."""

from __future__ import annotations

import pytest
import torch
from elaborate.views import built, compiled
from torch import nn

from netspec.checks.check import check_loaded
from netspec.diagnostics import Source
from netspec.emit.source import emit_source
from netspec.graph import Call
from netspec.pipeline import load_source

HEAD = "netspec: 1\nname: net\ndims: {N: 2}\n"

YOLO = (
    HEAD
    + """inputs: {image: [N, 3, 16, 16]}
network:
  - sequential:
      name: model
      body:
        - conv2d: {out_channels: 4, kernel_size: 3, padding: 1}
        - conv2d: {out_channels: 6, kernel_size: 3, stride: 2, padding: 1}
        - conv2d: {out_channels: 8, kernel_size: 3, stride: 2, padding: 1}
        - upsample: {scale_factor: 2}
        - concat: {from: [prev, 1]}
        - conv2d: {out_channels: 6, kernel_size: 1}
        - conv2d: {name: 8, out_channels: 8, kernel_size: 3, stride: 2, padding: 1, from: 5}
        - concat: {name: 9, from: [8, 2]}
outputs: {fine: model.5, coarse: model.9}
"""
)


class Yolo(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Module()
        layers = {0: (3, 4, 3, 1), 1: (4, 6, 3, 2), 2: (6, 8, 3, 2), 5: (14, 6, 1, 1), 8: (6, 8, 3, 2)}
        for at, (taken, given, size, stride) in layers.items():
            self.model.add_module(str(at), nn.Conv2d(taken, given, size, stride, size // 2))

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        layer = self.model.get_submodule
        x1 = layer("1")(layer("0")(image))
        x2 = layer("2")(x1)
        fine = layer("5")(torch.cat([nn.functional.interpolate(x2, scale_factor=2), x1], 1))
        return {"fine": fine, "coarse": torch.cat([layer("8")(fine), x2], 1)}


def test_numbered_layers_have_the_keys_and_values_of_the_same_in_torch() -> None:
    _, module = built(YOLO)
    theirs = Yolo()
    theirs.load_state_dict(module.state_dict(), strict=True)
    image = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(module(image), theirs(image))


TAPS = (
    HEAD
    + """inputs: {x: [N, 8]}
blocks:
  layer:
    body:
      - linear: {name: fc, out_features: 8}
      - relu
    outputs: {y: prev, before: fc}
network:
  - repeat: {name: h, count: 4, body: [layer]}
  - repeat:
      name: g
      count: 3
      body: [linear: {name: fc, out_features: 8}, tanh]
  - add: {from: [h.0, h.2.before, g.1.fc, prev]}
"""
)


def test_only_the_turn_that_is_read_gives_more() -> None:
    graph, module = built(TAPS)
    h, g, _ = graph.body.steps
    assert isinstance(h, Call)
    assert isinstance(g, Call)
    assert len({step.body for step in h.body.steps if isinstance(step, Call)}) == 1
    assert [step.output_names for step in g.body.steps] == [("output",), ("output", "fc"), ("output",)]
    x = torch.randn(2, 8)
    weights = module.state_dict()

    def linear(path: str, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, weights[f"{path}.fc.weight"], weights[f"{path}.fc.bias"])

    hidden, before = [x], []
    for at in range(4):
        before.append(linear(f"h.{at}", hidden[-1]))
        hidden.append(before[-1].relu())
    first = linear("g.0", hidden[-1]).tanh()
    second = linear("g.1", first)
    last = linear("g.2", second.tanh()).tanh()
    torch.testing.assert_close(module(x), hidden[1] + before[2] + second + last)


def test_the_source_names_what_comes_from_inside() -> None:
    text = emit_source(compiled(TAPS)).text
    assert "x, h_0, h_2_before = self.h(x)" in text
    assert "x, g_1_fc = self.g(x)" in text


def test_a_shared_group_gives_the_same_outputs_in_every_place() -> None:
    text = (
        HEAD
        + """inputs: {a: [N, 8], b: [N, 8]}
network:
  - sequential: {name: f, from: a, body: [linear: {name: fc, out_features: 8}, relu, linear: 8]}
  - add: {name: early, from: [prev, f.fc]}
  - share: {step: f, name: again, from: b}
  - add: {from: [early, again.1, again]}
"""
    )
    _, module = built(text.replace("from: a, body", "body"))
    first, second = module.get_submodule("f.fc"), module.get_submodule("f.2")
    a, b = torch.randn(2, 2, 8)
    hidden = first(b).relu()
    wanted = first(a) + second(first(a).relu()) + hidden + second(hidden)
    torch.testing.assert_close(module(a, b), wanted)


def test_a_loop_reads_its_own_earlier_turns() -> None:
    text = (
        HEAD
        + """inputs: {x: [N, 4]}
network:
  - repeat:
      name: dense
      count: 3
      index: i
      body:
        - linear: {name: fc, out_features: 4}
        - if: {test: i > 1, then: [add: {from: [prev, "dense.{i - 2}.fc"]}]}
"""
    )
    _, module = built(text)
    layers = [module.get_submodule(f"dense.{at}.fc") for at in range(3)]
    x = torch.randn(2, 4)
    first = layers[0](x)
    torch.testing.assert_close(module(x), layers[2](layers[1](first)) + first)


@pytest.mark.parametrize("source", ["0", '"0"', '"{1 - 1}"', "h.0.0", "prev.h_n"])
def test_forms_of_references(source: str) -> None:
    text = (
        HEAD + "inputs: {x: [N, 3, 8]}\nnetwork:\n  - linear: 8\n  - repeat: {name: h, count: 2, body: [relu, tanh]}\n"
    )
    text += f"  - gru: 8\n  - reduce_sum: {{from: {source}, dim: 0}}\n"
    assert check_loaded(load_source(Source("net.yaml", text))).graphs
