"""``netspec check --watch``: the verdict again each time a file is saved."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from netspec.cli.check import check_all
from netspec.cli.program import nobody_reads
from netspec.diagnostics import NetspecError, Report, UsageError
from netspec.elaborate import Limits
from netspec.pipeline import find_spec
from netspec.syntax import ListNode, MapNode, ScalarNode, parse, read_source
from netspec.text.streams import bare

PAUSE = 0.1
"""Seconds between two looks at the files."""

CLEAR = "\x1b[2J\x1b[3J\x1b[H"

Stamp = tuple[int, int, int]


def watch(targets: Sequence[str], limits: Limits, format: str = "text") -> int:
    """Check, and check again whenever a spec or a file that it imports has changed, until Ctrl-C.

    A file that is gone is waited for.
    """
    watched = Watched([find_spec(target)[0] for target in targets])
    try:
        while True:
            if watched.has_changed():
                _redraw(targets, limits, format)
            if nobody_reads():
                break
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return 0


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
        """What tells each file's version; what they import is kept up to date."""
        found: dict[Path, Stamp | None] = {}
        waiting = [*self.roots]
        while waiting:
            path = waiting.pop()
            if path in found:
                continue
            found[path] = stamp = _stamp(path)
            if path not in self._imports or stamp != self._seen.get(path):
                self._imports[path] = _imported(path, self._imports.get(path, ()))
            waiting += self._imports[path]
        return found


def _stamp(path: Path) -> Stamp | None:
    """What changes when a file is saved, in place or by a new file that takes its name."""
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


def _redraw(targets: Sequence[str], limits: Limits, format: str) -> None:
    if sys.stdout.isatty():
        print(CLEAR, end="", file=bare(sys.stdout))
    try:
        check_all(targets, limits, format)
    except UsageError as found:
        print(f"netspec: {found}", file=sys.stderr)
    what = targets[0] if len(targets) == 1 else f"{len(targets)} specs"
    sys.stdout.flush()
    print(f"-- {time.strftime('%H:%M:%S')}, watching {what}; Ctrl-C ends it", file=sys.stderr, flush=True)
