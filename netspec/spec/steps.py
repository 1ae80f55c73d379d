"""The steps of a body: calls of ops and blocks, and the base of the structures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Annotated, Any, ClassVar, Union

from netspec.dataclass import dataclass
from netspec.diagnostics import Label, Report, Span
from netspec.spec.reading import (
    Condition,
    Entry,
    Form,
    Initialisation,
    Source,
    StateKey,
    Template,
    Written,
    fill,
    form_fields,
    keyword,
    misfit,
    named_by,
    read_form,
    read_name,
    read_state_key,
    read_step_name,
    reader,
)
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode


@dataclass(frozen=True, slots=True, eq=False)
class CallStep:
    """A step that runs an op or a block: ``- conv2d: {…}``, ``- linear: 120``, ``- relu``, ``- $block: {…}``.

    Compared by identity.
    """

    key: ScalarNode
    main: Written | None
    arguments: Mapping[str, Entry]
    name: ScalarNode | None
    source: Written | None
    freeze: Written | None = None
    init: Written | None = None
    recompute: Written | None = None
    state_key: ScalarNode | MapNode | None = None
    span: Span = field(init=False)
    is_level: ClassVar[bool] = True
    shareable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "span", self.key.span)

    @property
    def says_more(self) -> bool:
        """Return whether it says how what it makes is trained."""
        return not (self.freeze is self.init is self.recompute is None)

    @property
    def is_named(self) -> bool:
        """Return whether the author has chosen what the step is called."""
        return self.name is not None or isinstance(self.state_key, ScalarNode)


def read_body(node: SyntaxNode, report: Report) -> tuple[Step, ...]:
    if isinstance(node, ListNode):
        return tuple(step for item in node.items if (step := read_step(item, report)) is not None)
    misfit(report, node, "a list of steps", "write each step on its own line, after a dash")
    return ()


def values_by_name(wanted: str, holds: str, example: str | None = None) -> reader:
    """A field that is a mapping from names to values, which wait for the parameters."""
    return named_by(lambda key, value, report: value, wanted, holds, example)


Body = Annotated[tuple[Any, ...], reader(read_body, "body")]
"""its steps"""
Branches = Annotated[
    Mapping[str, tuple[Span, tuple[Any, ...]]],
    named_by(
        lambda key, value, report: (key.span, read_body(value, report)),
        "a mapping from names to lists of steps",
        "branches",
        "name each branch: `branches: {left: [relu], right: [sigmoid]}`",
    ),
]
StepName = Template | None
"""the step's name or number, in references and in `state_dict` keys; braces hold an expression"""
Freeze = Condition | None
"""keep its parameters as they are in training"""
Recompute = Condition | None
"""keep only what goes into it for the backward pass, which runs it again (activation checkpointing): less memory, more
time, the same gradients; of a `repeat` or `for`, each iteration
"""
Init = Initialisation | None
"""where its parameters start: one function for its weights, or `{weight: {normal: 0.02}, bias: zeros}`"""
Results = Annotated[Mapping[str, Written], values_by_name("a mapping from names to values of the body", "results")]
"""values of the body by the names that they get outside"""
IterationIndex = Annotated[str, reader(read_name, "index")]
"""the name by which expressions know the number of the iteration, from 0"""


Locals = Annotated[
    Mapping[str, Entry],
    named_by(
        lambda key, value, report: (key, value),
        "a mapping from names to values",
        "locals",
        "write `let: {hidden: 4 * width}`",
    ),
]
"""names for values that expressions read, in order: each sees those before it"""


class Structure(Form):
    """Base of the structures. A subclass with a ``known_as`` is what a step of that word is read as.

    ``main`` is the key that may stand alone, without a mapping; with ``is_bare`` it always does. ``is_level`` says that
    it always becomes one step, which takes the name of its place where it has none; ``shareable`` that ``share`` may
    run it again. ``usage`` are specs that together show every key, but for the keys that every spec needs.
    """

    span: Span
    main: ClassVar[str] = ""
    is_bare: ClassVar[bool] = False
    is_level: ClassVar[bool] = False
    shareable: ClassVar[bool] = False
    usage: ClassVar[tuple[str, ...]] = ()

    @property
    def is_named(self) -> bool:
        """Return whether the author has chosen what the step is called."""
        return False

    def __init_subclass__(cls) -> None:
        if cls.known_as:
            STRUCTURES[cls.known_as] = cls

    def choice(self, holds: Callable[[Written, str], bool]) -> Sequence[Step] | None:
        """Return the steps that stand in its place, where it only chooses them; ``holds`` judges a condition."""
        return None

    def bound_names(self) -> Iterable[str]:
        """Return the names that it gives to steps beside its own."""
        return ()


class NamedStructure(Structure):
    """A structure that may have a name, and then is a step of its own."""

    name: StepName = None
    state_key: StateKey | None = None
    """its key in `state_dict`, below the level that it is in, where that is no name: `block1-0`, `inner_blocks.0`"""

    @property
    def is_named(self) -> bool:
        """Return whether the author has chosen what the step is called."""
        return self.name is not None or self.state_key is not None


