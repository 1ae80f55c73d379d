"""The linking of a spec with what it takes from elsewhere: what it extends, imports, and uses as steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from netspec import zoo
from netspec.diagnostics import Report, Source, clipped, did_you_mean
from netspec.sources.extending import merged
from netspec.sources.imports import DISK, Files, Tree, guard_cycle, imported_blocks, path_of, read_tree
from netspec.spec import Spec, UsedSpec, misfit, nested, read_spec
from netspec.spec.reading import EMPTY
from netspec.syntax import DEFAULT, FileLimits, MapNode, ScalarNode, SyntaxNode


class Linked(NamedTuple):
    """A spec with all that it takes from elsewhere: its tree, its form, and the files that were read for it."""

    document: SyntaxNode
    spec: Spec | None
    sources: list[Source]


def link(
    document: SyntaxNode,
    source: Source,
    report: Report,
    limits: FileLimits = DEFAULT,
    tree: Tree = DISK,
    path: Path | None = None,
) -> Linked:
    """Read a spec with what it extends, the blocks that it imports and the networks that it uses.

    What is wrong goes to the report. ``tree`` is where the files come from, ``path`` the spec's own there (default: the
    name of its source).
    """
    path = Path(source.name) if path is None else path
    files = Files(tree.project_of(path), tree, report, limits)
    files.chains[source] = [path]
    whole = with_base(files, document, [path])
    return Linked(whole or document, None if whole is None else _read_spec(files, whole, [path]), files.sources)


def with_base(files: Files, document: SyntaxNode, chain: list[Path]) -> SyntaxNode | None:
    """Return a tree merged with that of the spec that it extends; ``None`` where that one is at fault."""
    node = document.get("extends") if isinstance(document, MapNode) else None
    if node is None:
        return document
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        misfit(files.report, node, "the name of a network, or the path of a spec file", "write `extends: resnet`")
        return None
    place = named_network(files, node, chain)
    if place is None or place.path is None or not guard_cycle(files, node, place.path, chain, "extend"):
        return None
    tree = read_tree(files, node, place.path, chain)
    base = None if tree is None else with_base(files, tree, [*chain, place.path])
    if not isinstance(base, MapNode) or not isinstance(document, MapNode):
        return None
    return merged(base, document, place.variant, files.report)


def _read_spec(files: Files, document: SyntaxNode, chain: list[Path]) -> Spec | None:
    """Read a spec from its whole tree, and link it."""
    spec = read_spec(document, files.report)
    if spec is None:
        return None
    blocks = imported_blocks(files, spec, chain)
    uses: dict[tuple[Source, str], UsedSpec] = {}
    for node in _used(spec.changed(blocks=blocks)):
        key = node.span.source, node.text
        if key not in uses:
            found = _find(files, node, files.chains[node.span.source], spec.networks)
            if found is not None:
                uses[key] = found
    return spec.changed(blocks=blocks, uses=uses)


def _used(spec: Spec) -> Iterator[ScalarNode]:
    """Every network that a step of the spec runs, as it is written."""
    for body in (spec.network, *(block.body for block in spec.blocks.values())):
        for top in body:
            for step in nested(top):
                form: Any = step
                if getattr(step, "known_as", "") == "use" and form.network is not None:
                    yield form.network


class NamedNetwork(NamedTuple):
    """The network that a name means: a file, or a part of the same one, and the variant, where the name is that's."""

    path: Path | None
    variant: str | None
    document: SyntaxNode | None = None


def named_network(
    files: Files, node: ScalarNode, chain: list[Path], inside: Mapping[str, SyntaxNode] = EMPTY
) -> NamedNetwork | None:
    """Return what the name or path of a network means; ``None`` where that is nothing, which is reported.

    ``inside`` are the networks that the spec has itself.
    """
    text = node.text
    if text in inside:
        return NamedNetwork(None, None, inside[text])
    for document in inside.values():
        variants = document.get("variants") if isinstance(document, MapNode) else None
        if isinstance(variants, MapNode) and variants.get(text) is not None:
            return NamedNetwork(None, text, document)
    if text.endswith((".yaml", ".yml")) or "/" in text or "\\" in text:
        path = path_of(files, node, chain[-1])
        return None if path is None else NamedNetwork(path, None)
    found = files.tree.zoo(text)
    if found is not None:
        return NamedNetwork(*found)
    help = did_you_mean(text, (*inside, *zoo.names()))
    help = help or "write a name that `netspec list` has, or the path of a spec file"
    files.report.error("unknown-network", f"there is no network `{clipped(text)}`", node.span, help=help)
    return None


def _find(files: Files, node: ScalarNode, chain: list[Path], inside: Mapping[str, SyntaxNode]) -> UsedSpec | None:
    """Return the network that a step names; ``None`` where there is none, or it is at fault."""
    if "{" in node.text:
        help = 'choose among its variants by `variant: "{…}"`, or among networks by an `if`'
        message = "a network that is used must be named outright: it is read before parameters have values"
        files.report.error("unknown-network", message, node.span, help=help)
        return None
    found = named_network(files, node, chain, inside)
    if found is None:
        return None
    if found.path is None:
        assert found.document is not None
        if found.document not in files.inner:
            files.inner[found.document] = _open(files, found.document, chain)
        spec = files.inner[found.document]
    else:
        if not guard_cycle(files, node, found.path, chain, "use"):
            return None
        real = files.real(found.path)
        if real not in files.specs:
            files.specs[real] = None
            tree = read_tree(files, node, found.path, chain)
            files.specs[real] = None if tree is None else _open(files, tree, [*chain, found.path])
        spec = files.specs[real]
    return None if spec is None else UsedSpec(spec, found.variant)


def _open(files: Files, document: SyntaxNode, chain: list[Path]) -> Spec | None:
    """Read a spec with what it extends, and link it; ``None`` where it is at fault."""
    whole = with_base(files, document, chain)
    return None if whole is None else _read_spec(files, whole, chain)
