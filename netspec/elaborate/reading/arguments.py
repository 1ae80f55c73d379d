"""The one reader of written arguments: of ops, blocks, ingredients of a recipe and functions of ``init``.

What takes arguments says so by a ``Callee``. ``read_arguments`` evaluates them, ``build`` makes a Pydantic model of
the values; both report every fault at its own place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from netspec.dataclass import dataclass
from netspec.diagnostics import Label, Span, clipped
from netspec.dims import Dim
from netspec.elaborate.reading.scope import listed, origin_labels, show
from netspec.elaborate.reading.values import AlreadyReported, Env, Reader, is_expression, whole_help
from netspec.ops.core.arguments import text_rule
from netspec.spec import Entry, Written
from netspec.syntax import ScalarNode

Made = TypeVar("Made", bound=BaseModel)

PLAIN_WORDS = {
    "a valid ": "a ",
    "a integer": "an integer",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "a boolean": "true or false",
}
"""Pydantic's words in ours."""


@dataclass(slots=True, eq=False)
class Callee:
    """Something that takes arguments: its name, their names, and the ``main`` one, which may stand without its name.

    ``read`` gives an argument's value, or raises ``AlreadyReported``; ``unknown`` reports a name that is none of them.
    ``required`` are those without a default, ``declared`` labels the places where they are declared, if a spec does.
    """

    name: str
    arguments: Collection[str]
    main: str | None
    read: Callable[[str, Written], Any]
    unknown: Callable[[ScalarNode], object]
    required: Collection[str] = ()
    declared: Callable[[str], Label] | None = None


class ReadArguments(NamedTuple):
    """The values that could be read, the nodes they were read from, and whether there were no faults."""

    values: dict[str, Any]
    nodes: dict[str, Written]
    unknown: bool
    sound: bool


def read_arguments(
    reader: Reader, callee: Callee, written: Mapping[str, Entry], main: Written | None, span: Span
) -> ReadArguments:
    """Read the arguments of a call at ``span``, and report every fault.

    Raises ``AlreadyReported`` for an argument without its name where nothing takes one.
    """
    nodes = {name: node for name, (_, node) in written.items() if name in callee.arguments}
    if main is not None:
        if callee.main is None:
            raise _refuse_main(reader, callee, main)
        nodes[callee.main] = main
    unknown = [key for name, (key, _) in written.items() if name not in callee.arguments]
    for key in unknown:
        callee.unknown(key)
    values = {}
    for name, node in nodes.items():
        try:
            values[name] = callee.read(name, node)
        except AlreadyReported:
            continue
    missing = [name for name in callee.required if name not in nodes]
    if missing and not unknown:  # else it is most likely among them, misspelt
        _report_missing(reader, callee, missing, span)
    sound = not unknown and not missing and len(values) == len(nodes)
    return ReadArguments(values, nodes, bool(unknown), sound)


def _refuse_main(reader: Reader, callee: Callee, main: Written) -> AlreadyReported:
    names = [*callee.arguments]
    message = f"`{callee.name}` takes no " + ("positional argument" if names else "arguments")
    ways = [] if callee.required else [f"write `{callee.name}` alone"]
    ways += [f"name the argument: {listed(names, 'or')}"] if names else []
    return reader.error("bad-argument", message, main.span, help=", or ".join(ways))


def _report_missing(reader: Reader, callee: Callee, missing: Collection[str], span: Span) -> None:
    """Report what a call lacks, in one."""
    message = f"`{callee.name}` needs {listed([*missing])}"
    help = f"`{callee.name}: {{{', '.join(f'{name}: …' for name in missing)}}}`"
    labels = () if callee.declared is None else (callee.declared(next(iter(missing))),)
    reader.error("missing-argument", message, span, help=help, secondary=labels)


def model_callee(reader: Reader, kind: Any, env: Env, unknown: Callable[[ScalarNode], object]) -> Callee:
    """Return the callee of an op or an ingredient: the fields of its model."""

    def read(argument: str, node: Written) -> Any:
        return reader.value(node, env, text_rule(kind, argument))

    return Callee(kind.name, kind.model_fields, kind.main, read, unknown, _required(kind))


@cache
def _required(kind: type[BaseModel]) -> Collection[str]:
    return [name for name, field in kind.model_fields.items() if field.is_required()]


def build(
    create: Callable[[Mapping[str, Any]], Made], reader: Reader, name: str, found: ReadArguments, env: Env, span: Span
) -> Made:
    """Return the model of these arguments. What it refuses is reported; then it raises ``AlreadyReported``."""
    if not found.sound:
        raise AlreadyReported
    try:
        return create(found.values)
    except ValidationError as refused:
        faults = refused.errors(include_input=False, include_url=False)
    told: dict[str, list[str]] = {}
    for fault in faults:
        told.setdefault(str(fault["loc"][0]) if fault["loc"] else "", []).append(fault["msg"])
    for argument, messages in told.items():
        if argument:
            _refuse(reader, name, argument, _wanted(messages), found, env)
        else:
            reader.error("bad-argument", f"`{name}`: {_wanted(messages)}", span)
    raise AlreadyReported


def _wanted(messages: Iterable[str]) -> str:
    """Say what an argument must be, from all that is said of it: a union reports once for each member."""
    texts = []
    for message in messages:
        wanted = message.removeprefix("Input should be ").removeprefix("Value error, ")
        for word, plain in PLAIN_WORDS.items():
            wanted = wanted.replace(word, plain)
        texts.append(wanted)
    return " or ".join(dict.fromkeys(texts))


def _refuse(reader: Reader, name: str, argument: str, wanted: str, found: ReadArguments, env: Env) -> None:
    value, node = found.values[argument], found.nodes[argument]
    help: str | None = None
    if isinstance(value, Dim):
        help = "a known number is needed here; reduce it with an adaptive pooling, or fix the input's size"
    elif isinstance(value, float) and "integer" in wanted:
        help = whole_help(node)
    elif isinstance(value, str) and is_expression(value, env):
        help = f"`{clipped(value)}` is evaluated only if its type is declared: `{{type: int, default: …}}`"
    message = f"`{argument}` of `{name}` is {show(value)}, but must be {wanted}"
    labels = origin_labels(env, [node], node.span)
    reader.error("bad-argument", message, node.span, help=help, secondary=labels)
