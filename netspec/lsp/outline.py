"""The outline of a spec: every word with its role and its scope, read from the syntax tree alone.

It asks for nothing but a tree, so it serves a document that is far from sound: what does not fit is passed over.
"""

from __future__ import annotations

from netspec import library
from netspec.diagnostics import Span
from netspec.elaborate.steps import STRUCTURES
from netspec.lsp.collector import WordCollector
from netspec.lsp.mention import Block, Mention, VisibleNames, read_block, written
from netspec.ops import OPS
from netspec.spec import (
    BlockSpec,
    DimSpec,
    Expect,
    Form,
    InputSpec,
    OutputSpec,
    ParamSpec,
    Spec,
)
from netspec.spec.reading import FormField, form_fields
from netspec.spec.steps import is_main
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode

USED = ("variant", "params", "outputs", "upto", "without")
"""The keys of ``use`` under which words of the other network are written."""


class Outline(WordCollector):
    """The words of a document in order, with the blocks and parameters that it declares."""

    def __init__(self, tree: SyntaxNode | None):
        super().__init__()
        self.blocks: dict[str, Block] = {}
        self.params: dict[str, tuple[Span, str]] = {}
        self.variants: dict[str, Span] = {}
        self.outputs: dict[str, Span] = {}
        self.networks: dict[str, SyntaxNode] = {}
        self.base = ""
        self.network = self.top.inner()
        if isinstance(tree, MapNode):
            self._spec(tree)

    def at(self, line: int, column: int) -> Mention | None:
        """The narrowest word that a place (counted from 1) lies in or right after."""
        found = [mention for mention in self.mentions if _holds(mention.span, line, column)]
        return min(found, key=lambda mention: _width(mention.span), default=None)

    def steps_on(self, line: int) -> list[Mention]:
        """The steps whose key stands on a line."""
        return [mention for mention in self.mentions if mention.role == "step" and mention.span.line == line]

    def _spec(self, tree: MapNode) -> None:
        self._parameters(tree.get("params"), self.top, self.params)
        self._locals(tree.get("let"), self.top)
        inputs, network = tree.get("inputs"), self.network
        self._other_networks(tree)
        if isinstance(inputs, MapNode):
            network.steps.update((key.text, key.span) for key, _ in inputs.entries)
        blocks = tree.get("blocks")
        if isinstance(blocks, MapNode):
            for key, node in blocks.entries:
                self.blocks[key.text] = read_block(key, node)
        for word, value in self._keys(tree, Spec, self.top):
            match word:
                case "inputs":
                    self._named_forms(value, InputSpec, self.top)
                case "dims":
                    self._named_forms(value, DimSpec, self.top)
                case "variants":
                    self._variants(value)
                case "blocks":
                    self._blocks(value)
                case "network":
                    self._body(value, network)
                case "outputs":
                    self._outputs(value, network)
                    self.outputs = _keys_of(value)
                case "import":
                    self._imports(value)
                case "require":
                    self._expressions(value, self.top)
                case "expect":
                    self._expect(value)
                case "init":
                    self._expressions(value, self.top)
                case "train":
                    self._train(value)

    def _other_networks(self, tree: MapNode) -> None:
        """Read the names of the networks that the spec extends and has."""
        base, inside = tree.get("extends"), tree.get("networks")
        self.variants = _keys_of(tree.get("variants"))
        self.networks = {key.text: node for key, node in inside.entries} if isinstance(inside, MapNode) else {}
        for key, _ in inside.entries if isinstance(inside, MapNode) else ():
            self._add("definition", key, self.top, "networks")
        if isinstance(base, ScalarNode):
            self.base = base.text
            self._add("network", base, self.top)

    def _imports(self, node: SyntaxNode) -> None:
        """Read the paths under ``import``."""
        if isinstance(node, ScalarNode):
            self._add("file", node, self.top)
        for item in node.items if isinstance(node, ListNode) else ():
            self._imports(item)
        for _, value in node.entries if isinstance(node, MapNode) else ():
            self._imports(value)

    def _inner(self, node: SyntaxNode, scope: VisibleNames, network: str) -> None:
        """Read the names of steps in another network: one, a list, or a mapping to them."""
        if isinstance(node, ScalarNode):
            self._add("inner", node, scope, network)
        for item in node.items if isinstance(node, ListNode) else ():
            self._inner(item, scope, network)
        for _, value in node.entries if isinstance(node, MapNode) else ():
            self._inner(value, scope, network)

    def _changes(self, node: MapNode, scope: VisibleNames) -> None:
        """Read what a spec changes of the steps of the one that it extends."""
        for key, value in node.entries:
            self._add("inner", key, scope, self.base, siblings=node.keys())
            parts = value.entries if isinstance(value, MapNode) else ()
            for name, body in parts:
                if name.text in ("before", "after"):
                    self._body(body, scope)
            if not isinstance(value, MapNode):
                self._body(value, scope)

    def _parameters(self, node: SyntaxNode | None, scope: VisibleNames, into: dict[str, tuple[Span, str]]) -> None:
        if not isinstance(node, MapNode):
            return
        for key, value in node.entries:
            into[key.text] = key.span, written(value)
            scope.values[key.text] = key.span
            self._add("definition", key, scope, "params")
            if isinstance(value, MapNode):
                for _, inner in self._keys(value, ParamSpec, scope):
                    self._expressions(inner, scope)
            else:
                self._expressions(value, scope)

    def _locals(self, node: SyntaxNode | None, scope: VisibleNames) -> None:
        for key, value in node.entries if isinstance(node, MapNode) else ():
            self._add("definition", key, scope, "let")
            self._expressions(value, scope)
            scope.values[key.text] = key.span

    def _named_forms(self, node: SyntaxNode, form: type[Form], scope: VisibleNames) -> None:
        for key, value in node.entries if isinstance(node, MapNode) else ():
            self._add("definition", key, scope)
            if isinstance(value, MapNode):
                for _, inner in self._keys(value, form, scope):
                    self._expressions(inner, scope)
            else:
                self._expressions(value, scope)

    def _variants(self, node: SyntaxNode) -> None:
        for key, values in node.entries if isinstance(node, MapNode) else ():
            self._add("definition", key, self.top)
            for name, value in values.entries if isinstance(values, MapNode) else ():
                self._add("parameter", name, self.top)
                if name.text == "expect":
                    self._expect(value)
                else:
                    self._expressions(value, self.top, name.text)

    def _expect(self, node: SyntaxNode) -> None:
        for _ in self._keys(node, Expect, self.top):
            pass

    def _blocks(self, node: SyntaxNode) -> None:
        for key, value in node.entries if isinstance(node, MapNode) else ():
            self._add("definition", key, self.top, "blocks")
            block = self.blocks[key.text]
            scope = self.top.inner()
            at = value.get("inputs") if isinstance(value, MapNode) else None
            named = [item for item in at.items if isinstance(item, ScalarNode)] if isinstance(at, ListNode) else []
            scope.steps.update((item.text.removesuffix("?"), item.span) for item in named)
            if not named:
                scope.steps["input"] = key.span
            params = value.get("params") if isinstance(value, MapNode) else None
            self._parameters(params, scope, dict(block.params))
            self._locals(value.get("let") if isinstance(value, MapNode) else None, scope)
            for word, inner in self._keys(value, BlockSpec, scope):
                if word == "body":
                    self._body(inner, scope)
                elif word == "require":
                    self._expressions(inner, scope)
                elif word == "outputs":
                    self._outputs(inner, scope)

    def _outputs(self, node: SyntaxNode, scope: VisibleNames) -> None:
        for key, value in node.entries if isinstance(node, MapNode) else ():
            self._add("definition", key, scope)
            if isinstance(value, MapNode):
                for word, inner in self._keys(value, OutputSpec, scope):
                    if word == "from":
                        self._references(inner, scope)
            else:
                self._references(value, scope)

    def _body(self, node: SyntaxNode, scope: VisibleNames) -> None:
        if isinstance(node, ScalarNode):
            self._add("inner" if self.base else "step", node, scope, self.base)
        if isinstance(node, MapNode) and self.base:
            self._changes(node, scope)
        for item in node.items if isinstance(node, ListNode) else ():
            if isinstance(item, ScalarNode):
                self._add("step", item, scope)
            elif isinstance(item, MapNode):
                for key, value in item.entries[:1]:
                    self._add("step", key, scope)
                    if key.text in STRUCTURES:
                        self._structure(key.text, value, scope)
                    else:
                        self._call(key, value, scope)

    def _call(self, key: ScalarNode, node: SyntaxNode, scope: VisibleNames) -> None:
        if not isinstance(node, MapNode):
            below = isinstance(node, ScalarNode) and node.span.line > key.span.line
            if below and isinstance(node, ScalarNode):  # an argument that is being typed
                self._add("argument", node, scope, key.text)
            else:
                self._expressions(node, scope, f"{key.text}.")
            return
        ports = OPS[key.text].ports if key.text in OPS else self._block_inputs(key.text)
        fields = OPS[key.text].model_fields if key.text in OPS else ()
        for name, value in node.entries:
            self._add("argument", name, scope, key.text, siblings=node.keys())
            if name.text == "name":
                self._name(value, scope)
            elif name.text == "from" or (name.text in ports and name.text not in fields):
                self._references(value, scope)
            elif name.text == "tie":
                for _, other in value.entries if isinstance(value, MapNode) else ():
                    self._references(other, scope)
            else:
                self._expressions(value, scope, f"{key.text}.{name.text}")

    def _block_inputs(self, name: str) -> tuple[str, ...]:
        if name in self.blocks:
            return self.blocks[name].inputs
        standard = library.find(name)
        return tuple(standard.formal) if standard is not None else ()

    def _name(self, node: SyntaxNode, scope: VisibleNames) -> None:
        if isinstance(node, ScalarNode):
            scope.steps.setdefault(node.text, node.span)
            self._add("definition", node, scope)

    def _structure(self, word: str, node: SyntaxNode, scope: VisibleNames) -> None:
        form = STRUCTURES[word]
        fields = form_fields(form)
        named = isinstance(node, MapNode) and node.get("name") is not None
        inner = scope.inner(transparent=not form.is_level and not named)
        name = node.get("name") if isinstance(node, MapNode) and word == "sequential" else None
        if isinstance(name, ScalarNode):
            scope.inside[name.text] = inner
        if is_main(form, node):
            self._held(fields[form.main], node, scope, inner, word)
            return
        for written_key, value in node.entries if isinstance(node, MapNode) else ():
            if written_key.text in fields:
                self._declare(fields[written_key.text], value, inner)
        named_network = node.get("network") if isinstance(node, MapNode) and word == "use" else None
        network = named_network.text if isinstance(named_network, ScalarNode) else ""
        for key, value in self._keys(node, form, scope):
            if word == "use" and key in USED:
                self._used(key, value, scope, network)
            elif key in fields:
                self._held(fields[key], value, scope, inner, f"{word}.{key}")
            else:
                self._expressions(value, scope, f"{word}.{key}")

    def _used(self, key: str, value: SyntaxNode, scope: VisibleNames, network: str) -> None:
        """Read the words of another network: its variant, its parameters, its steps."""
        if key == "variant" and isinstance(value, ScalarNode):
            self._add("variant", value, scope, network)
        elif key == "params" and isinstance(value, MapNode):
            for name, given in value.entries:
                self._add("parameter", name, scope, network, siblings=value.keys())
                self._expressions(given, scope)
        else:
            self._inner(value, scope, network)

    def _declare(self, field: FormField, value: SyntaxNode, inner: VisibleNames) -> None:
        """Enter the names that a key gives to what stands inside: lists and numbers of iterations, inputs of a scan."""
        names = [value] if isinstance(value, ScalarNode) else []
        names = [key for key, _ in value.entries] if isinstance(value, MapNode) else names
        match field.holds:
            case "index" | "lists":
                inner.values.update((name.text, name.span) for name in names)
            case "counter" | "sequences" | "states":
                for name in names:
                    inner.steps.setdefault(name.text, name.span)

    def _held(self, field: FormField, value: SyntaxNode, scope: VisibleNames, inner: VisibleNames, owner: str) -> None:
        """Read the words under a key of a structure, by what the key holds."""
        entries = value.entries if isinstance(value, MapNode) else ()
        match field.holds:
            case "template":
                self._name(value, scope)
            case "body":
                self._body(value, inner)
            case "branches":
                for name, body in entries:
                    scope.steps.setdefault(name.text, name.span)
                    self._add("definition", name, scope)
                    self._body(body, inner.inner())
            case "locals":
                self._locals(value, scope)
            case "index" | "counter":
                if isinstance(value, ScalarNode):
                    self._add("definition", value, inner)
            case "reference" | "source":
                self._references(value, scope)
            case "sources":
                self._references(value, scope)
                for _, reference in entries:
                    self._references(reference, scope)
            case "network":
                if isinstance(value, ScalarNode):
                    self._add("network", value, scope)
            case "sequences" | "states":
                for name, reference in entries:
                    self._add("definition", name, inner)
                    self._references(reference, scope)
            case "output_specs":
                self._outputs(value, inner)
            case "results":
                for _, reference in entries:
                    self._references(reference, inner)
            case _:
                self._expressions(value, scope, owner)


def _holds(span: Span, line: int, column: int) -> bool:
    return (span.line, span.column) <= (line, column) <= (span.end_line, span.end_column)


def _width(span: Span) -> tuple[int, int]:
    return span.end_line - span.line, span.end_column - span.column


def _keys_of(node: SyntaxNode | None) -> dict[str, Span]:
    """Return the places of a mapping's keys."""
    return {key.text: key.span for key, _ in node.entries} if isinstance(node, MapNode) else {}
