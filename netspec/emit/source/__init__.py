"""PyTorch source: one ``nn.Module`` class a block, standalone, as a person would have written it.

The same text is what ``netspec source`` prints and what the runtime executes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from textwrap import wrap

from netspec.analysis.opaque import opaque_steps, unbuildable
from netspec.dataclass import dataclass
from netspec.diagnostics import SpecError
from netspec.dims import times_shape
from netspec.emit.source.constructors import Chain, ClassGroup, Construction, Maker, group_classes
from netspec.emit.source.forms import is_sequential
from netspec.emit.source.holders import Holders
from netspec.emit.source.keyed import KEYED, LENT
from netspec.emit.source.methods import Method, methods
from netspec.emit.source.names import is_attribute
from netspec.emit.source.recomputed import CHECKPOINT, RECOMPUTE, STANDARD
from netspec.graph import Call, Graph, InitRule, Level, Node, visits, walk, walk_parameters
from netspec.ops import OPS
from netspec.ops.tensors.held import BUFFER, FLEETING, PARAMETER
from netspec.text.quoting import docstring, literal

WIDTH = 120
INDENT = "    "
FREEZE = ".requires_grad_(False)"
MOST_TOLD = 70
"""A longer list of outputs is counted in a class's docstring."""
MOST_PATHS = 6
"""So many parameters that one rule sets are listed; more are told by how their names end, where that tells them."""


@dataclass(frozen=True, slots=True)
class Program:
    """The text, the name of the network's class, and which step of its level each line of a ``forward`` runs."""

    text: str
    class_name: str
    steps: dict[int, int]


def emit_source(graph: Graph) -> Program:
    """Standalone PyTorch source for a graph. Raises ``SpecError`` where a step stands for what nothing can build."""
    if faults := [unbuildable(span, of) for span, of in opaque_steps(graph).items()]:
        raise SpecError(faults)
    groups = group_classes(graph.body)
    lines: list[str] = []
    steps: dict[int, int] = {}
    for group in groups:
        lines += ["", ""]
        for text, step in _class(group, graph):
            lines.append(text)
            if step is not None:
                steps[len(lines)] = step
    head = _head(graph, "\n".join(lines))
    shifted = {line + len(head): step for line, step in steps.items()}
    return Program("\n".join([*head, *lines]) + "\n", groups[-1].name, shifted)


def _head(graph: Graph, body: str) -> list[str]:
    """The module's docstring and the imports that the classes need."""
    count = f"{graph.body.parameter_count:,}"
    title = f"{graph.name}: {graph.doc}" if graph.doc else graph.name
    about = f"{count} parameters. Written by netspec from {graph.file} (SHA-256 {graph.digest[:16]}…)."
    title = title if len(title) < 1000 else graph.name
    first, *others = map(docstring, wrap(title, WIDTH, initial_indent=" " * 3))  # room for the quotes
    words = [f'"""{first[3:]}', *others, "", docstring(about), '"""']
    ops = {type(step.op) for _, step, _ in walk(graph.body) if isinstance(step, Node)}
    defined = [line for text in sorted({op.definition for op in ops} - {""}) for line in ("", "", *text.split("\n"))]
    if any(isinstance(step, Node) and step.keys for _, step, _ in walk(graph.body)):
        defined += ["", "", *KEYED.split("\n")]
    if any(isinstance(step, Call) and step.is_transparent for _, step, _ in walk(graph.body)):
        defined += ["", "", *LENT.split("\n")]
    recomputes = any(isinstance(step, Call) and step.recompute for _, step, _ in walk(graph.body))
    defined += ["", "", *RECOMPUTE.split("\n")] if recomputes else []
    body = "\n".join([*defined, body])
    imports = [STANDARD, ""] if recomputes else []
    imports += ["import torch"] if "torch." in body else []
    imports += ["import torch.nn.functional as F"] if "F." in body else []
    imports += ["from torch import nn", *([CHECKPOINT] if recomputes else [])]
    imports += sorted({f"import {name}" for op in ops for name in op.modules()})
    return [*words, "", *imports, *defined]


