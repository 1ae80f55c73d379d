"""Memory, in bytes, from the graph alone: what training keeps for the backward pass, and the peaks.

    memory = Memory(graph)
    memory.total_kept                       # what autograd keeps of one forward pass in training
    memory.kept("layer1.0.conv1")           # of that, what this step, or this level with all that is in it, keeps
    memory.inference_peak                   # weights, inputs, and the most that is alive at once
    memory.training_peak("adam", "mixed")   # weights, gradients, the optimizer's state, what is kept, and more

Each is a symbolic size in bytes (``4·N + 8``); ``dims.evaluate(size, graph.sizes)`` is its number. Where several
moments could be the peak, the formula is that of the largest at ``sizes``.

*Kept* is what ``torch.autograd.graph.saved_tensors_hooks`` sees, each piece of memory once: parameters and buffers are
left out, a network's input counts where a step keeps it, a view counts as what it looks at, and what several steps
keep counts for the first of them. Dropout keeps the mask of CUDA, a byte an element (on CPU it is four). In a scan,
what a turn keeps counts once for each turn. Recurrent layers count what torch keeps step by step; the kernels of cuDNN
and oneDNN keep about as much in a block of their own. Inputs that may be left out are there, unless ``without`` names
them.

*Peaks* count tensors, not what an allocator adds, nor the workspace inside a kernel. In inference a tensor lives from
the step that makes it to the last that reads it, and the inputs of a block as long as the block runs; an op of many
steps says what it has at once on its way (``Op.passing``), recurrent layers as torch runs them on CPU. In training the
peak is where the backward pass starts: all that is kept, gradients for all parameters that are trained, and the
gradients of one step's inputs and outputs. What is frozen has neither gradients nor state, and keeps less; recurrent
layers keep as much, as the kernels of cuDNN do. Statistics that norms track are left out (a few numbers a channel).

Optimizers: ``sgd`` keeps nothing, ``momentum`` a number for each parameter, ``adam`` and ``adamw`` two. Precisions:
``float32``; ``mixed``, bfloat16 by autocast as on CUDA, with weights, gradients and state in float32; ``bfloat16``,
everything in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple, Union

from netspec.analysis.scan_schedule import Parts, Turns
from netspec.dims import Shape, Size, evaluate, product, total
from netspec.graph import Call, Graph, Level, Node, Step, Value, axis_of_time, over_time, visits
from netspec.ops import Op, Run, Tensor
from netspec.ops.core.layout import Strides, shortened, strides_of

BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
PRECISIONS = {"float32": 4, "mixed": 4, "bfloat16": 2}
"""Bytes of a weight, of its gradient, and of a number of the optimizer's state."""
OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}
"""Numbers that the optimizer keeps for each parameter."""


@lru_cache(maxsize=4096)
def bytes_of(tensor: Tensor) -> Size:
    return product(tensor.shape) * BYTES[tensor.dtype]


class Memory:
    """The memory that a graph takes. ``sizes`` are where peaks are compared (default: those of the graph)."""

    def __init__(self, graph: Graph, sizes: Mapping[str, int] | None = None, without: Collection[str] = ()):
        self.graph = graph
        self.sizes = {**graph.sizes, **(sizes or {})}
        self.without = without
        self._runs: dict[tuple[bool, str], Summary] = {}

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
        given = (value for name, value in self.graph.inputs.items() if name not in self.without)
        return total(bytes_of(in_precision(value.tensor, precision)) for value in given)

    def _run(self, training: bool, precision: str) -> Summary:
        if (training, precision) not in self._runs:
            self._runs[training, precision] = self._pass(training, precision)
        return self._runs[training, precision]

    def _pass(self, training: bool, precision: str) -> Summary:
        body = self.graph.body
        taken = [
            None if name in self.without else at_rest(in_precision(value.tensor, precision))
            for name, value in zip(body.input_names, body.inputs)
        ]
        tied = {target for step in body.steps if isinstance(step, Node) for _, target in step.ties}
        return _Pass(self.sizes, training, precision, frozen_keys(body, tied)).level(body, taken)


class Peak(NamedTuple):
    """The largest of several sizes: its number, and its formula."""

    number: int = 0
    size: Size = 0


NONE = Peak()


@dataclass(eq=False, slots=True)
class Storage:
    """A piece of memory: ``size`` bytes; ``kept`` where autograd keeps it already. Weights are not ``counted``."""

    size: Size
    kept: bool = False
    counted: bool = True


