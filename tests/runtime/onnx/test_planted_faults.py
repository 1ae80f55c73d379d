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
]

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
    model = netspec.load(request.param)
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
