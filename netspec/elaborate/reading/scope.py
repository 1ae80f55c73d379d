"""The scopes of expressions: names with their values, and where each value was set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netspec.diagnostics import Label, Span, clipped
from netspec.dims import Dim
from netspec.expressions import UNKNOWN_VALUE, ExpressionError, parse, parse_template
from netspec.spec import Written
from netspec.syntax import ListNode, ScalarNode

MOST_LABELS = 2


class Scope(dict[str, Any]):
    """Values by name; ``origins`` holds the node that gave a name its value, for those that have one."""

    __slots__ = ("origins",)

    def __init__(self, values: Mapping[str, Any], origins: Mapping[str, Written] | None = None):
        super().__init__(values)
        self.origins: Mapping[str, Written] = origins or {}

    def extended(self, values: Mapping[str, Any], origins: Mapping[str, Written] | None = None) -> Scope:
        """This scope with more names, or other values for the same."""
        made = Scope(self, self.origins)
        made.update(values)
        if origins or not self.origins.keys().isdisjoint(values):
            kept = {name: node for name, node in self.origins.items() if name not in values}
            made.origins = {**kept, **(origins or {})}
        return made

    def of_shape(self, shape: Any) -> Scope:
        """This scope where ``shape`` is that; the scope itself where it is already."""
        return self if self.get("shape") is shape else self.extended({"shape": shape})

    def origin(self, node: Written) -> Written:
        """Return the node that set a node's value: one further back, if the node only names it."""
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            return self.origins.get(node.text, node)
        return node


def origins_of(env: Mapping[str, Any]) -> Mapping[str, Written]:
    return env.origins if isinstance(env, Scope) else {}


def origin_labels(env: Mapping[str, Any], nodes: Iterable[Written], span: Span) -> tuple[Label, ...]:
    """Labels that say where the names in these nodes got their values; none where ``span`` shows it already."""
    origins = origins_of(env)
    labels: dict[tuple[str, int, int], Label] = {}
    for name in dict.fromkeys(name for node in nodes for name in names_in(node)):
        node = origins.get(name)
        if node is None or env.get(name, UNKNOWN_VALUE) is UNKNOWN_VALUE or node.span == span:
            continue
        labels.setdefault(node.span.order, Label(node.span, f"here `{name}` is {show(env[name])}"))
    return tuple(labels.values())[:MOST_LABELS]


def names_in(node: Written) -> list[str]:
    """The names that a written value reads, in order of appearance."""
    if isinstance(node, ListNode):
        return [name for item in node.items for name in names_in(item)]
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        return []
    try:
        names = (parse_template if "{" in node.text else parse)(node.text).names
    except ExpressionError:
        return []
    return sorted(names, key=node.text.find)


def show(value: Any) -> str:
    """A value for a message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"the string `{clipped(value)}`"
    if isinstance(value, (list, tuple)):
        return clipped("[" + ", ".join(item if isinstance(item, str) else show(item) for item in value) + "]")
    return f"the symbolic size {value}" if isinstance(value, Dim) else str(value)


def listed(names: Sequence[str], word: str = "and") -> str:
    """Return names for a message: `a`, `b` and `c`."""
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} {word} {last}" if first else last
