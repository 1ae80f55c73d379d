"""From what is written to what it means: expressions, templates and parameters get their values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from netspec import library
from netspec.diagnostics import Label, Report, Span, clipped, did_you_mean, nearest
from netspec.dims import Dim
from netspec.elaborate.reading.keys import values_of
from netspec.elaborate.reading.scope import origin_labels, show
from netspec.elaborate.reading.words import words_in
from netspec.expressions import ExpressionError, UnknownError, parse, parse_template
from netspec.ops import OPS
from netspec.ops.core.arguments import TextRule
from netspec.spec import NAME, DeclaredParameter, Written, misfit
from netspec.syntax import ListNode, MapNode, ScalarNode

Env = Mapping[str, Any]
Made = TypeVar("Made")

EXPRESSION = TextRule(any=False, literal=frozenset())
PLAIN_TEXT = TextRule(any=True, literal=frozenset())


class AlreadyReported(Exception):
    """A step cannot be finished; what is wrong has been reported, or follows from what has."""


class Through:
    """A stretch of the elaboration with one more entry in the trail; entered for every iteration of every loop."""

    __slots__ = ("before", "caller", "reader", "trail")

    def __init__(self, reader: Reader, trail: str, caller: Span | None):
        self.reader, self.trail, self.caller = reader, trail, caller
        self.before = reader.trail, reader.caller

    def __enter__(self) -> None:
        self.reader.trail = (*self.reader.trail, self.trail)
        self.reader.caller = self.caller

    def __exit__(self, *_: object) -> None:
        self.reader.trail, self.reader.caller = self.before


class Reader:
    """Evaluates written values, and reports what fails with the trail of the moment.

    ``known`` is what readers of the same spec remember.
    """

    def __init__(self, report: Report, known: dict[Any, Any] | None = None):
        self.report = report
        self.known = {} if known is None else known
        self.trail: tuple[str, ...] = ()
        self.later: Mapping[str, Any] = {}
        self.caller: Span | None = None

    @property
    def in_loop(self) -> bool:
        """Return whether the trail goes through a loop."""
        return any(not entry.startswith(("block ", "network ", "variant ")) for entry in self.trail)

    def through(self, trail: str, call: Span | None = None) -> Through:
        """Add an entry to the trail of the diagnostics inside, which stand in a block that ``call`` runs, if given."""
        return Through(self, trail, self.caller if call is None else self.place(call))

    def place(self, span: Span) -> Span:
        """Return the span to report an error of ``span`` at: for the library's blocks, the call."""
        return span if self.caller is None or not library.owns(span.source) else self.caller

    def error(self, id: str, message: str, span: Span, label: str = "", **more: Any) -> AlreadyReported:
        """Report a fault; gives the exception to raise. One inside the library is told at the call of its block."""
        place = self.place(span)
        if place is not span:
            more["secondary"] = (Label(span, label), *more.get("secondary", ()))
            span, label = place, ""
        self.report.error(id, message, span, label, trail=tuple(reversed(self.trail)), **more)
        return AlreadyReported()

    def value(self, node: Written, env: Env, rule: TextRule = EXPRESSION) -> Any:
        """Return the value of a node, where ``rule`` says which texts stand for themselves."""
        if isinstance(node, ScalarNode):
            if not isinstance(node.value, str):
                return node.value
            return self.text(node, env) if rule.takes(node.value) else self.expression(node, env, rule)
        if isinstance(node, ListNode):
            return [self.value(item, env, rule) for item in node.items]
        help = "write the value itself; arguments are listed side by side, not nested"
        raise self.error("wrong-type", "expected a value, found a mapping", node.span, help=help)

    def expression(self, node: ScalarNode, env: Env, rule: TextRule = EXPRESSION) -> Any:
        try:
            return parse(node.text).evaluate(env)
        except ExpressionError as found:
            raise self._expression_fault(node, found, env, rule) from None
        except UnknownError:
            raise AlreadyReported from None

    def text(self, node: ScalarNode, env: Env) -> str:
        """A text with expressions in braces."""
        if "{" not in node.text and "}" not in node.text:
            return node.text
        try:
            return parse_template(node.text).evaluate(env)
        except ExpressionError as found:
            raise self._expression_fault(node, found, env) from None
        except UnknownError:
            raise AlreadyReported from None

    def _expression_fault(
        self, node: ScalarNode, found: ExpressionError, env: Env, rule: TextRule = EXPRESSION
    ) -> AlreadyReported:
        span = node.within(found.start, max(found.end, found.start + 1))
        help = found.help
        word = found.message.removeprefix("unknown name `").removesuffix("`")
        if word == node.text.strip() and rule.literal:  # a word, where some words have a meaning
            close = nearest(word, sorted(rule.literal))
            listed = ", ".join(f"`{each}`" for each in sorted(rule.literal))
            help = f"did you mean `{close}`?" if close else f"the words accepted here are {listed}"
        elif word in self.later:
            help = f"`{word}` is defined later: a default can only read the parameters before it"
        elif word in OPS:
            help = f"""a string in an expression needs quotes of its own: `"'{word}'"`"""
        if found.message == "unknown name `shape`":
            help = "`shape` is the shape of a step's input, but no single value comes before this"
        labels = origin_labels(env, [node], node.span)
        return self.error("bad-expression", found.message, span, help=help, secondary=labels)

    def misvalued(
        self, node: Written, env: Env, what: str, value: Any, help: str | None = None, why: tuple[Label, ...] = ()
    ) -> AlreadyReported:
        """Report a value that is not what is wanted, with where the names in it come from."""
        message = f"{what}, not {show(value)}"
        if type(value) is float and help is None:
            help = whole_help(node)
        labels = why + origin_labels(env, [node], node.span)
        return self.error("bad-value", message, node.span, help=help, secondary=labels)

    def integer(self, node: Written, env: Env, what: str, least: int = 0) -> int:
        value = self.value(node, env)
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        raise self.misvalued(node, env, f"{what} must be an integer of at least {least}", value)

    def condition(self, node: Written, env: Env, what: str) -> bool:
        value = self.value(node, env)
        if isinstance(value, bool):
            return value
        text = node.text if isinstance(node, ScalarNode) and len(node.text) < 40 else "x"
        raise self.misvalued(
            node, env, f"{what} must be true or false", value, f"compare it with something: `{text} > 0`"
        )

    def items(self, node: Written, env: Env, what: str, *, words: bool = False) -> list[Any]:
        """Return a list; with ``words``, as ``with_words`` has it."""
        value = self.with_words(node, env) if words else self.value(node, env)
        if isinstance(value, (list, tuple)):
            return list(value)
        raise self.misvalued(node, env, f"{what} must be a list", value)

    def with_words(self, node: Written, env: Env) -> Any:
        """Return a value; in a list, a word that names nothing here stands for itself: ``[relu, gelu]``."""
        if not isinstance(node, ListNode):
            return self.value(node, env)
        made = []
        for item in node.items:
            if isinstance(item, ScalarNode) and item.value == item.text not in env and NAME.match(item.text):
                made.append(item.text)
            else:
                made.append(self.with_words(item, env))
        return made

    def remembered(self, node: Written, env: Env, read: Callable[[], Made]) -> Made:
        """Return what ``read`` makes of a node, which is the same wherever the names in it have the same values."""
        if node not in self.known:
            self.known[node] = tuple(dict.fromkeys(words_in(node)))
        key = node, values_of(self.known[node], env)
        if key not in self.known:
            self.known[key] = read()
        made: Made = self.known[key]
        return made

    def typed(self, node: Written, env: Env, type: str, what: str, why: tuple[Label, ...] = ()) -> Any:
        """The value of a parameter of the given type."""
        value = self.value(node, env, PLAIN_TEXT if "str" in type else EXPRESSION)
        if (fitted := fit(value, type)) is not None:
            return fitted
        help = whole_help(node) if isinstance(value, float) and type == "int" else TYPE_HELP.get(type.partition("[")[0])
        if type.startswith("list[") and not isinstance(value, (list, tuple)) and isinstance(node, ScalarNode):
            help = f"write a list: `[{clipped(node.text)}]`"
        raise self.misvalued(node, env, f"{what} must be of type {type}", value, help, why)


