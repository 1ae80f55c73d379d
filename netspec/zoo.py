"""The model zoo that comes with netspec: one file a family, found by the family's name or a variant's."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from netspec.diagnostics import Report, Source
from netspec.syntax import MapNode, parse, read_source

VARIANTS = re.compile(r"^variants:.*(?:\n(?:[ #].*)?)*", re.MULTILINE)
"""The part of a file that has the variants: what stands further right, to the next key."""

READ: dict[Source, Path] = {}
"""The texts that other specs use, and where each lies."""


@cache
def folder() -> Path:
    """Return the folder of the zoo: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "specs"
    return installed if installed.is_dir() else package.parent / "specs"


def files(within: Path | None = None) -> list[Path]:
    """Every zoo file, by name; ``within`` is another folder of such."""
    return sorted((within or folder()).glob("*.yaml"), key=lambda path: path.name)


def holds(path: Path) -> bool:
    """Return whether a path is a file of the zoo."""
    return path.parent == folder()


@cache
def read(path: Path) -> Source:
    """Return the text of a zoo file, for the specs that use it."""
    source = Source(f"netspec/specs/{path.name}", read_source(path).text)
    READ[source] = path
    return source


def find(name: str, within: Path | None = None) -> tuple[Path, str | None] | None:
    """The file and the variant that a zoo name means; a family's own name comes first."""
    there, own = files(within), (within or folder()) / f"{name}.yaml"
    if own in there:
        return own, None
    word = name.encode()
    for path in there:
        if word in path.read_bytes() and name in variants(path):  # to look for a word costs a tenth of parsing
            return path, name
    return None


@cache
def variants(path: Path) -> tuple[str, ...]:
    """The names of a zoo file's variants."""
    source = read_source(path)
    part = VARIANTS.search(source.text)  # a tenth of the file, and so of the time to parse it
    tree = parse(Source(source.name, part[0]) if part else source, Report())
    entry = tree.get("variants") if isinstance(tree, MapNode) else None
    return tuple(key.text for key, _ in entry.entries) if isinstance(entry, MapNode) else ()


def names(beginning: str = "") -> list[str]:
    """Every family and variant, or those that begin so."""
    word = beginning.encode()
    holding = [path for path in files() if path.stem.startswith(beginning) or word in path.read_bytes()]
    found = (name for path in holding for name in (path.stem, *variants(path)))
    return [name for name in found if name.startswith(beginning)]
