"""The errors that netspec raises on purpose.

Each stands with the exit code of the command line::

    NetspecError
    ├── SpecError          1   the spec is at fault; carries every diagnostic found
    ├── UsageError         2   the call is at fault: an unknown name, a bad option
    ├── TrainingFault      1   a run cannot go on: the loss is no number, the memory is too small
    └── EnvironmentFault   3   the machine is at fault: no CUDA, no disk, no renderer

Anything else that escapes is a bug of netspec (exit code 4).
"""

from __future__ import annotations

from collections.abc import Iterable

from netspec.diagnostics.base import Diagnostic
from netspec.diagnostics.text import render_all


class NetspecError(Exception):
    """Base of every error that netspec raises on purpose."""

    exit_code = 4


class UsageError(NetspecError):
    """The caller asked for something that does not exist or does not fit."""

    exit_code = 2


class EnvironmentFault(NetspecError):
    """The machine lacks what the command needs."""

    exit_code = 3


class TrainingFault(NetspecError):
    """A training run cannot go on as its recipe says."""

    exit_code = 1


class SpecError(NetspecError):
    """The spec is at fault. ``diagnostics`` holds what was found, in source order, and ``more`` counts the rest."""

    exit_code = 1

    def __init__(self, diagnostics: Iterable[Diagnostic], more: int = 0):
        super().__init__()
        self.diagnostics = sorted(diagnostics, key=lambda found: found.primary.span.order)
        self.more = more

    def __str__(self) -> str:
        return render_all(self.diagnostics, self.more)
