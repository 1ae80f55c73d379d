"""The files that a spec leads to: relative paths inside the project, and nothing else; and blocks from such files.

The project is the nearest folder above the spec that holds ``pyproject.toml`` or ``.git``, else the spec's own folder.
No path leads out of it, by ``..`` or by a symbolic link, so that a spec from elsewhere reads nothing but its own files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import Protocol

from netspec import zoo
from netspec.dataclass import dataclass
from netspec.diagnostics import Label, Report, Source, SpecError, UsageError, clipped, nearest
from netspec.spec import BlockSpec, Library, Spec, Written, misfit, read_library
from netspec.syntax import RAISE, FileLimits, MapNode, ScalarNode, SyntaxNode, parse, read_source

MOST_FILES = 256
MOST_DEEP = 32
MARKS = ("pyproject.toml", ".git")


class Tree(Protocol):
    """The source of files: the disk, or a revision of a repository."""

    def project_of(self, path: Path) -> Path:
        """The folder that imports of a file stay in."""

    def real(self, path: Path) -> Path | None:
        """The file that a path leads to, links followed; ``None`` where there is none."""

    def beside(self, path: Path) -> list[str]:
        """The names of the YAML files in a path's folder."""

    def read(self, path: Path, limits: FileLimits) -> Source:
        """The text of a file. Raises ``SpecError`` or ``UsageError``."""

    def zoo(self, name: str) -> tuple[Path, str | None] | None:
        """The file and the variant that a name of the zoo means."""


