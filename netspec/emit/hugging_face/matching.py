"""A graph held against one of Hugging Face's forms, node by node, from the inputs on: what is what, or what differs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from netspec.dims import Dim, Shape, Size, substitute
from netspec.emit.hugging_face.normal import COMMUTATIVE, Made, NormalForm, RunningNode
from netspec.graph import Node

ANY = "activation"
"""The argument that a slot names where any activation may stand."""
IGNORED = frozenset(("dropout_p", "enable_gqa", "padding_idx"))
"""Arguments that change nothing in inference, or follow from shapes."""
DEPTH = 6
"""The number of steps after a node that tell it from others that read the same: its keys are turned like its values."""


class FormSlot(NamedTuple):
    """A place in a form where the graph chooses: the ``argument`` of the form's nodes whose paths match ``pattern``.

    All nodes of one slot, which its ``name`` stands for, choose alike.
    """

    pattern: str
    argument: str
    name: str


class FormDifference(NamedTuple):
    """The first node that differs from a form, and how; so many nodes before it, ``matched``, are the form's."""

    node: RunningNode | None
    text: str
    matched: int


class FormMatch(NamedTuple):
    """The outcome for a graph that has a form: the form's key for each of its own, its name for each output, and what
    stands in the slots. ``ties`` are of the form's keys.
    """

    keys: Mapping[str, str]
    outputs: Mapping[str, str]
    ties: Mapping[str, str]
    chosen: Mapping[str, Any]


