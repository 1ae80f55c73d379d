"""A network in 8 bits, beside the same in float32: measured on rows, with layers in float32 as they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper
from torch import nn

from netspec.diagnostics import UsageError, did_you_mean
from netspec.elaborate.passes.sizes import batch_dims
from netspec.emit.onnx.precision.int8 import KEPT_RANGE, Int8, Ranges, range_read
from netspec.emit.onnx.runtimes import OnnxForm
from netspec.graph import Graph
from netspec.runtime.onnx.export import EXTERNAL_ABOVE, export_onnx, size_of
from netspec.runtime.onnx.session import open_session
from netspec.runtime.precision.report import PrecisionReport, time_both

MEASURED = ("Add", "AveragePool", "Clip", "Concat", "Conv", "Gemm", "MatMul", "Relu")
"""The kinds of nodes whose numbers may be in bytes."""
BATCH = 64
"""The rows that run at once."""
Rows = Mapping[str, Any]
"""Arrays by the names of a network's inputs."""


class Int8Layer(NamedTuple):
    """A layer that may be in 8 bits: the names of its node and of what it reads and gives."""

    name: str
    reads: str
    gives: str


class Int8Network:
    """A network whose convolutions and linear maps can be in 8 bits, in files of a folder.

    ``whole`` is the file in float32, in which batch norms are folded as in those of 8 bits. ``ranges`` has what each
    layer reads for the rows that are measured. Raises ``UsageError`` for a network without such layers.
    """

    def __init__(self, graph: Graph, module: nn.Module, form: OnnxForm, folder: Path):
        self.graph, self.module, self.folder = graph, module, folder
        self.form = form
        self.whole = export_onnx(graph, module, folder / "float32.onnx", form=form._replace(int8=Int8((), {})))
        self.layers = layers_in(self.whole)
        if not self.layers:
            raise UsageError(f"{graph.name} has no convolution or linear map that could be in 8 bits")
        self.ranges: Ranges = {}

    def measure(self, rows: Iterable[Rows]) -> None:
        """Measure the least and the largest number of what layers read, and of what stands between them.

        Raises ``UsageError`` without rows.
        """
        session, names, read = self._extremes()
        found: dict[str, tuple[float, float]] = {}
        for each in rows:
            ends = [float(array) for array in session.run(None, feeds(session, each))]
            for name, low, high in zip(names, ends[::2], ends[1::2]):
                least, most = found.get(name, (0.0, 0.0))
                found[name] = float(np.minimum(least, low)), float(np.maximum(most, high))  # which keep NaN
        if not found:
            raise UsageError("there are no rows to measure the ranges of 8 bits on")
        for name, reached in found.items():
            if not np.isfinite(reached).all():
                raise UsageError(f"the rows to measure on give numbers that are not finite, first in `{name}`")
        reads = {range_read(layer.name): found[name] for layer, name in zip(self.layers, read)}
        self.ranges = {**found, **reads}

    def _extremes(self) -> tuple[Any, list[str], list[str]]:
        """Return a session of the file that gives the least and the largest number of values; their names, and for each
        layer that of the value whose range it reads.
        """
        model = onnx.load(self.whole)
        made = [name for node in model.graph.node if node.op_type in MEASURED for name in node.output[:1]]
        makers = {name: node for node in model.graph.node for name in node.output}
        read = [each.reads for each in self.layers]
        for at, name in enumerate(read):
            while name in makers and makers[name].op_type in KEPT_RANGE:
                name = makers[name].input[0]
            read[at] = name
        names = [*dict.fromkeys([*read, *made])]
        del model.graph.output[:]
        for name in names:
            for kind in ("ReduceMin", "ReduceMax"):
                output = f"{name}/{kind}"
                model.graph.node.append(helper.make_node(kind, [name], [output], keepdims=0))
                model.graph.output.append(onnx.ValueInfoProto(name=output))
        return self._opened(model), names, read

    def matching(self, patterns: Sequence[str]) -> list[str]:
        """Return the layers that match patterns. Raises ``UsageError`` for a pattern that matches none."""
        names = [each.name for each in self.layers]
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                near = did_you_mean(pattern, names) or f"the first are {', '.join(names[:3])}"
                raise UsageError(f"--keep-float `{pattern}` matches no layer that can be in 8 bits: {near}")
        return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]

    def in_bits(self, kept: Collection[str]) -> OnnxForm:
        """Return the form of the network in 8 bits, but for these layers."""
        return self.form._replace(int8=Int8([each.name for each in self.layers if each.name not in kept], self.ranges))

    def write(self, kept: Collection[str]) -> Path:
        """Write the network in 8 bits, but for these layers; return the file, which the next one replaces."""
        return export_onnx(self.graph, self.module, self.folder / "int8.onnx", form=self.in_bits(kept))

    def by_harm(self, kept: Collection[str], rows: Rows) -> list[str]:
        """Return the layers in the order of what each by itself in 8 bits does to the outputs, the worst first."""
        whole = open_session(self.whole, brief=True)
        wanted = whole.run(None, feeds(whole, rows))
        harm: dict[str, float] = {}
        names = [each.name for each in self.layers if each.name not in kept]
        for name in names:
            session = open_session(self.write([other.name for other in self.layers if other.name != name]), brief=True)
            pairs = zip(wanted, session.run(None, feeds(session, rows)))
            harm[name] = max(float(np.square(want - got).mean() / max(want.var(), 1e-30)) for want, got in pairs)
        return sorted(names, key=lambda name: -harm[name])

    def with_outputs(self, path: Path, names: Sequence[str]) -> Any:
        """Return a session of a file that gives these values, and nothing else."""
        model = onnx.load(path)
        del model.graph.output[:]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names))
        return self._opened(model)

    def _opened(self, model: onnx.ModelProto) -> Any:
        """Return a session of a model."""
        wider = self.folder / "wider.onnx"
        onnx.save(model, wider, save_as_external_data=model.ByteSize() > EXTERNAL_ABOVE)
        return open_session(wider, brief=True)

    def apart(self, path: Path, rows: Rows) -> dict[str, float]:
        """Return how far the layers of a file are from those in float32, relative to the largest number."""
        made = []
        for file in (self.whole, path):
            session = self.with_outputs(file, [each.gives for each in self.layers])
            names = [each.name for each in session.get_outputs()]
            made.append(dict(zip(names, session.run(None, feeds(session, rows)))))
        return {each.name: _apart(made[0][each.gives], made[1][each.gives]) for each in self.layers}


