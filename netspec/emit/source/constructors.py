"""The classes that levels share, and the arguments of their ``__init__``.

Levels share a class where the same is written for them but for numbers (a width, a stride, how much drops out): these
are arguments of its ``__init__``. What differs is found by comparing, slot by slot, the constructor calls and the
numbers in the methods of all levels with the same skeleton.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import field
from itertools import chain, count
from typing import Any, Union

from netspec.dataclass import dataclass
from netspec.elaborate.building.reserved import RESERVED_NAMES
from netspec.emit.source.forms import is_inline, is_module, is_sequential
from netspec.emit.source.holders import callers
from netspec.emit.source.methods import methods
from netspec.emit.source.names import RESERVED, is_attribute, variable_name, word_of
from netspec.graph import Call, Level, Node, Step
from netspec.ops import Op

NO_DEFAULT = object()
WORD = re.compile(r"\w+")
MARK = "«{}»"
"""The stand-in for a number in a skeleton: the position of its step, and its place among the arguments of the op."""
MARKS = re.compile(MARK.format("[^»]*"))


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
    keys: tuple[tuple[str, str], ...] = ()


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
    ``literals`` has the numbers that functions are given, by their marks; those that differ between the levels are
    ``attributes``, each with the text of its value in ``__init__``, and ``ops`` has the ops that read them.
    """

    base: str
    levels: list[Level] = field(default_factory=list)
    makers: list[dict[int, Maker]] = field(default_factory=list)
    literals: list[dict[str, Any]] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    ops: dict[Node, Op] = field(default_factory=dict)
    parameters: dict[str, list[Any]] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    name: str = ""


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
            literals: dict[str, Any] = {}
            skeleton = _skeleton(level, makers, literals)
            group = found.setdefault(skeleton, ClassGroup(_base_name(level, hint)))
            owners[level] = group, len(group.levels)
            group.levels.append(level)
            group.makers.append(makers)
            group.literals.append(literals)
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
                    words = [word for word in step.name.split(".") if not word.isdigit()]
                    named = words[-1] if words else hint
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
        return Construction(call.callee, slots, step.name, call.wrap, step.frozen, step.keys)
    if is_inline(step.body):
        return Chain([_maker(inner, owners) for inner in step.body.steps], step.frozen)
    group, index = owners[step.body]
    slots = [
        Slot(name, values[index], keyword=True, default=group.defaults.get(name, NO_DEFAULT))
        for name, values in group.parameters.items()
    ]
    return Construction(group, slots, step.name, frozen=step.frozen)


def _skeleton(level: Level, makers: dict[int, Maker], literals: dict[str, Any]) -> Any:
    """Return the key that levels of one class share: all that is written for them but the numbers.

    ``literals`` gets the numbers that the functions called in the level's methods are given, by the place of each.
    """

    def marked(position: int, step: Node) -> Op:
        def mark(place: str, value: Any) -> str:
            text = MARK.format(f"{position}_{place}")
            found[text] = value
            return text

        return step.op.with_names(mark)

    found: dict[str, Any] = {}
    functions = [(at, step) for at, step in enumerate(level.steps) if isinstance(step, Node) and at not in makers]
    ops = {step: marked(at, step) for at, step in functions if not step.shares}
    written = tuple(
        (method.name, *method.arguments, *((line.indent, line.text, line.step) for line in method.statements))
        for method in methods(level, ops)
    )
    lines = " ".join(line[1] for name, *lines in written for line in lines if isinstance(line, tuple))
    literals.update((text, found[text]) for text in dict.fromkeys(MARKS.findall(lines)))
    made = tuple((level.steps[at].name, _shape_of(maker)) for at, maker in makers.items())
    steps = tuple(step.name for step in level.steps)
    return level.kind, level.title, tuple(level.arguments), steps, made, written


def _shape_of(maker: Maker) -> Any:
    if isinstance(maker, Chain):
        return maker.frozen, tuple(map(_shape_of, maker.items))
    callee = maker.callee if isinstance(maker.callee, str) else id(maker.callee)
    return callee, maker.wrap, maker.frozen, maker.keys, tuple(slot.name for slot in maker.slots)


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
    required.update(_lift_literals(group, arguments))
    group.defaults = {name: value for name, value in group.defaults.items() if name not in required}
    group.parameters = dict(sorted(group.parameters.items(), key=lambda item: item[0] in group.defaults))


def _lift_literals(group: ClassGroup, arguments: dict[str, list[Any]]) -> set[str]:
    """Turn the numbers of functions that differ into attributes; gives the arguments of ``__init__`` they need."""
    level, names = group.levels[0], dict[str, str]()
    steps = {str(at): step for at, step in enumerate(level.steps) if isinstance(step, Node)}
    for mark in group.literals[0]:
        values = [literals[mark] for literals in group.literals]
        if all(_same(value, values[0]) for value in values):
            continue
        place = _place(mark)
        step = steps[mark[1:].split("_", 1)[0]]
        text = _expression(group, values, arguments, place, step.name)
        names[mark] = _attribute(group, text, (place, f"{step.op.name}_{place}"))
    for position, step in steps.items():
        own = {_place(mark): name for mark, name in names.items() if mark.startswith(MARK[0] + f"{position}_")}
        if own:
            group.ops[step] = step.op.with_names(_by_place(own))
    return {word for text in group.attributes.values() for word in WORD.findall(text)}


def _place(mark: str) -> str:
    """The place among the arguments of its op that a mark tells."""
    return mark[1:-1].split("_", 1)[1]


def _by_place(names: Mapping[str, str]) -> Callable[[str, Any], str | None]:
    return lambda place, _: names.get(place)


def _attribute(group: ClassGroup, text: str, wishes: tuple[str, ...]) -> str:
    """Return the expression by which ``forward`` reads what ``__init__`` knows as ``text``.

    It is an attribute, of the same name if that is free.
    """
    taken = {*RESERVED_NAMES, *group.attributes, *(step.name.partition(".")[0] for step in group.levels[0].steps)}
    taken |= {*callers(group.levels[0]).values()}
    known = (name for name, value in group.attributes.items() if value == text)
    free = (name for name in (text, *wishes) if is_attribute(name) and name not in taken)
    name = next(chain(known, free), None) or next(
        name for name in (f"{wishes[-1]}{at}" for at in count(2)) if name not in taken
    )
    group.attributes[name] = text
    return f"self.{name}"


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _expression(group: ClassGroup, values: list[Any], arguments: dict[str, list[Any]], slot: str, step: str) -> str:
    """Return the expression for a varying slot: an argument, an item of one, or a multiple.

    The block's parameters come first.
    """
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
    step = word_of(step)
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
    name = _camel(word_of(level.title or hint))
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
            told = f"With{_camel(word_of(extra[0]))}" if extra else ""
            group.name = _free(base + told, taken)
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
