"""Plants faults in the ONNX files of zoo networks, and asks `netspec trace` which layer is wrong.

    python benchmarks/trace.py                        # 200 faults in twelve networks
    python benchmarks/trace.py --count 40 lenet lstm_classifier

Each fault changes one layer of a file: a wrong eps, a transposed weight, a swapped gate, an overflow (what the layer
gives leaves the range of float16 on its way), a lost bias, a rotated kernel. It counts as named where the layer that
the trace names first is the one that was changed. A fault that changes no number, such as another order of equal
biases, is none, and the next one is planted in its place. The sound files must have no layer that parts.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

import netspec
from netspec.elaborate.passes.sizes import quick_sizes
from netspec.emit.onnx.notes import KEY
from netspec.runtime.examples import example_inputs
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.layer_values import LayersOfFile, body_of
from netspec.runtime.probing import probing_copy
from netspec.runtime.trace.layers import Trace
from netspec.runtime.trace.replay import trace_layers

NETWORKS = (
    "lenet", "resnet20", "attention_layer", "self_attention_layer", "gru_lm", "lstm_classifier", "lstm_lm", "seq2seq",
    "rnn_attention", "pointnet", "vae", "dlrm",
)  # fmt: skip
BOUND = 0.99
UNSEEN = 1e-6
"""A layer that gives what it gave but for this is as it was."""


class Part(NamedTuple):
    """A layer of a file: its path, its nodes, and the graph that they are in."""

    path: str
    op: str
    nodes: list[onnx.NodeProto]
    graph: onnx.GraphProto


def parts(graph: onnx.GraphProto) -> Iterator[Part]:
    """Yield the layers of a graph, and of the bodies of its loops."""
    for at, node in enumerate(graph.node):
        said = next((json.loads(each.value) for each in node.metadata_props if each.key == KEY), None)
        if said:
            yield Part(said.get("step", said["path"]), said["op"], [*graph.node[at : at + said["nodes"]]], graph)
        if node.op_type == "Scan":
            yield from parts(body_of(node))


Fault = Callable[[onnx.ModelProto, Part, random.Random], bool]
"""Changes a layer of a model; gives whether it could."""


def weights(model: onnx.ModelProto, part: Part) -> list[onnx.TensorProto]:
    """The weights that a layer alone reads."""
    graphs = [model.graph, part.graph]
    readers = Counter(name for node in every_node(model.graph) for name in {*node.input})
    held = {each.name: each for graph in graphs for each in graph.initializer}
    names = dict.fromkeys(name for node in part.nodes for name in node.input if name in held)
    return [held[name] for name in names if readers[name] == 1 and held[name].data_type == onnx.TensorProto.FLOAT]


def every_node(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a graph and of the graphs inside it."""
    for node in graph.node:
        yield node
        if node.op_type == "Scan":
            yield from every_node(body_of(node))


def replaced(tensor: onnx.TensorProto, new: np.ndarray) -> bool:
    """Put other numbers into a weight; return whether they are others."""
    held = numpy_helper.to_array(tensor)
    new = np.ascontiguousarray(new, np.float32)
    if np.allclose(held, new, rtol=1e-3, atol=0):
        return False
    tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))
    return True


def a_wrong_eps(model: onnx.ModelProto, part: Part, chance: random.Random) -> bool:
    """Norms with an epsilon of 1e-2, which is an attribute of a node, or a constant that several layers read."""
    held = {each.name: each for graph in (model.graph, part.graph) for each in graph.initializer}
    for node in part.nodes:
        if node.op_type in ("BatchNormalization", "InstanceNormalization", "LayerNormalization"):
            for each in [each for each in node.attribute if each.name == "epsilon"]:
                node.attribute.remove(each)
            node.attribute.append(helper.make_attribute("epsilon", 1e-2))
            return True
        for at, name in enumerate(node.input if "norm" in part.op else ()):
            if name in held and not held[name].dims and 0 < numpy_helper.to_array(held[name]) < 1e-3:
                node.input[at] = f"{node.name}/planted"
                part.graph.initializer.append(numpy_helper.from_array(np.float32(1e-2), node.input[at]))
                return True
    return False


def a_transposed_weight(model: onnx.ModelProto, part: Part, chance: random.Random) -> bool:
    """A square matrix, or the square matrices at the end of a larger weight, the other way round."""
    fits = [each for each in weights(model, part) if len(each.dims) >= 2 and each.dims[0] == each.dims[1] > 1]
    return any(replaced(each, np.swapaxes(numpy_helper.to_array(each), 0, 1)) for each in fits)


def a_rotated_kernel(model: onnx.ModelProto, part: Part, chance: random.Random) -> bool:
    """A kernel of a convolution, turned round."""
    fits = [each for each in weights(model, part) if len(each.dims) == 4 and each.dims[-1] > 1]
    return any(replaced(each, numpy_helper.to_array(each)[..., ::-1, ::-1]) for each in fits)


def a_swapped_gate(model: onnx.ModelProto, part: Part, chance: random.Random) -> bool:
    """Two gates of a recurrent layer, in the layout of ONNX: directions, gates one after the other, inputs."""
    gates = next(({"LSTM": 4, "GRU": 3}[node.op_type] for node in part.nodes if node.op_type in ("LSTM", "GRU")), 0)
    if not gates:
        return False
    fits = [each for each in weights(model, part) if len(each.dims) == 3]
    if not fits:
        return False
    each = chance.choice(fits)
    first, second, *rest = np.split(numpy_helper.to_array(each), gates, axis=1)
    return replaced(each, np.concatenate([second, first, *rest], axis=1))


