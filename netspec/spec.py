"""What an author may write: the authored forms, read from the syntax tree.

Each form is a Pydantic model whose fields say how their nodes are read; what does not fit is reported at its own
place. Values stay nodes (``Written``) where their meaning waits for
parameters and shapes: ``elaborate`` evaluates them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar, Union, cast, get_args

from pydantic import BaseModel, ConfigDict, Field

from netspec.diagnostics import Label, Report, Span, clipped, nearest
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode

VERSION = 1
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
RESERVED = frozenset({"prev", "shape"})

Written = SyntaxNode
Entry = tuple[ScalarNode, SyntaxNode]


@dataclass(frozen=True, slots=True)
class CallStep:
    """A step that runs an op or a block: ``- conv2d: {…}``, ``- linear: 120``, ``- relu``, ``- $block: {…}``."""

    key: ScalarNode
    main: Written | None
    arguments: Mapping[str, Entry]
    name: ScalarNode | None
    source: Written | None

    @property
    def span(self) -> Span:
        return self.key.span


class Form(BaseModel):
    """Base of the authored forms. ``span`` is where the form's key stands.

    ``fill`` reads them, not Pydantic's validator: building one for each form would take longer than most checks.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=False, defer_build=True
    )
    known_as: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class _reader:
    """Marks a field that reads its node with ``read``, which reports what does not fit and gives ``None`` for it."""

    read: Callable[[Any, Report], Any]


def misfit(report: Report, node: SyntaxNode, wanted: str, help: str | None = None) -> None:
    """Report that a node is not what is wanted there."""
    if isinstance(node, ScalarNode) and "\u00a0" in node.text:
        help = "a no-break space (U+00A0) stands in it: write a plain space"
    report.error("wrong-type", f"expected {wanted}, found {describe(node)}", node.span, help=help)


def describe(node: SyntaxNode) -> str:
    """A node in words: ``a list``, ``the text `abc` ``."""
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MapNode):
        return "a mapping"
    if node.value is None:
        return "nothing"
    kind = {bool: "the boolean", int: "the number", float: "the number"}.get(type(node.value), "the text")
    return f"{kind} `{clipped(node.text)}`"


def _read_text(node: SyntaxNode, report: Report) -> str | None:
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return node.value
    misfit(report, node, "a text", "quote it" if isinstance(node, ScalarNode) else None)
    return None


def _read_name(node: SyntaxNode, report: Report) -> str | None:
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and NAME.match(node.value):
        return node.value
    misfit(report, node, "a name", name_help(node.text if isinstance(node, ScalarNode) else ""))
    return None


def name_help(text: str) -> str:
    """How to make a name of a text."""
    rule = "a name has letters, digits and underscores, and starts with no digit"
    made = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")
    return f"write `{clipped(made)}`: {rule}" if NAME.match(made) and made != text else rule


def _read_flag(node: SyntaxNode, report: Report) -> bool | None:
    if isinstance(node, ScalarNode) and isinstance(node.value, bool):
        return node.value
    misfit(report, node, "true or false")
    return None


def _read_version(node: SyntaxNode, report: Report) -> int | None:
    if isinstance(node, ScalarNode) and node.value == VERSION and not isinstance(node.value, bool):
        return VERSION
    misfit(report, node, "the language's version, 1", "write `netspec: 1`")
    return None


def _read_scalar(node: SyntaxNode, report: Report) -> ScalarNode | None:
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return node
    misfit(report, node, "a name")
    return None


def _read_written(node: SyntaxNode, report: Report) -> SyntaxNode:
    return node


def _read_list(node: SyntaxNode, report: Report) -> tuple[SyntaxNode, ...] | None:
    if isinstance(node, ListNode):
        return node.items
    help = f"write `[{clipped(node.text)}]`" if isinstance(node, ScalarNode) and node.text else "write `[…]`"
    misfit(report, node, "a list", help)
    return None


def _one_of(*words: str) -> Callable[[SyntaxNode, Report], str | None]:
    def read(node: SyntaxNode, report: Report) -> str | None:
        if isinstance(node, ScalarNode) and node.text in words:
            return node.text
        listed = ", ".join(f"`{word}`" for word in words)
        close = nearest(node.text, words) if isinstance(node, ScalarNode) else None
        help = f"did you mean `{close}`?" if close else None
        misfit(report, node, listed if len(words) == 1 else f"one of {listed}", help)
        return None

    return read


