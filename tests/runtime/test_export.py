"""ONNX files: names, dimensions, metadata, checks, and what happens when onnxruntime disagrees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import netspec
from netspec import zoo
from netspec.graph import Node, walk
from netspec.pipeline import load_spec
from netspec.runtime import export
from netspec.runtime.export import export_onnx
from netspec.runtime.verify import compare_onnx, export_verified, probing_copy, verify_onnx

LARGE = {"vgg", "alexnet", "resnet1202", "preresnet1001", "resnet152", "resnet101"}


def names() -> list[str]:
    """Every zoo variant, but of the large networks one each."""
    found = []
    for path in zoo.files():
        loaded = load_spec(path)
        found += [variant or loaded.spec.name for variant in loaded.variants]
    return [name for name in found if not name.startswith(("vgg1", "alexnet_2")) or name in ("vgg11", "vgg11_bn")]


@pytest.mark.parametrize("name", [name for name in names() if name not in LARGE])
def test_onnxruntime_agrees(name: str, tmp_path: Path):
    model = netspec.load(name)
    module = probing_copy(model.graph, model.module())
    path = export_onnx(model.graph, module, tmp_path / "model.onnx")
    onnx.checker.check_model(str(path), full_check=True)
    parity = compare_onnx(model.graph, module, path)
    assert parity.worst < 2e-5
    assert len(parity.comparisons) == (3 if model.graph.sizes else 1)
    for dimension in model.graph.sizes:
        assert len({each.sizes[dimension] for each in parity.comparisons}) == 3


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


def test_large_weights_go_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export, "EXTERNAL_ABOVE", 1000)
    model = netspec.load("lenet")
    module = model.module()
    path = export_onnx(model.graph, module, tmp_path / "model.onnx")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    assert path.stat().st_size < 20_000
    assert compare_onnx(model.graph, module, path).agrees


def test_the_weights_in_the_file_are_the_module_s(tmp_path: Path):
    model = netspec.load("lenet")
    module = model.module(seed=5)
    proto = onnx.load(model.export(tmp_path / "model.onnx", module))
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    for key, tensor in module.state_dict().items():
        np.testing.assert_array_equal(arrays[key], tensor.numpy())
