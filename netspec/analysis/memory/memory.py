"""The memory that a graph takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from netspec.analysis.memory.facts import NodeFacts
from netspec.analysis.memory.forward import ForwardPass, KnownBefore, StepOrder
from netspec.analysis.memory.loss import loss_pass
from netspec.analysis.memory.precision import PRECISIONS, bytes_of, in_precision
from netspec.analysis.memory.running import NONE, LevelSummary, Peak
from netspec.analysis.memory.step import TrainingStep
from netspec.analysis.memory.storage import fresh
from netspec.analysis.memory.ties import Ties, ties_of
from netspec.dims import Size, evaluate, total
from netspec.graph import Graph, Level, Node, visits
from netspec.ops import Tensor

MARGIN = 20
"""An allocator rounds what it is asked for: a part in so many is left to it."""


def with_margin(size: int) -> int:
    """Return the bytes of a prediction with what the allocator may add, 5 %."""
    return size + -(-size // MARGIN)


class Memory:
    """The memory that a graph takes. ``sizes`` are where peaks are compared (default: those of the graph).

    ``device``, ``cuda`` or ``cpu``, is where training runs: some kernels keep something else on either.
    """

    def __init__(
        self,
        graph: Graph,
        sizes: Mapping[str, int] | None = None,
        without: Collection[str] = (),
        device: str = "cuda",
    ):
        self.graph = graph
        self.sizes = {**graph.sizes, **(sizes or {})}
        self.without, self.device = without, device
        self._runs: dict[tuple[bool, str], LevelSummary] = {}
        self._orders: dict[bool, dict[Level, StepOrder]] = {False: {}, True: {}}
        self._facts: dict[Node, NodeFacts] = {}
        self._numbers: dict[Size, int] = {}

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
        return self._inference(precision).size

    def _inference(self, precision: str) -> Peak:
        weights = self.parameters * (PRECISIONS[precision] + (2 if precision == "mixed" else 0))
        fixed = weights + self._buffers(precision)
        return self._peak([fixed, *self._inputs(precision)], peak=self._run(False, precision).peak)

    def training_peak(self, optimizer: str | TrainingStep = "adam", precision: str = "float32") -> Size:
        """Bytes of a step of training where it takes the most.

        That is weights, the optimizer's state and the batch, and the largest of: what is kept and alive as the network
        runs; then with the losses; gradients and what is still kept, as they come and go; all gradients, and what the
        optimizer has for a moment.
        """
        return max(self._moments(optimizer, precision), key=lambda peak: peak.number).size

    def training_bytes(self, optimizer: str | TrainingStep = "adam", precision: str = "float32") -> int:
        """``training_peak`` as a number, at ``sizes``."""
        return max(peak.number for peak in self._moments(optimizer, precision))

    def inference_bytes(self, precision: str = "float32") -> int:
        """``inference_peak_in`` as a number, at ``sizes``."""
        return self._inference(precision).number

    def training_formula(self, optimizer: str | TrainingStep = "adam", precision: str = "float32") -> Size:
        """About ``training_peak``, by one formula for all sizes: as if all gradients were there with all that is kept.

        It is a little more than the peak where either is small.
        """
        step = TrainingStep.named(optimizer, self.graph) if isinstance(optimizer, str) else optimizer
        run, size = self._run(True, precision), PRECISIONS[precision]
        numbers = self.parameters + self.trained * (step.states + 1 + step.shares) + step.workspace
        losses = loss_pass(step, self.graph, run)
        moments = [run.transient.size, *map(total, losses.moments)]
        batch = total([self._buffers(precision), *self._inputs("float32"), *losses.targets, *losses.stays])
        return numbers * size + batch + run.kept + max(moments, key=self._number)

    def _moments(self, optimizer: str | TrainingStep, precision: str) -> list[Peak]:
        """Return the moments of a step that may be its peak; the last is the optimizer's."""
        step = TrainingStep.named(optimizer, self.graph) if isinstance(optimizer, str) else optimizer
        run, size = self._run(True, precision), PRECISIONS[precision]
        losses = loss_pass(step, self.graph, run)
        learned = self.trained * size
        fixed = (self.parameters + self.trained * step.states) * size + self._buffers(precision)
        there = [fixed, *self._inputs("float32"), *losses.targets]
        again = [] if precision == "bfloat16" else self._given_again(run)  # which keeps copies of a batch in float32
        accumulates = step.parts > 1
        there += [(step.parts - 1) * each for each in there[1:]] + [learned] if accumulates else []
        kept = run.kept
        moments = [self._peak(there, again, run.peak), self._peak([*there, *losses.stays], again, run.backward)]
        moments += [self._peak([*there, kept, *each], again) for each in losses.moments]
        gradients = learned * (1 + step.shares - accumulates) + step.workspace * size
        return [*moments, self._peak([*there, *losses.stays, gradients])]

    def _peak(self, parts: list[Size], gone: Sequence[Size] = (), peak: Peak = NONE) -> Peak:
        """Return the sum of sizes and of a peak, less what is ``gone``."""
        number = peak.number + sum(map(self._number, parts)) - sum(map(self._number, gone))
        return Peak(number, parts, gone, (peak,))

    def _number(self, size: Size) -> int:
        if isinstance(size, int):
            return size
        found = self._numbers.get(size)
        if found is None:
            found = self._numbers[size] = evaluate(size, self.sizes)
        return found

    def _given_again(self, run: LevelSummary) -> list[Size]:
        """Return the bytes of the batch that are among those that are kept."""
        return [bytes_of(self.graph.body.inputs[at].tensor) for at in run.touched]

    @property
    def parameters(self) -> int:
        """Learned numbers of the network."""
        return self.graph.body.parameter_count

    @property
    def trained(self) -> int:
        """Of the learned numbers, those that are not frozen."""
        return self.parameters - self.graph.body.frozen_count

    def _buffers(self, precision: str) -> Size:
        """Return the bytes of the tensors that steps keep without learning them."""
        return total([bytes_of(in_precision(tensor, precision)) for tensor in self._held])

    @cached_property
    def _ties(self) -> Ties:
        return ties_of(self.graph.body)

    @cached_property
    def _held(self) -> Sequence[Tensor]:
        """The tensors that steps keep without learning them."""
        steps = (each.step for each in visits(self.graph.body) if not each.shared)
        return [step.outputs[0].tensor for step in steps if isinstance(step, Node) and step.op.name == "buffer"]

    def _inputs(self, precision: str) -> list[Size]:
        """Return the bytes of each input."""
        values = (value for name, value in self.graph.inputs.items() if name not in self.without)
        return [bytes_of(in_precision(value.tensor, precision)) for value in values]

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
        known = KnownBefore(self._orders[training], self._facts)
        return ForwardPass(self._number, training, precision, self._ties, self.device, known).level(body, taken)
