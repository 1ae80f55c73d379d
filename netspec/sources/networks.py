"""The networks of other files that a spec uses as steps: found, read, and linked to the spec, each with its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netspec import zoo
from netspec.diagnostics import Report, Source, clipped, did_you_mean
from netspec.sources.imports import DISK, Files, Tree, guard_cycle, imported_blocks, path_of, read_tree
from netspec.spec import Spec, UsedSpec, nested, read_spec
from netspec.syntax import DEFAULT, FileLimits, ScalarNode


def link(
    spec: Spec,
    source: Source,
    report: Report,
    limits: FileLimits = DEFAULT,
    tree: Tree = DISK,
    path: Path | None = None,
) -> tuple[Spec, list[Source]]:
    """Return a spec with the blocks that it imports and the networks that it uses, and the files that were read.

    What is wrong goes to the report. ``tree`` is where the files come from, ``path`` the spec's own there (default: the
    name of its source).
    """
    path = Path(source.name) if path is None else path
    files = Files(tree.project_of(path), tree, report, limits)
    files.chains[source] = [path]
    return _linked(files, spec, [path]), files.sources


def _linked(files: Files, spec: Spec, chain: list[Path]) -> Spec:
    blocks = imported_blocks(files, spec, chain)
    uses: dict[tuple[Source, str], UsedSpec] = {}
    for node in _used(spec.changed(blocks=blocks)):
        key = node.span.source, node.text
        if key not in uses:
            found = _find(files, node, files.chains[node.span.source])
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


def _find(files: Files, node: ScalarNode, chain: list[Path]) -> UsedSpec | None:
    """Return the network that a step names; ``None`` where there is none, or it is at fault."""
    text, variant = node.text, None
    if "{" in text:
        help = 'choose among its variants by `variant: "{…}"`, or among networks by an `if`'
        message = "a network that is used must be named outright: it is read before parameters have values"
        files.report.error("unknown-network", message, node.span, help=help)
        return None
    if text.endswith((".yaml", ".yml")) or "/" in text or "\\" in text:
        path = path_of(files, node, chain[-1])
    else:
        path, variant = files.tree.zoo(text) or (None, None)
        if path is None:
            help = did_you_mean(text, zoo.names()) or "write a name that `netspec list` has, or the path of a spec file"
            files.report.error("unknown-network", f"there is no network `{clipped(text)}`", node.span, help=help)
    if path is None or not guard_cycle(files, node, path, chain, "use"):
        return None
    spec = _read(files, node, path, chain)
    return None if spec is None else UsedSpec(spec, variant)


def _read(files: Files, node: ScalarNode, path: Path, chain: list[Path]) -> Spec | None:
    """Read a file whose network is used, once, with all that it leads to; ``None`` where it is at fault."""
    real = files.real(path)
    if real not in files.specs:
        files.specs[real] = None
        tree = read_tree(files, node, path, chain)
        spec = None if tree is None else read_spec(tree, files.report)
        files.specs[real] = None if spec is None else _linked(files, spec, [*chain, path])
    return files.specs[real]
