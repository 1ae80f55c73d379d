"""What stands in a body: calls of ops and blocks, and the structures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union

from pydantic import Field

from netspec.diagnostics import Label, Report, Span
from netspec.spec.reading import (
    Entry,
    Flag,
    Form,
    Name,
    Template,
    Value,
    Written,
    fill,
    misfit,
    named_by,
    one_of,
    read_form,
    reader,
)
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode


@dataclass(frozen=True, slots=True)
class CallStep:
    """A step that runs an op or a block: ``- conv2d: {…}``, ``- linear: 120``, ``- relu``, ``- $block: {…}``."""

    key: ScalarNode
    main: Written | None
    arguments: Mapping[str, Entry]
    name: ScalarNode | None
    source: Written | None
    freeze: Written | None = None
    init: Written | None = None

    @property
    def span(self) -> Span:
        return self.key.span


def read_body(node: SyntaxNode, report: Report) -> tuple[Step, ...]:
    if isinstance(node, ListNode):
        return tuple(step for item in node.items if (step := read_step(item, report)) is not None)
    misfit(report, node, "a list of steps", "write each step on a line of its own, after a dash")
    return ()


Body = Annotated[tuple[Any, ...], reader(read_body)]
"""its steps"""
StepName = Template | None
"""the step's name, in references and in `state_dict` keys; braces hold an expression"""
Freeze = Value | None
"""keep its parameters as they are in training"""
Init = Value | None
"""where its parameters start: one function for its weights, or `{weight: {normal: 0.02}, bias: zeros}`"""
IterationIndex = Name | None
"""the name by which expressions know the number of the iteration, from 0"""


class Sequential(Form):
    """A named group."""

    known_as = "sequential"
    span: Span
    name: StepName = None
    body: Body
    freeze: Freeze = None
    init: Init = None


class Repeat(Form):
    """The body ``count`` times in a row."""

    known_as = "repeat"
    span: Span
    count: Value
    """how many times"""
    body: Body
    index: IterationIndex = None
    name: StepName = None
    freeze: Freeze = None
    init: Init = None


class For(Form):
    """The body once for each row of the lists."""

    known_as = "for"
    span: Span
    each: Annotated[Mapping[str, Written], named_by(lambda key, value, report: value, "a mapping from names to lists")]
    """lists of equal length; each iteration sees one item of each by its name"""
    body: Body
    index: IterationIndex = None
    name: StepName = None
    freeze: Freeze = None
    init: Init = None


MERGES = ("concat", "add", "multiply", "mean", "maximum", "stack")
RESIDUAL_MERGES = ("add", "multiply", "maximum", "concat")


class Parallel(Form):
    """Branches that all read the same value."""

    known_as = "parallel"
    span: Span
    branches: Annotated[
        Mapping[str, tuple[Span, tuple[Any, ...]]],
        named_by(
            lambda key, value, report: (key.span, read_body(value, report)), "a mapping from names to lists of steps"
        ),
    ]
    """named branches, each a list of steps; all read the same value"""
    merge: Annotated[str, reader(one_of(*MERGES, "none"))]
    """how the branches are joined; `none` leaves them apart"""
    dim: Value | None = None
    """the dimension of `concat` and `stack`"""
    name: StepName = None
    freeze: Freeze = None
    init: Init = None


class Residual(Form):
    """The body's result plus its input; another ``merge`` takes the two in this order."""

    known_as = "residual"
    span: Span
    body: Body
    projection: Body | None = None
    """the shortcut's steps, built only where the body changes the shape"""
    shortcut: Body | None = None
    """the shortcut's steps, built always"""
    merge: Annotated[str, reader(one_of(*RESIDUAL_MERGES))] = "add"
    """how the body's result and the shortcut join, in this order; default: `add`"""
    name: StepName = None
    freeze: Freeze = None
    init: Init = None


def _named_values(wanted: str) -> reader:
    """A mapping from names to references."""
    return named_by(lambda key, value, report: value, wanted)


