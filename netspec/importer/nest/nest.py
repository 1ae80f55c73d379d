"""The tree of a program: groups in order, each as a level that knows its surroundings by its inputs alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from netspec.importer.nest.groups import PlacedStep, StepGroup, group_steps
from netspec.importer.nest.order import put_in_order
from netspec.importer.program import ForeignProgram, NamedNumber
from netspec.importer.tree import ModuleLevel, NetworkTree, OpNode, Ref, ScanLevel, TreeNode
from netspec.ops.core.foreign import ForeignTensor
from netspec.ops.core.tensors import Tensor


def nest(program: ForeignProgram) -> NetworkTree:
    """Return the tree of a program whose steps are ops."""
    steps = program.steps
    root = group_steps(program, steps)
    put_in_order(root, {id(step): at for at, step in enumerate(steps)})
    uses = Counter(id(tensor) for tensor in program.outputs.values())
    for step in steps:
        uses.update(id(tensor) for tensor in step.reading.inputs if tensor is not None)  # type: ignore[union-attr]
    body, inside = _Nesting(uses, program.numbers).level(root, "", list(program.inputs.values()))
    body.results = tuple(inside[id(tensor)] for tensor in program.outputs.values())
    return NetworkTree(program.name, body, tuple(program.inputs), tuple(program.outputs), program.sizes, program.doc)


Made = tuple[TreeNode, Sequence[ForeignTensor | None], Sequence[ForeignTensor | None]]
"""A node, with what it reads and what it makes, or gives to others."""


class _Nesting:
    """Makes levels of groups. ``uses`` counts how often each tensor is read in the whole program.

    ``numbers`` are those of modules by their paths.
    """

    def __init__(self, uses: Counter[int], numbers: Mapping[str, Mapping[str, NamedNumber]]):
        self.uses, self.numbers = uses, numbers
        self.owners: dict[int, str] = {}
        self.seen: set[str] = set()
        self.nameless: dict[str, OpNode] = {}  # the first steps without a name that have tensors of these keys

    def level(
        self, group: StepGroup, path: str, takes: Sequence[ForeignTensor] = ()
    ) -> tuple[ModuleLevel, dict[int, Ref]]:
        """Return a group as a level, and where in it each tensor is."""
        inside = {id(tensor): Ref(-1, at) for at, tensor in enumerate(takes)}
        reads: list[ForeignTensor] = list(takes)
        body: list[TreeNode] = []
        made: list[ForeignTensor] = []
        for child in group.children:
            where = ".".join(part for part in (path, child.name) if part)
            node, inputs, outputs = self.node(child, where)
            for tensor in inputs:
                if tensor is not None and id(tensor) not in inside:
                    inside[id(tensor)] = Ref(-1, len(reads))
                    reads.append(tensor)
            node.inputs = tuple(None if tensor is None else inside[id(tensor)] for tensor in inputs)
            for port, tensor in enumerate(outputs):
                if tensor is not None:
                    inside[id(tensor)] = Ref(len(body), port)
                    made.append(tensor)
            body.append(node)
        kind = group.call.kind if group.call is not None else ""
        level = ModuleLevel(group.name, (), (), body=body, takes=tuple(map(_tensor, reads)), kind=kind)
        level.numbers = self.numbers.get(group.path, {})
        self.reads, self.made = reads, made
        return level, inside

    def node(self, item: PlacedStep | StepGroup, path: str) -> Made:
        """Return what stands in a level, with what it reads and what it makes."""
        if isinstance(item, PlacedStep):
            return self.leaf(item, path)
        return self.child(item, path) if item.loop is None else self.scan(item, path)

    def scan(self, group: StepGroup, path: str) -> Made:
        """Return a scan, whose marks say what it reads and what it makes."""
        first, *body, last = group.children
        loop = group.loop
        assert isinstance(first, PlacedStep)
        assert isinstance(last, PlacedStep)
        assert loop is not None
        begins, ends = first.step.reading, last.step.reading
        assert begins is not None
        assert ends is not None
        takes = [each for each in begins.outputs if each is not None]
        inner = StepGroup(group.name, group.path, group.call, body)
        level, inside = self.level(inner, path, takes)
        node = ScanLevel(
            group.name,
            (),
            tuple(_tensor(each) for each in ends.outputs if each is not None),
            body=level.body,
            takes=level.takes,
            results=tuple(inside[id(each)] for each in ends.inputs),
            sequences=loop.sequences,
            states=loop.states,
            reverse=loop.reverse,
            is_level=bool(group.name) or not group.keyed,
        )
        reads = [*begins.inputs, *self.reads[len(takes) :]]
        return node, reads, ends.outputs

    def child(self, group: StepGroup, path: str) -> tuple[ModuleLevel, list[ForeignTensor], list[ForeignTensor]]:
        """Return a group inside another as a level, with what it reads and what others read of it."""
        turn = group.call.turn if group.call is not None else 0
        level, inside = self.level(group, path)
        reads, made = self.reads, self.made
        used = Counter(
            id(tensor)
            for leaf in group.leaves()
            for tensor in (leaf.step.reading.inputs if leaf.step.reading else ())
            if tensor is not None
        )
        results = [tensor for tensor in made if self.uses[id(tensor)] > used[id(tensor)]]
        results.sort(key=lambda tensor: inside[id(tensor)].at != len(level.body) - 1)
        level.results = tuple(inside[id(tensor)] for tensor in results)
        level.outputs = tuple(map(_tensor, results))
        if turn and group.keyed:
            level.shared = path
        if turn or not group.keyed:
            level.name = "" if turn else level.name
        return level, reads, results

    def leaf(self, leaf: PlacedStep, path: str) -> Made:
        """Return a step as a node, with what it reads and what it makes."""
        reading = leaf.step.reading
        assert reading is not None
        tied: dict[str, str] = {}
        again = leaf.keyed and bool(reading.state)
        parent = path.removesuffix(leaf.name).removesuffix(".")
        for name, tensor in reading.state.items():
            relative = leaf.keys.get(name)
            key = ".".join(part for part in ((parent, relative) if relative else (path, name)) if part)
            owner = self.owners.setdefault(id(tensor), key)
            again = again and owner == key and key in self.seen
            if owner != key:
                tied[name] = owner
            self.seen.add(key)
        outputs = tuple(Tensor((), "float32") if tensor is None else _tensor(tensor) for tensor in reading.outputs)
        first = self.nameless.get(key) if again and not leaf.name else None
        node = OpNode(
            leaf.name if leaf.keyed and not again else "",
            (),
            outputs,
            shared=(path if first is None else key) if again else "",
            again=first,
            place=leaf.step.place,
            op=leaf.step.op,
            arguments=dict(reading.arguments),
            keyed=leaf.keyed,
            keys=dict(leaf.keys),
            tied=tied,
        )
        if reading.state and not leaf.name and not again:
            self.nameless[key] = node
        return node, reading.inputs, reading.outputs


def _tensor(tensor: ForeignTensor) -> Tensor:
    return Tensor(tensor.shape, tensor.dtype)
