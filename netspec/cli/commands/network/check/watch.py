"""``netspec check --watch``: the verdict again each time a file is saved."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from netspec.cli.commands.network.check.verdicts import check_all
from netspec.cli.output import warn
from netspec.cli.program import nobody_reads
from netspec.cli.watched import PAUSE, Watched
from netspec.diagnostics import UsageError
from netspec.elaborate import Limits
from netspec.pipeline import find_spec
from netspec.text.streams import bare

CLEAR = "\x1b[2J\x1b[3J\x1b[H"


def watch(targets: Sequence[str], limits: Limits, format: str = "text", strict: bool = False) -> int:
    """Check, and check again whenever a spec or a file that it imports has changed, until Ctrl-C.

    A file that is gone is waited for.
    """
    watched = Watched([find_spec(target)[0] for target in targets])
    try:
        while True:
            if watched.has_changed():
                _redraw(targets, limits, format, strict)
            if nobody_reads():
                break
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return 0


def _redraw(targets: Sequence[str], limits: Limits, format: str, strict: bool) -> None:
    if sys.stdout.isatty():
        print(CLEAR, end="", file=bare(sys.stdout))
    try:
        check_all(targets, limits, format, strict)
    except UsageError as error:
        warn(str(error))
    what = targets[0] if len(targets) == 1 else f"{len(targets)} specs"
    sys.stdout.flush()
    print(f"-- {time.strftime('%H:%M:%S')}, watching {what}; Ctrl-C ends it", file=sys.stderr, flush=True)
