"""Two ONNX files held against each other, layer by layer, or one file on two runtimes.

A layer is the nodes that netspec notes as one; in another program's file each node is one. Each layer of the first
file is run by itself on what the second one's layers have given.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from onnx import helper

from netspec.diagnostics import UsageError
from netspec.emit.onnx.notes import KEY, SIZES
from netspec.runtime.onnx.between_casts import half_of, put_between_casts
from netspec.runtime.onnx.fixed_noise import fix_noise
from netspec.runtime.onnx.given import check_inputs, read_model
from netspec.runtime.onnx.session import open_on
from netspec.runtime.trace.layers import Layer, Trace
from netspec.runtime.trace.replay import TOLERANCE, Gap

Arrays = dict[str, np.ndarray]
CPU = ("CPUExecutionProvider",)
NUDGES = 4
"""The differences that a layer's inputs make which are other in the last bit, so often, are rounding."""


@dataclass(frozen=True)
class TracedFile:
    """A file and the runtime that runs it."""

    path: Path
    runtime: str = "onnxruntime"

    @property
    def name(self) -> str:
        """Return what the side is called."""
        return f"{self.path.name} on {self.runtime}"


def trace_files(
    one: TracedFile,
    other: TracedFile,
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    bound: float | None = None,
) -> Trace:
    """Return how the layers of two files differ on these inputs.

    Raises ``UsageError`` where the files have no layer in common, or the first is in 16 bits.
    """
    first, second = _Opened(one), _Opened(other)
    if first.half:
        raise UsageError(f"{one.path} is in {first.half}, and its layers run on what the other's give: name it second")
    ours, theirs = first.run(inputs), second.run(inputs)
    halves = any(each.dtype == np.float16 for each in (*ours.values(), *theirs.values()))
    coarsest = second.half or ("float16" if halves else "float32")
    bound = bound if bound is not None else max(TOLERANCE, 4 * torch.finfo(getattr(torch, coarsest)).eps)
    given: Arrays = {**ours, **inputs}  # what the first file's layers read, with the second one's values
    pairs = [
        (layer, twin)
        for layer, twin in first.paired(second)
        # one name may be that of other values, where one file has joined nodes and the other has not
        if all(ours[name].shape == theirs[twice].shape for name, twice in zip(layer.outputs, twin.outputs))
    ]
    for layer, twin in pairs:
        given.update((name, theirs[twice]) for name, twice in zip(layer.outputs, twin.outputs))
    layers = [
        _compared(first, layer, [theirs[name] for name in twin.outputs], ours, given, bound) for layer, twin in pairs
    ]
    if not layers:
        raise UsageError(f"{one.path} and {other.path} have no layer in common: they are of other networks")
    outputs = Gap()
    for mine, yours in zip(first.outputs, second.outputs):
        outputs.add(torch.from_numpy(ours[mine]), torch.from_numpy(theirs[yours]))
    return Trace((one.name, other.name), layers, bound, outputs.relative, sizes)


def _compared(
    file: _Opened,
    layer: _FileNodes,
    got: Sequence[np.ndarray],
    ours: Arrays,
    given: Arrays,
    bound: float,
) -> Layer:
    """A layer of the first file on what the second has given, against what that gives; the worst of its outputs."""
    want, worst = file.alone(layer, given), Gap()
    so_far = Gap()
    for name, made, theirs in zip(layer.outputs, want, got):
        gap = Gap()
        gap.add(torch.from_numpy(made), torch.from_numpy(theirs))
        worst = max(worst, gap, key=lambda each: each.relative)
        so_far.add(torch.from_numpy(ours[name]), torch.from_numpy(theirs))
    allowed = bound
    if bound < worst.relative < math.inf:
        nudged = Gap()
        for made, other in zip(want, file.alone(layer, {name: _nudged(given[name]) for name in layer.inputs})):
            nudged.add(torch.from_numpy(made), torch.from_numpy(other))
        allowed = max(bound, NUDGES * nudged.relative if not nudged.fault else 0.0)
    return Layer(layer.path, layer.op, None, worst.relative, so_far.relative, allowed, worst.fault)


@dataclass(frozen=True)
class _FileNodes:
    """A layer of a file: its nodes, what they read of others, and what others may read of them."""

    path: str
    op: str
    nodes: Sequence[onnx.NodeProto]
    inputs: Sequence[str]
    outputs: Sequence[str]


