"""The networks and files that a document names, read when a word of them is asked about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from netspec.dataclass import dataclass
from netspec.diagnostics import Report, Source, Span
from netspec.lsp.outline import Outline
from netspec.sources.imports import DISK, Files, path_of, read_tree
from netspec.sources.networks import named_network, with_base
from netspec.syntax import DEFAULT, MapNode, ScalarNode, SyntaxNode


@dataclass(frozen=True, slots=True)
class OtherNetwork:
    """A network that a document names: its outline, with what it extends; ``span`` is where it is, or its variant."""

    outline: Outline
    span: Span
    title: str
    doc: str

    def place(self, word: str) -> Span | None:
        """Return where a step or an output is; of one that a template names, where that is."""
        steps = self.outline.network
        found = steps.at(word) or self.outline.outputs.get(word)
        if found is not None:
            return found
        first = word.partition(".")[0]
        templates = ((re.sub(r"\\{.*?\\}", ".*", re.escape(name)), at) for name, at in steps.all_steps().items())
        return next((at for pattern, at in templates if re.fullmatch(pattern, first)), None)


def other_network(source: Source, text: str, inside: Mapping[str, SyntaxNode]) -> OtherNetwork | None:
    """Return what a name or a path means in a document, which has the networks ``inside``; ``None`` if nothing."""
    files, node = _files(source), ScalarNode(_top(source), text, text, True)
    path = Path(source.name)
    found = named_network(files, node, [path], inside)
    if found is None:
        return None
    tree, chain = found.document, [path]
    if found.path is not None:
        tree, chain = read_tree(files, node, found.path, chain), [path, found.path]
    whole = None if tree is None else with_base(files, tree, chain)
    if not isinstance(whole, MapNode) or tree is None:
        return None
    outline, doc = Outline(whole), whole.get("doc")
    variants = tree.get("variants") if found.variant is not None and isinstance(tree, MapNode) else None
    key = variants.key(found.variant or "") if isinstance(variants, MapNode) else None
    span = key.span if key is not None else tree.span if found.path is None else _top(tree.span.source)
    title = found.variant or text
    return OtherNetwork(outline, span, title, doc.text if isinstance(doc, ScalarNode) else "")


def imported_file(source: Source, text: str) -> Span | None:
    """Return the beginning of a file that a document imports."""
    files, node = _files(source), ScalarNode(_top(source), text, text, True)
    path = path_of(files, node, Path(source.name))
    tree = None if path is None else read_tree(files, node, path, [Path(source.name)])
    return None if tree is None else _top(tree.span.source)


def _files(source: Source) -> Files:
    path = Path(source.name)
    files = Files(DISK.project_of(path), DISK, Report(), DEFAULT)
    files.chains[source] = [path]
    return files


def _top(source: Source) -> Span:
    return Span(source, 1, 1, 1, 1)
