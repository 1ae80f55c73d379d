"""The splitting of levels into what is known before the first word, and what is done for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netspec.cached.courses import Course, WordPairs, axis_made, is_word_by_word
from netspec.cached.halves import Halves, HalvesInMaking, closed
from netspec.cached.making import PAST, Kept, NewSteps, attention_with_past, opened
from netspec.cached.pairs import begins_pairs, begun_pairs, hides_later, over_pairs
from netspec.cached.windows import behind, cuts_off, is_window, padding_before, with_window
from netspec.diagnostics import UsageError
from netspec.dims import Dim
from netspec.graph import Call, Level, Node, Step, Value
from netspec.ops import Tensor

POSITIONED = ("learned_positions", "sinusoidal_positions", "rotary_embedding")
RECURRENT = ("rnn", "gru", "lstm")
LOST = "it reads what an earlier step makes of all words at once"
TAKEN_APART = {"multihead_attention"}


class Splitter:
    """Splits levels, each once for the courses of its inputs. ``length`` is the dimension of the words."""

    def __init__(self, length: str):
        self.length = Dim.symbol(length)
        self.positions = Value(Tensor((self.length,), "int64"))
        self.columns = Value(Tensor((PAST + self.length, 1), "float32"))
        self.found: dict[tuple[Level, tuple[Course, ...]], Halves] = {}

    def halves(self, level: Level, courses: tuple[Course, ...]) -> Halves:
        """Return the halves of a level whose inputs run so. Raises ``UsageError`` for what cannot go word by word."""
        if (level, courses) not in self.found:
            self.found[level, courses] = self._halves(level, courses)
        return self.found[level, courses]

    def _halves(self, level: Level, courses: tuple[Course, ...]) -> Halves:
        making = HalvesInMaking(level, dict(zip(level.inputs, courses)))
        for value, course in zip(level.inputs, courses):
            if isinstance(course, WordPairs):
                shape = list(value.shape)
                shape[course.columns] = PAST + self.length
                making.placed(value, Value(Tensor(tuple(shape), value.tensor.dtype)), course)
        for step in level.steps:
            self.place(making, step)
        return closed(making, courses, self.positions, self.columns)

    def place(self, making: HalvesInMaking, step: Step) -> None:
        """Put a step into the half that it belongs to, or its parts into both."""
        if not making.places.keys().isdisjoint(step.inputs):
            step = replace(step, inputs=tuple(making.places.get(value, value) for value in step.inputs))
        courses = making.of(step.inputs)
        awaited = {*making.padded, *making.longer} if isinstance(step, Node) else {}
        if any(course == "lost" and value not in awaited for value, course in zip(step.inputs, courses)):
            raise refused(step, LOST)
        if all(course in ("always", "before") for course in courses):
            always = all(course == "always" for course in courses)
            making.begin.append(step)
            if always:
                making.step.append(step)
            making.courses.update((value, "always" if always else "before") for value in step.outputs)
        elif isinstance(step, Node):
            self.node(making, step)
        elif step.body.loop is not None:
            self.scan(making, step)
        else:
            self.call(making, step)

    # Steps that read words

    def node(self, making: HalvesInMaking, node: Node) -> None:
        """Put a node into the half of each word."""
        name = node.op.name
        if name == "scaled_dot_product_attention":
            self.attention(making, node)
        elif name in TAKEN_APART:
            self.take_apart(making, node)
        elif name in POSITIONED:
            self.count(making, node)
        elif name in RECURRENT:
            self.recur(making, node)
        elif begins_pairs(node, making.of(node.inputs), self.length):
            steps = NewSteps(node, making.taken(node))
            self.pair(making, steps, node, begun_pairs(steps, node, self.columns, self.length))
        elif any(isinstance(course, WordPairs) for course in making.of(node.inputs)):
            steps = NewSteps(node, making.taken(node))
            self.pair(making, steps, node, over_pairs(steps, node, making.of(node.inputs), self.columns))
        elif self.slides(making, node):
            return
        elif "lost" in making.of(node.inputs):
            raise refused(node, LOST)
        elif self.is_made_of_sizes(node):
            self.size(making, node)
        elif not is_word_by_word(node, making.of(node.inputs), self.length):
            raise refused(node, "it mixes the words, so that what it makes of one depends on those after it")
        else:
            self.keep(making, node)

    def keep(self, making: HalvesInMaking, node: Node) -> None:
        """Put a node into the step as it is: it treats each word by itself."""
        self.put(making, node)
        for value in node.outputs:
            making.courses[value] = axis_made(value.shape, self.length)

    def put(self, making: HalvesInMaking, step: Step) -> None:
        """Put a step into the half of each word; it reads what is known before as memory."""
        self.remember(making, step.inputs)
        making.step.append(step)

    def pair(self, making: HalvesInMaking, steps: NewSteps, node: Node, made: tuple[Value, WordPairs] | None) -> None:
        """Put the steps that make a value for pairs of words."""
        if made is None:
            raise refused(node, "it mixes numbers of pairs of words")
        self.remember(making, node.inputs)
        making.step.extend(steps.nodes)
        making.pairs = making.pairs or any(self.columns in each.inputs for each in steps.nodes)
        making.placed(node.outputs[0], *made)

    def slides(self, making: HalvesInMaking, node: Node) -> bool:
        """Put a causal convolution, or what belongs to one: zeros in front of it, or the cut of those behind it."""
        given, made = node.inputs[0], node.outputs[0]
        course = making.courses[given]
        before = padding_before(node, course)
        if before:
            making.padded[made] = given, before
            making.courses[made] = "lost"
        elif given in making.longer and cuts_off(node, making.longer[given][1]):
            making.placed(made, making.longer[given][0], len(made.shape) - 1)
        else:
            words, before = making.padded.get(given, (given, 0))
            if not is_window(node, making.courses[words], before):
                return False
            nodes, result, kept = with_window(node, words, making.taken(node))
            making.step.extend(nodes)
            making.kept.extend([] if kept is None else [kept])
            axis = len(made.shape) - 1
            if behind(node.op):
                making.longer[made] = result, behind(node.op)
                making.courses[made], making.courses[result] = "lost", axis
            else:
                making.placed(made, result, axis)
        return True

    def remember(self, making: HalvesInMaking, values: Iterable[Value]) -> None:
        making.memory.update((value, None) for value in values if making.courses.get(value) == "before")

    def attention(self, making: HalvesInMaking, node: Node) -> None:
        """Keep keys and values, if they are of the words; those of something else are there already."""
        tensors = node.arranged(node.inputs)
        query, key, value, mask = (None if each is None else making.courses[each] for each in tensors)
        rank = len(node.inputs[0].shape)
        if not isinstance(key, int) and not isinstance(value, int):
            if isinstance(query, int) and query < rank - 1 and not node.op.is_causal:  # type: ignore[attr-defined]
                return self.keep(making, node)
            raise refused(node, "it is causal, but its keys are not of the words")
        if query == key == value and isinstance(query, int) and query < rank - 2 and not isinstance(mask, int):
            return self.keep(making, node)
        if not query == key == value == rank - 2:
            raise refused(node, "its queries, keys and values do not run along the words alike")
        if mask is not None and not hides_later(mask, tensors[3]):
            raise refused(node, "its `attn_mask` may show words that come later: use `is_causal`, or a `causal_mask`")
        if mask is None and not node.op.is_causal:  # type: ignore[attr-defined]
            raise refused(node, "it is not causal, so that each word sees those after it")
        nodes, kept = attention_with_past(node, making.taken(node), tensors[3])
        making.step.extend(nodes)
        making.kept.extend(kept)
        making.courses[node.outputs[0]] = rank - 2
        return None

    def take_apart(self, making: HalvesInMaking, node: Node) -> None:
        """Put multi-head attention as a level of its steps, and that in its halves."""
        if not node.op.batch_first:  # type: ignore[attr-defined]
            raise refused(node, "its batch is not the first dimension: leave `batch_first` out")
        if making.level.uses.get(node.outputs[1]):
            raise refused(node, "its `weights` are read, which are those of all words")
        body = opened(node)
        call = Call(node.name, body, node.inputs, node.outputs[:1], node.span, node.named, frozen=node.frozen)
        self.call(making, call)

    def count(self, making: HalvesInMaking, node: Node) -> None:
        """Have positions count on from the words before."""
        course = making.courses[node.inputs[0]]
        if course != len(node.inputs[0].shape) - 2:
            raise refused(node, "its positions are not those of the words")
        if len(node.inputs) > 1:
            return self.keep(making, node)
        making.counts = True
        inputs = (node.inputs[0], self.positions)
        making.step.append(replace(node, inputs=inputs, ports=("input", "positions")))
        making.courses[node.outputs[0]] = course
        return None

    def recur(self, making: HalvesInMaking, node: Node) -> None:
        """Have a recurrent layer go on from its last states."""
        op = node.op
        ports = dict(zip(node.ports or op.ports, node.inputs))
        if op.bidirectional:  # type: ignore[attr-defined]
            raise refused(node, "it is bidirectional, so that each word sees those after it")
        if "lengths" in ports:
            raise refused(node, "it takes `lengths`, which are of whole sequences")
        if making.courses[ports["input"]] != (1 if op.batch_first else 0):  # type: ignore[attr-defined]
            raise refused(node, "its steps are not the words")
        states = node.outputs[1:-1]
        starts = [ports.get(port) for port in op.ports[1:-1]]
        pasts = tuple(
            self.state(making, node, port[0], start, present)
            for port, start, present in zip(op.ports[1:], starts, states)
        )
        names = ("input", *op.ports[1:-1])
        making.step.append(replace(node, inputs=(ports["input"], *pasts), ports=names))
        making.courses.update((value, "lost") for value in node.outputs[1:])
        making.courses[node.outputs[0]] = making.courses[ports["input"]]

    def state(self, making: HalvesInMaking, step: Step, stem: str, start: Value | None, present: Value) -> Value:
        """Keep a state for the next step; return what comes in of it."""
        if start is not None and making.courses[start] == "now":
            if not any(start in made.outputs and _is_zeros(made) for made in making.step):
                raise refused(step, "it starts with a state that is made of the words")
            start = None
        if start is not None and isinstance(making.courses[start], int):
            raise refused(step, "it starts with a state that is made of the words")
        past = Value(present.tensor)
        making.kept.append(Kept(stem, past, present, None, start))
        return past

    def scan(self, making: HalvesInMaking, call: Call) -> None:
        """Have a scan go on from its last states."""
        loop = call.body.loop
        assert loop is not None
        sequences, rest = call.inputs[: loop.sequences], call.inputs[loop.sequences :]
        if loop.reverse or any(making.courses[value] != 1 for value in sequences):
            raise refused(call, "it does not go over the words from the first to the last")
        starts, around = rest[: loop.states], rest[loop.states :]
        if any(isinstance(course, (int, WordPairs)) for course in making.of(around)):
            raise refused(call, "each of its steps reads all words")
        collected, states = (
            call.outputs[: len(call.outputs) - loop.states],
            call.outputs[len(call.outputs) - loop.states :],
        )
        names = call.body.input_names[loop.sequences :]
        pasts = tuple(self.state(making, call, *each) for each in zip(names, starts, states))
        self.remember(making, around)
        making.step.append(replace(call, inputs=(*sequences, *pasts, *around)))
        making.courses.update((value, 1) for value in collected)
        making.courses.update((value, "lost") for value in states)

    def is_made_of_sizes(self, node: Node) -> bool:
        """Return whether a node reads nothing of its inputs but their sizes."""
        return node.op.ports == ("like",)

    def size(self, making: HalvesInMaking, node: Node) -> None:
        """Put a tensor that is made of sizes: positions, a causal mask, or one without the words."""
        op, made = node.op, node.outputs[0]
        if op.name == "arange" and (op.start, op.end, op.step) == (0, self.length, 1):  # type: ignore[attr-defined]
            making.counts = True
            making.placed(made, self.positions, 0)
        elif any(isinstance(size, Dim) and not self.length.symbols.isdisjoint(size.symbols) for size in made.shape):
            making.courses[made] = "lost"
        else:
            self.put(making, node)
            making.courses[made] = "now"

    def call(self, making: HalvesInMaking, call: Call) -> None:
        """Put the halves of a level into the halves of the level around it."""
        halves = self.halves(call.body, tuple(making.of(call.inputs)))
        exported = tuple(Value(value.tensor) for value in halves.memory)
        early = tuple(call.outputs[at] for at in halves.before)
        if early or exported:
            inputs = tuple(call.inputs[at] for at in halves.known)
            making.begin.append(replace(call, body=halves.begin, inputs=inputs, outputs=(*early, *exported)))
        making.courses.update((value, "before") for value in (*early, *exported))
        kept = [each._replace(past=Value(each.past.tensor), present=Value(each.present.tensor)) for each in halves.kept]
        starts = dict(zip(halves.memory, exported))
        inner = dict(zip(call.body.inputs, call.inputs))
        for each in kept:
            start = each.start if each.start is None else starts.get(each.start, inner.get(each.start))
            making.kept.append(each._replace(start=start))
        taken = tuple(call.inputs[at] for at in halves.taken)
        making.counts, making.pairs = making.counts or halves.counts, making.pairs or halves.pairs
        given = (*[self.positions] * halves.counts, *[self.columns] * halves.pairs)
        inputs = (*taken, *exported, *given, *(each.past for each in kept))
        late = tuple(Value(value.tensor) for value in halves.step.outputs[: len(halves.now)])
        for at, made in zip(halves.now, late):
            making.placed(call.outputs[at], made, halves.courses[at])
        outputs = (*late, *(each.present for each in kept))
        if outputs:
            self.put(making, replace(call, body=halves.step, inputs=inputs, outputs=outputs))


def _is_zeros(step: Step) -> bool:
    return isinstance(step, Node) and step.op.name == "zeros"


def refused(step: Step, why: str) -> UsageError:
    """Return the error that a step cannot be done word by word."""
    word = step.op.name if isinstance(step, Node) else step.body.kind
    return UsageError(f"{step.span.place}: `{word}` cannot go word by word: {why}")