def a_lost_bias(model: onnx.ModelProto, part: Part, chance: random.Random) -> bool:
    """A bias of 0."""
    fits = [each for each in weights(model, part) if each.name.endswith("bias")]
    return any(replaced(each, 0 * numpy_helper.to_array(each)) for each in fits)


def an_overflow(model: onnx.ModelProto, part: Part, chance: random.Random) -> bool:
    """The first node's output, a hundred thousand times as large, in float16 on its way, as where a scale is lost."""
    node = part.nodes[-1]
    real = {each.name for each in part.graph.value_info if each.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    if len(node.output) != 1 or node.output[0] not in real:
        return False
    name, inner = node.output[0], f"{node.output[0]}/planted"
    node.output[0] = inner
    scale = numpy_helper.from_array(np.float32(1e6), f"{inner}/scale")
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    added = [
        helper.make_node("Constant", [], [scale.name], value=scale),
        helper.make_node("Mul", [inner, scale.name], [f"{inner}/large"]),
        helper.make_node("Cast", [f"{inner}/large"], [f"{inner}/half"], to=half),
        helper.make_node("Cast", [f"{inner}/half"], [f"{inner}/single"], to=single),
        helper.make_node("Div", [f"{inner}/single", scale.name], [name]),
    ]
    at = next(number for number, each in enumerate(part.graph.node) if inner in each.output) + 1
    for new in reversed(added):
        part.graph.node.insert(at, new)
    return True


FAULTS: tuple[Fault, ...] = (
    a_wrong_eps, a_transposed_weight, a_swapped_gate, an_overflow, a_lost_bias, a_rotated_kernel,
)  # fmt: skip


class Network:
    """A network of the zoo with weights from which something can be told, and its ONNX file."""

    def __init__(self, name: str, folder: Path):
        model = netspec.load(name)
        self.name, self.graph = name, model.graph
        self.module = probing_copy(self.graph, model.module())
        chance = np.random.default_rng(0)
        for key, parameter in self.module.named_parameters():  # biases of 0 cannot be lost
            if key.endswith("bias") and not parameter.any():
                parameter.data += parameter.new_tensor(chance.standard_normal(tuple(parameter.shape)) * 0.1)
        self.sizes = quick_sizes(self.graph)[0]
        self.inputs = example_inputs(self.graph, self.sizes)
        self.file = export_onnx(self.graph, self.module, folder / f"{name}.onnx")
        self.planted = folder / f"{name}.planted.onnx"
        self.sound = self._values(self.file)

    def _values(self, path: Path) -> LayersOfFile:
        layers = LayersOfFile(path)
        layers.run(self.inputs)
        return layers

    def trace(self, layers: LayersOfFile) -> Trace:
        """Return the trace of PyTorch and a file."""
        sides = ("PyTorch", "the file")
        return trace_layers(self.graph, self.module.state_dict(), self.inputs, layers.values, sides, self.sizes)

    def plant(self, fault: Fault, chance: random.Random) -> tuple[str, Trace] | None:
        """Return the layer that a fault was planted in, and the trace; nothing where no layer takes it."""
        model = onnx.load(self.file)
        count = len([*parts(model.graph)])
        for at in chance.sample(range(count), count):
            part = [*parts(model.graph)][at]
            if not fault(model, part, chance):
                continue
            onnx.save(model, self.planted)
            layers = self._values(self.planted)
            if self._changed(layers):
                return part.path, self.trace(layers)
            model = onnx.load(self.file)
        return None

    def _changed(self, layers: LayersOfFile) -> bool:
        """Return whether some layer gives other numbers than in the sound file."""
        for name, held in self.sound.held.items():
            made = layers.held.get(name)
            if made is None or held.dtype.kind != "f" or not held.size:
                continue
            with np.errstate(all="ignore"):
                apart = np.abs(np.asarray(held, np.float64) - made).max(initial=0.0)
            if not apart <= UNSEEN * np.abs(held).max(initial=1e-30):
                return True
        return False


def main() -> int:
    """Plant the faults, and print what was found by kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    chance = random.Random(0)
    planted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    with TemporaryDirectory() as folder:
        networks = [Network(name, Path(folder)) for name in options.networks]
        wrong = [each.name for each in networks if not each.trace(each.sound).agrees]
        print(f"sound files in which a layer is said to part: {', '.join(wrong) or 'none'} (of {len(networks)})")
        at = 0
        while sum(planted.values()) < options.count:
            network, fault = networks[at % len(networks)], FAULTS[at // len(networks) % len(FAULTS)]
            at += 1
            if (made := network.plant(fault, chance)) is None:
                continue
            path, trace = made
            kind = fault.__name__.replace("_", " ")
            planted[kind] += 1
            first = trace.first
            found[kind] += first is not None and first.path == path
            if first is None or first.path != path:
                print(f"  {network.name}: {kind} in {path}: {trace.told()}")
    print(f"\n{'fault':<22}{'planted':>8}{'named':>8}")
    for kind in planted:
        print(f"{kind:<22}{planted[kind]:>8}{found[kind]:>8}")
    share = sum(found.values()) / sum(planted.values())
    print(f"{'all':<22}{sum(planted.values()):>8}{sum(found.values()):>8}   {share:.1%} (bound {BOUND:.0%})")
    return 0 if share >= BOUND and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
