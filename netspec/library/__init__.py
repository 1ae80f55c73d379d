"""The standard blocks: each in a spec file beside this one, which is called as the block is.

A spec calls them like ops, without an import. A file is read when a spec first mentions its block.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from netspec.diagnostics import Report, Source
from netspec.spec import BlockSpec, read_library
from netspec.syntax import parse, read_source

FOLDER = Path(__file__).parent
READ: dict[Source, Path] = {}
"""The texts that were read, and where each lies."""


@cache
def names() -> Mapping[str, Path]:
    """Every block of the library with its file."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def find(name: str) -> BlockSpec | None:
    """The block of that name; ``None`` where the library has none."""
    return _read(name) if name in names() else None


@cache
def _read(name: str) -> BlockSpec:
    path, report = names()[name], Report()
    source = Source(f"netspec/library/{path.name}", read_source(path).text)
    READ[source] = path
    tree = parse(source, report)
    read = read_library(tree, report) if tree is not None else None
    report.raise_if_any()
    assert read is not None
    return read.blocks[name]


def owns(source: Source) -> bool:
    """Return whether a text is one of the library's."""
    return source in READ
