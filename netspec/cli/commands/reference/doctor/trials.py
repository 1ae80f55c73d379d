"""Trials of packages: what becomes of their import, and what they know of the machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

PROBE = "netspec.cli.commands.reference.doctor.probe"
LONGEST = 120
"""Seconds after which an import is given up."""


@dataclass(frozen=True)
class ImportTrial:
    """The import of a module: its ``fault``, or what it has ``seen`` of the machine."""

    module: str
    fault: str | None = None
    seen: Mapping[str, Any] = field(default_factory=dict)


def tried(modules: Sequence[str]) -> dict[str, ImportTrial]:
    """Return the trial of each module. They share a process up to the first that fails, which is then tried as the
    first of a process of its own: only what fails there is at fault itself.
    """
    found: dict[str, ImportTrial] = {}
    left = [*modules]
    while left:
        trials, end = _in_a_process(left)
        good = [*takewhile(lambda trial: trial.fault is None, trials)]
        found |= {trial.module: trial for trial in good}
        left = left[len(good) :]
        if left and not good:
            found[left[0]] = trials[0] if trials else ImportTrial(left[0], end)
            left = left[1:]
    return found


def _in_a_process(modules: Sequence[str]) -> tuple[list[ImportTrial], str]:
    """Return the trials that a process comes to, and how it ended."""
    words = [sys.executable, "-P", "-m", PROBE, *modules]  # -P: nothing is imported from the working folder
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST)
        out, end = done.stdout, _ended(done.returncode, done.stderr)
    except subprocess.TimeoutExpired as error:
        out, end = _text(error.stdout), f"it is not imported within {LONGEST} seconds"
    except OSError as error:
        return [], f"no process can be started to import it: {error.strerror}"
    return [ImportTrial(**json.loads(line)) for line in out.splitlines() if line.endswith("}")], end


def _ended(code: int, stderr: str) -> str:
    last = next((line for line in reversed(stderr.splitlines()) if line.strip()), "")
    if code < 0:
        return f"its import is ended by {signal.Signals(-code).name}" + (f": {last}" if last else "")
    return last or f"its import ends the process with code {code}"


def _text(out: bytes | str | None) -> str:
    return out.decode(errors="replace") if isinstance(out, bytes) else out or ""
