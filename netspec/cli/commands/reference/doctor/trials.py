"""Trials of packages: what becomes of their import, and what they know of the machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PROBE = "netspec.cli.commands.reference.doctor.probe"
LONGEST = 120
"""Seconds after which a process that imports is given up."""


@dataclass(frozen=True)
class ImportTrial:
    """The import of a module: its ``fault``, or what it has ``seen`` of the machine."""

    module: str
    fault: str | None = None
    seen: Mapping[str, Any] = field(default_factory=dict)


class Trials:
    """The trials of modules, each made when it is asked for first, in their order."""

    def __init__(self, modules: Sequence[str]):
        self._to_come = tried(modules)
        self._known: dict[str, ImportTrial] = {}

    def of(self, module: str) -> ImportTrial | None:
        """Return the trial of a module, or ``None`` of one that is not tried."""
        while module not in self._known and (trial := next(self._to_come, None)):
            self._known[trial.module] = trial
        return self._known.get(module)


def tried(modules: Sequence[str]) -> Iterator[ImportTrial]:
    """Give the trial of each module as soon as it is known. They share a process up to the first that fails, which is
    then tried as the first of a process of its own: only what fails there is at fault itself.
    """
    left = [*modules]
    while left:
        first = left[0]
        for trial in _in_a_process(left):
            if trial.fault is None or trial.module == first:
                yield trial
                left = left[1:]
            if trial.fault is not None:
                break


def _in_a_process(modules: Sequence[str]) -> Iterator[ImportTrial]:
    """Give the trials that a process comes to; the last is that of the module at which it ended, if it did."""
    words = [sys.executable, "-P", "-m", PROBE, *modules]  # -P: nothing is imported from the working folder
    left = [*modules]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        try:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True)
        except OSError as error:
            yield ImportTrial(left[0], f"no process can be started to import it: {error.strerror}")
            return
        clock = threading.Timer(LONGEST, process.kill)
        clock.daemon = True
        clock.start()
        began = time.monotonic()
        try:
            for line in process.stdout or ():
                if line.endswith("}\n"):
                    yield ImportTrial(**json.loads(line))
                    left = left[1:]
            code = process.wait()
        finally:  # also where nobody wants the rest
            clock.cancel()
            process.kill()
            process.communicate()
        if left:
            said.seek(0)
            ending = (
                f"it is not imported within {LONGEST} seconds"
                if time.monotonic() - began > LONGEST
                else _ended(code, said.read())
            )
            yield ImportTrial(left[0], ending)


def _ended(code: int, stderr: str) -> str:
    last = next((line for line in reversed(stderr.splitlines()) if line.strip()), "")
    if code < 0:
        return f"its import is ended by {signal.Signals(-code).name}" + (f": {last}" if last else "")
    return last or f"its import ends the process with code {code}"
