"""The reading of authored forms from the syntax tree: the readers of single nodes, and of mappings with known keys."""

from __future__ import annotations

import re
import sys
from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args

from netspec.dataclass import dataclass
from netspec.diagnostics import Report, Span, clipped, nearest, some_of, typo_of
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode

VERSION = 1
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
BLOCK_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z", re.ASCII)
STEP_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*|0|[1-9][0-9]*)\Z", re.ASCII)
"""A step may also be called by a number, as the modules of an ``nn.Sequential`` are."""
NUMBERS = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*\Z", re.ASCII)
"""A step's number, or a path of such: YAML reads ``4`` and ``4.1`` as numbers."""
RESERVED = frozenset({"prev", "shape"})

Written = SyntaxNode
Entry = tuple[ScalarNode, SyntaxNode]


EMPTY: Mapping[Any, Any] = MappingProxyType({})
"""The default of a field that is a mapping."""


class Form(ABC):  # noqa: B024 (mypy takes a class for hashable only if it has a metaclass)
    """Base of the authored forms. ``span`` is where the form's key stands.

    A form's annotations are its fields, each with the ``reader`` of its node; ``form_fields`` looks at them when the
    form is first read. ``fill`` makes instances, which nothing changes. ``examples`` says how to write a key that must
    be there.
    """

    known_as: ClassVar[str] = ""
    examples: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    def changed(self, **values: Any) -> Self:
        """Return the form with other values of these fields."""
        return type(self)(**{**vars(self), **values})


@dataclass(frozen=True, slots=True)
class keyword:
    """Marks a field whose key, as authors write it, is a word that Python has taken."""

    word: str


@dataclass(frozen=True, slots=True)
class reader:
    """Marks a field that reads its node with ``read``, which reports what does not fit and gives ``None`` for it.

    ``holds`` says what the field holds, for the schema and the editor: the name of one of the types below and in
    ``steps``, or the words that it takes.
    """

    read: Callable[[Any, Report], Any]
    holds: str | tuple[str, ...] = ""


def misfit(report: Report, node: SyntaxNode, wanted: str, help: str | None = None) -> None:
    """Report that a node is not what is wanted there."""
    if isinstance(node, ScalarNode) and "\u00a0" in node.text:
        help = "it contains a no-break space (U+00A0): write a plain space"
    report.error("wrong-type", f"expected {wanted}, found {describe(node)}", node.span, help=help)


def describe(node: SyntaxNode) -> str:
    """A node in words: ``a list``, ``the string `abc` ``."""
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MapNode):
        return "a mapping"
    if node.value is None:
        return "nothing"
    kind = {bool: "the boolean", int: "the number", float: "the number"}.get(type(node.value), "the string")
    return f"{kind} `{clipped(node.text)}`"


def read_text(node: SyntaxNode, report: Report) -> str | None:
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return node.value
    misfit(report, node, "a string", "quote it" if isinstance(node, ScalarNode) else None)
    return None


def read_name(node: SyntaxNode, report: Report) -> str | None:
    """Read a text that can be a name."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and NAME.match(node.value):
        return node.value
    misfit(report, node, "a name", name_help(node.text if isinstance(node, ScalarNode) else ""))
    return None


def name_help(text: str) -> str:
    """Return advice on how to make a name of a text."""
    rule = "a name consists of letters, digits and underscores, and does not start with a digit"
    made = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")
    return f"write `{clipped(made)}`: {rule}" if NAME.match(made) and made != text else rule


def _read_flag(node: SyntaxNode, report: Report) -> bool | None:
    if isinstance(node, ScalarNode) and isinstance(node.value, bool):
        return node.value
    misfit(report, node, "true or false")
    return None


def read_version(node: SyntaxNode, report: Report) -> int | None:
    if isinstance(node, ScalarNode) and node.value == VERSION and not isinstance(node.value, bool):
        return VERSION
    misfit(report, node, "the language version, 1", "write `netspec: 1`")
    return None


def names_a_step(node: SyntaxNode) -> bool:
    """Return whether a node is a text or a plain number, as the names of steps and references to them are."""
    if not isinstance(node, ScalarNode):
        return False
    return isinstance(node.value, str) or (type(node.value) in (int, float) and bool(NUMBERS.match(node.text)))


def read_step_name(node: SyntaxNode, report: Report) -> ScalarNode | None:
    """Read the name of a step, or a reference to one."""
    if isinstance(node, ScalarNode) and names_a_step(node):
        return node
    misfit(report, node, "a name")
    return None


def read_state_key(node: SyntaxNode, report: Report) -> ScalarNode | MapNode | None:
    """Read the key of a step, or those of an op's tensors by their names."""
    if not isinstance(node, MapNode):
        return read_step_name(node, report)
    keys = [read_step_name(key, report) for _, key in node.entries]
    return None if None in keys else node


def _read_written(node: SyntaxNode, report: Report) -> SyntaxNode:
    return node