class Laid(NamedTuple):
    """A tensor in its ``home``. ``needs``: gradients flow to it."""

    tensor: Tensor
    home: Storage
    strides: Strides | None = None
    needs: bool = False


def likeness(laid: Laid) -> tuple[object, ...]:
    """What two tensors have in common that a level cannot tell apart."""
    home = laid.home
    return laid.tensor, laid.strides, laid.needs, home.size, home.kept, home.counted


def at_rest(tensor: Tensor, strides: Strides | None = None, needs: bool = False) -> Laid:
    """A tensor in memory of its own."""
    return Laid(tensor, Storage(bytes_of(tensor)), strides, needs)


@dataclass(eq=False, slots=True)
class Record:
    """What the steps of a level keep in one run, by name; ``calls`` has what is inside, and how often that runs."""

    steps: dict[str, Size] = field(default_factory=dict)
    calls: dict[str, list[tuple[Size, Record]]] = field(default_factory=dict)

    @property
    def total(self) -> Size:
        return total(self.steps.values())

    def add(self, name: str, size: Size, inside: Record | None = None) -> None:
        self.steps[name] = self.steps.get(name, 0) + size
        if inside is not None:
            self.calls.setdefault(name, []).append((1, inside))

    def add_all(self, other: Record, times: Size) -> None:
        """All that another run of the same level keeps, so many times."""
        for name, size in other.steps.items():
            self.steps[name] = self.steps.get(name, 0) + size * times
        for name, calls in other.calls.items():
            self.calls.setdefault(name, []).extend((count * times, inside) for count, inside in calls)

    def at(self, path: Sequence[str]) -> Size:
        if len(path) == 1:
            return self.steps[path[0]]
        found: Size = 0
        for times, inside in self.calls[path[0]]:
            if path[1] in inside.steps:  # a part of the level may run ahead of the rest
                found = found + times * inside.at(path[1:])
        return found


@dataclass(eq=False, slots=True)
class Summary:
    """One run of a level, for all places where its inputs are alike.

    ``touched`` are the inputs (by the first that shares their memory) that it keeps, ``peak`` the most that it has
    alive at once beside its inputs, ``transient`` the gradients of one step. An output lies in an input (a number) or
    in memory that the level made (a ``Storage``).
    """

    record: Record
    touched: list[int]
    outputs: list[tuple[Laid, Union[int, Storage]] | None]
    peak: Peak
    transient: Peak


class _Live:
    """What is alive as a level runs, by the values that lie in it, and the largest that it ever was."""

    def __init__(self, number: Callable[[Size], int]):
        self.number = number
        self.values: dict[Storage, int] = {}
        self.now = 0
        self.size: Size = 0
        self.peak = NONE

    def add(self, storage: Storage) -> None:
        if storage not in self.values:
            self.values[storage] = 0
            self.now += self.number(storage.size)
            self.size = self.size + storage.size
        self.values[storage] += 1

    def drop(self, storage: Storage) -> None:
        if storage in self.values:
            self.values[storage] -= 1
            if not self.values[storage]:
                del self.values[storage]
                self.now -= self.number(storage.size)
                self.size = self.size - storage.size

    def moment(self, besides: Peak = NONE) -> None:
        if self.now + besides.number > self.peak.number:
            self.peak = Peak(self.now + besides.number, self.size + besides.size)


@dataclass(eq=False, slots=True)
class _Frame:
    """A level as it runs: its values, what is kept, what is alive. ``own`` are the storages of its inputs."""

    level: Level
    values: dict[Value, Laid | None]
    live: _Live
    own: frozenset[Storage]
    record: Record = field(default_factory=Record)
    transient: Peak = NONE
    prepared: dict[Call, _Frame] = field(default_factory=dict)
    frozen: bool = False

    def beside(self, call: Call, values: dict[Value, Laid | None]) -> _Frame:
        """A frame for a level that runs as a part of this one."""
        return _Frame(call.body, values, self.live, self.own, frozen=self.frozen or call.frozen)


