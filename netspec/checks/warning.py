"""Warnings of ``netspec check``: what they find is sound, but may not be what its author means."""

from __future__ import annotations

import re

from netspec.diagnostics import Diagnostic, Label, Span

SILENCED = re.compile(r"#\s*netspec:\s*ignore(?:\[([^\]]*)\])?")


def warning(id: str, message: str, span: Span, label: str = "", help: str | None = None) -> Diagnostic:
    """Return a warning about a place of a spec."""
    return Diagnostic(id, message, Label(span, label), help=help, severity="warning")


def is_silenced(found: Diagnostic) -> bool:
    """Return whether a comment silences a warning: ``# netspec: ignore[unused-step]`` on its line, or on one above."""
    span = found.primary.span
    above = span.source.line(span.line - 1)
    lines = [span.source.line(span.line), *([above] if above.lstrip().startswith("#") else [])]
    silenced = [match for line in lines for match in SILENCED.finditer(line)]
    return any(match[1] is None or found.id in re.split(r"[\s,]+", match[1]) for match in silenced)
