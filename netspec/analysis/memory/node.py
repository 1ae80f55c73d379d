"""The tensors that a run of an op makes and saves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from netspec.analysis.memory.precision import bytes_of, in_precision
from netspec.analysis.memory.running import Peak, RunningLevel
from netspec.analysis.memory.storage import PlacedTensor, Storage, fresh
from netspec.dims import Shape, Size, evaluate, total
from netspec.graph import Node
from netspec.ops import Op, OpRun, Tensor


class NodePass:
    """The runs of ops in one forward pass: what each makes, what autograd keeps of it.

    ``sizes`` give the symbolic dimensions their numbers; ``frozen`` are the keys of tied parameters that are not
    trained.
    """

    def __init__(self, sizes: Mapping[str, int], training: bool, precision: str, frozen: frozenset[str]):
        self.sizes, self.training, self.precision, self.frozen = sizes, training, precision, frozen
        self._numbers: dict[Size, int] = {}

    def number(self, size: Size) -> int:
        """Return the number of a size, at the pass's sizes."""
        if size not in self._numbers:
            self._numbers[size] = evaluate(size, self.sizes)
        return self._numbers[size]

    def node(self, frame: RunningLevel, node: Node, known_as: Callable[[Tensor], Tensor]) -> list[PlacedTensor | None]:
        """Run a node; return its outputs, ``None`` for one that is not made."""
        taken = [frame.values.get(value) for value in node.inputs]
        if node.outputs[0].optional and any(
            placed is None and value.optional for placed, value in zip(taken, node.inputs)
        ):
            return [None] * len(node.outputs)
        op = node.op
        inputs = [self.cast(op, placed) for placed in node.arranged(taken)]
        tensors = tuple(None if placed is None else placed.tensor for placed in inputs)
        flows = tuple(
            placed is not None and placed.needs and port != "like"
            for placed, port in zip(inputs, op.ports if node.ports or not op.variadic else [""] * len(inputs))
        )
        outputs = tuple(self.made(op, known_as(value.tensor), tensors) for value in node.outputs)
        strides = tuple(None if placed is None else placed.strides for placed in inputs)
        reads = tuple(value in frame.level.uses for value in node.outputs)
        learns = frozenset(self.learns(frame, node, tensors))
        run = OpRun(tensors, outputs, strides, flows, reads, self.training, learns)
        backward = self.training and (any(flows) or bool(learns))
        results: list[PlacedTensor | None] = []
        for tensor, layout, read in zip(outputs, op.output_layout(run), reads):
            if not (self.training or read):  # the weights of an attention, which are not made then
                results.append(None)
                continue
            source = None if layout.source is None else inputs[layout.source]
            home = Storage(bytes_of(tensor), counted=op.name != "parameter") if source is None else source.home
            results.append(PlacedTensor(tensor, home, layout.strides, backward and "float" in tensor.dtype))
        if backward:
            self.keep(frame, node, run, inputs, results)
        elif not self.training and not op.stateful:
            everything = tuple(tensor is not None for tensor in tensors)
            run = replace(run, needs=everything, learns=frozenset(self.parameters(op, tensors)))
            self.pass_on(frame, run, op, results)
        return results

    def pass_on(self, frame: RunningLevel, run: OpRun, op: Op, results: Sequence[PlacedTensor | None]) -> None:
        """Count what an op makes on the way to its results."""
        temporary = op.workspace(run)
        if not temporary:
            return
        homes = [placed.home for placed in results if placed is not None]
        new = [home.size for home in homes if home not in frame.live.values and home not in frame.own]
        size = total([*map(bytes_of, temporary), *new])
        frame.live.moment(Peak(self.number(size), size))

    def keep(
        self,
        frame: RunningLevel,
        node: Node,
        run: OpRun,
        inputs: Sequence[PlacedTensor | None],
        results: Sequence[PlacedTensor | None],
    ) -> None:
        """Count what autograd keeps of a node."""
        saved = node.op.saved(run)
        read = [*(inputs[at] for at in saved.inputs), *(results[at] for at in saved.outputs)]
        homes = [placed.home for placed in read if placed is not None]
        homes += [Storage(bytes_of(tensor)) for tensor in saved.made]
        if self.precision == "mixed" and node.op.autocast == "bfloat16" and not node.shares:
            homes += self.weights(node.op, run)
        kept: list[Size] = []
        for home in homes:
            if home.counted and not home.kept:
                home.kept = True
                kept.append(home.size)
        frame.record.add(node.name, total(kept))
        gradients: Size = 0
        for tensor, needs in (*zip(run.inputs, run.needs), *((tensor, True) for tensor in run.outputs)):
            if needs and tensor is not None and "float" in tensor.dtype:
                gradients = gradients + bytes_of(tensor)
        number = self.number(gradients)
        if number > frame.transient.number:
            frame.transient = Peak(number, gradients)

    def weights(self, op: Op, run: OpRun) -> list[Storage]:
        """The copies of the weights that autocast makes, where they are kept: for the gradients of the input; a
        convolution keeps them always.
        """
        if not any(run.needs) and op.family != "convolution":
            return []
        shapes = self.parameters(op, run.inputs).values()
        return [Storage(bytes_of(Tensor(shape, "bfloat16"))) for shape in shapes if len(shape) > 1]

    def learns(self, frame: RunningLevel, node: Node, tensors: Sequence[Any]) -> Iterator[str]:
        """A node's parameters that are trained: its own, and those that are tied to such."""
        ties = dict(node.ties)
        frozen = frame.frozen or node.frozen
        for name in self.parameters(node.op, tensors):
            if ties[name] not in self.frozen if name in ties else not frozen:
                yield name

    def parameters(self, op: Op, tensors: Sequence[Any]) -> Mapping[str, Shape]:
        """Return the shapes of an op's parameters by torch name."""
        return {} if type(op).parameters is Op.parameters else op.parameters(*tensors)

    def cast(self, op: Op, placed: PlacedTensor | None) -> PlacedTensor | None:
        """An input as the op gets it: autocast makes a copy where the op runs in another precision."""
        if placed is None or self.precision != "mixed" or not op.autocast or op.autocast == placed.tensor.dtype:
            return placed
        if placed.tensor.dtype not in ("float32", "bfloat16"):
            return placed
        tensor = Tensor(placed.tensor.shape, op.autocast)
        return fresh(tensor, placed.strides, placed.needs)

    def made(self, op: Op, tensor: Tensor, inputs: Sequence[Tensor | None]) -> Tensor:
        """Return the tensor that an op makes, in the precision that it runs in."""
        if self.precision == "mixed" and tensor.dtype == "float32":
            dtypes = {each.dtype for each in inputs if each is not None and "float" in each.dtype}
            low = op.autocast == "bfloat16" or (not op.autocast and dtypes == {"bfloat16"})
            return Tensor(tensor.shape, "bfloat16" if low and op.name != "cast" else "float32")
        return in_precision(tensor, self.precision)
