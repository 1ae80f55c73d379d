"""``netspec check --watch``: the verdict again each time a file is saved."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from netspec.cli.check import check_all
from netspec.diagnostics import UsageError
from netspec.elaborate import Limits
from netspec.pipeline import find_spec

PAUSE = 0.1
"""Seconds between two looks at the files."""

CLEAR = "\x1b[2J\x1b[3J\x1b[H"

Stamp = tuple[int, int, int]


def watch(targets: Sequence[str], limits: Limits) -> int:
    """Check, and check again whenever a file has changed, until Ctrl-C. A file that is gone is waited for."""
    files = [find_spec(target)[0] for target in targets]
    seen: list[Stamp | None] | None = None
    try:
        while True:
            now = [_stamp(path) for path in files]
            if now != seen:
                seen = now
                _redraw(targets, limits)
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        print()
    return 0


def _stamp(path: Path) -> Stamp | None:
    """What changes when a file is saved, in place or by a new file that takes its name."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _redraw(targets: Sequence[str], limits: Limits) -> None:
    terminal = sys.stdout.isatty()
    if terminal:
        print(CLEAR, end="")
    try:
        check_all(targets, limits)
    except UsageError as found:
        print(f"netspec: {found}", file=sys.stderr)
    print(f"-- {time.strftime('%H:%M:%S')}, watching {_files(targets)}; Ctrl-C ends it", flush=True)


def _files(targets: Sequence[str]) -> str:
    return targets[0] if len(targets) == 1 else f"{len(targets)} specs"