class FormMatcher:
    """Holds a graph against a form. ``inputs`` has the form's name for each input of the graph, ``choices`` says for
    activations, by their nodes, what they are called there; ``None`` for those that it has not. ``tie`` are the keys of
    two weights that may be one.
    """

    def __init__(
        self,
        own: NormalForm,
        form: NormalForm,
        inputs: Mapping[str, str],
        slots: Sequence[FormSlot],
        choices: Callable[[Node], str | None],
        tie: tuple[str, ...] = (),
    ):
        self.own, self.form, self.slots, self.choices, self.tie = own, form, slots, choices, tie
        self.sizes = _sizes(own, form, inputs)
        self.image: dict[Made, Made] = {Made(name): Made(theirs) for name, theirs in inputs.items()}
        self.taken: set[RunningNode] = set()
        self.chosen: dict[str, tuple[Any, RunningNode]] = {}
        self.keys: dict[str, str] = {}
        self.readers: dict[Hashable, list[RunningNode]] = defaultdict(list)
        for node in form.nodes:
            self.readers[self.reading(node, lambda made: made)].append(node)
        self.own_users, self.form_users = _users(own), _users(form)

    def result(self) -> FormMatch | FormDifference:
        """Return what is what, or the first difference."""
        for matched, node in enumerate(self.own.nodes):
            text = None if node.is_leaf else self.place(node)
            if text is not None:
                return FormDifference(node, text, matched)
        return self.lacking() or self.other_ends() or self.tied()

    def place(self, node: RunningNode) -> str | None:
        """Find the form's node for one whose inputs have theirs; return how it differs, where there is none."""
        here = [each for each in self.readers[self.reading(node, self.there)] if each not in self.taken]
        alike = [each for each in here if self.kinds_agree(node, each)]
        faults = [(each, self.fault(node, each)) for each in alike]
        fitting = [each for each, fault in faults if fault is None]
        if not fitting:
            return faults[0][1] if faults else self.instead(node, here)
        theirs = fitting[0]
        if len(fitting) > 1:
            later = _later(node, self.own_users)
            theirs = next((each for each in fitting if _later(each, self.form_users) == later), theirs)
        return self.take(node, theirs)

    def take(self, node: RunningNode, theirs: RunningNode) -> str | None:
        """Take a node of the form for one of the graph, with the leaves that both read."""
        for own, other in zip(node.inputs, theirs.inputs):
            if own is None or isinstance(own.by, str) or not own.by.is_leaf:
                continue
            assert other is not None
            assert not isinstance(other.by, str)
            if self.image.setdefault(own, other) != other:
                return f"`{own.by.path}` is read by several steps: {_each_its_own(other.by)}"
            if other.by not in self.taken and (text := self.take(own.by, other.by)) is not None:
                return text
        self.taken.add(theirs)
        self.image.update((Made(node, at), Made(theirs, at)) for at in range(len(node.shapes)))
        for name, key in node.keys.items():
            other_key = theirs.keys.get(
                name, f"{theirs.path}.{name}"
            )  # a slot's bias may be missing in the form's spec
            if self.keys.setdefault(key, other_key) != other_key:
                return f"it runs with the weights of another step, `{key}`: {_each_its_own(theirs)}"
        for slot in self.slots_of(theirs):
            value = self.value(node, slot)
            first, at = self.chosen.setdefault(slot.name, (value, node))
            if value != first:
                return f"its {slot.argument} is {value}, and that of {at.path} {first}, where all have the same one"
        return None

    # What a node is known by

    def there(self, made: Made) -> Hashable:
        """Return the form's value for one of the graph; an input that the form has not is like nothing."""
        return self.image.get(made, ("own", made))

    def reading(self, node: RunningNode, image: Callable[[Made], Hashable]) -> Hashable:
        """Return what the node reads, as values of the form; leaves by what they are."""
        read: list[Hashable] = []
        for each in node.inputs:
            if each is None:
                read.append(None)
            elif not isinstance(each.by, str) and each.by.is_leaf:
                read.append((each.by.kind, each.by.shapes))
            else:
                read.append(image(each))
        while read and read[-1] is None:
            read.pop()
        return frozenset((value, read.count(value)) for value in read) if node.kind in COMMUTATIVE else tuple(read)

    def slots_of(self, theirs: RunningNode) -> list[FormSlot]:
        return [slot for slot in self.slots if fnmatchcase(theirs.path, slot.pattern)]

    def value(self, node: RunningNode, slot: FormSlot) -> Any:
        assert isinstance(node.step, Node)
        return self.choices(node.step) if slot.argument == ANY else getattr(node.step.op, slot.argument)

    def kinds_agree(self, node: RunningNode, theirs: RunningNode) -> bool:
        if node.kind == theirs.kind:
            return True
        free = any(slot.argument == ANY for slot in self.slots_of(theirs))
        return free and isinstance(node.step, Node) and self.choices(node.step) is not None

    def fault(self, node: RunningNode, theirs: RunningNode) -> str | None:
        """Return how a node differs from the form's of the same kind that reads the same."""
        slots = {slot.argument for slot in self.slots_of(theirs)}
        if ANY not in slots:
            own, other = arguments(node), arguments(theirs, self.sizes)
            for name, value in own.items():
                if name not in slots and value != other.get(name) and not _close(value, other.get(name)):
                    return f"its {name} is {_said(value)}, and there it is {_said(other.get(name))}"
        elif isinstance(node.step, Node) and self.choices(node.step) is None:
            return f"no activation there is a `{node.kind}` with these arguments"
        own, other = (dict(_state(each)) for each in (node, theirs))
        for name, shape in other.items():
            if own.get(name, shape if name in slots else None) != shape:
                return f"its {name} is {_said(own.get(name, 'not there'))}, and there it is {_said(shape)}"
        return None

    # What is told

    def instead(self, node: RunningNode, here: Sequence[RunningNode]) -> str:
        """Return what the form has in a node's place."""
        if not here:
            made = [self.image[each] for each in node.inputs if each is not None and each in self.image]
            here = [each for each in self.form.nodes if each not in self.taken and {*made} & {*each.inputs}]
        return f"there is {spelled(here[0])} instead" if here else "there is nothing like it"

    def lacking(self) -> FormDifference | None:
        """Return what the form has, and the graph has not."""
        for theirs in self.form.nodes:
            if theirs in self.taken or theirs.is_leaf:
                continue
            read = {each for each in theirs.inputs if each is not None}
            before = [made.by for made, image in self.image.items() if image in read and not isinstance(made.by, str)]
            text = f"{spelled(theirs)} follows there, and nothing does here"
            return FormDifference(before[-1] if before else None, text, len(self.own.nodes))
        return None

    def other_ends(self) -> FormDifference | None:
        """Return the first input or output that the form has not."""
        for name in self.own.graph.inputs:
            if Made(name) not in self.image:
                return FormDifference(None, f"there is no input like `{name}`", len(self.own.nodes))
        for name, made in self.own.outputs.items():
            if self.image[made] not in self.form.outputs.values():
                node = None if isinstance(made.by, str) else made.by
                return FormDifference(node, f"it is the output `{name}`, and none there", len(self.own.nodes))
        return None

    def tied(self) -> FormMatch | FormDifference:
        """Return the match, unless weights are one that are two in the form."""
        ties: dict[str, str] = {}
        for node in self.own.nodes:
            for name, target in node.ties.items():
                own = node.keys[name]
                ties[self.keys[own]] = self.keys[target]
                if {self.keys[own], self.keys[target]} != {*self.tie}:
                    text = f"`{own}` is one with `{target}`, and there both are weights of their own"
                    return FormDifference(node, text, len(self.own.nodes))
        names = {made: name for name, made in self.form.outputs.items()}
        outputs = {name: names[self.image[made]] for name, made in self.own.outputs.items()}
        return FormMatch(self.keys, outputs, ties, {name: value for name, (value, _) in self.chosen.items()})


