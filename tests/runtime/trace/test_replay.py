"""Two sides of a network, layer by layer: what is right agrees, and of what is wrong the layer is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

import netspec
from netspec.elaborate.passes.sizes import quick_sizes
from netspec.importer.prove import prove
from netspec.runtime.examples import example_inputs
from netspec.runtime.onnx.layer_values import LayersOfFile
from netspec.runtime.onnx.trace_files import TracedFile, random_inputs, trace_files
from netspec.runtime.trace.module_values import ModuleValues
from netspec.runtime.trace.replay import trace_layers
from netspec.runtime.trace.runs import Recorder
from netspec.runtime.trace.text import trace_table

SMALL = """
netspec: 1
name: net
inputs: {x: [N, 6]}
network:
  - linear: {name: first, out_features: 6}
  - layer_norm: {name: norm, normalized_shape: 6}
  - relu
  - linear: {name: second, out_features: 6}
  - linear: {name: last, out_features: 3}
"""

LOOP = """
netspec: 1
name: net
inputs: {x: [N, T, 4]}
network:
  - scan:
      name: cell
      over: {x_t: x}
      state: {h: [N, 5]}
      body:
        - linear: {name: inner, from: x_t, out_features: 5}
        - linear: {name: outer, from: h, out_features: 5}
        - add: {name: sum, from: [inner, outer]}
        - tanh: {name: next_h}
      next: {h: next_h}
      collect: {hs: next_h}
