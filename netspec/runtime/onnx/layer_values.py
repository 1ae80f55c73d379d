"""The values of an ONNX file's layers, which are added to its outputs: a file of netspec's says which nodes a layer is.

In the bodies of Scan nodes, each iteration hands its values out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from onnx import helper

from netspec.diagnostics import UsageError
from netspec.emit.onnx.notes import KEY
from netspec.files import temporary_beside
from netspec.graph import axis_of_time
from netspec.runtime.interpret import Held
from netspec.runtime.onnx.between_casts import half_of, put_between_casts
from netspec.runtime.onnx.fixed_noise import fix_noise
from netspec.runtime.onnx.given import check_inputs, read_model
from netspec.runtime.onnx.session import open_on
from netspec.runtime.trace.runs import TracedStep

Loops = tuple[onnx.NodeProto, ...]
"""The Scan nodes around a node, the outermost first."""


class FileLayer(NamedTuple):
    """A layer of a file: the path of its step, and the names of its values that are outputs of the file now.

    ``loops`` says how many dimensions in front are those of iterations.
    """

    path: str
    outputs: Sequence[str | None]
    loops: int


class LayersOfFile:
    """A file that gives the values of its layers, opened on a runtime. Raises ``UsageError`` where it names none."""

    def __init__(self, path: Path, runtime: str = "onnxruntime", providers: Sequence[Any] = ("CPUExecutionProvider",)):
        self.path, self.model = path, (model := read_model(path, weights=False))
        self.layers = {layer.path: layer for layer in tap(model)}
        if not self.layers:
            raise UsageError(
                f"{path} does not say which nodes a layer is, as netspec's files do that are written without "
                "--optimize: export the network again, or compare the file with another one, node by node"
            )
        fix_noise(model.graph)
        self.names = [each.name for each in model.graph.output]
        self.half = half_of(model)
        if self.half:
            put_between_casts(model)
        with temporary_beside(path) as temporary:  # beside its weights, if they lie in a file of their own
            onnx.save(model, temporary)
            self.opened = open_on(runtime, temporary, providers)
        self.held: dict[str, np.ndarray] = {}

    def run(self, inputs: Mapping[str, torch.Tensor]) -> None:
        """Run the file, whose values are kept. Raises ``UsageError`` for inputs that it does not take."""
        check_inputs(self.path, self.model, inputs)
        made = self.opened.run({name: tensor.numpy() for name, tensor in inputs.items()})
        self.held = dict(zip(self.names, made))

    @property
    def coarsest(self) -> torch.dtype:
        """Return the coarsest dtype of the values."""
        if self.half:
            half: torch.dtype = getattr(torch, self.half)
            return half
        halves = [torch.float16 for each in self.held.values() if np.asarray(each).dtype == np.float16]
        return next(iter(halves), torch.float32)

    def values(self, run: TracedStep) -> Sequence[Held] | None:
        """Return what the step gave in a run in the last run; ``None`` for one that has no nodes of its own."""
        layer = self.layers.get(run.path)
        if layer is None:
            return None
        return [None if name is None else self._at(layer, name, run) for name in layer.outputs]

    def _at(self, layer: FileLayer, name: str, run: TracedStep) -> Held:
        """One iteration's value."""
        value = torch.from_numpy(np.asarray(self.held[name]))
        for at in run.iterations[: layer.loops]:
            value = value[at]
        if run.whole:
            value = value.select(axis_of_time(tuple(value.shape[1:])), run.iterations[-1])
        return value


def tap(model: onnx.ModelProto) -> list[FileLayer]:
    """Add the values of all layers to the outputs of a model; return the layers."""
    found = [*_noted(model.graph, ())]
    there = {each.name for each in model.graph.output}
    real = {name for node in model.graph.node for name in node.output}
    layers: list[FileLayer] = []
    for said, loops in found:
        outputs: list[str | None] = []
        for name in said["outputs"]:
            name = name and _handed_out(name, loops)
            if name and not loops and name not in real:
                name = None
            if name and name not in there:
                model.graph.output.append(onnx.ValueInfoProto(name=name))
                there.add(name)
            outputs.append(name)
        layers.append(FileLayer(said.get("step", said["path"]), outputs, len(loops)))
    return layers


def _noted(graph: onnx.GraphProto, loops: Loops) -> Iterator[tuple[Mapping[str, Any], Loops]]:
    """Yield what the notes of a graph say, and of the graphs inside it."""
    for node in graph.node:
        for entry in node.metadata_props:
            if entry.key == KEY:
                yield json.loads(entry.value), loops
        if node.op_type == "Scan":
            yield from _noted(body_of(node), (*loops, node))


def body_of(node: onnx.NodeProto) -> onnx.GraphProto:
    """Return the graph inside a Scan node."""
    body: onnx.GraphProto = next(each.g for each in node.attribute if each.name == "body")
    return body


def _handed_out(name: str, loops: Loops) -> str:
    """Have a value of a body handed out of all loops around it; return its name outside, iterations in front."""
    for loop in reversed(loops):
        body, outside = body_of(loop), f"{loop.name}/traced/{name}"
        if outside not in loop.output:
            body.node.append(helper.make_node("Identity", [name], [f"{outside}/each"]))
            body.output.append(onnx.ValueInfoProto(name=f"{outside}/each"))
            loop.output.append(outside)
            backwards = _numbers(loop, "scan_output_directions")
            backwards.append(max(backwards or _numbers(loop, "scan_input_directions"), default=0))
            _numbers(loop, "scan_output_axes").append(0)
        name = outside
    return name


def _numbers(node: onnx.NodeProto, name: str) -> Any:
    """Return the list that an attribute of a node is; a new one where it has none."""
    for each in node.attribute:
        if each.name == name:
            return each.ints
    made = node.attribute.add(name=name, type=onnx.AttributeProto.INTS)
    return made.ints