class TrainableStructure(NamedStructure):
    """A structure that may say how the parameters inside start, that they stay, and that it runs again in the backward
    pass.
    """

    freeze: Freeze = None
    init: Init = None
    recompute: Recompute = None

    @property
    def says_more(self) -> bool:
        """Return whether it says how what it makes is trained."""
        return not (self.freeze is self.init is self.recompute is None)


class GroupStructure(TrainableStructure):
    """A structure around steps that read one value: the step before, unless it says another."""

    source: Annotated[Source | None, keyword("from")] = None
    """the step that it reads; default: the step before it"""


Step = Union[CallStep, Structure]
STRUCTURES: dict[str, type[Structure]] = {}
"""Every structure by its word; each registers itself, from ``netspec.elaborate.steps``."""


class Let(Structure):
    """Names for values, such as sizes, that the steps after it in its body read; it makes no step."""

    known_as = "let"
    main = "values"
    is_bare = True
    usage = (
        """\
network:
  - let: {width: "shape[-1]", hidden: 4 * width}
  - linear: hidden
  - gelu
  - linear: width""",
    )

    values: Locals


CALL_KEYS = ("name", "from", "freeze", "init", "recompute", "state_key")
"""The keys of every call beside its arguments."""


def read_step(node: SyntaxNode, report: Report) -> Step | None:
    """One item of a body."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        if node.text in STRUCTURES:
            help, needs = "write `body:` below it, or `then:` for an `if`", "a body"
            if STRUCTURES[node.text].is_bare:
                help, needs = "write `let: {hidden: 4 * width}`", "names with their values"
            elif node.text == "opaque":
                help, needs = "write `opaque: {of: my_op, shape: [N, 10]}`", "`of` and `shape`"
            report.error("missing-key", f"`{node.text}` needs {needs}", node.span, help=help)
            return None
        return CallStep(node, None, {}, None, None)
    if not isinstance(node, MapNode):
        misfit(report, node, "a step", "a step is an op or a block: `- relu`, `- linear: 120`")
        return None
    if len(node.entries) != 1:
        (first, _), (second, _) = node.entries[:2] if len(node.entries) > 1 else ((None, None), (None, None))
        if first is None or second is None:
            misfit(report, node, "a step")
            return None
        if first.text in ("name", "from"):
            first, second = second, first
        kind = node.get(first.text)
        if first.text in ("type", "op", "layer", "module") and isinstance(kind, ScalarNode):
            help = f"the op is the key: `- {kind.text}: {{{second.text}: …}}`"
            report.error(
                "step-keys",
                f"a step has one key, but `{second.text}` is next to `{first.text}`",
                second.span,
                help=help,
            )
            return None
        help = f"put it inside: `- {first.text}: {{{second.text}: …}}`, or start a new step with a dash"
        value = node.get(first.text)
        if isinstance(value, ScalarNode) and value.value is None:
            help = f"indent the arguments of `{first.text}` further, or start a new step with a dash"
        report.error(
            "step-keys",
            f"a step has one key, but `{second.text}` is next to `{first.text}`",
            second.span,
            secondary=(Label(first.span, "the step"),),
            help=help,
        )
        return None
    ((key, value),) = node.entries
    assert STRUCTURES, "a spec is read when netspec.elaborate.steps has been imported"
    form = STRUCTURES.get(key.text)
    if form is None:
        return _read_call(key, value, report)
    if is_main(form, value):
        return fill(form, {"span": key.span, form.main: value}, report)
    return read_form(form, value, report, f"`{key.text}`", key.span)


def is_main(form: type[Structure], node: SyntaxNode) -> bool:
    """Return whether what stands under a structure's word is its main key alone."""
    if not form.main or form.is_bare:
        return form.is_bare
    if form_fields(form)[form.main].holds == "body":
        return isinstance(node, ListNode)
    return isinstance(node, ScalarNode) and isinstance(node.value, str)


def _read_call(key: ScalarNode, value: SyntaxNode, report: Report) -> CallStep | None:
    if not isinstance(value, MapNode):
        empty = isinstance(value, ScalarNode) and value.value is None
        return CallStep(key, None if empty else value, {}, None, None)
    arguments = {name.text: (name, item) for name, item in value.entries}
    name, source, freeze, init, recompute, state_key = (arguments.pop(each, (None, None))[1] for each in CALL_KEYS)
    named = None if name is None else read_step_name(name, report)
    keyed = None if state_key is None else read_state_key(state_key, report)
    if (named is None) != (name is None) or (keyed is None) != (state_key is None):
        return None
    return CallStep(key, None, arguments, named, source, freeze, init, recompute, keyed)


def nested(step: Step) -> Iterator[Step]:
    """A step and every step written inside it."""
    yield step
    if isinstance(step, Form):
        for value in vars(step).values():
            yield from _inside(value)


def _inside(value: object) -> Iterator[Step]:
    if isinstance(value, (CallStep, Form)):
        yield from nested(value)  # type: ignore[arg-type]
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _inside(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _inside(item)
