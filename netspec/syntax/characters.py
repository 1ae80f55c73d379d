"""Characters that YAML's backends treat differently, or not at all, are refused before they see them."""

from __future__ import annotations

import re

from netspec.diagnostics import Report, Source, Span
from netspec.syntax.files import position

# Control characters, line breaks that editors do not show as such, surrogates, byte order marks, text direction.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]|\r(?!\n)"
)
_LINE_BREAKS = "\x0b\x0c\x85\u2028\u2029\r"
_COMMENT = re.compile(r"(?:^|\s)#")
_DIRECTIVE = re.compile(r"(?:[ ]*(?:\#[^\n]*)?\r?\n)*(%\S*)")


def check_characters(source: Source, report: Report) -> bool:
    """Return whether the text can be read; the first character that forbids it is reported."""
    fault = _character(source) or _tabs(source) or _directive(source)
    if fault is None:
        return True
    id, message, span, help = fault
    report.error(id, message, span, help=help)
    return False


_Found = tuple[str, str, Span, str]


def _character(source: Source) -> _Found | None:
    found = _FORBIDDEN.search(source.text)
    if found is None:
        return None
    line, column = position(source.text, found.start())
    what, help = "control character", "remove it, or write an escape such as \\x07 in double quotes"
    if found.group() in _LINE_BREAKS:
        what, help = "line break", "end lines with a line feed"
    elif found.group() == "\x00":
        help = "save the file as UTF-8, not as UTF-16"
    elif ord(found.group()) > 0x9F:
        what, help = "invisible character", "remove it"
    span = Span(source, line, column, line, column + 1)
    return "yaml-character", f"{what} U+{ord(found.group()):04X}", span, help


def _tabs(source: Source) -> _Found | None:
    tabs = [(number, tab) for number, line in enumerate(source.lines, 1) if (tab := _tab(line))]
    if not tabs:
        return None
    line, column = tabs[0]
    indents = not source.line(line)[: column - 1].strip()
    what = "the indentation contains a tab" if indents else "there is a tab between words"
    what += f", and {len(tabs) - 1} more {'lines have' if len(tabs) > 2 else 'line has'} tabs" if len(tabs) > 1 else ""
    return "yaml-tab", what, Span(source, line, column, line, column + 1), "use spaces; in double quotes write \\t"


def _tab(line: str) -> int:
    """The column of the first tab before a comment, or 0."""
    place = line.find("\t")
    if place < 0:
        return 0
    comment = _COMMENT.search(line)
    return 0 if comment and comment.end() <= place else place + 1


def _directive(source: Source) -> _Found | None:
    found = _DIRECTIVE.match(source.text)
    if found is None:
        return None
    line, column = position(source.text, found.start(1))
    span = Span(source, line, column, line, column + len(found.group(1)))
    return "yaml-directive", f"`{found.group(1)}` is a directive", span, "remove the line"