def read_list(node: SyntaxNode, report: Report) -> tuple[SyntaxNode, ...] | None:
    if isinstance(node, ListNode):
        return node.items
    help = f"write `[{clipped(node.text)}]`" if isinstance(node, ScalarNode) and node.text else "write `[…]`"
    misfit(report, node, "a list", help)
    return None


def one_of(*words: str) -> Callable[[SyntaxNode, Report], str | None]:
    def read(node: SyntaxNode, report: Report) -> str | None:
        if isinstance(node, ScalarNode) and node.text in words:
            return node.text
        listed = ", ".join(f"`{word}`" for word in words)
        close = nearest(node.text, words) if isinstance(node, ScalarNode) else None
        help = f"did you mean `{close}`?" if close else None
        misfit(report, node, listed if len(words) == 1 else f"one of {listed}", help)
        return None

    return read


def choice(*words: str) -> reader:
    """A field that is one of these words."""
    return reader(one_of(*words), words)


def mapping_entries(node: SyntaxNode, report: Report, wanted: str, example: str | None = None) -> tuple[Entry, ...]:
    """Return the entries of a mapping; anything else is reported, with an ``example``, and has none."""
    if isinstance(node, MapNode):
        return node.entries
    misfit(report, node, wanted, example or MAPPING_EXAMPLES.get(wanted))
    return ()


MAPPING_EXAMPLES = {
    "a mapping from parameters to defaults": "write `params: {width: 64}`",
    "a mapping from variants to parameter values": "write `variants: {small: {width: 32}}`",
    "a mapping from output names to steps": "write `outputs: {logits: fc}`",
    "a mapping from inputs to shapes": "write `inputs: {image: [N, 3, 224, 224]}`",
    "a mapping from dimensions to sizes": "write `dims: {H: 224, W: 224}`",
    "a mapping from names to blocks": "write `blocks: {basic: {body: [relu]}}`",
    "a mapping from outputs to shapes": "write `outputs: {logits: [N, 10]}`",
    "a mapping from parameters to functions": "write `init: {conv2d.weight: kaiming_normal}`",
}


def named_by(
    read: Callable[[ScalarNode, SyntaxNode, Report], Any],
    wanted: str,
    holds: str = "",
    example: str | None = None,
    names: re.Pattern[str] = NAME,
) -> reader:
    """A field that is a mapping from names to whatever ``read`` makes of each entry."""

    def read_all(node: SyntaxNode, report: Report) -> dict[str, Any]:
        made = {}
        for key, value in mapping_entries(node, report, wanted, example):
            if key.text in RESERVED or not names.match(key.text):
                reserved = key.text in RESERVED
                help = "`prev` and `shape` are reserved" if reserved else name_help(key.text)
                report.error("bad-name", f"`{clipped(key.text)}` cannot be used as a name here", key.span, help=help)
                continue
            item = read(key, value, report)
            if item is not None:
                made[key.text] = item
        return made

    return reader(read_all, holds)


Text = Annotated[str, reader(read_text, "text")]
Name = Annotated[str, reader(read_name, "name")]
Template = Annotated[ScalarNode, reader(read_step_name, "template")]
StateKey = Annotated[ScalarNode, reader(read_step_name, "state_key")]
StepReference = Annotated[ScalarNode, reader(read_step_name, "reference")]
Flag = Annotated[bool, reader(_read_flag, "flag")]
Value = Annotated[Written, reader(_read_written)]
Count = Annotated[Written, reader(_read_written, "count")]
Integer = Annotated[Written, reader(_read_written, "integer")]
Number = Annotated[Written, reader(_read_written, "number")]
Condition = Annotated[Written, reader(_read_written, "condition")]
Source = Annotated[Written, reader(_read_written, "source")]
Initialisation = Annotated[Written, reader(_read_written, "start")]

Read = TypeVar("Read", bound=Form)