def _read_body(node: SyntaxNode, report: Report) -> tuple[Step, ...]:
    if isinstance(node, ListNode):
        return tuple(step for item in node.items if (step := read_step(item, report)) is not None)
    misfit(report, node, "a list of steps", "write each step on a line of its own, after a dash")
    return ()


def _entries(node: SyntaxNode, report: Report, wanted: str) -> tuple[Entry, ...]:
    if isinstance(node, MapNode):
        return node.entries
    misfit(report, node, wanted, MAPPING_EXAMPLES.get(wanted))
    return ()


MAPPING_EXAMPLES = {
    "a mapping from names to lists": "write `each: {width: [64, 128]}`",
    "a mapping from names to lists of steps": "name each: `branches: {left: [relu], right: [sigmoid]}`",
    "a mapping from parameters to defaults": "write `params: {width: 64}`",
    "a mapping from variants to parameter values": "write `variants: {small: {width: 32}}`",
    "a mapping from output names to steps": "write `outputs: {logits: fc}`",
    "a mapping from inputs to shapes": "write `inputs: {image: [N, 3, 224, 224]}`",
    "a mapping from dimensions to sizes": "write `dims: {H: 224, W: 224}`",
    "a mapping from names to blocks": "write `blocks: {basic: {body: [relu]}}`",
    "a mapping from outputs to shapes": "write `outputs: {logits: [N, 10]}`",
    "a mapping from parameters to functions": "write `init: {conv2d.weight: kaiming_normal}`",
}


def _named(read: Callable[[ScalarNode, SyntaxNode, Report], Any], wanted: str) -> _reader:
    """A field that is a mapping from names to whatever ``read`` makes of each entry."""

    def read_all(node: SyntaxNode, report: Report) -> dict[str, Any]:
        made = {}
        for key, value in _entries(node, report, wanted):
            if key.text in RESERVED or not NAME.match(key.text):
                reserved = key.text in RESERVED
                help = "`prev` and `shape` have a meaning of their own" if reserved else name_help(key.text)
                report.error("bad-name", f"`{clipped(key.text)}` cannot be a name here", key.span, help=help)
                continue
            item = read(key, value, report)
            if item is not None:
                made[key.text] = item
        return made

    return _reader(read_all)


Text = Annotated[str, _reader(_read_text)]
Name = Annotated[str, _reader(_read_name)]
Template = Annotated[ScalarNode, _reader(_read_scalar)]
Flag = Annotated[bool, _reader(_read_flag)]
Value = Annotated[Written, _reader(_read_written)]
Body = Annotated[tuple[Any, ...], _reader(_read_body)]


class Sequential(Form):
    """A named group."""

    known_as = "sequential"
    span: Span
    name: Template | None = None
    body: Body


class Repeat(Form):
    """The body ``count`` times in a row."""

    known_as = "repeat"
    span: Span
    count: Value
    body: Body
    index: Name | None = None
    name: Template | None = None


class For(Form):
    """The body once for each row of the lists."""

    known_as = "for"
    span: Span
    each: Annotated[Mapping[str, Written], _named(lambda key, value, report: value, "a mapping from names to lists")]
    body: Body
    index: Name | None = None
    name: Template | None = None


MERGES = ("concat", "add", "multiply", "mean", "maximum", "stack")
RESIDUAL_MERGES = ("add", "multiply", "maximum", "concat")


class Parallel(Form):
    """Branches that all read the same value."""

    known_as = "parallel"
    span: Span
    branches: Annotated[
        Mapping[str, tuple[Span, tuple[Any, ...]]],
        _named(
            lambda key, value, report: (key.span, _read_body(value, report)), "a mapping from names to lists of steps"
        ),
    ]
    merge: Annotated[str, _reader(_one_of(*MERGES, "none"))]
    dim: Value | None = None
    name: Template | None = None


class Residual(Form):
    """The body's result plus its input."""

    known_as = "residual"
    span: Span
    body: Body
    projection: Body | None = None
    shortcut: Body | None = None
    merge: Annotated[str, _reader(_one_of(*RESIDUAL_MERGES))] = "add"
    name: Template | None = None


class If(Form):
    """A choice made while compiling."""

    known_as = "if"
    span: Span
    test: Value
    then: Body
    otherwise: Body = Field(default=(), alias="else")


class Side(Form):
    """Steps beside the main flow, which goes on unchanged."""

    known_as = "side"
    span: Span
    body: Body
    when: Annotated[str, _reader(_one_of("training"))] | None = None
    name: Template | None = None