def _class(group: ClassGroup, graph: Graph) -> Iterator[tuple[str, int | None]]:
    """The lines of one class; those of ``forward`` with the step that they run."""
    level = group.levels[0]
    sequential = is_sequential(level)
    shapes = len(group.levels) == 1
    yield f"class {group.name}({'nn.Sequential' if sequential else 'nn.Module'}):", None
    yield f'{INDENT}"""{docstring(_about(group))}"""', None
    yield "", None
    taken = [f"{name}={group.defaults[name]!r}" if name in group.defaults else name for name in group.parameters]
    yield f"{INDENT}def __init__({', '.join(['self', *taken])}):", None
    makers = group.makers[0]
    rules = graph.init if level.kind == "network" else ()
    if sequential:
        changed = [step.outputs[0].shape != step.inputs[0].shape for step in level.steps]
        comments = [
            times_shape(step.outputs[0].shape) if shapes and new else "" for step, new in zip(level.steps, changed)
        ]
        for line in _call("super().__init__", _items(list(makers.values()), comments), 2):
            yield line, None
    else:
        yield f"{INDENT * 2}super().__init__()", None
        for name, value in group.attributes.items():
            yield f"{INDENT * 2}self.{name} = {value}", None
        yield from ((line, None) for line in _modules(level, makers))
    if level.kind == "network" and level.has_ties:
        yield from ((f"{INDENT * 2}{line}", None) for line in _ties(graph))
    if rules:
        yield f"{INDENT * 2}self.initialize()", None
    for method in methods(level, group.ops, shapes):
        yield from _method(method)
    if rules:
        yield "", None
        for line in _initialize(graph):
            yield line, None


def _modules(level: Level, makers: Mapping[int, Maker]) -> Iterator[str]:
    """The lines that make the modules of a class, each holder before the first module in it."""
    holders = Holders(level)
    by_name = {level.steps[position].name: maker for position, maker in makers.items()}
    waiting = [*holders.paths]
    for name in sorted(holders.ordered(by_name), key=lambda name: name in holders.callers):
        keys = [key for _, key in getattr(by_name[name], "keys", ())]
        for holder in [each for each in waiting if any(path.startswith(f"{each}.") for path in keys or [name])]:
            waiting.remove(holder)
            kind = "nn.ModuleList" if holder in holders.lists else "nn.Module"
            yield from _assign(holder, Construction(kind, [], holder), holders)
        if keys:
            yield from _keyed(holders.callers[name], by_name[name])
        elif name in holders.callers:
            lines = _lines(by_name[name], 3)
            yield from _call(f"self.{holders.callers[name]} = Lent", [["self"], lines], 2)
        else:
            yield from _assign(name, by_name[name], holders)


def _keyed(caller: str, maker: Maker) -> list[str]:
    """The lines that make what runs a module whose tensors the level has."""
    assert isinstance(maker, Construction)
    keys = [f"{literal(name)}: {literal(key)}" for name, key in maker.keys]
    lines, held = _lines(maker, 3), f"{{{', '.join(keys)}}}"
    one = f"{INDENT * 2}self.{caller} = Keyed(self, {lines[0].strip()}, {held})"
    if len(lines) == 1 and len(one) <= WIDTH:
        return [one]
    folded = [held] if len(held) < WIDTH - len(INDENT) * 3 else ["{", *(f"{INDENT * 4}{each}," for each in keys), "}"]
    folded[-1] = folded[-1] if len(folded) == 1 else f"{INDENT * 3}}}"
    return _call(f"self.{caller} = Keyed", [["self"], lines, folded], 2)


def _method(method: Method) -> Iterator[tuple[str, int | None]]:
    yield "", None
    yield f"{INDENT}def {method.name}({', '.join(['self', *method.arguments])}):", None
    for statement in method.statements:
        text = INDENT * (2 + statement.indent) + statement.text
        comment = f"  # {statement.comment}" if statement.comment else ""
        yield text + (comment if len(text + comment) <= WIDTH else ""), statement.step


def _ties(graph: Graph) -> Iterator[str]:
    """The statements that make parameters one, of the network and of the groups in it."""
    for path, step, _, _, shared, _ in visits(graph.body):
        if shared or not isinstance(step, Node):
            continue
        for name, target in step.ties:
            if step.keys:
                holder, _, own = step.key(path.removesuffix(step.name), name).rpartition(".")
                add = (
                    f"self.get_submodule({literal(holder)}).register_parameter" if holder else "self.register_parameter"
                )
                yield f"{add}({literal(own)}, {_parameter(target)})"
            else:
                yield f"{Holders(graph.body).expression(path)}.{name} = {_parameter(target)}"


def _parameter(key: str) -> str:
    """Return the expression that reads a parameter of the network."""
    plain = all(map(is_attribute, key.split(".")))
    return f"self.{key}" if plain else f"self.get_parameter({literal(key)})"


def _about(group: ClassGroup) -> str:
    told = {_about_level(level) for level in group.levels}
    if len(told) == 1:
        return told.pop()
    what = _about_level(group.levels[0]).partition(":")[0]
    return f"{what}, in {len(group.levels)} {'forms' if group.attributes else 'sizes'}."


