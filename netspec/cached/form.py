"""The two graphs of a decoder: what it makes of its other inputs once, and a step over new words."""

from __future__ import annotations

from dataclasses import replace

from netspec.cached.halves import Halves
from netspec.cached.making import PAST, op_of, with_past
from netspec.cached.plain import plain
from netspec.cached.pruning import pruned, with_owners
from netspec.cached.split import Splitter
from netspec.dataclass import dataclass
from netspec.diagnostics import UsageError
from netspec.dims import Dim, symbols
from netspec.graph import Graph, Level, NetworkOutput, Node, Requirement, Value


@dataclass(frozen=True, slots=True)
class CachedState:
    """A value that a step keeps for the next: it takes it as the input ``past`` and gives it as the output ``present``.

    It grows along ``axis``, and is empty before the first word; where that is ``None`` it is replaced, and begins as
    the output ``start`` of the beginning, or as zeros.
    """

    past: str
    present: str
    axis: int | None
    start: str | None = None


@dataclass(frozen=True, slots=True)
class CachedForm:
    """A decoder in its cached form. Both graphs have the keys of the whole network, as far as they hold its weights.

    ``step`` reads new ``words``, its ``states`` and ``memory``, and gives ``scores`` of the words after them, and the
    states again. ``begin``, if the network has other inputs than words, gives ``memory`` and the first states. With
    ``counts``, ``step`` has an input ``positions`` that numbers the words, as no state tells how many came before.
    """

    step: Graph
    begin: Graph | None
    words: str
    scores: str
    states: tuple[CachedState, ...]
    memory: tuple[str, ...]
    counts: bool = False


def cached_form(graph: Graph) -> CachedForm:
    """Return the cached form of a decoder, derived from its graph.

    Raises ``UsageError`` for a network that is none: one whose first output is no scores (N, T, words) for an input of
    words (N, T), or a step of which does not treat the words one after another.
    """
    whole = plain(graph.unchanged or graph)
    words, scores = _words(whole)
    length = str(whole.inputs[words].shape[1])
    splitter = Splitter(length)
    names = whole.body.input_names
    halves = splitter.halves(whole.body, tuple(1 if name == words else "before" for name in names))
    step, states, counts = _step(whole, halves, splitter, length)
    begin = _begin(whole, halves)
    memory = halves.step.input_names[len(halves.taken) : len(halves.taken) + len(halves.memory)]
    return CachedForm(step, begin, words, scores, states, tuple(name for name in memory if name in step.inputs), counts)


def _words(graph: Graph) -> tuple[str, str]:
    """Return the names of the input of words and of the output of scores."""
    scores = next(iter(graph.outputs))
    shape = graph.outputs[scores].value.shape
    length = shape[1] if len(shape) == 3 else None
    fitting = [
        name
        for name, value in graph.inputs.items()
        if "int" in value.tensor.dtype and len(value.shape) == 2 and value.shape[1] == length
    ]
    if not isinstance(length, Dim) or len(length.symbols) != 1 or len(fitting) != 1:
        raise UsageError(
            f"{graph.name} does not write words: its first output must be scores [N, T, words] for each word of an "
            "input [N, T] of integers, with a name for the length T"
        )
    return fitting[0], scores


def _step(graph: Graph, halves: Halves, splitter: Splitter, length: str) -> tuple[Graph, tuple[CachedState, ...], bool]:
    """Return the graph of a step, its states, and whether its positions are an input."""
    level = halves.step
    grows = [each.past for each in halves.kept if each.axis is not None]
    count = halves.counts and not grows
    if halves.pairs and not grows:
        raise UsageError(f"{graph.name} makes a number for each pair of words, and has no attention that keeps words")
    made = _made_of_sizes(splitter, level, grows[0]) if grows else []
    if made:
        there = {value for node in made for value in node.outputs}
        kept = [at for at, value in enumerate(level.inputs) if value not in there]
        level = replace(
            level,
            inputs=tuple(level.inputs[at] for at in kept),
            input_names=tuple(level.input_names[at] for at in kept),
            steps=(*made, *level.steps),
        )
    level = with_owners(pruned(level))
    states = []
    first = len(halves.now)
    remembered = halves.begin.output_names[len(halves.before) :]
    for each, present in zip(halves.kept, level.output_names[first:]):
        start = None if each.start is None else remembered[halves.memory.index(each.start)]
        past = level.input_names[level.inputs.index(each.past)]
        states.append(CachedState(past, present, each.axis, start))
    sizes = {**graph.sizes, length: 1, **({"P": graph.sizes[length]} if grows else {})}
    whole = replace(
        graph,
        name=f"{graph.name}_step",
        body=level,
        inputs=dict(zip(level.input_names, level.inputs)),
        outputs={name: NetworkOutput(value) for name, value in zip(level.output_names, level.outputs)},
        sizes=sizes,
        requirements=tuple(_counted(each, length, bool(grows)) for each in graph.requirements if not each.training),
    )
    return whole, tuple(states), count


def _made_of_sizes(splitter: Splitter, level: Level, past: Value) -> list[Node]:
    """Return the nodes that make the positions of a step's words, and its columns, where it reads them."""
    words = next(value for value in level.inputs if value.shape[-1:] == (splitter.length,))
    end = PAST + splitter.length
    ops = {
        splitter.positions: ("positions", op_of("arange", start=PAST, end=end)),
        splitter.columns: ("columns", op_of("zeros", size=[end, 1], dtype="float32")),
    }
    return [
        Node(name, op, (words, past), (value,), level.span, ports=("like",))
        for value, (name, op) in ops.items()
        if value in level.inputs
    ]


def _counted(requirement: Requirement, length: str, grows: bool) -> Requirement:
    """Return a requirement for the words of a step, and those before it where they are known."""
    left, right = (with_past(size, length) if grows else size for size in (requirement.left, requirement.right))
    return replace(requirement, left=left, right=right)


def _begin(graph: Graph, halves: Halves) -> Graph | None:
    """Return the graph of what is known before the first word, if there is anything."""
    if not halves.memory:
        return None
    given = len(halves.before)
    level = replace(
        halves.begin,
        outputs=halves.begin.outputs[given:],
        output_names=halves.begin.output_names[given:],
    )
    level = with_owners(pruned(level))
    names = symbols(size for value in level.inputs for size in value.shape)
    return replace(
        graph,
        name=f"{graph.name}_begin",
        body=level,
        inputs=dict(zip(level.input_names, level.inputs)),
        outputs={name: NetworkOutput(value) for name, value in zip(level.output_names, level.outputs)},
        sizes={name: size for name, size in graph.sizes.items() if name in names},
        requirements=tuple(
            each for each in graph.requirements if symbols((each.left, each.right)) <= names and not each.training
        ),
    )
