"""Files with fewer nodes: what is folded, what is shared, and what must stay."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

import netspec
from netspec.emit.onnx.runtimes import form_of
from netspec.runtime.onnx.export import export_onnx, removed_from
from netspec.runtime.onnx.verify import compare_onnx

OPTIMIZED = form_of(None, None, None, optimized=True)
IMAGE = "inputs: {x: [N, 4, 7, 6]}"


def optimized(tmp_path: Path, steps: str) -> list[str]:
    """The kinds of nodes of a network's optimized file, which gives what the network does."""
    (tmp_path / "net.yaml").write_text(f"netspec: 1\nname: net\n{steps}\n")
    model = netspec.load(tmp_path / "net.yaml")
    module = model.module()
    for key, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + (0.5 if key.endswith("var") else -0.3))
    path = export_onnx(model.graph, module.eval(), tmp_path / "net.onnx", form=OPTIMIZED)
    assert compare_onnx(model.graph, module, path).agrees
    proto = onnx.load(path)
    assert removed_from(path).endswith(f" {len(proto.graph.node)} of {removed_from(path).split()[-3]} nodes left")
    assert not any(node.metadata_props for node in proto.graph.node)
    return [node.op_type for node in proto.graph.node]


@pytest.mark.parametrize(
    ("layer", "norm", "kind"),
    [
        ("conv2d: {out_channels: 6, kernel_size: 3, groups: 2}", "batch_norm2d", "Conv"),
        ("conv2d: {out_channels: 6, kernel_size: 3, bias: false}", "batch_norm2d: {affine: false}", "Conv"),
        ("conv_transpose2d: {out_channels: 6, kernel_size: 3, groups: 2}", "batch_norm2d: {eps: 0.1}", "ConvTranspose"),
    ],
)
def test_a_batch_norm_is_folded_into_a_convolution(layer: str, norm: str, kind: str, tmp_path: Path):
    assert optimized(tmp_path, f"{IMAGE}\nnetwork:\n  - {layer}\n  - {norm}\n  - relu") == [kind, "Relu"]


def test_a_batch_norm_is_folded_into_a_linear_layer(tmp_path: Path):
    steps = "inputs: {x: [N, 5]}\nnetwork:\n  - linear: 3\n  - batch_norm1d"
    assert optimized(tmp_path, steps) == ["Gemm"]


def test_a_batch_norm_stays_where_others_read_what_it_reads(tmp_path: Path):
    steps = (
        f"{IMAGE}\nnetwork:\n  - conv2d: {{name: c, out_channels: 4, kernel_size: 1}}\n  - batch_norm2d: {{name: n}}\n"
        "  - add: {from: [c, n]}"
    )
    assert optimized(tmp_path, steps) == ["Conv", "BatchNormalization", "Add"]


def test_a_batch_norm_stays_behind_an_activation(tmp_path: Path):
    steps = f"{IMAGE}\nnetwork:\n  - conv2d: {{out_channels: 4, kernel_size: 1}}\n  - relu\n  - batch_norm2d"
    assert optimized(tmp_path, steps) == ["Conv", "Relu", "BatchNormalization"]


def test_equal_nodes_are_one(tmp_path: Path):
    steps = (
        "inputs: {x: [N, 5]}\nnetwork:\n  - sin: {name: a, input: x}\n  - sin: {name: b, input: x}\n"
        "  - cos: {name: c, input: x}\n  - multiply: {from: [a, b], name: d}\n  - add: {from: [d, c]}"
    )
    assert optimized(tmp_path, steps) == ["Sin", "Cos", "Mul", "Add"]


def test_an_output_keeps_its_name(tmp_path: Path):
    steps = (
        "inputs: {x: [N, 5]}\nnetwork:\n  - sin: {name: a, input: x}\n  - sin: {name: b, input: x}\n"
        "outputs: {first: a, second: b}"
    )
    assert optimized(tmp_path, steps) == ["Sin", "Sin"]
    assert [each.name for each in onnx.load(tmp_path / "net.onnx").graph.output] == ["first", "second"]


def test_a_bias_of_zeros_is_left_out(tmp_path: Path):
    """As that of a batch norm that has seen no data yet."""
    (tmp_path / "net.yaml").write_text(
        f"netspec: 1\nname: net\n{IMAGE}\n"
        "network:\n  - conv2d: {out_channels: 4, kernel_size: 1, bias: false}\n  - batch_norm2d\n"
    )
    model = netspec.load(tmp_path / "net.yaml")
    path = export_onnx(model.graph, model.module().eval(), tmp_path / "net.onnx", form=OPTIMIZED)
    assert [len(node.input) for node in onnx.load(path).graph.node] == [2]


def large(tmp_path: Path) -> netspec.Model:
    """A network with 12 MB of weights, and 24 kB."""
    (tmp_path / "net.yaml").write_text(
        "netspec: 1\nname: net\ninputs: {x: [N, 1500]}\nnetwork: [linear: 2000, relu, linear: 3]\n"
    )
    return netspec.load(tmp_path / "net.yaml")


def test_large_weights_lie_beside_the_file(tmp_path: Path):
    """Each at a page of its own, where runtimes map them; a file without them leaves none behind."""
    model = large(tmp_path)
    module = model.module().eval()
    path = export_onnx(model.graph, module, tmp_path / "net.onnx", form=OPTIMIZED)
    assert compare_onnx(model.graph, module, path).agrees
    proto = onnx.load(path, load_external_data=False)
    beside = [each for each in proto.graph.initializer if each.external_data]
    assert [each.name for each in beside] == ["0.weight", "2.weight"]
    assert all(int({entry.key: entry.value for entry in each.external_data}["offset"]) % 4096 == 0 for each in beside)
    assert (tmp_path / "net.onnx.data").is_file()
    export_onnx(model.graph, module, path)
    assert not (tmp_path / "net.onnx.data").exists()
    assert compare_onnx(model.graph, module, path).agrees


def test_data_of_another_file_stay(tmp_path: Path):
    (tmp_path / "net.onnx.data").write_text("mine")
    model = large(tmp_path)
    export_onnx(model.graph, model.module().eval(), tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx.data").read_text() == "mine"


def test_a_page_is_given_one_file(tmp_path: Path):
    """onnxruntime-web reads the address that it is given, and no other."""
    model = large(tmp_path)
    form = form_of(None, None, "onnxruntime-web", optimized=True)
    export_onnx(model.graph, model.module().eval(), tmp_path / "net.onnx", form=form)
    assert not (tmp_path / "net.onnx.data").exists()


def test_sizes_of_one_name_are_read_once(tmp_path: Path):
    """The words of both are as many, so their places are the same."""
    steps = (
        "inputs: {x: [N, T, 8]}\nnetwork:\n  - sin: {name: a, input: x}\n  - cos: {name: b, input: x}\n"
        "  - zeros: {name: c, size: [N, T, 8], like: a}\n  - ones: {name: d, size: [N, T, 8], like: b}\n"
        "  - add: {from: [c, d]}"
    )
    assert optimized(tmp_path, steps).count("Shape") == 2  # N and T
