"""Faults that an exporter could make are planted in ONNX files: a quick trial finds those that a full one does.

``NETSPEC_MANY=8 pytest tests/runtime/onnx/test_planted_faults.py`` plants 200 and more; some networks lack some parts.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import netspec
from netspec.elaborate.passes.sizes import other_sizes, quick_sizes
from netspec.runtime.onnx.verify import compare_onnx
from netspec.runtime.probing import probing_copy

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
NETWORKS = [
    "resnet20",
    "mobilenet_v2_035",
    "googlenet_d2l",
    "transformer",
    "gru_lm",
    "lstm_classifier",
    "attention_layer",
    "seq2seq",
    "lenet",
    "vae",
    "vit_b_16",
]
SMALL = {"vit_b_16": {"size": 32, "patch": 8, "width": 48, "heads": 4, "layers": 2, "hidden": 96, "classes": 10}}

Fault = Callable[[onnx.ModelProto, random.Random], str]
"""Changes a model in one place; gives the name of what it changed, or nothing where it found no place."""


def weights(model: onnx.ModelProto, fits: Callable[[onnx.TensorProto], bool]) -> list[onnx.TensorProto]:
    real = [each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
    return [each for each in real if fits(each)]


def changed(
    model: onnx.ModelProto, chance: random.Random, fits: Callable[..., bool], change: Callable[..., object]
) -> str:
    """Change one of the weights that fit, so that it becomes another one."""
    for tensor in chance.sample(found := weights(model, fits), len(found)):
        held = numpy_helper.to_array(tensor)
        new = np.ascontiguousarray(change(held), np.float32)
        if not np.allclose(held, new):
            tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))
            return tensor.name
    return ""


def a_wrong_epsilon(model: onnx.ModelProto, chance: random.Random) -> str:
    found = [(node, each) for node in model.graph.node for each in node.attribute if each.name == "epsilon"]
    if not found:
        return ""
    node, attribute = chance.choice(found)
    attribute.f = 1e-2
    return node.name


def a_transposed_weight(model: onnx.ModelProto, chance: random.Random) -> str:
    return changed(model, chance, lambda each: len(each.dims) == 2 and each.dims[0] == each.dims[1], np.transpose)


def a_rotated_kernel(model: onnx.ModelProto, chance: random.Random) -> str:
    fits = lambda each: len(each.dims) == 4 and each.dims[-1] > 1  # noqa: E731
    return changed(model, chance, fits, lambda held: held[..., ::-1, ::-1])


def swapped_gates(model: onnx.ModelProto, chance: random.Random) -> str:
    """In the layout of ONNX: directions, gates one after the other, inputs."""
    gates = {"LSTM": 4, "GRU": 3}
    kinds = [node.op_type for node in model.graph.node if node.op_type in gates]
    if not kinds:
        return ""

    def swap(held: np.ndarray) -> np.ndarray:
        first, second, *rest = np.split(held, gates[kinds[0]], axis=1)
        return np.concatenate([second, first, *rest], axis=1)

    return changed(model, chance, lambda each: len(each.dims) == 3 and "_l" in each.name, swap)


def a_lost_bias(model: onnx.ModelProto, chance: random.Random) -> str:
    return changed(model, chance, lambda each: each.name.endswith("bias"), np.zeros_like)


def a_rounded_weight(model: onnx.ModelProto, chance: random.Random) -> str:
    """As by an accidental bfloat16."""
    return changed(
        model,
        chance,
        lambda each: len(each.dims) > 1,
        lambda held: (held.view(np.uint32) & 0xFFFF0000).view(np.float32),
    )


FAULTS: list[Fault] = [
    a_wrong_epsilon, a_transposed_weight, a_rotated_kernel, swapped_gates, a_lost_bias, a_rounded_weight,
]  # fmt: skip


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """A network with weights from which something can be told, its module and its file."""
    model = netspec.load(request.param, **SMALL.get(request.param, {}))
    module = probing_copy(model.graph, model.module())
    return model.graph, module, model.export(tmp_path_factory.mktemp("sound") / "model.onnx", module)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(MANY))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_quick_trial_finds_what_a_full_one_does(network: tuple, fault: Fault, seed: int, tmp_path: Path):
    graph, module, sound = network
    model = onnx.load(sound)
    where = fault(model, random.Random(seed))
    if not where:
        return  # the network has no such part
    onnx.save(model, tmp_path / "wrong.onnx")
    quick = compare_onnx(graph, module, tmp_path / "wrong.onnx", quick_sizes(graph))
    print(f"{graph.name} {where}: {quick.worst:.1e}")
    if quick.agrees:
        full = compare_onnx(graph, module, tmp_path / "wrong.onnx", other_sizes(graph, 3))
        assert full.agrees, f"{where}: quick {quick.worst:.1e}, full {full.worst:.1e}"


def behind_the_first_output(model: onnx.ModelProto, *nodes: onnx.NodeProto, **constants: np.ndarray) -> None:
    """Put nodes between what makes the first output, which they take as ``right``, and the output."""
    output = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["right" if name == output else name for name in node.output]
        node.input[:] = ["right" if name == output else name for name in node.input]
    nodes[-1].output[:] = [output]
    model.graph.initializer.extend(numpy_helper.from_array(each, name) for name, each in constants.items())
    model.graph.node.extend(nodes)


def rows_in_reverse(model: onnx.ModelProto, batch: int) -> None:
    node = onnx.helper.make_node("Slice", ["right", "last", "first", "rows", "back"], [""])
    ends = {"last": np.array([-1]), "first": np.array([-(2**60)]), "rows": np.array([0]), "back": np.array([-1])}
    behind_the_first_output(model, node, **ends)


def right_at_one_batch(model: onnx.ModelProto, batch: int) -> None:
    """As if it divided by the size that a batch had when it was written."""
    behind_the_first_output(
        model,
        onnx.helper.make_node("Shape", ["right"], ["many"], start=0, end=1),
        onnx.helper.make_node("Cast", ["many"], ["size"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Div", ["size", "then"], ["factor"]),
        onnx.helper.make_node("Mul", ["right", "factor"], [""]),
        then=np.array([batch], np.float32),
    )


def right_in_the_first_rows(model: onnx.ModelProto, batch: int) -> None:
    """As if what lies behind ``batch`` rows were that of the first."""
    behind_the_first_output(
        model,
        onnx.helper.make_node("Shape", ["right"], ["many"], start=0, end=1),
        onnx.helper.make_node("Squeeze", ["many"], ["count"]),
        onnx.helper.make_node("Range", ["zero", "count", "one"], ["every"]),
        onnx.helper.make_node("Mod", ["every", "there"], ["taken"]),
        onnx.helper.make_node("Gather", ["right", "taken"], [""], axis=0),
        zero=np.array(0), one=np.array(1), there=np.array(batch),
    )  # fmt: skip


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("fault", [rows_in_reverse, right_at_one_batch, right_in_the_first_rows])
@pytest.mark.parametrize("body", ["[linear: 3]", "[linear: 3, {softmax: {dim: 0}}]"], ids=["rows", "joint rows"])
@pytest.mark.parametrize("inputs", ["{x: [N, 4]}", "{x: {shape: [N, 4], range: [0, 1]}}"], ids=["any", "range"])
def test_what_depends_on_the_batch_is_found(
    fault: Callable[[onnx.ModelProto, int], None], batch: int, body: str, inputs: str, tmp_path: Path
):
    (tmp_path / "net.yaml").write_text(f"netspec: 1\nname: net\ninputs: {inputs}\nnetwork: {body}\n")
    net = netspec.load(tmp_path / "net.yaml")
    module = net.module(seed=0)
    wrong = onnx.load(net.export(tmp_path / "model.onnx", module))
    assert compare_onnx(net.graph, module, tmp_path / "model.onnx").agrees
    fault(wrong, batch)
    onnx.save(wrong, tmp_path / "wrong.onnx")
    agrees = compare_onnx(net.graph, module, tmp_path / "wrong.onnx").agrees
    assert agrees == (
        fault is right_in_the_first_rows and batch == 3
    )  # at which none is wrong of the three it is run at