class _Opened:
    """A file whose layers' values are outputs."""

    def __init__(self, file: TracedFile):
        self.model, self.file = read_model(file.path), file
        self.weights = {each.name: each for each in self.model.graph.initializer}
        self.outputs = [each.name for each in self.model.graph.output]
        self.half = half_of(self.model)
        self.layers = [*self._layers()]

    def _layers(self) -> Iterator[_FileNodes]:
        """Yield the layers in their order."""
        nodes, at = self.model.graph.node, 0
        while at < len(nodes):
            said = next((json.loads(each.value) for each in nodes[at].metadata_props if each.key == KEY), None)
            count = said["nodes"] if said else 1
            yield self._layer([*nodes[at : at + count]], said)
            at += count

    def _layer(self, nodes: Sequence[onnx.NodeProto], said: Mapping[str, str] | None) -> _FileNodes:
        made = {name for node in nodes for name in node.output}
        read = dict.fromkeys(name for node in nodes for name in node.input if name)
        outside = [name for name in read if name not in made and name not in self.weights]
        if said is None:
            node = nodes[0]
            return _FileNodes(node.name or node.output[0], node.op_type, nodes, outside, [*filter(None, node.output)])
        outputs = [name for name in said["outputs"] if name in made]
        return _FileNodes(said.get("step", said["path"]), said["op"], nodes, outside, outputs)

    def paired(self, other: _Opened) -> Iterator[tuple[_FileNodes, _FileNodes]]:
        """Yield the layers that both files have, by their paths."""
        theirs = {layer.path: layer for layer in other.layers}
        for layer in self.layers:
            twin = theirs.get(layer.path)
            if twin is not None and len(twin.outputs) == len(layer.outputs) > 0:
                yield layer, twin

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Return the values of all layers. Raises ``UsageError`` for inputs that the file does not take."""
        check_inputs(self.file.path, self.model, inputs)
        names = dict.fromkeys(self.outputs)
        names.update(dict.fromkeys(name for layer in self.layers for name in (*layer.inputs, *layer.outputs)))
        names = {name: None for name in names if name not in inputs}
        tapped = onnx.ModelProto()
        tapped.CopyFrom(self.model)
        there = {each.name for each in tapped.graph.output}
        tapped.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in there)
        names = {each.name: None for each in tapped.graph.output}
        if self.half:
            put_between_casts(tapped)
        return dict(zip(names, self._made(tapped, inputs)))

    def alone(self, layer: _FileNodes, given: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return what a layer by itself makes of its inputs."""
        read = {name for node in layer.nodes for name in node.input}
        graph = helper.make_graph(
            layer.nodes,
            "layer",
            [
                helper.make_tensor_value_info(
                    name, helper.np_dtype_to_tensor_dtype(given[name].dtype), given[name].shape
                )
                for name in layer.inputs
            ],
            [onnx.ValueInfoProto(name=name) for name in layer.outputs],
            [each for name, each in self.weights.items() if name in read],
        )
        model = helper.make_model(graph, opset_imports=self.model.opset_import, ir_version=self.model.ir_version)
        return self._made(model, {name: given[name] for name in layer.inputs})

    def _made(self, model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        fix_noise(model.graph)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "traced.onnx"
            large = model.ByteSize() > 1_500_000_000
            onnx.save(model, path, save_as_external_data=large)
            opened = open_on(self.file.runtime, path, CPU)
            return [np.asarray(each) for each in opened.run(inputs)]


def random_inputs(path: Path, sizes: Mapping[str, int]) -> Arrays:
    """Return random inputs of a file; whole numbers are 0 and 1. Symbolic sizes are those that netspec has noted, or 2.

    Raises ``UsageError`` for sizes of dimensions that the file does not have.
    """
    model = read_model(path, weights=False)
    noted: dict[str, int] = next((json.loads(each.value) for each in model.metadata_props if each.key == SIZES), {})
    known = {**noted, **sizes}
    weights = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    names = {dim.dim_param for each in inputs for dim in each.type.tensor_type.shape.dim if dim.dim_param}
    unknown = [name for name in sizes if name not in names]
    if unknown:
        raise UsageError(f"--dim {unknown[0]}: {path.name} has the dimensions {', '.join(sorted(names)) or 'none'}")
    chance = np.random.default_rng(0)
    made: Arrays = {}
    for each in inputs:
        tensor = each.type.tensor_type
        shape = [dim.dim_value or known.get(dim.dim_param, 2) for dim in tensor.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        random = chance.standard_normal(shape) if dtype.kind == "f" else chance.integers(0, 2, shape)
        made[each.name] = np.asarray(random, dtype)
    return made


def _nudged(array: np.ndarray) -> np.ndarray:
    """Numbers that are other in the last bit, where they are real."""
    if array.dtype.kind != "f":
        return array
    by = np.random.default_rng(0).integers(-1, 2, array.shape)
    nudged: np.ndarray = (array * (1 + np.finfo(array.dtype).eps * by)).astype(array.dtype)
    return nudged
