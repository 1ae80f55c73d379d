"""Find the steps, inputs, parameters, locals and blocks that nothing reads or runs.

None of it is an error: the network is sound. But weights that change no output are trained, kept and paid for, and an
argument that is never read can be set to anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePath

from netspec import library
from netspec.checks.unmet_rules import unmet_rules
from netspec.checks.warning import is_silenced, warning
from netspec.diagnostics import Diagnostic, Source, Span
from netspec.graph import Call, Graph, Level, Node, Step, Value, levels_in, parameter_count, walk
from netspec.spec import Spec
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode

WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
DOTTED = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_][A-Za-z_0-9]*)+")
QUIET = ("blocks", "import", "name", "doc")
"""The keys of a file under which no block is run."""
Place = tuple[str, int, int]


def unused(spec: Spec, document: SyntaxNode, graphs: Iterable[Graph]) -> list[Diagnostic]:
    """A warning for each part of a spec that nothing reads in any of its graphs, in source order."""
    readings = [Reading(graph) for graph in graphs]
    foreign = {used.spec.network[0].span.source for used in spec.uses.values()}  # what they have unused is theirs
    found = [*unread_steps(readings, foreign), *unread_inputs(spec, readings)]
    found += unmet_rules(spec, document.span.source, [reading.graph for reading in readings], foreign)
    if isinstance(document, MapNode):
        found += [*unread_words(spec, document), *unread_locals(document), *unrun_blocks(spec, document)]
    return sorted((each for each in found if not is_silenced(each)), key=lambda each: each.primary.span.order)


# Steps


class Reading:
    """The steps of a graph that some output depends on: ``lives`` has those of each level, ``read`` the values."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.lives: dict[Level, set[Step]] = {}
        self.wanted: dict[Level, set[int]] = {}
        self.read: set[Value] = set()
        if not graph.body.lends:  # all else that nothing reads has been left out
            self.lives = {level: {*level.steps} for level in levels_in(graph.body) if level.unread}
            self.read = {*graph.body.uses}
            return
        nodes = walk(graph.body) if graph.body.has_ties else ()
        self.tied = {target for _, step, _ in nodes for target in tied_to(step)}
        self._mark(graph.body, set(range(len(graph.body.outputs))), "")

    def _mark(self, level: Level, wanted: set[int], prefix: str) -> None:
        """Follow a level from the outputs that are read of it; what was followed before is not again."""
        before = self.wanted.setdefault(level, set())
        if level in self.lives and wanted <= before and not self._holds_tied(prefix):
            return
        before |= wanted if level.loop is None else set(range(len(level.outputs)))
        live = self.lives.setdefault(level, set())
        needed = {level.outputs[number] for number in before}
        shared = {step.shares for step in level.steps if step.shares}
        self.tied |= {prefix + path for path in shared if "." in path}
        for step in reversed(level.steps):
            path = prefix + step.name
            keys = [prefix + key for _, key in step.keys] if isinstance(step, Node) else []
            tied = not self.tied.isdisjoint([path, *keys]) or self._holds_tied(path + ".")
            if needed.isdisjoint(step.outputs) and step.name not in shared and not tied:
                continue
            live.add(step)
            needed.update(step.inputs)
            if isinstance(step, Call):
                inside = {number for number, value in enumerate(step.outputs) if value in needed}
                self._mark(step.body, inside, path + ".")
        self.read |= needed

    def _holds_tied(self, prefix: str) -> bool:
        return bool(self.tied) and any(path.startswith(prefix) for path in self.tied)


def tied_to(step: Step) -> Iterator[str]:
    """The keys of the parameters that a step takes, and the paths of the steps that they are of."""
    if not isinstance(step, Call):
        for _, source in step.ties:
            yield from (source, source.rpartition(".")[0] or source)


def unread_steps(readings: Iterable[Reading], foreign: Collection[Source]) -> Iterator[Diagnostic]:
    """Steps that no output of any graph depends on, and that no other step reads; ``foreign`` texts left out."""
    useless: dict[Place, tuple[Step, bool, bool]] = {}
    for reading in readings:
        for level, live in reading.lives.items():
            if len(live) == len(level.steps) and not level.unread:
                continue
            steps = (*level.steps, *level.unread)
            inside = {value for step in steps for value in step.inputs}
            for step in steps if level.span.source not in foreign else ():
                if step not in live:
                    is_read = bool(inside & {*step.outputs})
                    useless.setdefault(step.span.order, (step, is_read, step in level.unread))
    if not useless:
        return
    useful = {
        step.span.order
        for reading in readings
        for level in levels_in(reading.graph.body)
        for step in reading.lives.get(level, level.steps if not reading.graph.body.lends else ())
    }
    for place, (step, is_read, left_out) in useless.items():
        if place not in useful and not is_read and not library.owns(step.span.source):
            yield _unread_step(step, left_out)


