"""Spec files that are looked at again and again, for whether one has been saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netspec.diagnostics import NetspecError, Report
from netspec.syntax import ListNode, MapNode, ScalarNode, parse, read_source

PAUSE = 0.1
"""Seconds between two looks at the files."""

Stamp = tuple[int, int, int]


class Watched:
    """Spec files, with all that they import, and how they were when they were last looked at."""

    def __init__(self, roots: Sequence[Path]):
        self.roots = roots
        self._imports: dict[Path, tuple[Path, ...]] = {}
        self._seen: dict[Path, Stamp | None] = {}

    def has_changed(self) -> bool:
        """Return whether a file is another one than when this was last asked; at first they all are."""
        before, self._seen = self._seen, self._stamps()
        return before != self._seen

    def _stamps(self) -> dict[Path, Stamp | None]:
        """Return a stamp of each file's version; the list of imports is kept up to date."""
        stamps: dict[Path, Stamp | None] = {}
        waiting = [*self.roots]
        while waiting:
            path = waiting.pop()
            if path in stamps:
                continue
            stamps[path] = stamp = _stamp(path)
            if path not in self._imports or stamp != self._seen.get(path):
                self._imports[path] = _imported(path, self._imports.get(path, ()))
            waiting += self._imports[path]
        return stamps


def _stamp(path: Path) -> Stamp | None:
    """Return a stamp that changes when a file is saved, in place or by a new file that takes its name."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _imported(path: Path, before: tuple[Path, ...]) -> tuple[Path, ...]:
    """The files that a spec imports, whether they are there or not; as before where it cannot be read."""
    try:
        tree = parse(read_source(path), Report())
    except NetspecError:
        return before
    if not isinstance(tree, MapNode):
        return before
    written = tree.get("import")
    items = written.items if isinstance(written, ListNode) else ()
    return tuple(path.parent / item.text for item in items if isinstance(item, ScalarNode))