Structure = Union[Sequential, Repeat, For, Parallel, Residual, If, Side]
Step = Union[CallStep, Structure]
STRUCTURES: dict[str, type[Form]] = {
    form.known_as: form for form in (Sequential, Repeat, For, Parallel, Residual, If, Side)
}
SHORT_FORM = {"residual": "body", "sequential": "body", "side": "body"}

Read = TypeVar("Read", bound=Form)


def read_form(form: type[Read], node: SyntaxNode, report: Report, what: str, span: Span | None = None) -> Read | None:
    """Read a mapping as a form; unknown and missing keys are reported, ``None`` is given where any is at fault."""
    if not isinstance(node, MapNode):
        misfit(report, node, f"a mapping with the keys of {what}", _keys_help(form))
        return None
    data: dict[str, Any] = {key.text: value for key, value in node.entries}
    if "span" in form.model_fields:
        if "span" in data:
            report.error("unknown-key", f"{what} has no key `span`", node.span)
            return None
        data["span"] = span or node.span
    faults = report.count
    fields = _fields(form)
    missing = [key for key, field in fields.items() if field.required and key not in data]
    unknown = [key for key in data if key not in fields]
    made = fill(form, data, report)
    if missing or unknown:
        _report_keys(form, node, report, what, span, missing, unknown)
        return None
    return made if report.count == faults else None


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a form: the attribute, how its node is read, and whether it must be there."""

    name: str
    read: Callable[[Any, Report], Any] | None
    required: bool


@cache
def _fields(form: type[Form]) -> Mapping[str, _Field]:
    """The fields of a form by the keys that authors write."""
    return {
        field.alias or name: _Field(name, _reading([*field.metadata, field.annotation]), field.is_required())
        for name, field in form.model_fields.items()
    }


def _reading(marks: Iterable[Any]) -> Callable[[Any, Report], Any] | None:
    """The reader among the marks of a field, or inside an optional type."""
    for mark in marks:
        if isinstance(mark, _reader):
            return mark.read
        found = _reading((*getattr(mark, "__metadata__", ()), *get_args(mark)))
        if found is not None:
            return found
    return None


def fill(form: type[Read], data: Mapping[str, Any], report: Report) -> Read:
    """A form with its keys read; keys that it does not have are passed over."""
    values: dict[str, Any] = {}
    for key, field in _fields(form).items():
        if key in data:
            values[field.name] = data[key] if field.read is None else field.read(data[key], report)
    return cast(Read, form.model_construct(None, **values))


def _report_keys(
    form: type[Form],
    node: MapNode,
    report: Report,
    what: str,
    span: Span | None,
    missing: list[str],
    unknown: list[str],
) -> None:
    for word in unknown:
        key = node.key(word)
        assert key is not None, f"unexpected fault in {what}: {word}"
        # What is missing is meant before what is there already.
        meant = nearest(word, missing) or nearest(word, [each for each in _keys(form) if node.key(each) is None])
        help = f"did you mean `{meant}`?" if meant else _keys_help(form)
        if meant is None and len(missing) == len(unknown) == 1:  # what is missing is most likely what this stands for
            meant = missing[0]
            help = f"`{meant}` is missing: {_missing_help(form, meant)}"
        report.error("unknown-key", f"{what} has no key `{clipped(word)}`", key.span, help=help)
        missing = [each for each in missing if each != meant]
    if missing and not node.partial:
        listed = " and ".join(f"`{word}`" for word in missing)
        listed = listed.replace(" and ", ", ", len(missing) - 2)
        help = "; ".join(_missing_help(form, word) for word in missing)
        report.error("missing-key", f"{what} needs {listed}", span or node.span, help=help, about=listed)


def _keys(form: type[Form]) -> list[str]:
    return [field.alias or name for name, field in form.model_fields.items() if name != "span"]


EXAMPLES = {
    "netspec": "write `netspec: 1`, the version of the language",
    "name": "write `name: my_network`",
    "inputs": "write `inputs: {image: [N, 3, 224, 224]}`",
    "network": "write `network:` and below it the steps, each after a dash",
    "body": "write `body:` and below it the steps, each after a dash",
    "then": "write `then: [relu]`: the steps to take where the test holds",
    "count": "write `count: 3`",
    "each": "write `each: {width: [64, 128, 256]}`",
    "branches": "write `branches: {left: [relu], right: [sigmoid]}`",
    "merge": "write `merge: concat`, or add, multiply, mean, maximum, stack, none",
    "test": "write `test: stride == 1`",
    "shape": "write `shape: [N, 3, 224, 224]`",
    "from": "write `from:` and the name of a step",
    "default": "write `default: 1024`",
}
"""How to write each key that a form may need."""


def _missing_help(form: type[Form], key: str) -> str:
    return EXAMPLES.get(key) or _keys_help(form)


def _keys_help(form: type[Form]) -> str:
    return "its keys are " + ", ".join(f"`{key}`" for key in _keys(form))


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
    _, name = arguments.pop("name", (None, None))
    _, source = arguments.pop("from", (None, None))
    if name is not None and not (isinstance(name, ScalarNode) and isinstance(name.value, str)):
        misfit(report, name, "a name")
        return None
    return CallStep(key, None, arguments, name, source)


class ParamSpec(Form):
    """A parameter in its long form."""

    type: Text | None = None
    default: Value | None = None
    min: Value | None = None
    max: Value | None = None
    choices: Annotated[tuple[Written, ...], _reader(_read_list)] | None = None
    doc: Text | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter. ``type`` is ``int``, ``float``, ``bool``, ``str`` or ``list[…]`` of one of these."""

    key: ScalarNode
    type: str | None
    default: Written | None
    spec: ParamSpec | None = None