"""


def written(text: str, folder: Path):
    """A network, its module, an ONNX file of it, and inputs."""
    (folder / "net.yaml").write_text(text, encoding="utf-8")
    model = netspec.load(folder / "net.yaml")
    module = model.module()
    file = model.export(folder / "net.onnx", module)
    return model.graph, module, file, example_inputs(model.graph, quick_sizes(model.graph)[0])


def of_file(graph, module, file, inputs, **options):
    layers = LayersOfFile(file)
    layers.run(inputs)
    return trace_layers(graph, module.state_dict(), inputs, layers.values, ("PyTorch", "the file"), {}, **options)


def change(file: Path, name: str, new) -> Path:
    """Change a weight of a file."""
    model = onnx.load(file)
    initializers = [*model.graph.initializer]
    for node in model.graph.node:
        initializers += [each for held in node.attribute if held.HasField("g") for each in held.g.initializer]
    (weight,) = [each for each in initializers if each.name.removesuffix("/T") == name]
    array = np.ascontiguousarray(new(numpy_helper.to_array(weight)), np.float32)
    weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    onnx.save(model, file)
    return file


def test_a_file_that_is_right_agrees_in_every_layer(tmp_path: Path):
    graph, *sides = written(SMALL, tmp_path)
    trace = of_file(graph, *sides)
    assert trace.agrees
    assert [layer.path for layer in trace.layers] == ["first", "norm", "2", "second", "last"]
    assert max(layer.own for layer in trace.layers) < 1e-6
    assert "agree in all 5 layers" in trace.told()


def test_the_layer_of_a_transposed_weight_is_named_and_no_later_one(tmp_path: Path):
    graph, module, file, inputs = written(SMALL, tmp_path)
    trace = of_file(graph, module, change(file, "second.weight", np.transpose), inputs)
    assert [layer.path for layer in trace.parting] == ["second"]
    assert trace.first is not None
    assert trace.first.place == "net.yaml:9"
    after = trace.layers[-1]
    assert after.own < 1e-6 < 1e-2 < after.so_far  # the error goes on, and is not the last layer's
    assert trace.told().startswith("net.yaml:9: PyTorch and the file part first in `second` (linear): ")
    table = trace_table(trace)
    assert next(line for line in table.splitlines() if "←" in line).split()[:2] == ["second", "linear"]
    assert len(trace_table(trace, parting=True).splitlines()) == 3


def test_several_layers_are_named_the_first_one_first(tmp_path: Path):
    graph, module, file, inputs = written(SMALL, tmp_path)
    change(file, "first.bias", lambda held: held + 1)
    trace = of_file(graph, module, change(file, "last.weight", lambda held: 2 * held), inputs)
    assert [layer.path for layer in trace.parting] == ["first", "last"]
    assert trace.told().endswith("; so do 1 more, from last on")


@pytest.mark.parametrize("layer", ["cell.inner", "cell.outer"])
def test_a_layer_in_a_scan_is_named(layer: str, tmp_path: Path):
    """One that runs for all iterations at once, and one that runs in each."""
    graph, module, file, inputs = written(LOOP, tmp_path)
    assert of_file(graph, module, file, inputs).agrees
    trace = of_file(graph, module, change(file, f"{layer}.weight", lambda held: held[::-1]), inputs)
    assert [each.path for each in trace.parting] == [layer]


def test_the_first_layer_that_overflows_in_half_precision_is_named(tmp_path: Path):
    graph, module, _, inputs = written(SMALL, tmp_path)
    module.second.weight.data.mul_(1e6)
    recorder = Recorder({name: each.half() for name, each in module.state_dict().items()})
    recorder.run(graph, {name: each.half() for name, each in inputs.items()})
    sides = ("PyTorch", "float16")
    trace = trace_layers(graph, module.state_dict(), inputs, recorder.values, sides, {}, torch.float16)
    assert trace.first is not None
    assert trace.first.path == "second"
    assert "infinite" in trace.first.fault or "NaN" in trace.first.fault
    assert trace.record()["layers"][3]["difference"] is None  # JSON has no infinity


def test_half_precision_that_only_rounds_agrees(tmp_path: Path):
    graph, module, _, inputs = written(SMALL, tmp_path)
    recorder = Recorder({name: each.bfloat16() for name, each in module.state_dict().items()})
    recorder.run(graph, {name: each.bfloat16() for name, each in inputs.items()})
    trace = trace_layers(graph, module.state_dict(), inputs, recorder.values, ("a", "b"), {}, torch.bfloat16)
    assert trace.agrees
    assert trace.layers[-1].so_far > 1e-4


def test_two_files_are_compared_without_a_spec(tmp_path: Path):
    _, _, file, _ = written(SMALL, tmp_path)
    sound = tmp_path / "sound.onnx"
    sound.write_bytes(file.read_bytes())
    inputs = random_inputs(file, {"N": 3})
    assert trace_files(TracedFile(sound), TracedFile(file), inputs, {}).agrees
    change(file, "norm.bias", lambda held: held + 1)
    trace = trace_files(TracedFile(sound), TracedFile(file), inputs, {})
    assert [layer.path for layer in trace.parting] == ["norm"]
    assert trace.outputs > 1e-2


def test_files_of_other_programs_are_compared_node_by_node(tmp_path: Path):
    def save(name: str, scale: float) -> Path:
        nodes = [
            helper.make_node("Mul", ["x", "w"], ["y"], name="scale"),
            helper.make_node("Relu", ["y"], ["z"], name="relu"),
        ]
        x, z = (helper.make_tensor_value_info(each, onnx.TensorProto.FLOAT, ["N", 3]) for each in "xz")
        weight = numpy_helper.from_array(np.full(3, scale, np.float32), "w")
        graph = helper.make_graph(nodes, "net", [x], [z], [weight])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    one, other = save("one.onnx", 1.0), save("other.onnx", 1.5)
    trace = trace_files(TracedFile(one), TracedFile(other), random_inputs(one, {}), {})
    assert [layer.path for layer in trace.parting] == ["scale"]
    with pytest.raises(netspec.UsageError, match="does not say which nodes a layer is"):
        LayersOfFile(one)


def test_an_original_module_is_compared_by_the_names_of_its_modules(tmp_path: Path):
    graph, module, _, inputs = written(SMALL, tmp_path)

    class Original(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm = torch.nn.Linear(6, 6), torch.nn.LayerNorm(6, eps=1e-2)
            self.second, self.last = torch.nn.Linear(6, 6), torch.nn.Linear(6, 3)

        def forward(self, x):
            return self.last(self.second(self.norm(self.first(x)).relu_()))

    original = Original()
    original.load_state_dict(module.state_dict())
    held = ModuleValues(original, lambda given: original(*given.values()))
    held.run(inputs)
    trace = trace_layers(graph, module.state_dict(), inputs, held.values, ("the spec", "the original"), {})
    assert [layer.path for layer in trace.parting] == ["norm"]
    assert trace.unseen == ["2"]


def test_an_import_that_differs_names_the_layer(tmp_path: Path):
    graph, module, _, _ = written(SMALL, tmp_path)

    class Original(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm = torch.nn.Linear(6, 6), torch.nn.LayerNorm(6)
            self.second, self.last = torch.nn.Linear(6, 6), torch.nn.Linear(6, 3)

        def forward(self, x):
            return self.last(self.second(self.norm(self.first(x)).sigmoid()))

    original = Original()
    weights = module.state_dict()
    original.load_state_dict(weights)
    proof = prove(graph, weights, lambda given: original(*given.values()), {"N": 2}, original)
    assert not proof.holds
    assert proof.layer is not None
    assert proof.layer.path == "second"  # the first module behind what is wrong: between modules nothing is seen