def arguments(node: RunningNode, sizes: Mapping[str, Size] = {}) -> dict[str, Any]:
    """Return what an op is told; of one that only moves elements, what becomes of them."""
    shapes = [_at(shape, sizes) for shape in node.shapes]
    if not isinstance(node.step, Node):
        return {"shape": shapes}
    op, given = node.step.op, node.input_shapes
    if node.kind in ("reshape", "expand"):
        return {"shape": shapes[0]}
    if node.kind == "split":
        return {"dim": op.dim % len(given[0]), "sizes": shapes}  # type: ignore[attr-defined]
    if node.kind == "permute":
        return {"dims": _order(op, len(given[0]))}
    told = {name: getattr(op.with_sizes(sizes), name) for name in type(op).model_fields if name not in IGNORED}  # type: ignore[arg-type]
    if node.kind == "scaled_dot_product_attention" and told["scale"] is None:
        told["scale"] = given[0][-1] ** -0.5  # type: ignore[operator]
    return told


def spelled(node: RunningNode) -> str:
    """Return a form's node in words."""
    word = node.step.op.name if isinstance(node.step, Node) else "scan"
    return f"`{word}` ({node.path})"


def _order(op: Any, rank: int) -> tuple[int, ...]:
    if op.name == "permute":
        return tuple(dim % rank for dim in op.dims)
    order = [*range(rank)]
    first, second = op.dim0, op.dim1
    order[first], order[second] = order[second], order[first]
    return tuple(order)


def _sizes(own: NormalForm, form: NormalForm, inputs: Mapping[str, str]) -> dict[str, Size]:
    """The sizes of the graph for the dimensions of the form."""
    found: dict[str, Size] = {}
    for name, theirs in inputs.items():
        for size, other in zip(own.graph.inputs[name].shape, form.graph.inputs[theirs].shape):
            if isinstance(other, Dim):
                found.update((symbol, size) for symbol in other.symbols)
    return found


def _at(shape: Shape, sizes: Mapping[str, Size]) -> Shape:
    return tuple(substitute(size, sizes) for size in shape)  # type: ignore[arg-type]


def _state(node: RunningNode) -> Mapping[str, Shape]:
    return node.step.state if isinstance(node.step, Node) else {}


def _close(left: Any, right: Any) -> bool:
    return isinstance(left, float) and isinstance(right, float) and abs(left - right) <= 1e-6 * abs(right)


def _said(value: Any) -> str:
    return str([*value]) if isinstance(value, tuple) else str(value)


def _each_its_own(theirs: RunningNode) -> str:
    return f"there {spelled(theirs)} has weights of its own"


Users = Mapping[RunningNode, Collection[tuple[RunningNode, int]]]


def _users(form: NormalForm) -> Users:
    """The nodes that read each node, with the port by which they do."""
    users: dict[RunningNode, list[tuple[RunningNode, int]]] = defaultdict(list)
    for node in form.nodes:
        for port, each in enumerate(node.inputs):
            if each is not None and not isinstance(each.by, str):
                users[each.by].append((node, -1 if node.kind in COMMUTATIVE else port))
    return users


def _later(node: RunningNode, users: Users, depth: int = DEPTH) -> Hashable:
    """The steps that read a node's result, and those after them."""
    if not depth:
        return node.kind
    return node.kind, frozenset((port, _later(each, users, depth - 1)) for each, port in users.get(node, ()))
