"""Warnings of ``netspec check``: what they find is sound, but may not be what its author means."""

from __future__ import annotations

from netspec.diagnostics import Diagnostic, Label, Span


def warning(id: str, message: str, span: Span, label: str = "", help: str | None = None) -> Diagnostic:
    """Return a warning about a place of a spec."""
    return Diagnostic(id, message, Label(span, label), help=help, severity="warning")
