"""The memory that a graph takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from netspec.analysis.memory.forward import ForwardPass, frozen_keys
from netspec.analysis.memory.precision import OPTIMIZERS, PRECISIONS, bytes_of, in_precision
from netspec.analysis.memory.running import LevelSummary
from netspec.analysis.memory.storage import fresh
from netspec.dims import Size, evaluate, total
from netspec.graph import Graph, Node


class Memory:
    """The memory that a graph takes. ``sizes`` are where peaks are compared (default: those of the graph)."""

    def __init__(self, graph: Graph, sizes: Mapping[str, int] | None = None, without: Collection[str] = ()):
        self.graph = graph
        self.sizes = {**graph.sizes, **(sizes or {})}
        self.without = without
        self._runs: dict[tuple[bool, str], LevelSummary] = {}

    def kept(self, path: str = "", precision: str = "float32") -> Size:
        """Bytes that the step or the level at ``path`` keeps for the backward pass; of the network without a path.

        Raises ``KeyError`` where there is no such step.
        """
        record = self._run(True, precision).record
        return record.at(path.split(".")) if path else record.total

    @property
    def total_kept(self) -> Size:
        """Bytes that one forward pass in training keeps for the backward pass, in float32."""
        return self.kept()

    @property
    def inference_peak(self) -> Size:
        """Bytes of weights and inputs, and of the most that is alive at once between them, in float32."""
        return self.inference_peak_in("float32")

    def inference_peak_in(self, precision: str) -> Size:
        """``inference_peak`` in another precision; ``mixed`` has copies of the weights in bfloat16 too."""
        weights = self.parameters * (PRECISIONS[precision] + (2 if precision == "mixed" else 0))
        return weights + self._inputs(precision) + self._run(False, precision).peak.size

    def training_peak(self, optimizer: str = "adam", precision: str = "float32") -> Size:
        """Bytes of weights, gradients, optimizer's state, all that is kept, and the largest gradients of one step.

        Where little is kept, as before frozen layers, it may be what is alive at once in the forward pass instead.
        """
        run, size = self._run(True, precision), PRECISIONS[precision]
        backward = self.trained * size + run.record.total + run.transient.size
        forward = self._inputs(precision) + run.peak.size
        there = (self.parameters + self.trained * OPTIMIZERS[optimizer]) * size
        return there + max(backward, forward, key=lambda moment: evaluate(moment, self.sizes))

    @property
    def parameters(self) -> int:
        """Learned numbers of the network."""
        return self.graph.body.parameter_count

    @property
    def trained(self) -> int:
        """Of the learned numbers, those that are not frozen."""
        return self.parameters - self.graph.body.frozen_count

    def _inputs(self, precision: str) -> Size:
        values = (value for name, value in self.graph.inputs.items() if name not in self.without)
        return total(bytes_of(in_precision(value.tensor, precision)) for value in values)

    def _run(self, training: bool, precision: str) -> LevelSummary:
        if (training, precision) not in self._runs:
            self._runs[training, precision] = self._pass(training, precision)
        return self._runs[training, precision]

    def _pass(self, training: bool, precision: str) -> LevelSummary:
        body = self.graph.body
        taken = [
            None if name in self.without else fresh(in_precision(value.tensor, precision))
            for name, value in zip(body.input_names, body.inputs)
        ]
        tied = {target for step in body.steps if isinstance(step, Node) for _, target in step.ties}
        return ForwardPass(self.sizes, training, precision, frozen_keys(body, tied)).level(body, taken)
