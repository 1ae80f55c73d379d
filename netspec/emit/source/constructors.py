"""How levels become modules: which are ``nn.Sequential``, which are classes, and which share a class.

Levels that differ in numbers only (a width, a stride) share one class whose ``__init__`` takes those numbers. What
differs is found by comparing, slot by slot, the constructor calls of all levels with the same skeleton.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Union

from netspec.emit.source.names import RESERVED, is_attribute, variable_name
from netspec.graph import Call, Level, Node, Step
from netspec.ops.base import Op

NO_DEFAULT = object()
WORD = re.compile(r"\w+")


@dataclass(eq=False, slots=True)
class Slot:
    """One constructor argument. ``text`` is how its class writes it: a literal, or an argument of ``__init__``."""

    name: str
    value: Any
    keyword: bool
    default: Any = NO_DEFAULT
    text: str = ""


@dataclass(eq=False, slots=True)
class Construction:
    """A constructor call: of an ``nn`` module, or of a class of the file."""

    callee: Union[str, ClassGroup]
    slots: list[Slot]
    step: str
    wrap: str = "{}"
    frozen: bool = False


@dataclass(eq=False, slots=True)
class Chain:
    """``nn.Sequential(…)``."""

    items: list[Maker]
    frozen: bool = False


Maker = Union[Construction, Chain]


@dataclass(eq=False, slots=True)
class ClassGroup:
    """Levels that share a class, with the calls that make their submodules, by the position of the step.

    ``parameters`` maps each argument of ``__init__`` to its value for each level, ``defaults`` some to their defaults.
    """

    base: str
    levels: list[Level] = field(default_factory=list)
    makers: list[dict[int, Maker]] = field(default_factory=list)
    parameters: dict[str, list[Any]] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    name: str = ""


def is_chain(level: Level) -> bool:
    """Whether each step reads just what the step before gives, and all of them have a module form."""
    if len(level.inputs) != 1 or len(level.outputs) != 1 or level.loop is not None or level.is_prepared:
        return False
    value = level.inputs[0]
    for step in level.steps:
        if step.training or step.shares or step.inputs != (value,) or len(step.outputs) != 1:
            return False
        if isinstance(step, Node) and (step.op.torch is None or type(step.op).statements is not Op.statements):
            return False  # it has no module, or its module is only a part of what it does
        value = step.outputs[0]
    return level.outputs == (value,)


def is_sequential(level: Level) -> bool:
    """A chain whose steps are called by their positions, as ``nn.Sequential`` calls them."""
    return is_chain(level) and all(step.name == str(position) for position, step in enumerate(level.steps))


def is_inline(level: Level) -> bool:
    """Whether a level is written as ``nn.Sequential(…)`` where it is used, with no class of its own."""
    return level.kind not in ("block", "network") and is_sequential(level)


def is_module(step: Step, level: Level) -> bool:
    """Whether a step of a class is an attribute: a level, what has a name, or what has state.

    In the turns of a scan only what has state is: a call of a module costs as much as a small activation.
    """
    if isinstance(step, Call):
        return True
    return step.op.torch is not None and (
        (step.named and level.loop is None) or bool(step.shares) or step.op.functional is None
    )


def group_classes(network: Level) -> list[ClassGroup]:
    """The classes of the file, each after those that it uses; the network's is the last."""
    owners: dict[Level, tuple[ClassGroup, int]] = {}
    groups: list[ClassGroup] = []
    for same_height in _by_height(network):
        found: dict[Any, ClassGroup] = {}
        for level, hint in same_height:
            if is_inline(level):
                continue
            whole = is_sequential(level)
            own = [(at, step) for at, step in enumerate(level.steps) if not step.shares]
            makers = {at: _maker(step, owners) for at, step in own if whole or is_module(step, level)}
            group = found.setdefault(_skeleton(level, makers), ClassGroup(_base_name(level, hint)))
            owners[level] = group, len(group.levels)
            group.levels.append(level)
            group.makers.append(makers)
        for group in found.values():
            _lift(group)
        groups.extend(found.values())
    _name(groups)
    return groups


