"""Blocks from other spec files: relative paths inside the project, and nothing else.

The project is the nearest folder above the spec that holds ``pyproject.toml`` or ``.git``, else the spec's own folder.
No path leads out of it, by ``..`` or by a symbolic link, so that a spec from elsewhere reads nothing but its own files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import Protocol

from netspec.dataclass import dataclass
from netspec.diagnostics import Label, Report, Source, SpecError, UsageError, clipped, nearest
from netspec.spec import BlockSpec, Spec, Written, misfit, read_library
from netspec.syntax import DEFAULT, RAISE, FileLimits, ScalarNode, parse, read_source

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


DISK = Disk()


@dataclass(slots=True)
class Imports:
    """The result of importing: the blocks of all files, and the files in the order they were read."""

    root: Path
    tree: Tree
    report: Report
    limits: FileLimits
    blocks: dict[str, BlockSpec] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    read: set[Path] = field(default_factory=set)
    bytes: int = 0


def import_blocks(
    spec: Spec,
    source: Source,
    report: Report,
    limits: FileLimits = DEFAULT,
    tree: Tree = DISK,
    path: Path | None = None,
) -> Imports:
    """The blocks that a spec imports; what is wrong goes to the report.

    ``tree`` is where the files come from, ``path`` the spec's own there (default: the name of its source).
    """
    path = Path(source.name) if path is None else path
    found = Imports(tree.project_of(path), tree, report, limits)
    _import_all(found, spec.imports, [path])
    for name, block in spec.blocks.items():
        _add(found, name, block)
    return found


def _import_all(found: Imports, written: Sequence[Written], chain: list[Path]) -> None:
    for node in written:
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            misfit(found.report, node, "the path of a spec file", "`import: [blocks/attention.yaml]`")
            continue
        path = _path(found, node, chain[-1])
        if path is not None:
            _import(found, node, path, chain)


def _path(found: Imports, node: ScalarNode, importer: Path) -> Path | None:
    """The file that an import names; ``None`` where it may not be read."""
    text = node.text
    fault = help = None
    if "://" in text:
        fault, help = "an import must be a file, not a URL", "put the file into the project"
    elif "\\" in text:
        fault, help = "folders are separated by `/`", f"write `{clipped(text.replace(chr(92), '/'))}`"
    elif text.startswith(("/", "~")) or Path(text).is_absolute() or not text.strip() or "\0" in text:
        fault, help = "an import must be a relative path", "write the path relative to the folder of this file"
    if fault is not None:
        found.report.error("bad-import", fault, node.span, help=help)
        return None
    path = Path(os.path.normpath(importer.parent / text))
    if not Path(os.path.abspath(path)).is_relative_to(found.root):
        _outside(found, node, "the path leads")
        return None
    real = found.tree.real(path)
    if real is None:
        close = nearest(path.name, [name for name in found.tree.beside(path) if name != importer.name])
        help = f"did you mean `{clipped(str(Path(text).parent / close))}`?" if close else f"looked for it at {path}"
        found.report.error("bad-import", f"there is no file `{clipped(text)}`", node.span, help=help)
        return None
    if not real.is_relative_to(found.root.resolve()):
        _outside(found, node, "a symbolic link leads")
        return None
    return path


def _outside(found: Imports, node: ScalarNode, what: str) -> None:
    """Report a path that leaves the project."""
    help = "put the file into the project: the folder that holds `.git` or `pyproject.toml`, or the spec's own"
    found.report.error("bad-import", f"{what} outside the project", node.span, help=help)


def _import(found: Imports, node: ScalarNode, path: Path, chain: list[Path]) -> None:
    """Read a file once, with what it imports."""
    real = found.tree.real(path) or path
    chained = [found.tree.real(each) or each for each in chain]
    if real in chained:
        names = [each.name for each in [*chain[chained.index(real) :], path]]
        help = "move what both need to a third file"
        found.report.error("import-cycle", f"the files import each other: {' -> '.join(names)}", node.span, help=help)
        return
    if real in found.read:
        return
    found.read.add(real)
    if len(chain) > MOST_DEEP or len(found.read) > MOST_FILES:
        what = f"imports are nested more than {MOST_DEEP} levels deep"
        if len(chain) <= MOST_DEEP:
            what = f"more than {MOST_FILES} files are imported"
        found.report.error("bad-import", what, node.span, help="put several blocks into one file")
        return
    source = _source(found, node, path)
    if source is None:
        return
    tree = parse(source, found.report, found.limits)
    library = read_library(tree, found.report) if tree is not None else None
    if library is None:
        return
    _import_all(found, library.imports, [*chain, path])
    for name, block in library.blocks.items():
        _add(found, name, block)


def _source(found: Imports, node: ScalarNode, path: Path) -> Source | None:
    try:
        source = found.tree.read(path, found.limits)
    except UsageError as fault:
        found.report.error("bad-import", str(fault), node.span)
        return None
    except SpecError as fault:
        for each in fault.diagnostics:
            if each.id == "bad-file":
                found.report.error("bad-file", f"`{clipped(node.text)}`: {each.message}", node.span, help=each.help)
            else:
                found.report.add(each)
        return None
    found.bytes += len(source.text.encode())
    if found.bytes > found.limits.imported:
        message = f"with this file, the imports are larger than {found.limits.imported:,} bytes"
        found.report.error("bad-file", message, node.span, help=f"import less; {RAISE}")
        return None
    found.sources.append(source)
    return source


def _add(found: Imports, name: str, block: BlockSpec) -> None:
    first = found.blocks.setdefault(name, block)
    if first is not block:
        found.report.error(
            "duplicate-name",
            f"two blocks are named `{name}`",
            block.span,
            secondary=(Label(first.span, "first defined here"),),
            help="rename one of them",
        )