def _about_level(level: Level) -> str:
    """Return what a level takes and gives."""
    taken = ", ".join(times_shape(value.shape) for value in level.inputs)
    shapes = [times_shape(value.shape) for value in level.outputs]
    named = [f"{name} {shape}" for name, shape in zip(level.output_names, shapes)]
    given = ", ".join(named if len(shapes) > 1 else shapes)
    if len(given) > MOST_TOLD:
        given = f"{len(shapes)} outputs"
    what = {"network": "The network", "block": f"The block {level.title}"}.get(level.kind, f"The {level.kind}")
    return f"{what}: {taken} -> {given}."


def _assign(path: str, maker: Maker, holders: Holders) -> list[str]:
    """The lines that put a module, or a tensor, where its path says."""
    holder, _, name = path.rpartition(".")
    owner = holders.expression(holder) if holder else "self"
    if holder in holders.lists:
        return _call(f"{owner}.append", [_lines(maker, 3)], 2)
    if is_attribute(name):
        lines = _lines(maker, 2, room=len(f"{owner}.{name} = "))
        return [f"{INDENT * 2}{owner}.{name} = {lines[0].strip()}", *lines[1:]]
    around = maker.wrap if isinstance(maker, Construction) else ""
    if around == FLEETING:
        return _call(f"{owner}.register_buffer", [[literal(name)], _lines(maker, 3), ["persistent=False"]], 2)
    add = {PARAMETER: "register_parameter", BUFFER: "register_buffer"}.get(around, "add_module")
    return _call(f"{owner}.{add}", [[literal(name)], _lines(maker, 3)], 2)


def _lines(maker: Maker, indent: int, room: int = 0) -> list[str]:
    """A constructor call, on one line where it fits beside what takes ``room``."""
    if maker.frozen:
        *above, last = _lines(replace(maker, frozen=False), indent, room + len(FREEZE))
        return [*above, last + FREEZE]
    if isinstance(maker, Chain):
        return _call("nn.Sequential", _items(maker.items, []), indent)
    callee = maker.callee if isinstance(maker.callee, str) else maker.callee.name
    arguments = _arguments(maker)
    one = INDENT * indent + maker.wrap.format(f"{callee}({', '.join(arguments)})")
    if len(one) + room <= WIDTH:
        return [one]
    before, behind = maker.wrap.split("{}")
    *lines, last = _call(f"{before}{callee}", [_folded(argument, indent + 1) for argument in arguments], indent)
    return [*lines, last + behind]


def _folded(argument: str, indent: int) -> list[str]:
    """An argument on lines that are no wider than the source: a buffer's numbers may be thousands."""
    if not argument.startswith("(") or len(argument) < WIDTH - len(INDENT) * indent:
        return [argument]
    margin = INDENT * indent
    return wrap(argument, WIDTH - 1, initial_indent=margin, subsequent_indent=margin + " ", break_long_words=False)


def _arguments(maker: Construction) -> list[str]:
    shown = [slot for slot in maker.slots if not slot.keyword or slot.text != repr(slot.default)]
    return [f"{slot.name}={slot.text}" if slot.keyword else slot.text for slot in shown]


def _items(items: list[Maker], comments: list[str]) -> list[list[str]]:
    """The items of an ``nn.Sequential``; long runs of equal ones as a comprehension."""
    rendered = [(_lines(item, 0), comments[at] if comments else "") for at, item in enumerate(items)]
    made: list[list[str]] = []
    for (lines, comment), run in groupby(rendered):
        count = len(list(run))
        if count > 2 and len(lines) == 1:
            made.append([f"*({lines[0]} for _ in range({count}))"])
        else:
            tail = f"  # {comment}" if comment else ""
            made += [[*lines[:-1], lines[-1] + ("," + tail if tail else "")]] * count
    return made


def _call(callee: str, items: list[list[str]], indent: int) -> list[str]:
    """A call, on one line where it fits, else an item a line."""
    flat = [line.strip() for item in items for line in item]
    one = f"{INDENT * indent}{callee}({', '.join(flat)})"
    if all(len(item) == 1 and "#" not in item[0] for item in items) and len(one) <= WIDTH and len(flat) < 3:
        return [one]
    lines = [f"{INDENT * indent}{callee}("]
    for item in items:
        inner = [INDENT * (indent + 1) + line if not line.startswith(INDENT * (indent + 1)) else line for line in item]
        inner[-1] += "" if "#" in inner[-1] else ","
        lines += inner
    return [*lines, f"{INDENT * indent})"]


