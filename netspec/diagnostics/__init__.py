"""Diagnostics say what went wrong, where, and how to mend it: errors, their rendering, and a catalogue of every id."""

from __future__ import annotations

from netspec.diagnostics.base import Diagnostic, Label, Source, Span
from netspec.diagnostics.errors import EnvironmentFault, NetspecError, SpecError, TrainingFault, UsageError
from netspec.diagnostics.report import Report
from netspec.diagnostics.suggest import clipped, did_you_mean, nearest, one_of_these, some_of, typo_of
from netspec.diagnostics.text import render

__all__ = [
    "Diagnostic",
    "EnvironmentFault",
    "Label",
    "NetspecError",
    "Report",
    "Source",
    "Span",
    "SpecError",
    "TrainingFault",
    "UsageError",
    "clipped",
    "did_you_mean",
    "nearest",
    "one_of_these",
    "render",
    "some_of",
    "typo_of",
]