TYPE = re.compile(r"(?:list\[)*(?:int|float|bool|str)\]*\Z")


def _read_parameter(key: ScalarNode, node: SyntaxNode, report: Report) -> Parameter | None:
    if isinstance(node, MapNode):
        long = read_form(ParamSpec, node, report, f"the parameter `{key.text}`")
        if long is None:
            return None
        type_node = node.get("type")
        if long.type is not None and type_node is not None and not is_type(long.type):
            close = nearest(long.type, ("int", "float", "bool", "str"))
            help = f"did you mean `{close}`?" if close else TYPES_HELP
            report.error("unknown-type", f"`{clipped(long.type)}` is no type", type_node.span, help=help)
            return None
        if long.type is None and long.default is None:
            help = f"write `{key.text}: {{default: 64}}`, or `{{type: int}}`"
            message = f"the parameter `{key.text}` needs a `default` or a `type`"
            report.error("missing-key", message, key.span, help=help)
            return None
        return Parameter(key, long.type, long.default, long)
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and is_type(node.value):
        return Parameter(key, node.value, None)
    return Parameter(key, None, node)


TYPES_HELP = "types are int, float, bool, str and list[…] of these"


def is_type(text: str) -> bool:
    """Whether a text spells a parameter's type, as ``list[list[int]]``."""
    return bool(TYPE.match(text)) and text.count("[") == text.count("]")


Parameters = Annotated[Mapping[str, Parameter], _named(_read_parameter, "a mapping from parameters to defaults")]


class OutputSpec(Form):
    """An output in its long form."""

    source: Value = Field(alias="from")
    when: Annotated[str, _reader(_one_of("training"))] | None = None
    test: Value | None = Field(default=None, alias="if")


def _read_output(key: ScalarNode, node: SyntaxNode, report: Report) -> OutputSpec | None:
    if isinstance(node, MapNode):
        return read_form(OutputSpec, node, report, f"the output `{key.text}`")
    return fill(OutputSpec, {"from": node}, report)


Outputs = Annotated[Mapping[str, OutputSpec], _named(_read_output, "a mapping from output names to steps")]


DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "bool")


class InputSpec(Form):
    """An input in its long form."""

    shape: Annotated[tuple[Written, ...], _reader(_read_list)]
    below: Value | None = None
    dtype: Annotated[str, _reader(_one_of(*DTYPES))] = "float32"


def _read_input(key: ScalarNode, node: SyntaxNode, report: Report) -> InputSpec | None:
    if isinstance(node, MapNode):
        return read_form(InputSpec, node, report, f"the input `{key.text}`")
    if isinstance(node, ListNode):
        return fill(InputSpec, {"shape": node}, report)
    misfit(report, node, "a shape", "an input is a list of sizes: `image: [N, 3, 224, 224]`")
    return None


class DimSpec(Form):
    """A symbolic dimension in its long form."""

    span: Span
    default: Value
    min: Value | None = None
    max: Value | None = None


