"""A spec as one file of its own: with the blocks that it imports, the networks that it uses, and what it extends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from netspec.dataclass import dataclass
from netspec.diagnostics import Report, Source, Span
from netspec.sources.imports import DISK, Files, Tree, path_of, prefixed, read_tree
from netspec.sources.networks import named_network, with_base
from netspec.sources.yaml_text import yaml_text
from netspec.spec.steps import STRUCTURES
from netspec.syntax import DEFAULT, FileLimits, ListNode, MapNode, ScalarNode, SyntaxNode, parse

NOWHERE = Span(Source("", ""), 1, 1, 1, 1)
"""The place of what no file has as it is."""
Entries = dict[str, tuple[ScalarNode, SyntaxNode]]


def show(source: Source, path: Path, limits: FileLimits = DEFAULT, tree: Tree = DISK) -> str:
    """Return a spec as one text that needs no other file, with its comments. The spec must be sound."""
    files = Files(tree.project_of(path), tree, Report(), limits)
    files.chains[source] = [path]
    document = parse(source, files.report, limits)
    assert document is not None
    return yaml_text(_Resolver(files).whole(document, [path]))


@dataclass(slots=True)
class _Resolver:
    """Resolves one spec: ``networks`` collects those that it uses, by the names that it gives them."""

    files: Files
    networks: dict[str, tuple[SyntaxNode | Path, MapNode]] = field(default_factory=dict)

    def whole(self, document: SyntaxNode, chain: list[Path]) -> MapNode:
        """Return a document without ``extends``, ``import`` and other files' networks."""
        base = with_base(self.files, document, chain)
        self.files.report.raise_if_any()
        assert isinstance(base, MapNode)
        entries = {key.text: (key, node) for key, node in base.entries}
        blocks = entries.pop("blocks", None)
        held = {} if blocks is None else _by_name(blocks[1])
        imported = entries.pop("import", None)
        held = {**self.imported(imported[1] if imported else None, chain), **held}
        given = entries.pop("networks", None)
        written = {} if given is None else _by_name(given[1])
        for name, (_, node) in written.items():
            self.networks[name] = node, _Resolver(self.files).whole(node, chain)
        entries.pop("extends", None)
        network = entries.pop("network")
        made = [(key, self.steps(node, written, chain)) for key, node in held.values()]
        body = self.steps(network[1], written, chain)
        if made:
            entries["blocks"] = blocks[0] if blocks else _word("blocks"), MapNode(NOWHERE, tuple(made))
        if self.networks:
            inner = tuple((_word(name), node) for name, (_, node) in self.networks.items())
            entries["networks"] = _word("networks"), MapNode(NOWHERE, inner)
        return MapNode(NOWHERE, tuple(_ordered({**entries, "network": (network[0], body)}, [*_keys(base)])))

    def imported(self, written: SyntaxNode | None, chain: list[Path], around: str = "") -> Entries:
        """Return the blocks of the files that are imported, by name; ``around`` comes before all of the names."""
        blocks: Entries = {}
        items = written.items if isinstance(written, ListNode) else () if written is None else (written,)
        for prefix, node in prefixed(items):
            assert isinstance(node, ScalarNode)
            chained = self.files.chains.get(node.span.source, chain)
            path = path_of(self.files, node, chained[-1])
            tree = None if path is None else read_tree(self.files, node, path, chained)
            self.files.report.raise_if_any()
            if path is not None and isinstance(tree, MapNode):
                blocks.update(self.imported(tree.get("import"), [*chained, path], f"{around}{prefix}"))
                for name, (key, block) in _by_name(tree.get("blocks")).items():
                    whole = f"{around}{prefix}{name}"
                    blocks[whole] = key if whole == name else _word(whole), block
        return blocks

    def steps(self, node: SyntaxNode, written: Entries, chain: list[Path]) -> SyntaxNode:
        """Return a part of a spec whose steps use networks by names that it has itself."""
        if isinstance(node, ListNode):
            items = tuple(self.steps(item, written, chain) for item in node.items)
            changed = any(item is not before for item, before in zip(items, node.items))
            return ListNode(NOWHERE, items) if changed else node
        if not isinstance(node, MapNode):
            return node
        entries = []
        for key, value in node.entries:
            if key.text == "use" and len(node.entries) == 1 and not isinstance(value, ListNode):
                entries.append((key, self.use(value, written)))
            else:
                entries.append((key, self.steps(value, written, chain)))
        changed = any(value is not before[1] for (_, value), before in zip(entries, node.entries))
        return MapNode(NOWHERE, tuple(entries)) if changed else node

    def use(self, value: SyntaxNode, written: Entries) -> SyntaxNode:
        """Return what stands under ``use``, with a name that the spec has itself."""
        node = value.get(STRUCTURES["use"].main) if isinstance(value, MapNode) else value
        assert isinstance(node, ScalarNode)
        chain = self.files.chains[node.span.source]
        found = named_network(self.files, node, chain, {name: each for name, (_, each) in written.items()})
        assert found is not None
        if found.document is not None:
            return value
        assert found.path is not None
        real = self.files.real(found.path)
        name = next((name for name, (path, _) in self.networks.items() if path == real), None)
        if name is None:
            tree = read_tree(self.files, node, found.path, chain)
            assert tree is not None
            whole = _Resolver(self.files).whole(tree, [*chain, found.path])
            title = whole.get("name")
            name = title.text if isinstance(title, ScalarNode) else found.path.stem
            while name in self.networks:
                name += "_"
            self.networks[name] = real, whole
        text = found.variant or name
        if text == node.text:
            return value
        renamed = ScalarNode(NOWHERE, text, text, True)
        if not isinstance(value, MapNode):
            return renamed
        return MapNode(NOWHERE, tuple((key, renamed if each is node else each) for key, each in value.entries))


def _ordered(entries: Entries, order: list[str]) -> Iterator[tuple[ScalarNode, SyntaxNode]]:
    """The entries in the order of the file; what it has none of comes before the network."""
    added = [key for key in ("blocks", "networks") if key in entries and key not in order]
    at = order.index("network")
    for key in [*order[:at], *added, *order[at:]]:
        if key in entries:
            yield entries[key]


def _keys(node: MapNode) -> Iterator[str]:
    yield from (key.text for key, _ in node.entries)


def _by_name(node: SyntaxNode | None) -> Entries:
    return {key.text: (key, value) for key, value in node.entries} if isinstance(node, MapNode) else {}


def _word(text: str) -> ScalarNode:
    return ScalarNode(NOWHERE, text, text, True)