def _unread_step(step: Step, left_out: bool) -> Diagnostic:
    count = parameter_count(step)
    kind = step.body.title or step.body.kind if isinstance(step, Call) else step.op.name
    what = f"`{step.name}`" if step.named else f"this `{kind}`"
    if left_out:
        weighs = f": it is left out, with its {count:,} parameters" if count else ": it is left out"
    else:
        weighs = f", so its {count:,} parameters do not" * bool(count) or ", so it does not"
        weighs += " affect any output"
    help = "read it with `from`, add it to the `outputs`, or remove it"
    return warning("unused-step", f"nothing reads {what}{weighs}", step.span, help=help)


# Inputs and parameters


def unread_inputs(spec: Spec, readings: Iterable[Reading]) -> Iterator[Diagnostic]:
    """Inputs of the network that no output of any graph depends on."""
    read = {name for each in readings for name, value in each.graph.inputs.items() if value in each.read}
    for name, given in spec.inputs.items():
        if name not in read:
            help = f"read it with `from: {name}`, or remove it"
            yield warning("unused-input", f"no output depends on the input `{name}`", given.span, help=help)


def unread_words(spec: Spec, document: MapNode) -> Iterator[Diagnostic]:
    """Parameters whose names stand in no value of the file, or of their block."""
    everywhere = {*words(document)}
    for name, parameter in spec.params.items():
        if name not in everywhere:
            yield _unread_parameter(parameter.key.span, f"nothing reads the parameter `{name}`")
    blocks = document.get("blocks")
    for block, inside in blocks.entries if isinstance(blocks, MapNode) else ():
        read = {*words(inside)}
        for key, parameter in spec.blocks[block.text].params.items():
            if key not in read:
                message = f"nothing in `{block.text}` reads its parameter `{key}`"
                yield _unread_parameter(parameter.key.span, message)


def _unread_parameter(span: Span, message: str) -> Diagnostic:
    help = "use it in an expression, or remove it"
    return warning("unused-parameter", f"{message}: its value has no effect", span, help=help)


def unread_locals(document: MapNode) -> Iterator[Diagnostic]:
    """Locals whose names stand in no value of the file, or of their block."""
    blocks = document.get("blocks")
    bodies = [inside for _, inside in blocks.entries] if isinstance(blocks, MapNode) else []
    rest = MapNode(document.span, tuple(entry for entry in document.entries if entry[0].text != "blocks"))
    for inside, readers in [(rest, document), *((body, body) for body in bodies)]:
        read = {*words(readers)}
        for key in locals_in(inside):
            if key.text not in read:
                yield _unread_parameter(key.span, f"nothing reads the local `{key.text}`")


def locals_in(node: SyntaxNode) -> Iterator[ScalarNode]:
    """The names under every ``let`` in a tree."""
    if isinstance(node, ListNode):
        for item in node.items:
            yield from locals_in(item)
    elif isinstance(node, MapNode):
        for key, value in node.entries:
            if key.text == "let" and isinstance(value, MapNode):
                yield from (name for name, _ in value.entries)
            else:
                yield from locals_in(value)


def unrun_blocks(spec: Spec, document: MapNode) -> Iterator[Diagnostic]:
    """Blocks of the file that nothing in it names, and imports of which it names no block."""
    blocks = document.get("blocks")
    own = blocks.entries if isinstance(blocks, MapNode) else ()
    outside = {word for key, value in document.entries if key.text not in QUIET for word in mentions(value)}
    inside = {key.text: {*mentions(value)} for key, value in own}
    home = document.span.source
    for key in (key for key, _ in own if key.span.source is home):  # not those of a spec that it extends
        if not any(key.text in named for name, named in [("", outside), *inside.items()] if name != key.text):
            help = "run it, remove it, or write `# netspec: ignore[unused-block]` above if other files import it"
            yield warning("unused-block", f"nothing runs the block `{key.text}`", key.span, help=help)
    named = outside.union(*inside.values())
    foreign = {name: block.span.source for name, block in spec.blocks.items() if block.span.source is not home}
    used = {PurePath(source.name).name for name, source in foreign.items() if name in named}
    files = (item.entries if isinstance(item, MapNode) else ((item, item),) for item in spec.imports)
    written = [node for entries in files for _, node in entries if isinstance(node, ScalarNode)]
    direct = {PurePath(node.text).name for node in written}
    if used <= direct:  # else one of them leads to what is used
        for node in written:
            if PurePath(node.text).name not in used:
                help = "run one of its blocks, or remove it"
                yield warning("unused-import", f"nothing runs a block of `{node.text}`", node.span, help=help)


def mentions(node: SyntaxNode) -> Iterator[str]:
    """Every word in the keys and values of a tree, those with a prefix too."""
    if isinstance(node, ScalarNode):
        yield from DOTTED.findall(node.text)
        yield from WORD.findall(node.text)
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from mentions(item)
    else:
        for key, value in node.entries:
            yield from mentions(key)
            yield from mentions(value)


def words(node: SyntaxNode) -> Iterator[str]:
    """Every word in the values of a tree, and in keys that hold an expression; what documents it does not count."""
    if isinstance(node, ScalarNode):
        yield from WORD.findall(node.text)
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from words(item)
    else:
        for key, value in node.entries:
            if "{" in key.text or key.text.startswith("$"):
                yield from WORD.findall(key.text)
            if key.text != "doc":
                yield from words(value)