def _read_dim(key: ScalarNode, node: SyntaxNode, report: Report) -> DimSpec | None:
    if isinstance(node, MapNode):
        return read_form(DimSpec, node, report, f"the dimension `{key.text}`", key.span)
    return fill(DimSpec, {"span": key.span, "default": node}, report)


class BlockSpec(Form):
    """A reusable part."""

    span: Span
    body: Body
    params: Parameters = Field(default_factory=dict)
    inputs: Annotated[tuple[Written, ...], _reader(_read_list)] | None = None
    outputs: Outputs | None = None
    doc: Text | None = None


def _read_block(key: ScalarNode, node: SyntaxNode, report: Report) -> BlockSpec | None:
    return read_form(BlockSpec, node, report, f"the block `{key.text}`", key.span)


class Expect(Form):
    """Facts that ``netspec check`` verifies."""

    params: Value | None = None
    macs: Value | None = None
    outputs: (
        Annotated[Mapping[str, Written], _named(lambda key, value, report: value, "a mapping from outputs to shapes")]
        | None
    ) = None


def _read_expect(node: SyntaxNode, report: Report) -> Expect | None:
    return read_form(Expect, node, report, "`expect`")


@dataclass(frozen=True, slots=True)
class Variant:
    """A named set of parameter values."""

    key: ScalarNode
    values: Mapping[str, Entry]
    expect: Expect | None
    doc: str | None


def _read_variant(key: ScalarNode, node: SyntaxNode, report: Report) -> Variant | None:
    if isinstance(node, ScalarNode) and node.value is None:
        return Variant(key, {}, None, None)
    if not isinstance(node, MapNode):
        misfit(report, node, "a mapping from parameters to values")
        return None
    values = {name.text: (name, value) for name, value in node.entries}
    _, expect = values.pop("expect", (None, None))
    _, doc = values.pop("doc", (None, None))
    return Variant(
        key,
        values,
        _read_expect(expect, report) if expect is not None else None,
        _read_text(doc, report) if doc is not None else None,
    )


class Spec(Form):
    """A whole file."""

    netspec: Annotated[int, _reader(_read_version)]
    name: Name
    doc: Text = ""
    imports: Annotated[tuple[Written, ...], _reader(_read_list)] = Field(default=(), alias="import")
    params: Parameters = Field(default_factory=dict)
    require: Annotated[tuple[Written, ...], _reader(_read_list)] = ()
    variants: Annotated[Mapping[str, Variant], _named(_read_variant, "a mapping from variants to parameter values")] = (
        Field(default_factory=dict)
    )
    dims: Annotated[Mapping[str, DimSpec], _named(_read_dim, "a mapping from dimensions to sizes")] = Field(
        default_factory=dict
    )
    inputs: Annotated[Mapping[str, InputSpec], _named(_read_input, "a mapping from inputs to shapes")]
    blocks: Annotated[Mapping[str, BlockSpec], _named(_read_block, "a mapping from names to blocks")] = Field(
        default_factory=dict
    )
    network: Body
    outputs: Outputs | None = None
    init: Annotated[
        tuple[Entry, ...],
        _reader(lambda node, report: _entries(node, report, "a mapping from parameters to functions")),
    ] = ()
    expect: Annotated[Expect | None, _reader(_read_expect)] = None


def read_spec(node: SyntaxNode, report: Report) -> Spec | None:
    """The whole document. ``None`` where the report got anything; the caller raises it."""
    if not isinstance(node, MapNode):
        misfit(report, node, "a spec", "a spec starts with `netspec: 1`, `name:`, `inputs:` and `network:`")
        return None
    for key, empty in (("network", ListNode), ("inputs", MapNode)):
        value = node.get(key)
        if isinstance(value, empty) and not (value.items if isinstance(value, ListNode) else value.entries):
            what = "a step" if key == "network" else "an input"
            report.error("missing-key", f"`{key}` needs {what}", value.span, help=EXAMPLES[key])
    return read_form(Spec, node, report, "a spec")


class Library(Spec):
    """A file that is imported: its blocks count, and it need not be a network."""

    name: Name = ""
    inputs: Annotated[Mapping[str, InputSpec], _named(_read_input, "a mapping from inputs to shapes")] = Field(
        default_factory=dict
    )
    network: Body = ()


def read_library(node: SyntaxNode, report: Report) -> Library | None:
    """An imported document. ``None`` where the report got anything."""
    return read_form(Library, node, report, "a spec")
