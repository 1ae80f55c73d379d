"""Steps that share another's module: the weights are there once, everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from netspec.emit.diagram.dot import dot_text
from netspec.emit.table import ShapeTable
from netspec.graph import Graph
from netspec.pipeline import compile_spec
from netspec.runtime.examples import example_inputs
from netspec.runtime.module import build_module
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.verify import compare_onnx

Compile = Callable[[str], Graph]

SIAMESE = """netspec: 1
name: siamese
dims: {N: 2, H: 20, W: 24}
inputs: {left: [N, 1, 16, 16], right: [N, 1, H, W]}
blocks:
  part:
    params: {width: 8}
    body:
      - conv2d: {name: conv, out_channels: width, kernel_size: 3}
      - batch_norm2d: {name: bn}
      - relu
network:
  - part: {name: stem, from: left, width: 6}
  - sequential:
      name: tail
      body: [conv2d: {out_channels: 4, kernel_size: 3}, adaptive_avg_pool2d: 1, flatten]
  - linear: {name: fc, out_features: 5}
  - share: {step: stem, from: right, name: again}
  - share: tail
  - share: {step: fc, name: other}
  - subtract: {from: [fc, other]}
"""

ALBERT = """netspec: 1
name: albert
dims: {N: 2, T: 5}
inputs: {x: [N, T, 12]}
network:
  - transformer_encoder_layer: {name: layer, nhead: 2, dim_feedforward: 16}
  - repeat: {count: 3, body: [share: layer]}
"""


@pytest.fixture
def compiled(tmp_path: Path) -> Compile:
    def compile_text(text: str) -> Graph:
        path = tmp_path / "net.yaml"
        path.write_text(text, encoding="utf-8")
        return compile_spec(path)

    return compile_text


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.ModuleDict({"conv": nn.Conv2d(1, 6, 3), "bn": nn.BatchNorm2d(6)})
        self.tail = nn.Sequential(nn.Conv2d(6, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(4, 5)

    def branch(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.fc(self.tail(torch.relu(self.stem["bn"](self.stem["conv"](x)))))
        return made

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return self.branch(left) - self.branch(right)


def test_two_branches_with_the_same_weights(compiled: Compile) -> None:
    graph = compiled(SIAMESE)
    ours, theirs = build_module(graph), Siamese()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    inputs = [*example_inputs(graph, graph.sizes).values()]
    made, wanted = ours(*inputs), theirs(*inputs)
    torch.testing.assert_close(made, wanted)
    made.sum().backward()
    wanted.sum().backward()
    torch.testing.assert_close(
        ours.get_parameter("stem.conv.weight").grad, theirs.get_parameter("stem.conv.weight").grad
    )


@pytest.mark.parametrize(("text", "calls"), [(SIAMESE, 2), (ALBERT, 4)])
def test_the_weights_count_once(compiled: Compile, text: str, calls: int, tmp_path: Path) -> None:
    graph = compiled(text)
    module = build_module(graph)
    held = sum(each.numel() for each in module.parameters())
    table = ShapeTable(graph)
    assert held == table.params == sum(row.params for row in table.rows)
    assert sum(row.macs for row in table.rows) == table.macs
    path = export_onnx(graph, module.eval(), tmp_path / "net.onnx")
    found = onnx.load(path).graph.initializer
    weights = [each for each in found if each.name in module.state_dict()]
    assert len({each.name for each in weights}) == len(weights)
    assert sum(onnx.numpy_helper.to_array(each).size for each in found) < 1.2 * held + 200
    assert compare_onnx(graph, module, path).agrees
    assert "=" in dot_text(graph)


def test_sharing_in_every_turn(compiled: Compile) -> None:
    module = build_module(compiled(ALBERT)).eval()
    x = torch.randn(2, 7, 12)
    wanted = x
    for _ in range(4):
        wanted = module.get_submodule("layer")(wanted)
    torch.testing.assert_close(module(x), wanted)


IN_A_LOOP = """\
netspec: 1
name: in_a_loop
inputs: {x: [N, 4], h: [N, 4]}
network:
  - gru_cell: {name: cell, hidden_size: 4, input: x, state: h}
  - repeat:
      count: 2
      index: i
      body:
        - scale: {name: "state{i}", factor: 0.5}
        - tanh
        - share: {step: cell, from: [prev, "state{i}"]}
"""


def test_what_is_shared_in_a_loop_reads_by_its_index(compiled: Compile) -> None:
    module = build_module(compiled(IN_A_LOOP)).eval()
    x, h = torch.randn(2, 4), torch.randn(2, 4)
    cell = module.get_submodule("cell")
    wanted = cell(x, h)
    for _ in range(2):
        wanted = cell((wanted / 2).tanh(), wanted / 2)
    torch.testing.assert_close(module(x, h), wanted)