class Disk:
    """The files as they are."""

    def project_of(self, path: Path) -> Path:
        folder = path.absolute().parent
        return next(
            (above for above in (folder, *folder.parents) if any((above / mark).exists() for mark in MARKS)), folder
        )

    def real(self, path: Path) -> Path | None:
        try:
            return path.resolve(strict=True)
        except (OSError, RuntimeError):
            return None

    def beside(self, path: Path) -> list[str]:
        return sorted(each.name for each in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []

    def read(self, path: Path, limits: FileLimits) -> Source:
        return read_source(path, limits)

    def zoo(self, name: str) -> tuple[Path, str | None] | None:
        return zoo.find(name)


DISK = Disk()


@dataclass(slots=True)
class Files:
    """The files that a spec leads to: where they come from, and those that were read so far.

    ``chains`` has the files that led to each text, itself the last. ``libraries`` and ``specs`` are what was read of a
    file that is imported, or whose network is used, by its real path; ``inner`` has the networks inside of files.
    """

    root: Path
    tree: Tree
    report: Report
    limits: FileLimits
    sources: list[Source] = field(default_factory=list)
    chains: dict[Source, list[Path]] = field(default_factory=dict)
    libraries: dict[Path, Library | None] = field(default_factory=dict)
    specs: dict[Path, Spec | None] = field(default_factory=dict)
    inner: dict[SyntaxNode, Spec | None] = field(default_factory=dict)
    bytes: int = 0

    def real(self, path: Path) -> Path:
        """Return the file that a path leads to, links followed."""
        return self.tree.real(path) or path

    def root_of(self, importer: Path) -> Path:
        """Return the folder that the imports of a file stay in: a file of the zoo has those beside it."""
        return zoo.folder() if zoo.holds(importer) else self.root


def imported_blocks(files: Files, spec: Spec, chain: list[Path]) -> dict[str, BlockSpec]:
    """The blocks of a spec and of the files that it imports; what is wrong goes to the report."""
    blocks: dict[str, BlockSpec] = {}
    _import_all(files, spec.imports, chain, blocks, set(), "")
    for name, block in spec.blocks.items():
        _add(files.report, blocks, name, block)
    return blocks


def prefixed(written: Sequence[SyntaxNode]) -> Iterator[tuple[str, SyntaxNode]]:
    """Yield each file under ``import`` with what comes before its blocks' names, a prefix and a dot or nothing."""
    for node in written:
        if isinstance(node, MapNode):
            yield from ((f"{key.text}.", path) for key, path in node.entries)
        else:
            yield "", node


def _import_all(
    files: Files,
    written: Sequence[Written],
    chain: list[Path],
    blocks: dict[str, BlockSpec],
    seen: set[tuple[str, Path]],
    around: str,
) -> None:
    for prefix, node in prefixed(written):
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            misfit(files.report, node, "the path of a spec file", "`import: [blocks/attention.yaml]`")
            continue
        chain = files.chains.get(node.span.source, chain)  # of a spec that is extended, its own
        path = path_of(files, node, chain[-1])
        if path is None or not guard_cycle(files, node, path, chain, "import"):
            continue
        place = f"{around}{prefix}", files.real(path)
        if place in seen:
            continue
        seen.add(place)
        if len(seen) > MOST_FILES:  # one file may stand under many prefixes
            too_many(files, node)
            return
        library = _library(files, node, path, chain)
        if library is not None:
            _import_all(files, library.imports, [*chain, path], blocks, seen, place[0])
            for name, block in library.blocks.items():
                _add(files.report, blocks, f"{place[0]}{name}", block)


def _library(files: Files, node: ScalarNode, path: Path, chain: list[Path]) -> Library | None:
    """Read a file that is imported, once; ``None`` where it is at fault."""
    real = files.real(path)
    if real not in files.libraries:
        files.libraries[real] = None
        tree = read_tree(files, node, path, chain)
        library = None if tree is None else read_library(tree, files.report)
        if library is not None:
            blocks = {name: block.changed(is_imported=True) for name, block in library.blocks.items()}
            files.libraries[real] = library.changed(blocks=blocks)
    return files.libraries[real]


def read_tree(files: Files, node: ScalarNode, path: Path, chain: list[Path]) -> SyntaxNode | None:
    """Read the syntax of a file that a node names; ``None`` where it is at fault."""
    source = _source(files, node, path)
    if source is None:
        return None
    files.chains[source] = [*chain, path]
    return parse(source, files.report, files.limits)


def path_of(files: Files, node: ScalarNode, importer: Path) -> Path | None:
    """Return the file that a node names; ``None`` where it may not be read."""
    text = node.text
    fault = help = None
    if "://" in text:
        fault, help = "an import must be a file, not a URL", "put the file into the project"
    elif "\\" in text:
        fault, help = "folders are separated by `/`", f"write `{clipped(text.replace(chr(92), '/'))}`"
    elif text.startswith(("/", "~")) or Path(text).is_absolute() or not text.strip() or "\0" in text:
        fault, help = "an import must be a relative path", "write the path relative to the folder of this file"
    if fault is not None:
        files.report.error("bad-import", fault, node.span, help=help)
        return None
    path = Path(os.path.normpath(importer.parent / text))
    root = files.root_of(importer)
    if not Path(os.path.abspath(path)).is_relative_to(root):
        _outside(files, node, "the path leads")
        return None
    real = files.tree.real(path)
    if real is None:
        close = nearest(path.name, [name for name in files.tree.beside(path) if name != importer.name])
        help = f"did you mean `{clipped(str(Path(text).parent / close))}`?" if close else f"looked for it at {path}"
        files.report.error("bad-import", f"there is no file `{clipped(text)}`", node.span, help=help)
        return None
    if not real.is_relative_to(root.resolve()):
        _outside(files, node, "a symbolic link leads")
        return None
    return path


def _outside(files: Files, node: ScalarNode, what: str) -> None:
    """Report a path that leaves the project."""
    help = "put the file into the project: the folder that holds `.git` or `pyproject.toml`, or the spec's own"
    files.report.error("bad-import", f"{what} outside the project", node.span, help=help)


def guard_cycle(files: Files, node: ScalarNode, path: Path, chain: list[Path], verb: str) -> bool:
    """Return whether a file is none of those that led to it, and not too deep below them; else it is reported."""
    chained = [files.real(each) for each in chain]
    real = files.real(path)
    if real in chained:
        names = [each.name for each in [*chain[chained.index(real) :], path]]
        help = "move what both need to a third file"
        message = f"the files {verb} each other: {' -> '.join(names)}"
        files.report.error("import-cycle", message, node.span, help=help)
        return False
    if len(chain) > MOST_DEEP:
        what = f"imports are nested more than {MOST_DEEP} levels deep"
        files.report.error("bad-import", what, node.span, help="put several blocks into one file")
        return False
    return True


def _source(files: Files, node: ScalarNode, path: Path) -> Source | None:
    if len(files.sources) >= MOST_FILES:
        too_many(files, node)
        return None
    try:
        source = zoo.read(path) if zoo.holds(path) else files.tree.read(path, files.limits)
    except UsageError as fault:
        files.report.error("bad-import", str(fault), node.span)
        return None
    except SpecError as fault:
        for each in fault.diagnostics:
            if each.id == "bad-file":
                files.report.error("bad-file", f"`{clipped(node.text)}`: {each.message}", node.span, help=each.help)
            else:
                files.report.add(each)
        return None
    files.bytes += len(source.text.encode())
    if files.bytes > files.limits.imported:
        message = f"with this file, the imports are larger than {files.limits.imported:,} bytes"
        files.report.error("bad-file", message, node.span, help=f"import less; {RAISE}")
        return None
    files.sources.append(source)
    return source


def too_many(files: Files, node: ScalarNode) -> None:
    """Report that too many files are imported."""
    message = f"more than {MOST_FILES} files are imported"
    files.report.error("bad-import", message, node.span, help="put several blocks into one file")


def _add(report: Report, blocks: dict[str, BlockSpec], name: str, block: BlockSpec) -> None:
    first = blocks.setdefault(name, block)
    if first is not block:
        report.error(
            "duplicate-name",
            f"two blocks are named `{name}`",
            block.span,
            secondary=(Label(first.span, "first defined here"),),
            help="rename one of them",
        )
