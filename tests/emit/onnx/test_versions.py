"""The opset and the format of a file: the lowest in which a network loses nothing, or those asked for."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import netspec
from netspec.diagnostics import EnvironmentFault
from netspec.emit.onnx.builder import GraphBuilder
from netspec.emit.onnx.runtimes import OnnxForm
from netspec.emit.onnx.versions import ir_of, least_opset, since
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.verify import compare_onnx

STEPS = {
    "images": ("{image: [N, 4, H, H]}", "[{conv2d: {out_channels: 4, kernel_size: 3}}, relu, {max_pool2d: 2}]", 15),
    "layer norm": ("{x: [N, 6]}", "[layer_norm, gelu, rms_norm, mish]", 17),
    "fold": ("{x: [N, 8, 9]}", "[{fold: {output_size: 4, kernel_size: 2}}, {softmax: {dim: 1}}]", 18),
    "attention": ("{x: [N, T, 8]}", "[{multihead_attention: {num_heads: 2, is_causal: true}}]", 15),
    "rounded up": ("{image: [N, 4, H, H]}", "[{max_pool2d: {kernel_size: 2, padding: 1, ceil_mode: true}}]", 22),
    "padded": ("{image: [N, 4, H, H]}", "[{pad: [1, 1]}, {max_pool2d: 3}]", 18),
}


def network(tmp_path: Path, inputs: str, steps: str) -> netspec.Model:
    (tmp_path / "net.yaml").write_text(f"netspec: 1\nname: net\ninputs: {inputs}\ndims: {{N: 2}}\nnetwork: {steps}\n")
    return netspec.load(tmp_path / "net.yaml")


@pytest.mark.parametrize(("inputs", "steps", "opset"), STEPS.values(), ids=STEPS)
def test_a_file_has_the_lowest_opset_in_which_nothing_is_lost(inputs: str, steps: str, opset: int, tmp_path: Path):
    model = network(tmp_path, inputs.replace("H, H", "12, 12").replace("T", "5"), steps)
    proto = onnx.load(model.export(tmp_path / "net.onnx"))
    assert [(each.domain, each.version) for each in proto.opset_import] == [("", opset)]
    assert proto.ir_version == ir_of(opset)


@pytest.mark.parametrize("opset", [14, 15, 17, 18, 20, 23])
def test_every_opset_agrees(opset: int, tmp_path: Path):
    steps = "[layer_norm, gelu, {multihead_attention: {num_heads: 2, is_causal: true}}, rms_norm, {reduce_mean: 1}]"
    model = network(tmp_path, "{x: [N, T, 8]}", steps)
    module = model.module()
    path = export_onnx(model.graph, module, tmp_path / "net.onnx", form=OnnxForm(opset))
    assert onnx.load(path).opset_import[0].version == opset
    assert compare_onnx(model.graph, module, path).agrees


@pytest.mark.parametrize("opset", [13, 15, 17])
@pytest.mark.parametrize(
    "pool",
    ["max_pool2d: 2", "max_pool2d: {kernel_size: 3, ceil_mode: true}", "avg_pool2d: {kernel_size: 1, stride: 2}"],
)
def test_padding_stays_apart_from_the_pooling_after_it(pool: str, opset: int, tmp_path: Path):
    model = network(tmp_path, "{x: [N, 2, 8, 8]}", f"[{{pad: [1, 1, 1, 1]}}, identity, {{{pool}}}]")
    path = export_onnx(model.graph, model.module(), tmp_path / "net.onnx", form=OnnxForm(opset))
    assert compare_onnx(model.graph, model.module(), path).agrees


def test_an_opset_that_lacks_what_an_op_needs_is_told_with_the_line(tmp_path: Path):
    model = network(tmp_path, "{x: [N, 8, 9]}", "\n  - relu\n  - fold: {output_size: 4, kernel_size: 2}")
    with pytest.raises(EnvironmentFault, match=r"net.yaml:7:5: `fold` needs opset 18\nwrite `--opset 18`"):
        export_onnx(model.graph, model.module(), tmp_path / "net.onnx", form=OnnxForm(17))


def test_the_format_may_be_given(tmp_path: Path):
    model = network(tmp_path, "{x: [N, 8]}", "[relu]")
    path = export_onnx(model.graph, model.module(), tmp_path / "net.onnx", form=OnnxForm(ir=10))
    assert onnx.load(path).ir_version == 10


def test_the_opset_of_a_node_is_the_first_that_takes_it():
    assert [since(kind) for kind in ("Conv", "LayerNormalization", "Attention")] == [1, 17, 23]
    assert least_opset("ReduceMean", 1, 1, frozenset({"axes"})) == 13
    assert least_opset("ReduceMean", 2, 1, frozenset()) == 18
    assert least_opset("Shape", 1, 1, frozenset({"start"})) == 15


def test_what_a_node_has_anyway_is_not_written():
    builder = GraphBuilder()
    x = builder.input("x", ["N", 4, 8, 8])
    builder.op("Conv", x, x, dilations=[1, 1], group=1, pads=[0, 0, 0, 0], strides=[2, 1])
    assert [*builder.nodes[0].attributes] == ["strides"]


@pytest.mark.parametrize(
    ("opset", "kinds"),
    [(14, ["Shape", "Slice", "ReduceMax"]), (15, ["Shape", "ReduceMax"]), (18, ["Shape", "ReduceMax"])],
)
def test_a_node_is_spelled_as_the_opset_has_it(opset: int, kinds: list[str]):
    builder = GraphBuilder(opset=opset)
    x = builder.input("x", ["N", 4])
    builder.op("Shape", x, start=1)
    builder.op("ReduceMax", x, builder.constant([1]))
    assert [node.op_type for node in builder.nodes] == kinds
    assert len(builder.nodes[-1].inputs) == (2 if opset >= 18 else 1)
    assert not builder.late