def _by_height(network: Level) -> list[list[tuple[Level, str]]]:
    """Distinct levels with the name they are first called by, those without levels inside first."""
    heights: dict[Level, int] = {}
    hints: dict[Level, str] = {network: network.title}

    def visit(level: Level, hint: str) -> int:
        if level not in heights:
            inner = 0
            for step in level.steps:
                if isinstance(step, Call):
                    named = hint if step.name.isdigit() else step.name
                    hints.setdefault(step.body, named)
                    inner = max(inner, visit(step.body, named) + 1)
            heights[level] = inner
        return heights[level]

    visit(network, network.title)
    made: list[list[tuple[Level, str]]] = [[] for _ in range(max(heights.values()) + 1)]
    for level, height in heights.items():
        made[height].append((level, hints[level]))
    return made


def _maker(step: Step, owners: dict[Level, tuple[ClassGroup, int]]) -> Maker:
    if isinstance(step, Node):
        call = step.op.module(*step.tensors)
        slots = [Slot(name, value, keyword=False) for name, value in call.positional.items()]
        keywords = dict(call.keywords)
        for name, each in type(step.op).model_fields.items():
            if name not in call.positional and (name in keywords or not each.is_required()):
                default = NO_DEFAULT if each.is_required() else step.op.default(name)
                slots.append(Slot(name, keywords.pop(name, default), keyword=True, default=default))
        slots += [Slot(name, value, keyword=True) for name, value in keywords.items()]
        return Construction(call.callee, slots, step.name, call.wrap, step.frozen)
    if is_inline(step.body):
        return Chain([_maker(inner, owners) for inner in step.body.steps], step.frozen)
    group, index = owners[step.body]
    slots = [
        Slot(name, values[index], keyword=True, default=group.defaults.get(name, NO_DEFAULT))
        for name, values in group.parameters.items()
    ]
    return Construction(group, slots, step.name, frozen=step.frozen)


def _skeleton(level: Level, makers: dict[int, Maker]) -> Any:
    """What two levels must have in common to share a class: everything but the numbers."""
    numbers: dict[Any, int] = {}

    def number(values: tuple[Any, ...]) -> tuple[int, ...]:
        return tuple(numbers.setdefault(value, len(numbers)) for value in values)

    steps: list[Any] = [number(level.inputs), tuple(value.optional for value in level.inputs)]
    for position, step in enumerate(level.steps):
        wires = number(step.inputs), number(step.outputs)
        if position in makers:
            does: Any = _shape_of(makers[position])
        else:
            does = _lines_of(step, wires) if isinstance(step, Node) and not step.shares else step.shares
        own = (step.ports, step.ties) if isinstance(step, Node) else ()
        steps.append((step.name, step.training, wires, does, own, level.phases.get(step)))
    loop = None if level.loop is None else replace(level.loop, length=0)
    return level.kind, loop, level.title, level.input_names, level.output_names, tuple(steps), number(level.outputs)


def _lines_of(step: Node, wires: tuple[tuple[int, ...], tuple[int, ...]]) -> tuple[str, ...]:
    """What a step without a module says in ``forward``, whatever its variables are called there."""
    arguments, targets = ([f"_{each}" for each in side] for side in wires)
    return tuple(step.op.statements(None, step.arranged(arguments), [*targets], step.tensors, lambda name: name))


def _shape_of(maker: Maker) -> Any:
    if isinstance(maker, Chain):
        return maker.frozen, tuple(map(_shape_of, maker.items))
    callee = maker.callee if isinstance(maker.callee, str) else id(maker.callee)
    return callee, maker.frozen, tuple(slot.name for slot in maker.slots)


def _slots(makers: dict[int, Maker]) -> Iterator[tuple[Slot, str]]:
    """Every slot with the name of its step, in a fixed order."""

    def visit(maker: Maker) -> Iterator[tuple[Slot, str]]:
        if isinstance(maker, Chain):
            for item in maker.items:
                yield from visit(item)
        else:
            yield from ((slot, maker.step) for slot in maker.slots)

    for maker in makers.values():
        yield from visit(maker)