class Scan(Form):
    """A recurrent cell: the body once for each step of the sequences, with state that is carried on."""

    known_as = "scan"
    span: Span
    over: Annotated[Mapping[str, Written], _named_values("a mapping from names to sequences")]
    """sequences [N, T, …] by the names that the body has for one step of each; equally long"""
    body: Body
    state: Annotated[Mapping[str, Written], _named_values("a mapping from states to their first values")] = Field(
        default_factory=dict
    )
    """the values carried from iteration to iteration: the first value of each, or its shape for zeros"""
    next: Annotated[Mapping[str, Written], _named_values("a mapping from states to their next values")] = Field(
        default_factory=dict
    )
    """the value of the body that each state becomes"""
    collect: Annotated[Mapping[str, Written], _named_values("a mapping from outputs to values of the body")] | None = (
        None
    )
    """the values of the body kept of every iteration, by output; default: its last value as `output`"""
    index: Name | None = None
    """a name for the number of the iteration, from 0: an integer tensor without dimensions"""
    reverse: Flag = False
    """take the last step first; what is collected keeps its order"""
    name: StepName = None
    freeze: Freeze = None
    init: Init = None


class Share(Form):
    """Another step's module once more, with the same weights."""

    known_as = "share"
    span: Span
    step: Template
    """a step that stands before it in the same body"""
    source: Value | None = Field(default=None, alias="from")
    """the step that it reads, or a list of them; default: the step before it"""
    name: StepName = None


class If(Form):
    """A choice made while compiling."""

    known_as = "if"
    span: Span
    test: Value
    """a condition over parameters, loop indices and `shape`"""
    then: Body
    """the steps where the test holds"""
    otherwise: Body = Field(default=(), alias="else")
    """the steps where it does not"""


class Side(Form):
    """Steps beside the main flow, which goes on unchanged."""

    known_as = "side"
    span: Span
    body: Body
    when: Annotated[str, reader(one_of("training"))] | None = None
    """`training`: only while training"""
    name: StepName = None
    freeze: Freeze = None
    init: Init = None


Structure = Union[Sequential, Repeat, For, Parallel, Residual, Scan, Share, If, Side]
Step = Union[CallStep, Structure]
STRUCTURES: dict[str, type[Form]] = {
    form.known_as: form for form in (Sequential, Repeat, For, Parallel, Residual, Scan, Share, If, Side)
}
CALL_KEYS = ("name", "from", "freeze", "init")
"""What every call may say beside its arguments."""

SHORT_FORM = {"residual": "body", "sequential": "body", "side": "body"}


def read_step(node: SyntaxNode, report: Report) -> Step | None:
    """One item of a body."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        if node.text in STRUCTURES:
            help = "write `body:` below it, or `then:` for an `if`"
            report.error("missing-key", f"`{node.text}` needs a body", node.span, help=help)
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
                f"a step is one key, but `{second.text}` stands beside `{first.text}`",
                second.span,
                help=help,
            )
            return None
        help = f"put it inside: `- {first.text}: {{{second.text}: …}}`, or start a step of its own with a dash"
        value = node.get(first.text)
        if isinstance(value, ScalarNode) and value.value is None:
            help = f"indent what belongs to `{first.text}` further, or start a step of its own with a dash"
        report.error(
            "step-keys",
            f"a step is one key, but `{second.text}` stands beside `{first.text}`",
            second.span,
            secondary=(Label(first.span, "the step"),),
            help=help,
        )
        return None
    ((key, value),) = node.entries
    if key.text in STRUCTURES:
        form = STRUCTURES[key.text]
        if form is Share and isinstance(value, ScalarNode) and isinstance(value.value, str):
            return fill(Share, {"span": key.span, "step": value}, report)
        short = SHORT_FORM.get(key.text)
        if short and isinstance(value, ListNode):
            return fill(form, {"span": key.span, short: value}, report)  # type: ignore[return-value]
        return read_form(form, value, report, f"`{key.text}`", key.span)  # type: ignore[return-value]
    return _read_call(key, value, report)


def _read_call(key: ScalarNode, value: SyntaxNode, report: Report) -> CallStep | None:
    if not isinstance(value, MapNode):
        empty = isinstance(value, ScalarNode) and value.value is None
        return CallStep(key, None if empty else value, {}, None, None)
    arguments = {name.text: (name, item) for name, item in value.entries}
    name, source, freeze, init = (arguments.pop(each, (None, None))[1] for each in CALL_KEYS)
    if name is not None and not (isinstance(name, ScalarNode) and isinstance(name.value, str)):
        misfit(report, name, "a name")
        return None
    return CallStep(key, None, arguments, name, source, freeze, init)