def _initialize(graph: Graph) -> Iterator[str]:
    """The spec's rules, in order; a later rule wins."""
    yield f"{INDENT}def initialize(self):"
    yield f'{INDENT * 2}"""Initial values that the spec asks for; the rest keep PyTorch\'s defaults."""'
    ops = {step.op.name: step.op.torch for _, step, _ in walk(graph.body) if isinstance(step, Node)}

    keyed = {step.op.name for _, step, _ in walk(graph.body) if isinstance(step, Node) and step.keys}

    def by_class(rule: InitRule) -> bool:
        """Return whether the modules of the rule's op are told by their class: it has one, and has it alone."""
        return (
            rule.op is not None
            and not rule.pattern.endswith(".")
            and not any(name != rule.op and torch == OPS[rule.op].torch for name, torch in ops.items())
            and rule.op not in keyed
        )

    for of_ops, rules in groupby(graph.init, by_class):
        if not of_ops:
            for rule in rules:
                yield from _path_rule(rule, graph)
            continue
        yield f"{INDENT * 2}for module in self.modules():"
        for op, same in groupby(rules, lambda rule: rule.op):
            assert op is not None
            yield f"{INDENT * 3}if isinstance(module, {OPS[op].torch}):"
            for rule in same:
                yield from _op_rule(rule, op, graph)


def _op_rule(rule: InitRule, op: str, graph: Graph) -> Iterator[str]:
    parameter = rule.pattern.partition(".")[2]
    nodes = (step for _, step, _ in walk(graph.body) if isinstance(step, Node) and step.op.name == op)
    indent = 4
    if not all(parameter in node.parameters for node in nodes):
        yield f"{INDENT * indent}if module.{parameter} is not None:"
        indent += 1
    yield f"{INDENT * indent}{_init_call(rule, f'module.{parameter}')}"


def _path_rule(rule: InitRule, graph: Graph) -> Iterator[str]:
    paths = [key for _, node, name, key in walk_parameters(graph.body) if rule.sets(key, node.op.name, name)]
    if len(paths) == 1:
        yield f"{INDENT * 2}{_init_call(rule, f'self.get_parameter({literal(paths[0])})')}"
        return
    level = rule.pattern.partition("*")[0].rstrip(".")
    kind = _kind_below(level, paths, graph) if level and len(paths) > MOST_PATHS else None
    if kind is not None:
        yield f"{INDENT * 2}for module in self.get_submodule({literal(level)}).modules():"
        yield f"{INDENT * 3}if isinstance(module, {kind[0]}):"
        yield f"{INDENT * 4}{_init_call(rule, f'module.{kind[1]}')}"
        return
    ending = rule.pattern.rpartition("*")[2]
    meant = [key for *_, key in walk_parameters(graph.body) if key.endswith(ending)]
    if len(paths) > MOST_PATHS and ending and meant == paths:
        yield f"{INDENT * 2}for name, parameter in self.named_parameters():"
        yield f"{INDENT * 3}if name.endswith({literal(ending)}):"
        yield f"{INDENT * 4}{_init_call(rule, 'parameter')}"
        return
    yield f"{INDENT * 2}for path in ("
    for path in paths:
        yield f"{INDENT * 3}{literal(path)},"
    yield f"{INDENT * 2}):"
    yield f"{INDENT * 3}{_init_call(rule, 'self.get_parameter(path)')}"


def _kind_below(level: str, paths: Sequence[str], graph: Graph) -> tuple[str, str] | None:
    """Return the class and the parameter that tell these paths from all others below a level, if there are such."""
    below = [(path, step.op, step) for path, step, _ in walk(graph.body) if isinstance(step, Node)]
    below = [each for each in below if each[0].startswith(f"{level}.")]
    if any(step.keys for *_, step in below):
        return None
    named = {path.rpartition(".")[2] for path in paths}
    homes = {path.rpartition(".")[0] for path in paths}
    kinds = {op.torch for path, op, _ in below if path in homes}
    alike = [(path, step) for path, op, step in below if {op.torch} == kinds]
    if len(named) != 1 or len(kinds) != 1 or None in kinds or {path for path, _ in alike} != homes:
        return None
    (name,), (kind,) = named, kinds
    return (kind, name) if kind and name.isidentifier() and all(name in step.parameters for _, step in alike) else None


def _init_call(rule: InitRule, target: str) -> str:
    said = {name: literal(value) if isinstance(value, str) else repr(value) for name, value in rule.arguments.items()}
    return f"nn.init.{rule.function}_({target}{''.join(f', {name}={value}' for name, value in said.items())})"