def _lift(group: ClassGroup) -> None:
    """Turn the slots whose values differ between the levels into arguments of ``__init__``."""
    arguments: dict[str, list[Any]] = {}
    for name in group.levels[0].arguments:
        values = [level.arguments[name] for level in group.levels]
        arguments[_unused(variable_name(name), arguments)] = values
    required: set[str] = set()
    for column in zip(*(list(_slots(makers)) for makers in group.makers)):
        slot, step = column[0]
        values = [each.value for each, _ in column]
        if all(_same(value, values[0]) for value in values):
            slot.text = repr(slot.value)
            continue
        slot.text = _expression(group, values, arguments, slot.name, step)
        if slot.default is NO_DEFAULT or slot.text not in group.parameters:
            required.update(WORD.findall(slot.text))
        else:
            group.defaults.setdefault(slot.text, slot.default)
    group.defaults = {name: value for name, value in group.defaults.items() if name not in required}
    group.parameters = dict(sorted(group.parameters.items(), key=lambda item: item[0] in group.defaults))


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _expression(group: ClassGroup, values: list[Any], arguments: dict[str, list[Any]], slot: str, step: str) -> str:
    """How a varying slot is written: an argument, an item of one, or a multiple. Prefers the block's parameters."""
    candidates = {name: (name, given) for name, given in {**group.parameters, **arguments}.items()}
    candidates.update(_items_of(arguments))
    for text, (name, given) in candidates.items():
        if all(map(_same, given, values)):
            group.parameters.setdefault(name, arguments.get(name, given))
            return text
    for text, (name, given) in candidates.items():
        factor = _ratio(values, given)
        if factor is not None:
            group.parameters.setdefault(name, arguments.get(name, given))
            return f"{factor} * {text}"
    name = slot if slot not in candidates else f"{step if is_attribute(step) else 'step' + step}_{slot}"
    name = _unused(name, candidates)
    group.parameters[name] = values
    return name


def _unused(name: str, taken: Collection[str]) -> str:
    """The name, with underscores behind it where it is taken."""
    while name in taken:
        name += "_"
    return name


def _items_of(arguments: dict[str, list[Any]]) -> dict[str, tuple[str, list[Any]]]:
    """``c3[0]``, ``c3[1]``: the items of arguments that are equally long lists."""
    found: dict[str, tuple[str, list[Any]]] = {}
    for name, given in arguments.items():
        if all(isinstance(value, list) and len(value) == len(given[0]) for value in given):
            found |= {f"{name}[{at}]": (name, [value[at] for value in given]) for at in range(len(given[0]))}
    return found


def _ratio(values: list[Any], given: list[Any]) -> int | None:
    """The whole number that takes each ``given`` to its value, where there is one."""
    if not all(type(number) is int and number > 0 for number in [*values, *given]) or values[0] % given[0]:
        return None
    factor: int = values[0] // given[0]
    return factor if factor > 1 and all(value == factor * number for value, number in zip(values, given)) else None


def _base_name(level: Level, hint: str) -> str:
    name = _camel(level.title or hint)
    return name if name and not name[0].isdigit() else f"Level{name}"


def _name(groups: list[ClassGroup]) -> None:
    """Class names: the block's; where several classes come from one block, what one has beside the others tells.

    No argument of an ``__init__`` hides a class.
    """
    taken = {*RESERVED, *(name for group in groups for name in group.parameters)}
    groups[-1].name = _free(groups[-1].base, taken)
    taken.add(groups[-1].name)
    by_base: dict[str, list[ClassGroup]] = {}
    for group in groups[:-1]:
        by_base.setdefault(group.base, []).append(group)
    for base, alike in by_base.items():
        names = [{step.name for step in group.levels[0].steps if not step.name.isdigit()} for group in alike]
        common = set.intersection(*names)
        for group, own in zip(alike, names):
            added = own - common
            extra = [
                step.name for step in group.levels[0].steps if step.name in added and is_module(step, group.levels[0])
            ]
            group.name = _free(base + (f"With{_camel(extra[0])}" if extra else ""), taken)
            taken.add(group.name)


def _free(name: str, taken: Collection[str]) -> str:
    """The name of a class, with a number where it is taken or Python has it (``None``)."""
    free, number = name, 1
    while free in taken or keyword.iskeyword(free):
        number += 1
        free = f"{name}{number}"
    return free


def _camel(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))