def export_calibrated(
    graph: Graph, module: nn.Module, path: Path, form: OnnxForm, keep: Sequence[str], rows: Rows
) -> PrecisionReport:
    """Write a network in 8 bits, measured on rows, with the layers that match patterns in float32.

    Raises ``UsageError`` for a pattern that no layer matches.
    """
    parts = [*in_parts(graph, rows)]
    with TemporaryDirectory() as folder:
        network = Int8Network(graph, module, form, Path(folder))
        kept = network.matching(keep)
        network.measure(parts)
        export_onnx(graph, module, path, form=network.in_bits(kept))
        whole = export_onnx(graph, module, Path(folder) / "plain.onnx", form=form)
        apart = {name: each for name, each in network.apart(path, parts[0]).items() if name not in kept}
        seconds = time_both((path, network.whole), parts[0])
        return PrecisionReport(path, "int8", (size_of(path), size_of(whole)), apart, kept, seconds)


def in_parts(graph: Graph, rows: Rows) -> Iterator[Rows]:
    """Yield rows of a network, a few at a time where all its inputs begin with one batch."""
    firsts = {value.shape[:1] for value in graph.inputs.values()}
    symbolic = {str(shape[0]) for shape in firsts if shape}
    if len(firsts) != 1 or not symbolic <= batch_dims(graph):
        yield rows
        return
    for at in range(0, len(next(iter(rows.values()))), BATCH):
        yield {name: each[at : at + BATCH] for name, each in rows.items()}


def layers_in(path: Path) -> list[Int8Layer]:
    """Return the layers of a file that can be in 8 bits."""
    model = onnx.load(path)
    weights = {each.name for each in model.graph.initializer if len(each.dims) > 1}
    return [
        Int8Layer(node.name, node.input[0], node.output[0])
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in weights and node.input[0] not in weights
    ]


def feeds(session: Any, rows: Rows) -> dict[str, Any]:
    """Return rows for the inputs of a file. Raises ``UsageError`` where it takes one that there are none for."""
    names = [each.name for each in session.get_inputs()]
    missing = next((name for name in names if rows.get(name) is None), None)
    if missing is not None:
        raise UsageError(f"8 bits are measured on rows of all inputs, but the data have none for `{missing}`")
    return {name: rows[name] for name in names}


def _apart(want: np.ndarray, got: np.ndarray) -> float:
    return float(np.abs(want - got).max(initial=0.0) / max(float(np.abs(want).max(initial=0.0)), 1e-30))