class _Pass:
    """One forward pass. Runs of equal levels on inputs that are alike are worked out once."""

    def __init__(self, sizes: Mapping[str, int], training: bool, precision: str, frozen: frozenset[str]):
        self.sizes, self.training, self.precision, self.frozen = sizes, training, precision, frozen
        self._known: dict[object, Summary] = {}
        self._numbers: dict[Size, int] = {}

    def number(self, size: Size) -> int:
        if size not in self._numbers:
            self._numbers[size] = evaluate(size, self.sizes)
        return self._numbers[size]

    def level(self, level: Level, taken: Sequence[Laid | None], frozen: bool = False) -> Summary:
        """A run of a level that has no part ahead of it, whose parameters may be ``frozen``."""
        groups = {laid.home: at for at, laid in reversed([*enumerate(taken)]) if laid is not None}
        key = (level, frozen, *(None if laid is None else (groups[laid.home], *likeness(laid)) for laid in taken))
        if key not in self._known:
            self._known[key] = self._level(level, taken, groups, frozen)
        return self._known[key]

    def _level(
        self, level: Level, taken: Sequence[Laid | None], groups: Mapping[Storage, int], frozen: bool
    ) -> Summary:
        copies = {home: replace(home) for home in groups}
        given = [None if laid is None else laid._replace(home=copies[laid.home]) for laid in taken]
        own = frozenset(copies.values())
        frame = _Frame(level, dict(zip(level.inputs, given)), _Live(self.number), own, frozen=frozen)
        if level.loop is None:
            self.run(frame, self.chosen(level.steps), level.outputs)
            results = [frame.values.get(value) for value in level.outputs]
        else:
            results = _Scan(self, frame, given).results()
        places = {copies[home]: at for home, at in groups.items()}
        outputs = [None if laid is None else (laid, places.get(laid.home, laid.home)) for laid in results]
        touched = [at for home, at in groups.items() if copies[home].kept and not home.kept]
        return Summary(frame.record, touched, outputs, frame.live.peak, frame.transient)

    def chosen(self, steps: Iterable[Step]) -> list[Step]:
        return [step for step in steps if self.training or not step.training]

    def run(
        self,
        frame: _Frame,
        steps: Sequence[Step],
        ends: Iterable[Value],
        known_as: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    ) -> None:
        """Run steps of a level. The values in ``ends`` stay; ``known_as`` says what a value's tensor is here."""
        parts = Parts(frame.level)
        reads = [parts.reads(step, None) for step in steps]
        last = {value: at for at, read in enumerate(reads) for value in read}
        last |= dict.fromkeys(ends, len(steps))
        for at, step in enumerate(steps):
            results = self.step(frame, step, known_as)
            for value, laid in zip(step.outputs, results):
                frame.values[value] = laid
                if laid is not None and laid.home not in frame.own:
                    frame.live.add(laid.home)
            frame.live.moment()
            for value in {*reads[at], *step.outputs}:
                gone = frame.values.get(value)
                if last.get(value, -1) <= at and gone is not None:
                    frame.live.drop(gone.home)

    def step(self, frame: _Frame, step: Step, known_as: Callable[[Tensor], Tensor]) -> list[Laid | None]:
        if isinstance(step, Node):
            return self.node(frame, step, known_as)
        if step in frame.prepared:
            return self.late(frame, step)
        taken = [frame.values.get(value) for value in step.inputs]
        summary = self.level(step.body, taken, frame.frozen or step.frozen)
        frame.record.add(step.name, summary.record.total, summary.record)
        for at in summary.touched:
            touched = taken[at]
            assert touched is not None
            touched.home.kept = True
        frame.live.moment(summary.peak)
        frame.transient = max(frame.transient, summary.transient, key=lambda peak: peak.number)
        fresh: dict[Storage, Storage] = {}
        results: list[Laid | None] = []
        for output in summary.outputs:
            if output is None:
                results.append(None)
                continue
            laid, place = output
            if isinstance(place, int):
                source = taken[place]
                assert source is not None
                home = source.home
            else:
                home = fresh.setdefault(place, replace(place))
            results.append(laid._replace(home=home))
        return results

    def prepare(self, frame: _Frame, call: Call) -> None:
        """Run ahead what a level has to run ahead."""
        parts = Parts(call.body)
        values = {call.body.inputs[at]: frame.values.get(call.inputs[at]) for at in parts.early_inputs}
        inner = frame.prepared[call] = frame.beside(call, values)
        self.run(inner, self.chosen(parts.ahead), [value for step in parts.ahead for value in step.outputs])
        for each in parts.prepared:
            self.prepare(inner, each)
        frame.record.add(call.name, inner.record.total, inner.record)

    def late(self, frame: _Frame, call: Call) -> list[Laid | None]:
        """Run what a prepared level runs in each turn."""
        parts, early = Parts(call.body), frame.prepared[call]
        inner = frame.beside(call, dict(early.values))
        inner.values |= {call.body.inputs[at]: frame.values.get(call.inputs[at]) for at in parts.late_inputs}
        inner.prepared = early.prepared
        self.run(inner, self.chosen(parts.turn), call.body.outputs)
        frame.record.add(call.name, inner.record.total, inner.record)
        frame.transient = max(frame.transient, inner.transient, key=lambda peak: peak.number)
        return [inner.values.get(value) for value in call.body.outputs]

    def node(self, frame: _Frame, node: Node, known_as: Callable[[Tensor], Tensor]) -> list[Laid | None]:
        taken = [frame.values.get(value) for value in node.inputs]
        if node.outputs[0].optional and any(laid is None and value.optional for laid, value in zip(taken, node.inputs)):
            return [None] * len(node.outputs)
        op = node.op
        given = [self.cast(op, laid) for laid in node.arranged(taken)]
        tensors = tuple(None if laid is None else laid.tensor for laid in given)
        flows = tuple(
            laid is not None and laid.needs and port != "like"
            for laid, port in zip(given, op.ports if node.ports or not op.variadic else [""] * len(given))
        )
        outputs = tuple(self.made(op, known_as(value.tensor), tensors) for value in node.outputs)
        strides = tuple(None if laid is None else laid.strides for laid in given)
        reads = tuple(value in frame.level.uses for value in node.outputs)
        learns = frozenset(self.learns(frame, node, tensors))
        run = Run(tensors, outputs, strides, flows, reads, self.training, learns)
        backward = self.training and (any(flows) or bool(learns))
        results: list[Laid | None] = []
        for tensor, place, read in zip(outputs, op.places(run), reads):
            if not (self.training or read):  # the weights of an attention, which are not made then
                results.append(None)
                continue
            source = None if place.source is None else given[place.source]
            home = Storage(bytes_of(tensor), counted=op.name != "parameter") if source is None else source.home
            results.append(Laid(tensor, home, place.strides, backward and "float" in tensor.dtype))
        if backward:
            self.keep(frame, node, run, given, results)
        elif not self.training and not op.tracks:
            everything = tuple(tensor is not None for tensor in tensors)
            run = replace(run, needs=everything, learns=frozenset(self.parameters(op, tensors)))
            self.pass_on(frame, run, op, results)
        return results

    def pass_on(self, frame: _Frame, run: Run, op: Op, results: Sequence[Laid | None]) -> None:
        """Count what an op makes on the way to its results."""
        made = op.passing(run)
        if not made:
            return
        homes = [laid.home for laid in results if laid is not None]
        new = [home.size for home in homes if home not in frame.live.values and home not in frame.own]
        size = total([*map(bytes_of, made), *new])
        frame.live.moment(Peak(self.number(size), size))

    def keep(
        self, frame: _Frame, node: Node, run: Run, given: Sequence[Laid | None], results: Sequence[Laid | None]
    ) -> None:
        """Count what autograd keeps of a node."""
        saved = node.op.saved(run)
        read = [*(given[at] for at in saved.inputs), *(results[at] for at in saved.outputs)]
        homes = [laid.home for laid in read if laid is not None]
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

    def weights(self, op: Op, run: Run) -> list[Storage]:
        """The copies of the weights that autocast makes, where they are kept: for the gradients of the input; a
        convolution keeps them always.
        """
        if not any(run.needs) and op.family != "convolution":
            return []
        shapes = self.parameters(op, run.inputs).values()
        return [Storage(bytes_of(Tensor(shape, "bfloat16"))) for shape in shapes if len(shape) > 1]

    def learns(self, frame: _Frame, node: Node, tensors: Sequence[Any]) -> Iterator[str]:
        """A node's parameters that are trained: its own, and those that are tied to such."""
        ties = dict(node.ties)
        frozen = frame.frozen or node.frozen
        for name in self.parameters(node.op, tensors):
            if ties[name] not in self.frozen if name in ties else not frozen:
                yield name

    def parameters(self, op: Op, tensors: Sequence[Any]) -> Mapping[str, Shape]:
        return {} if type(op).parameters is Op.parameters else op.parameters(*tensors)

    def cast(self, op: Op, laid: Laid | None) -> Laid | None:
        """An input as the op gets it: autocast makes a copy where the op runs in another precision."""
        if laid is None or self.precision != "mixed" or not op.autocast or op.autocast == laid.tensor.dtype:
            return laid
        if laid.tensor.dtype not in ("float32", "bfloat16"):
            return laid
        tensor = Tensor(laid.tensor.shape, op.autocast)
        return at_rest(tensor, laid.strides, laid.needs)

    def made(self, op: Op, tensor: Tensor, inputs: Sequence[Tensor | None]) -> Tensor:
        """What an op makes, in the precision that it runs in."""
        if self.precision == "mixed" and tensor.dtype == "float32":
            given = {each.dtype for each in inputs if each is not None and "float" in each.dtype}
            low = op.autocast == "bfloat16" or (not op.autocast and given == {"bfloat16"})
            return Tensor(tensor.shape, "bfloat16" if low and op.name != "cast" else "float32")
        return in_precision(tensor, self.precision)