def read_form(form: type[Read], node: SyntaxNode, report: Report, what: str, span: Span | None = None) -> Read | None:
    """Read a mapping as a form; unknown and missing keys are reported, ``None`` is given where any is at fault."""
    if not isinstance(node, MapNode):
        misfit(report, node, f"a mapping with the keys of {what}", _keys_help(form, what))
        return None
    data: dict[str, Any] = {key.text: value for key, value in node.entries}
    fields = form_fields(form)
    if "span" in fields:
        if "span" in data:
            report.error("unknown-key", f"{what} has no key `span`", node.span)
            return None
        data["span"] = span or node.span
    faults = report.count
    missing = [key for key, field in fields.items() if field.required and key not in data]
    unknown = [key for key in data if key not in fields]
    made = fill(form, data, report)
    if missing or unknown:
        _report_keys(form, node, report, what, span, missing, unknown)
        return None
    return made if report.count == faults else None


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form: the attribute, how its node is read (without a mark as it is), and its default.

    A field without a default (``...``) must be there.
    """

    name: str
    mark: reader | None
    default: Any

    @property
    def required(self) -> bool:
        """Return whether authors must write the key."""
        return self.default is ...

    @property
    def holds(self) -> str | tuple[str, ...]:
        """Return the kind of value that the field holds, or the words that it takes, as its mark says."""
        return "" if self.mark is None else self.mark.holds


@cache
def form_fields(form: type[Form]) -> Mapping[str, FormField]:
    """Return the fields of a form by the keys that authors write: its own, then those that it has from its base."""
    kinds = [form, *reversed(form.__mro__[1:])]
    found = {name: kind for kind in reversed(kinds) for name in vars(kind).get("__annotations__", ())}
    fields = {}
    for kind in kinds:
        scope = vars(sys.modules[kind.__module__])
        for name, written in vars(kind).get("__annotations__", {}).items():
            if found[name] is kind and not written.startswith("ClassVar"):
                marks = [*_marks(eval(written, scope))]
                key = next((mark.word for mark in marks if isinstance(mark, keyword)), name)
                read = next((mark for mark in marks if isinstance(mark, reader)), None)
                fields[key] = FormField(name, read, getattr(form, name, ...))
    return fields


def _marks(annotation: Any) -> Iterator[Any]:
    """The marks of a field's type, and of the types inside."""
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _marks(part)


def fill(form: type[Read], data: Mapping[str, Any], report: Report) -> Read:
    """A form with its keys read; keys that it does not have are passed over."""
    values: dict[str, Any] = {}
    for key, field in form_fields(form).items():
        if key in data:
            values[field.name] = data[key] if field.mark is None else field.mark.read(data[key], report)
    return form(**values)


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
        meant = meant or typo_of(word, _keys(form))  # as where the command line says again what the file says
        if word in ELSEWHERE and form.__name__ == "TrainSpec":
            report.error("unknown-key", f"{what} has no key `{clipped(word)}`", key.span, help=ELSEWHERE[word])
            continue
        help = f"did you mean `{meant}`?" if meant else _keys_help(form, what)
        if meant is None and len(missing) == len(unknown) == 1:  # what is missing is most likely what this stands for
            meant = missing[0]
            help = f"`{meant}` is missing: {_missing_help(form, meant, what)}"
        report.error("unknown-key", f"{what} has no key `{clipped(word)}`", key.span, help=help)
        missing = [each for each in missing if each != meant]
    if missing and not node.partial:
        listed = " and ".join(f"`{word}`" for word in missing)
        listed = listed.replace(" and ", ", ", len(missing) - 2)
        help = "; ".join(dict.fromkeys(_missing_help(form, word, what) for word in missing))
        report.error("missing-key", f"{what} needs {listed}", span or node.span, help=help, about=listed)


ELSEWHERE = {
    "lr": "it belongs to the optimizer: `optimizer: {adam: {lr: 0.001}}`",
    "learning_rate": "it belongs to the optimizer: `optimizer: {adam: {lr: 0.001}}`",
    "momentum": "it belongs to the optimizer: `optimizer: {sgd: {momentum: 0.9}}`",
    "warmup": "it belongs to the schedule: `schedule: {cosine: {warmup: 100}}`",
    "patience": "it belongs to `early_stopping: {patience: 3}`",
    "mixup": "it belongs to `augment: {mixup: 0.2}`",
    "cutmix": "it belongs to `augment: cutmix`",
    "standardize": "it belongs to `prepare: standardize`",
    "label_smoothing": "it belongs to the loss: `loss: {cross_entropy: {label_smoothing: 0.1}}`",
    "recompute": "it stands at a step, beside its arguments: `- repeat: {…, recompute: true}`; `memory: 8GiB` chooses",
    "shuffle": "remove it: rows are shuffled anew in each epoch",
    "scheduler": "did you mean `schedule`?",
    "tensorboard": "it belongs to `loggers: tensorboard`",
    "wandb": "it belongs to `loggers: wandb`",
    "mlflow": "it belongs to `loggers: mlflow`",
}
"""Keys that people look for in `train`, with the place where each is."""


def _keys(form: type[Form]) -> list[str]:
    return [key for key in form_fields(form) if key != "span"]


EXAMPLES = {
    "netspec": "write `netspec: 1`, the language version",
    "name": "write `name: my_network`",
    "inputs": "write `inputs: {image: [N, 3, 224, 224]}`",
    "network": "write `network:` with the steps below it, each after a dash",
    "body": "write `body:` with the steps below it, each after a dash",
    "shape": "write `shape: [N, 3, 224, 224]`",
    "from": "write `from:` with the name of a step",
    "default": "write `default: 1024`",
}
"""An example of each key that a form may need."""


def _missing_help(form: type[Form], key: str, what: str) -> str:
    return form.examples.get(key) or EXAMPLES.get(key) or _keys_help(form, what)


def _keys_help(form: type[Form], what: str) -> str:
    return f"its keys are {some_of(_keys(form), what.strip('`') if what.startswith('`') else '')}"
