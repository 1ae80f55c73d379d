"""The tensors that a run of an op makes and saves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from netspec.analysis.memory.backward import gradients_of
from netspec.analysis.memory.facts import NodeFacts
from netspec.analysis.memory.precision import PRECISIONS, bytes_of, in_precision
from netspec.analysis.memory.running import NONE, Move, Peak, RunningLevel
from netspec.analysis.memory.step import number_of
from netspec.analysis.memory.storage import PlacedTensor, Storage, fresh
from netspec.analysis.memory.ties import Ties
from netspec.dims import Shape, Size, total
from netspec.graph import Node, Value
from netspec.ops import Op, OpRun, Tensor


class NodePass:
    """The runs of ops in one forward pass: what each makes, what autograd keeps of it.

    ``number`` gives a size as a number; ``facts`` has what is known of nodes from other passes.
    """

    def __init__(
        self,
        number: Callable[[Size], int],
        training: bool,
        precision: str,
        tied: Ties,
        device: str,
        facts: dict[Node, NodeFacts],
    ):
        self.number, self.training, self.precision = number, training, precision
        self.frozen, self.added = tied
        self.on_cpu = device == "cpu"
        self.facts = facts

    def peak(self, sizes: Sequence[Size]) -> Peak:
        """Return the peak at which there are so many sizes."""
        return Peak(sum(map(self.number, sizes)), sizes)

    def node(self, frame: RunningLevel, node: Node, known_as: Callable[[Tensor], Tensor]) -> list[PlacedTensor | None]:
        """Run a node; return its outputs, ``None`` for one that is not made."""
        facts = self.facts.get(node)
        if facts is None:
            facts = self.facts[node] = NodeFacts(node, frame.level)
        values, op = frame.values, node.op
        inputs = [None if value is None else values.get(value) for value in facts.inputs]
        if node.outputs[0].optional and any(
            placed is None and value is not None and value.optional for placed, value in zip(inputs, facts.inputs)
        ):
            return [None] * len(node.outputs)
        high = False
        if self.precision == "mixed" and op.autocast:
            state = inputs[1] or inputs[0] if op.keeps_state else None
            high = self.on_cpu and state is not None and state.tensor.dtype == "float32"
            inputs = [self.cast(op, placed) for placed in inputs]
        tensors = tuple([None if placed is None else placed.tensor for placed in inputs])
        strides = tuple([None if placed is None else placed.strides for placed in inputs])
        flows = self.flows(facts, inputs)
        outputs = tuple([self.made(op, known_as(value.tensor), tensors, high) for value in node.outputs])
        reads, parameters = facts.reads, facts.parameters
        learns = frozenset(self.learns(frame, node, parameters) if self.training and parameters else parameters)
        run = OpRun(tensors, outputs, strides, flows, reads, self.training, learns, self.on_cpu)
        backward = self.training and (any(flows) or bool(learns))
        results: list[PlacedTensor | None] = []
        for tensor, layout, read in zip(outputs, op.output_layout(run), reads):
            if not (self.training or read):  # the weights of an attention, which are not made then
                results.append(None)
                continue
            source = None if layout.source is None else inputs[layout.source]
            size = bytes_of(tensor)
            weight = op.name in ("parameter", "buffer")  # whose memory is there already
            home = Storage(0 if weight else size, counted=not weight) if source is None else source.home
            results.append(PlacedTensor(tensor, size, home, layout.strides, backward and "float" in tensor.dtype))
        if backward and frame.discards:
            self.discard(frame, node, run, results)
        elif backward:
            kept = self.keep(frame, node, run, inputs, results)
            trained = {name: shape for name, shape in parameters.items() if name in learns}
            frame.moves.append(self.move(frame, node, run, inputs, results, kept, trained))
            self.pass_on(frame, op.forward_workspace(run), results)
        elif not self.training and not op.stateful:
            self.pass_on(frame, op.workspace(run), results)
        return results

    def flows(self, facts: NodeFacts, inputs: Sequence[PlacedTensor | None]) -> tuple[bool, ...]:
        """Return which inputs gradients flow to; in inference, all that are there."""
        if not self.training:
            return tuple([placed is not None for placed in inputs])
        return tuple([placed is not None and placed.needs and passes for placed, passes in zip(inputs, facts.passes)])

    def pass_on(self, frame: RunningLevel, made: Sequence[Tensor], results: Sequence[PlacedTensor | None]) -> None:
        """Count what an op has ``made`` on the way to its results."""
        if not made:
            return
        homes = [placed.home for placed in results if placed is not None]
        new = [home.size for home in homes if not home.kept and home not in frame.live.values and home not in frame.own]
        frame.live.moment(self.peak([*map(bytes_of, made), *new]))

    def keep(
        self,
        frame: RunningLevel,
        node: Node,
        run: OpRun,
        inputs: Sequence[PlacedTensor | None],
        results: Sequence[PlacedTensor | None],
    ) -> Size:
        """Count what autograd keeps of a node; return its bytes."""
        saved = node.op.saved(run)
        read = [*(inputs[at] for at in saved.inputs), *(results[at] for at in saved.outputs)]
        homes = [placed.home for placed in read if placed is not None]
        homes += [Storage(bytes_of(tensor)) for tensor in saved.made]
        if self.copies(frame, node):
            copies = self.weights(node)
            if any(run.needs) or node.op.family == "convolution" or frame.iteration:
                homes += copies
            else:
                frame.hold(0, total([home.size for home in copies]))
        kept: list[Size] = []
        for home in homes:
            if home.counted and not home.kept:
                frame.live.keep(home)
                home.kept = True
                kept.append(home.size)
        size = kept[0] if len(kept) == 1 else total(kept)
        frame.record.add(node.name, size)
        return size

    def discard(self, frame: RunningLevel, node: Node, run: OpRun, results: Sequence[PlacedTensor | None]) -> None:
        """Count what a node makes for the backward pass and drops; autocast holds copies of its weights."""
        op = node.op
        frame.record.add(node.name, 0)
        self.pass_on(frame, [*op.saved(run).made], results)
        self.pass_on(frame, op.forward_workspace(run), results)
        if self.copies(frame, node):
            frame.hold(0, total([home.size for home in self.weights(node)]))

    def move(
        self,
        frame: RunningLevel,
        node: Node,
        run: OpRun,
        given: Sequence[PlacedTensor | None],
        results: Sequence[PlacedTensor | None],
        kept: Size,
        trained: Mapping[str, Shape],
    ) -> Move:
        """Return a node, with parameters of the shapes ``trained``, as the backward pass meets it."""
        op, ends = node.op, gradients_of(node.outputs, results)
        flows: list[tuple[Value, Size | None]] = []
        made, casts = [*map(bytes_of, op.backward_workspace(run))], list[Size]()
        for value, placed, needs in zip(self.facts[node].inputs, given, run.needs):
            taken = frame.values.get(value) if value is not None and needs else None
            if value is None or placed is None or taken is None:
                continue
            if len(ends) == 1 and self.passes_on(op, placed, taken.size == ends[0][1], results):
                flows.append((value, None))
                continue
            flows.append((value, taken.size))
            made.append(placed.size)
            if placed.tensor.dtype != taken.tensor.dtype:
                casts.append(placed.size)
        own, weights, adding = self.learned(frame, node, trained, casts) if trained else (0, 0, None)
        passing, besides = [*[size for _, size in ends], *casts], self.peak(made)
        if besides.number + sum(map(self.number, passing)) > frame.transient.number:
            frame.transient = self.peak([*made, *passing])
        frame.weights[node.name] = 0 if node.shares else weights
        besides, behind = Peak(besides.number + own, [*made, own]), self.peak(casts) if casts else NONE
        return Move(flows, ends, kept, weights, node.shares or node.name, besides, behind, adding or behind)

    def learned(
        self, frame: RunningLevel, node: Node, trained: Mapping[str, Shape], casts: list[Size]
    ) -> tuple[int, int, Peak | None]:
        """Return the bytes of the gradients that a node makes for its parameters, of those that they become, and the
        peak as they are added to those of other runs, if there may be any.

        What is there as they are cast, or added to a tied parameter's, is put into ``casts``.
        """
        low = self.precision == "mixed" and node.op.autocast == "bfloat16"
        each = PRECISIONS[self.precision] // (2 if low and frame.iteration else 1)
        own = {name: number_of(shape) * each for name, shape in trained.items()}
        made = weights = sum(own.values())
        if low and not frame.iteration:
            made //= 2
            casts.append(made)
        elif low and frame.iteration == "first" and not node.shares:
            frame.copies.append(made)
        if self.added and (tied := sum(own[name] for name in own if (node, name) in self.added)):
            weights -= tied
            casts += [tied, tied]  # the sum is made anew
        if not (frame.iteration or node.shares) or node.op.family == "convolution":
            return made, weights, None
        return made, weights, self.peak([*casts, 2 * max(own.values())])  # a view's sum is made anew

    def passes_on(self, op: Op, placed: PlacedTensor, equal: bool, results: Sequence[PlacedTensor | None]) -> bool:
        """Return whether the gradient of an input, ``equal`` in size, lies in that of the output.

        So it is with sums, with views, and with what is joined.
        """
        if op.name == "concat":
            return True
        if not equal or op.overwrites:
            return False
        return op.name == "add" or (results[0] is not None and results[0].home is placed.home)

    def copies(self, frame: RunningLevel, node: Node) -> bool:
        """Return whether autocast copies the weights of a node here, rather than earlier."""
        low = self.precision == "mixed" and node.op.autocast == "bfloat16"
        return low and not node.shares and frame.iteration != "later"

    def weights(self, node: Node) -> list[Storage]:
        """The copies of the weights that autocast makes."""
        shapes = self.facts[node].parameters.values()
        return [Storage(bytes_of(Tensor(shape, "bfloat16"))) for shape in shapes if len(shape) > 1]

    def learns(self, frame: RunningLevel, node: Node, names: Iterable[str]) -> Iterator[str]:
        """A node's parameters that are trained: its own, and those that are tied to such."""
        ties = dict(node.ties)
        frozen = frame.frozen or node.frozen
        for name in names:
            if ties[name] not in self.frozen if name in ties else not frozen:
                yield name

    def cast(self, op: Op, placed: PlacedTensor | None) -> PlacedTensor | None:
        """An input as the op gets it: autocast makes a copy where the op runs in another precision."""
        if placed is None or self.precision != "mixed" or not op.autocast or op.autocast == placed.tensor.dtype:
            return placed
        if placed.tensor.dtype not in ("float32", "bfloat16"):
            return placed
        tensor = Tensor(placed.tensor.shape, op.autocast)
        return fresh(tensor, placed.strides, placed.needs)

    def made(self, op: Op, tensor: Tensor, inputs: Sequence[Tensor | None], high: bool) -> Tensor:
        """Return the tensor that an op makes, in the precision that it runs in, or of a state that is ``high``."""
        if self.precision == "float32" or tensor.dtype != "float32":
            return tensor
        if self.precision == "mixed":
            dtypes = {each.dtype for each in inputs if each is not None and "float" in each.dtype}
            low = op.autocast == "bfloat16" or (not op.autocast and dtypes == {"bfloat16"})
            low = low and not high
            return Tensor(tensor.shape, "bfloat16" if low and op.name != "cast" else "float32")
        return in_precision(tensor, self.precision)
