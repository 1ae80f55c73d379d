"""ONNX files: names, dimensions, metadata, checks, and what happens when onnxruntime disagrees."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import netspec
from netspec import zoo
from netspec.files import put
from netspec.graph import Node, walk
from netspec.pipeline import compile_spec, load_spec
from netspec.runtime.onnx import export
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.report import parity_report
from netspec.runtime.onnx.verify import compare_onnx, export_verified, verify_onnx, with_layer
from netspec.runtime.probing import probing_copy

CHEAP = [
    "lenet", "lenet_batch_norm", "alexnet_d2l", "alexnet_torchvision", "vgg11_small", "nin", "googlenet",
    "googlenet_d2l", "resnet18", "resnet50", "resnet20", "plain20", "preresnet164", "mlp", "mlp_dropout", "xor",
    "perceptron", "softmax_regression",
]  # fmt: skip
"""One of each form: the larger variants repeat the same levels, and the nightly run takes all of them."""

MOST_PARAMETERS = 250_000_000
"""Larger networks are exported in small forms, in ``tests/zoo``."""


def names() -> list[str]:
    """The networks to export: every variant where ``NETSPEC_ALL`` is set, but those that no machine of ours holds."""
    if not os.environ.get("NETSPEC_ALL"):
        return CHEAP
    loaded = [load_spec(path) for path in zoo.files()]
    found = [variant or each.spec.name for each in loaded for variant in each.variants]
    return [name for name in found if compile_spec(name).body.parameter_count <= MOST_PARAMETERS]


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_onnxruntime_agrees(name: str, tmp_path: Path):
    model = netspec.load(name)
    module = probing_copy(model.graph, model.module())
    path = export_onnx(model.graph, module, tmp_path / "model.onnx")
    onnx.checker.check_model(str(path), full_check=True)
    parity = compare_onnx(model.graph, module, path)
    assert parity.agrees
    assert parity.worst < 2e-3
    assert any(each.mean for each in parity.comparisons)
    for dimension in model.graph.sizes:
        assert len({each.sizes[dimension] for each in parity.comparisons}) == 3


@pytest.mark.slow
def test_weights_that_tell_nothing_are_rescaled(tmp_path: Path):
    """As initialised, GoogLeNet in eval mode gives one output for every input, and ResNet-1202 none that is finite."""
    model = netspec.load("googlenet")
    module = model.module()
    parity = verify_onnx(model.graph, module, model.export(tmp_path / "model.onnx", module))
    assert parity.probed
    assert parity.agrees
    assert parity.worst > 0


def test_names_are_spec_paths_and_dimensions_keep_theirs(tmp_path: Path):
    model = netspec.load("resnet18")
    path = model.export(tmp_path / "resnet18.onnx")
    proto = onnx.load(path)
    paths = {path for path, step, _ in walk(model.graph.body) if isinstance(step, Node)}
    assert paths <= {node.name for node in proto.graph.node} | {"9"}
    assert {tensor.name for tensor in proto.graph.initializer} >= set(dict(model.module().named_parameters()))
    shapes = {
        info.name: [dim.dim_param or dim.dim_value for dim in info.type.tensor_type.shape.dim]
        for info in [*proto.graph.value_info, *proto.graph.input, *proto.graph.output]
    }
    assert shapes["image"] == ["N", 3, "H", "W"]
    assert shapes["layer2.0.conv1"] == ["N", 128, "ceil(H/8)", "ceil(W/8)"]
    assert shapes["logits"] == ["N", 1000]


def test_metadata_tells_what_it_was_made_from(tmp_path: Path):
    model = netspec.load("resnet18", classes=10)
    proto = onnx.load(model.export(tmp_path / "model.onnx"))
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    assert metadata["netspec.digest"] == model.graph.digest
    assert '"classes": 10' in metadata["netspec.parameters"]
    assert proto.producer_name == "netspec"


def test_no_path_of_the_machine_is_in_the_file(tmp_path: Path):
    content = netspec.load("lenet").export(tmp_path / "model.onnx").read_bytes()
    assert str(tmp_path).encode() not in content
    assert str(Path.cwd()).encode() not in content
    assert str(Path.home()).encode() + b"/" not in content


def test_a_file_that_disagrees_is_kept_under_another_name(tmp_path: Path):
    model = netspec.load("lenet")
    module = model.module()
    graph = model.graph
    path = tmp_path / "model.onnx"

    class Liar(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return module(x) + 1.0

        def state_dict(self, **keywords):
            return module.state_dict(**keywords)

    kept, parity = export_verified(graph, Liar(), path)
    assert not parity.agrees
    assert kept.name == "model.rejected.onnx"
    assert kept.exists()
    assert not path.exists()
    assert parity.layer is None  # the layers are right: what is wrong is done behind them


def test_the_first_layer_that_parts_is_named(tmp_path: Path):
    """Beside the difference, by its path and the line of the spec."""
    model = netspec.load("lenet")
    module, graph = model.module(), model.graph
    other = model.module()
    other.load_state_dict(module.state_dict())
    path = export_onnx(graph, other, tmp_path / "model.onnx")
    list(module.parameters())[4].data.mul_(-1)
    parity = with_layer(compare_onnx(graph, module, path), path)
    assert parity.layer is not None
    assert parity.layer.path == "7"
    _, failure = parity_report(parity, path)
    assert failure is not None
    assert "they part first in `7` (linear, lenet.yaml:" in failure


def test_large_weights_go_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export, "EXTERNAL_ABOVE", 1000)
    model = netspec.load("lenet")
    module = model.module()
    path = export_onnx(model.graph, module, tmp_path / "model.onnx")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    assert path.stat().st_size < 20_000
    assert compare_onnx(model.graph, module, path).agrees


def test_a_kill_leaves_no_file_with_the_weights_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export, "EXTERNAL_ABOVE", 1000)
    model = netspec.load("lenet")
    path = export_onnx(model.graph, model.module(seed=1), tmp_path / "model.onnx")

    def killed(temporary: Path, path: Path) -> None:
        put(temporary, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "put", killed)
    with pytest.raises(KeyboardInterrupt):
        export_onnx(model.graph, model.module(seed=2), path)
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx.data"]


def test_the_weights_in_the_file_are_the_module_s(tmp_path: Path):
    model = netspec.load("lenet")
    module = model.module(seed=5)
    proto = onnx.load(model.export(tmp_path / "model.onnx", module))
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    for key, tensor in module.state_dict().items():
        np.testing.assert_array_equal(arrays[key], tensor.numpy())


def test_a_module_of_another_precision_is_written_in_float32(tmp_path: Path):
    model = netspec.load("lenet")
    module = model.module(dtype=torch.bfloat16)
    path = model.export(tmp_path / "model.onnx", module)
    assert compare_onnx(model.graph, module.float(), path).agrees


def test_a_scalar_stays_one(tmp_path: Path):
    spec = tmp_path / "first.yaml"
    steps = "select: {dim: 1, index: 0}, linear: 3"
    spec.write_text(f"netspec: 1\nname: first\ninputs: {{x: [N, T, 4]}}\nnetwork: [{steps}]\n")
    model = netspec.load(spec, dims={"T": 5})
    module = model.module()
    assert compare_onnx(model.graph, module, model.export(tmp_path / "model.onnx", module)).agrees


def test_weights_are_not_scaled_by_what_is_constant(tmp_path: Path):
    spec = tmp_path / "dead.yaml"
    spec.write_text(
        "netspec: 1\nname: dead\ninputs: {x: [N, 4]}\ninit: {first.bias: {constant: -100}}\n"
        "network:\n  - linear: {name: first, out_features: 4}\n  - relu\n"
        "  - repeat: {count: 6, body: [{linear: 4}, tanh]}\n  - linear: 2\n"
    )
    model = netspec.load(spec)
    _, parity = export_verified(model.graph, model.module(), tmp_path / "dead.onnx")
    assert parity.compared
    assert parity.agrees


@pytest.mark.parametrize(
    ("shape", "network", "runs"),
    [
        ("[N, 4]", "[linear: 3]", [3, 1]),  # two rows of a batch tell what two runs would, or another batch
        ("[N, 4]", "[linear: 3, {softmax: {dim: 0}}]", [3, 2, 1, 1, 3]),
        ("[N, 4]", "[linear: 3, {transpose: {dim0: 0, dim1: 1}}]", [1, 1, 2, 3]),
    ],
)
def test_a_batch_is_run_as_seldom_as_may_be(
    shape: str, network: str, runs: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "net.yaml").write_text(f"netspec: 1\nname: net\ninputs: {{x: {shape}}}\nnetwork: {network}\n")
    model = netspec.load(tmp_path / "net.yaml")
    module = model.module()
    found: list[int] = []
    module.register_forward_pre_hook(lambda module, inputs: found.append(len(inputs[0])))
    _, parity = export_verified(model.graph, module, tmp_path / "net.onnx")
    assert parity.agrees
    assert found == runs


def test_rows_that_are_alike_tell_nothing(tmp_path: Path):
    (tmp_path / "net.yaml").write_text(
        "netspec: 1\nname: net\ninputs: {x: [N, 4]}\nnetwork: [linear: 3]\ninit: {linear.weight: zeros}\n"
    )
    model = netspec.load(tmp_path / "net.yaml")
    _, parity = export_verified(model.graph, model.module(), tmp_path / "net.onnx")
    assert parity.probed
    assert not parity.telling


@pytest.mark.parametrize(
    "network",
    [
        "[repeat: {count: 2, body: [linear: 16, scale: 50, sin]}, linear: 2]",  # rounding of 100 is 50² times as large
        "[repeat: {count: 4, body: [square]}, linear: 2]",  # 100¹⁶
    ],
)
def test_inputs_are_centred_where_others_leave_no_digits(network: str, tmp_path: Path):
    (tmp_path / "net.yaml").write_text(f"netspec: 1\nname: net\ninputs: {{x: [N, 16]}}\nnetwork: {network}\n")
    model = netspec.load(tmp_path / "net.yaml")
    _, parity = export_verified(model.graph, model.module(seed=0), tmp_path / "net.onnx")
    assert [each.mean for each in parity.comparisons] == [0.0, 0.0, 0.0]
    assert parity.agrees
    assert parity.worst < 1e-4


@pytest.mark.slow
def test_a_deep_network_of_gates_keeps_its_digits(tmp_path: Path):
    """EfficientNet-B5: a weight that is rounded to bfloat16 is found among 120 batch norms."""
    model = netspec.load("efficientnet_b5")
    module, small = model.module(seed=0), [{"N": 2, "H": 64, "W": 64}]
    probe = probing_copy(replace(model.graph, sizes=small[0]), module)
    path = model.export(tmp_path / "net.onnx", probe)
    right = compare_onnx(model.graph, probe, path, small)
    assert right.agrees
    assert right.worst < 1e-3
    weight = dict(probe.named_parameters())["features.4.3.block.0.0.weight"]
    weight.data = weight.data.bfloat16().float()
    assert not compare_onnx(model.graph, probe, path, small).agrees


def test_layers_compute_masks_and_waves_once(tmp_path: Path):
    steps = "\n".join(
        f"  - rotary_embedding: {{name: r{at}}}\n  - scaled_dot_product_attention: "
        f"{{name: a{at}, query: r{at}, key: r{at}, value: r{at}, is_causal: true}}"
        for at in range(2)
    )
    (tmp_path / "net.yaml").write_text(f"netspec: 1\nname: net\ninputs: {{x: [N, 2, T, 8]}}\nnetwork:\n{steps}\n")
    model = netspec.load(tmp_path / "net.yaml")
    module = model.module()
    path = export_onnx(model.graph, module, tmp_path / "net.onnx")
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert [kinds.count(kind) for kind in ("Softmax", "Sin", "Cos", "Less")] == [2, 1, 1, 1]
    assert compare_onnx(model.graph, module, path).agrees