TYPE_HELP = {
    "int": "write an integer, or an expression that evaluates to one",
    "float": "write a number, or an expression that evaluates to one",
    "bool": "write true or false, or a condition",
    "str": "write a string; quote it if it is a number",
    "size": "write an integer, or an expression that gives a size: `shape[2]`",
    "pair": "write one value for both dimensions, or a list of two",
}


def whole_help(node: Written) -> str:
    """Return advice on how to make an integer of what gives a float."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and re.search(r"(?<!/)/(?!/)", node.text):
        return f"use integer division: `{re.sub(r'(?<!/)/(?!/)', '//', node.text)}`"
    if isinstance(node, ScalarNode) and isinstance(node.value, float) and node.value.is_integer():
        return f"write {int(node.value)}"
    if isinstance(node, ScalarNode) and isinstance(node.value, float) and math.isfinite(node.value):
        return f"write {math.floor(node.value)} or {math.ceil(node.value)}"
    return "an integer is needed here: use `//`, `round`, `floor` or `ceil`"


def is_expression(text: str, env: Env) -> bool:
    """Return whether a text could be worked out here: it reads nothing but names that have a value."""
    try:
        names = parse(text).names
    except ExpressionError:
        return False
    return bool(names) and names <= env.keys()


def fit(value: Any, type: str) -> Any:
    """The value as one of that type; ``None`` where it is none."""
    if type.startswith("list["):
        if not isinstance(value, (list, tuple)):
            return None
        items = [fit(item, type[5:-1]) for item in value]
        return None if any(item is None for item in items) else items
    if type.startswith("pair["):
        pair = value if isinstance(value, (list, tuple)) else (value, value)
        return fit(pair, f"list[{type[5:]}") if len(pair) == 2 else None
    if type == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type == "size" and isinstance(value, Dim):
        return value
    wanted = {"size": int, "int": int, "float": float, "bool": bool, "str": str}[type]
    return value if isinstance(value, wanted) and isinstance(value, bool) == (type == "bool") else None


def type_of(value: Any) -> str | None:
    """The type that a default gives its parameter; ``None`` where it gives none (an empty list)."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (list, tuple)):
        inner = {type_of(item) for item in value}
        if inner == {"int", "float"}:
            inner = {"float"}
        return f"list[{inner.pop()}]" if len(inner) == 1 and None not in inner else None
    return {int: "int", float: "float", str: "str"}.get(type(value))