def frozen_keys(body: Level, keys: Collection[str]) -> frozenset[str]:
    """Which of these parameters are not trained."""
    if not keys:
        return frozenset()
    nodes = {visit.path: visit.frozen for visit in visits(body)}
    return frozenset(key for key in keys if nodes.get(key.rpartition(".")[0], nodes.get(key, False)))


def in_precision(tensor: Tensor, precision: str) -> Tensor:
    """A tensor of the spec as a network in this precision has it."""
    low = precision == "bfloat16" and tensor.dtype == "float32"
    return Tensor(tensor.shape, "bfloat16") if low else tensor


class _Scan:
    """A run of a scan: what is ahead, one turn for the first and one for each of the others, what is behind."""

    def __init__(self, walk: _Pass, frame: _Frame, given: Sequence[Laid | None]):
        assert frame.level.loop is not None
        self.walk, self.frame, self.given = walk, frame, given
        self.loop, self.turns = frame.level.loop, Turns(frame.level)
        self.whole: dict[Value, Laid | None] = dict(zip(self.turns.sequences, given))

    def results(self) -> list[Laid | None]:
        walk, frame, turns = self.walk, self.frame, self.turns
        walk.run(frame, walk.chosen(turns.ahead), [value for step in turns.ahead for value in step.outputs])
        for call in turns.prepared:
            walk.prepare(frame, call)
        fixed = dict(frame.values)
        frame.values = {**fixed, **self.whole}
        walk.run(frame, walk.chosen(turns.before), [*turns.cut, *turns.collected], self.all_turns)
        self.whole |= {value: frame.values.get(value) for step in turns.before for value in step.outputs}
        states = [fixed.get(value) for value in turns.states]
        rest = self.loop.length - 1
        record = frame.record
        parts: dict[Value, Storage] = {}  # what each turn leaves, until it is one tensor
        for times in (1, rest):
            frame.record = Record()
            frame.values = {**fixed, **{value: self.slice(value) for value in turns.cut}}
            frame.values |= dict(zip(turns.states, states))
            self.hold(turns.cut)
            walk.run(frame, walk.chosen(turns.turn), [*turns.following, *turns.kept])
            if not parts:
                kept = ((value, frame.values.get(value)) for value in turns.kept)
                parts = {value: Storage(bytes_of(self.all_turns(laid.tensor))) for value, laid in kept if laid}
                for storage in parts.values():
                    frame.live.add(storage)
            record.add_all(frame.record, times)
            states = [frame.values.get(value) for value in turns.following]
        frame.record = record
        stacked = {value: self.stack(frame.values.get(value), parts.get(value)) for value in turns.kept}
        frame.values = {**fixed, **self.whole, **stacked}
        walk.run(frame, walk.chosen(turns.after), turns.collected, self.all_turns)
        return [*(frame.values.get(value) for value in turns.collected), *states]

    def all_turns(self, tensor: Tensor) -> Tensor:
        return over_time(tensor, self.loop.length)

    def slice(self, value: Value) -> Laid | None:
        """One turn's part of what is there for all of them."""
        laid = self.whole.get(value)
        if laid is None:
            return None
        axis = axis_of_time(value.shape)
        steps = strides_of(laid.tensor.shape, laid.strides)
        strides = shortened(value.shape, (*steps[:axis], *steps[axis + 1 :]))
        return Laid(Tensor(value.shape, laid.tensor.dtype), laid.home, strides, laid.needs)

    def hold(self, values: Iterable[Value]) -> None:
        """Keep what is there for all turns from being let go of by one that reads it last."""
        for value in values:
            laid = self.frame.values[value]
            if laid is not None and laid.home not in self.frame.own:
                self.frame.live.add(laid.home)

    def stack(self, laid: Laid | None, parts: Storage | None) -> Laid | None:
        """All turns' values in one tensor; until it is made, each has its own, the ``parts``."""
        if laid is None or parts is None:
            return None
        tensor = self.all_turns(laid.tensor)
        whole = Storage(bytes_of(tensor))
        live = self.frame.live
        live.add(whole)
        live.moment()
        live.drop(parts)
        return Laid(tensor, whole, None, laid.needs)
