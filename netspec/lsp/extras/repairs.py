"""Repairs: a wrong word that a message has a better one for, to be put in its place at a keystroke."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, Span
from netspec.lsp.document import Document

MEANT = re.compile(r"did you mean `([^`]+)`\?")
QUOTED = re.compile(r"`([^`]+)`")


class Repair(NamedTuple):
    """A word in the document's text, and what belongs there."""

    of: Diagnostic
    span: Span
    word: str


def repairs(document: Document, first: int, last: int) -> Iterator[Repair]:
    """Yield the repairs of the errors on these lines, counted from 1."""
    for found in document.diagnostics:
        span = found.primary.span
        if span.source.name == document.source.name and span.line <= last and first <= span.end_line:
            repair = repair_of(found)
            if repair is not None:
                yield repair


def repair_of(found: Diagnostic) -> Repair | None:
    """Return the repair of an error whose help names the word that is meant, and whose label shows the wrong one."""
    meant = MEANT.fullmatch(found.help or "")
    span = found.primary.span
    if meant is None or span.line != span.end_line:
        return None
    text = span.source.line(span.line)[span.column - 1 : span.end_column - 1]
    for word in QUOTED.findall(found.message):
        places = [each.start() for each in re.finditer(rf"(?<![\w$]){re.escape(word)}(?!\w)", text)] if word else []
        if len(places) == 1 and word != meant[1] and re.fullmatch(r"[\w.*$-]+", word):
            column = span.column + places[0]
            return Repair(found, Span(span.source, span.line, column, span.line, column + len(word)), meant[1])
    return None
