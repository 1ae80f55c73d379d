"""A word of a document with its role and the names that are visible to it, and a block as far as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Literal

from netspec.dataclass import dataclass
from netspec.diagnostics import Span
from netspec.recipes import Kind as IngredientKind
from netspec.spec import Form
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode

Role = Literal[
    "key",
    "step",
    "argument",
    "reference",
    "expression",
    "definition",
    "parameter",
    "ingredient",
    "network",
    "variant",
    "inner",
    "file",
]
"""``key`` of a form; ``step``, the op, block or structure that runs; ``argument`` of a step; ``reference`` to a step;
``expression``; ``definition`` of a name; ``parameter`` that a variant sets, or a step of the network that it uses, its
owner; ``ingredient`` of training, or an argument of one; another ``network``, a ``variant`` or an ``inner`` step or
output of such a one; ``file`` that is imported."""


@dataclass(slots=True)
class VisibleNames:
    """The names that are visible in a body: steps and values of its own, and those of the bodies around it."""

    parent: VisibleNames | None = None
    steps: dict[str, Span] = field(default_factory=dict)
    values: dict[str, Span] = field(default_factory=dict)
    inside: dict[str, VisibleNames] = field(default_factory=dict)

    def inner(self, *, transparent: bool = False) -> VisibleNames:
        """A scope within; the steps of a transparent one are seen from outside."""
        made = VisibleNames(self)
        if transparent:
            made.steps, made.inside = self.steps, self.inside
        return made

    def step(self, name: str) -> Span | None:
        """Return where the step of that name is."""
        found = self.steps.get(name)
        return found if found is not None or self.parent is None else self.parent.step(name)

    def at(self, path: str) -> Span | None:
        """Return where the step is that a path leads to, or the last on the way to it that has a name."""
        first, *rest = re.split(r"[.\[]", path)
        scope: VisibleNames | None = self
        while scope is not None and first not in scope.steps:
            scope = scope.parent
        if scope is None:
            return None
        found, inner = scope.steps[first], scope.inside.get(first)
        for word in rest:
            if inner is not None and word in inner.steps:
                found, inner = inner.steps[word], inner.inside.get(word)
        return found

    def paths(self) -> Iterator[tuple[str, Span]]:
        """Yield the path to each step in the groups that are visible, with its place."""
        scope: VisibleNames | None = self
        while scope is not None:
            waiting = [*scope.inside.items()]
            for prefix, inner in waiting:
                yield from ((f"{prefix}.{each}", span) for each, span in inner.steps.items())
                waiting += [(f"{prefix}.{each}", deeper) for each, deeper in inner.inside.items()]
            scope = scope.parent

    def value(self, name: str) -> Span | None:
        """Return where the parameter, index or list of that name is declared."""
        found = self.values.get(name)
        return found if found is not None or self.parent is None else self.parent.value(name)

    def all_steps(self) -> dict[str, Span]:
        return {**(self.parent.all_steps() if self.parent else {}), **self.steps}

    def all_values(self) -> dict[str, Span]:
        return {**(self.parent.all_values() if self.parent else {}), **self.values}


@dataclass(frozen=True, slots=True)
class Mention:
    """A word with what it is.

    ``owner`` is the form, the step or the ingredient that it belongs to; ``siblings`` are the keys beside it; ``kind``
    is the kind of an ingredient.
    """

    role: Role
    word: str
    span: Span
    scope: VisibleNames
    owner: str = ""
    form: type[Form] | None = None
    siblings: tuple[str, ...] = ()
    kind: IngredientKind | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A block as far as it is written: its place, parameters, inputs and documentation.

    ``params`` gives each parameter's place and its default, or its type; ``meanings`` are their ``doc``.
    """

    name: str
    span: Span
    params: Mapping[str, tuple[Span, str]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    doc: str
    meanings: Mapping[str, str] = field(default_factory=dict)


def read_block(key: ScalarNode, node: SyntaxNode) -> Block:
    """Return a block as far as it is written."""
    if not isinstance(node, MapNode):
        return Block(key.text, key.span, {}, (), (), "")
    params, inputs, outputs, doc = (node.get(word) for word in ("params", "inputs", "outputs", "doc"))
    return Block(
        key.text,
        key.span,
        {name.text: (name.span, written(value)) for name, value in params.entries}
        if isinstance(params, MapNode)
        else {},
        tuple(item.text.removesuffix("?") for item in inputs.items if isinstance(item, ScalarNode))
        if isinstance(inputs, ListNode)
        else ("input",),
        outputs.keys() if isinstance(outputs, MapNode) else (),
        doc.text if isinstance(doc, ScalarNode) else "",
    )


def written(node: SyntaxNode) -> str:
    """A value as it might be written on one line."""
    match node:
        case ScalarNode():
            return node.text
        case ListNode():
            return f"[{', '.join(map(written, node.items))}]"
        case MapNode():
            return "{" + ", ".join(f"{key.text}: {written(value)}" for key, value in node.entries) + "}"