def declared_type(reader: Reader, parameter: DeclaredParameter) -> str:
    """The type of a parameter: as declared, or that of its default."""
    if parameter.type is not None:
        return parameter.type
    assert parameter.default is not None, "a parameter has a type or a default"
    _guard_default(reader, parameter.default)
    found = _type_of_default(parameter.default)
    if found is None:
        raise reader.error(
            "unknown-type",
            f"the type of `{parameter.key.text}` cannot be inferred from its default",
            parameter.default.span,
            help=f"declare it: `{parameter.key.text}: {{type: list[int], default: …}}`",
        )
    return found


@lru_cache(maxsize=4096)
def _type_of_default(default: Written) -> str | None:
    return type_of(_literal(default))


def _guard_default(reader: Reader, default: Written) -> None:
    if isinstance(default, MapNode):
        misfit(
            reader.report, default, "a value", "a default must be a number, a string, true, false, or a list of these"
        )
        raise AlreadyReported


def _literal(node: Written) -> Any:
    if isinstance(node, ScalarNode):
        return node.value
    return [_literal(item) for item in node.items] if isinstance(node, ListNode) else None


def default_value(reader: Reader, parameter: DeclaredParameter, env: Env) -> Any:
    """A parameter's default, checked; earlier parameters are in ``env``."""
    assert parameter.default is not None
    _guard_default(reader, parameter.default)
    type = declared_type(reader, parameter)
    return bounded(
        reader, parameter, reader.typed(parameter.default, env, type, f"`{parameter.key.text}`"), parameter.default.span
    )


def bounded(reader: Reader, parameter: DeclaredParameter, value: Any, span: Span) -> Any:
    """Guard: the value is among the parameter's choices and within its bounds."""
    spec = parameter.spec
    if spec is None:
        return value
    name = parameter.key.text
    if spec.choices is not None:
        choices = [_literal(choice) for choice in spec.choices]
        if value not in [choice if spec.type is None else fit(choice, spec.type) for choice in choices]:
            help = did_you_mean(str(value), [str(choice) for choice in choices])
            help = help or "one of " + ", ".join(f"`{choice}`" for choice in choices)
            label = Label(spec.choices[0].span, "the choices are listed here") if spec.choices else None
            raise reader.error(
                "bad-value",
                f"`{name}` cannot be {show(value)}",
                span,
                help=help,
                secondary=(label,) if label and label.span.line != span.line else (),
            )
    for bound, node in (("least", spec.min), ("most", spec.max)):
        if node is None:
            continue
        limit = reader.value(node, {})
        items = value if isinstance(value, list) else [value]
        if not all(map(_is_number, [limit, *items])):
            message = f"a bound compares numbers, not {show(value if _is_number(limit) else limit)}"
            raise reader.error("bad-value", message, node.span)
        for item in items:
            if (item < limit) if bound == "least" else (item > limit):
                label = Label(node.span, f"at {bound} {limit}")
                raise reader.error(
                    "bad-value", f"`{name}` is {show(value)}, but must be at {bound} {limit}", span, secondary=(label,)
                )
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
