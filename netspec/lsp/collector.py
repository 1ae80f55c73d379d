"""The words of a document as they are met: each is added with its role and its scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netspec.lsp.mention import Mention, Role, VisibleNames
from netspec.recipes import Kind as IngredientKind
from netspec.recipes import ingredients
from netspec.spec import Form, TrainSpec, WeightsSpec
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode

INGREDIENTS: Mapping[str, IngredientKind] = {
    "data": "data",
    "prepare": "transform",
    "augment": "transform",
    "loss": "loss",
    "metrics": "metric",
    "optimizer": "optimizer",
    "schedule": "schedule",
}
"""The keys of ``train`` under which ingredients are written, with their kinds."""


class WordCollector:
    """Collects the words of keys, references, expressions and of training; ``top`` is what the whole file sees."""

    def __init__(self) -> None:
        self.mentions: list[Mention] = []
        self.top = VisibleNames()

    def _add(self, role: Role, node: ScalarNode, scope: VisibleNames, owner: str = "", **more: object) -> None:
        self.mentions.append(Mention(role, node.text, node.span, scope, owner, **more))  # type: ignore[arg-type]

    def _keys(self, node: SyntaxNode | None, form: type[Form], scope: VisibleNames) -> Iterator[tuple[str, SyntaxNode]]:
        """The entries of a form; its keys are mentioned."""
        if not isinstance(node, MapNode):
            if isinstance(node, ScalarNode):
                self._add("key", node, scope, form.known_as, form=form)
            return
        for key, value in node.entries:
            self._add("key", key, scope, form.known_as, form=form, siblings=node.keys())
            yield key.text, value

    def _references(self, node: SyntaxNode, scope: VisibleNames) -> None:
        for item in node.items if isinstance(node, ListNode) else (node,):
            if isinstance(item, ScalarNode):
                self._add("reference", item, scope)

    def _expressions(self, node: SyntaxNode, scope: VisibleNames, owner: str = "") -> None:
        if isinstance(node, ScalarNode):
            self._add("expression", node, scope, owner)
        elif isinstance(node, ListNode):
            for item in node.items:
                self._expressions(item, scope, owner)
        else:
            for _, value in node.entries:
                self._expressions(value, scope, owner)

    def _train(self, node: SyntaxNode) -> None:
        for word, value in self._keys(node, TrainSpec, self.top):
            if word in INGREDIENTS:
                self._ingredients(value, INGREDIENTS[word])
            elif word == "weights" and isinstance(value, MapNode):
                for _ in self._keys(value, WeightsSpec, self.top):
                    pass
            else:
                self._expressions(value, self.top)

    def _ingredients(self, node: SyntaxNode, kind: IngredientKind) -> None:
        """Read one ingredient, a list of them, or a mapping from outputs to them."""
        if isinstance(node, ScalarNode):
            self._add("ingredient", node, self.top, kind=kind)
        elif isinstance(node, ListNode):
            for item in node.items:
                self._ingredients(item, kind)
        else:
            for key, value in node.entries:
                if key.text in ingredients(kind):
                    self._add("ingredient", key, self.top, kind=kind)
                    self._ingredient_arguments(key.text, value, kind)
                else:
                    self._ingredients(value, kind)

    def _ingredient_arguments(self, owner: str, node: SyntaxNode, kind: IngredientKind) -> None:
        if not isinstance(node, MapNode):
            self._expressions(node, self.top)
            return
        for key, value in node.entries:
            self._add("ingredient", key, self.top, owner, kind=kind, siblings=node.keys())
            self._expressions(value, self.top)
