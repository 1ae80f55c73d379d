"""Explanations of what PyYAML's parser refuses, at the place where the author can mend it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from netspec.dataclass import dataclass
from netspec.diagnostics import Report, Source, Span
from netspec.syntax.pyyaml import yaml


@dataclass(frozen=True, slots=True)
class _Fault:
    """A syntax error in our words."""

    message: str
    help: str
    span: Span
    id: str = "yaml-syntax"


class Explainer:
    """Knows where reading stopped: the collections open then, innermost last, and the last scalar's event."""

    def __init__(self, source: Source, stack: Sequence[Any], last: Any):
        self.source, self.stack, self.last = source, stack, last

    def span(self, line: int, column: int, end_line: int, end_column: int) -> Span:
        return Span(self.source, line, column, end_line, end_column)

    def explain(self, error: yaml.MarkedYAMLError, report: Report) -> None:
        """Reports a syntax error at the place where the author can mend it."""
        line, column = self.place(error.problem_mark or error.context_mark)
        fault = self.word_fault(error, line, column) or self.bracket_fault(line, column)
        fault = fault or self.line_fault(error, line, column)
        flow = next((frame.event.start_mark for frame in self.stack if frame.event.flow_style), None)
        line, column = min(self.place(flow), (fault.span.line, fault.span.column)) if flow else (line, column)
        report.retract(self.span(line, column, line, column) if flow else fault.span)
        report.error(fault.id, fault.message, fault.span, help=fault.help)

    def place(self, mark: Any) -> tuple[int, int]:
        """Line and column of a mark; the end of the text where it stands behind it."""
        lines = self.source.lines
        if mark is None or mark.line >= len(lines):
            return len(lines), len(self.source.line(len(lines))) + 1
        return mark.line + 1, mark.column + 1

    def fault(self, message: str, help: str, line: int, column: int, width: int = 1) -> _Fault:
        return _Fault(message, help, self.span(line, column, line, column + max(width, 1)))

    def word_fault(self, error: yaml.MarkedYAMLError, line: int, column: int) -> _Fault | None:
        """A word that is not well formed: a quote, an escape, an indicator."""
        context, problem = error.context or "", error.problem or ""
        text, (at_line, at_column) = self.source.line(line), self.place(error.context_mark)
        if "quoted scalar" in context and "unexpected" in problem:
            return self.fault("the quote is never closed", "close it", at_line, at_column)
        if "quoted scalar" in context:
            start = max(text.rfind("\\", 0, column), 0)
            escape = text[start : column + (start == column - 1)]
            help = "write \\\\ for a backslash, or use single quotes"
            return self.fault(f"`{escape}` is not a valid escape", help, line, start + 1, len(escape))
        if "block scalar" in context:
            message = "`|` and `>` start a string of several lines"
            return self.fault(message, "quote the string, or start it on the next line", at_line, at_column)
        if any(word in context for word in ("alias", "anchor", "tag")):
            character = self.source.line(at_line)[at_column - 1 : at_column]
            return self.fault(f"`{character}` cannot start an unquoted string", "quote the string", at_line, at_column)
        if "cannot start any token" in problem:
            return self.fault(
                f"`{text[column - 1 : column]}` cannot start an unquoted string", "quote the string", line, column
            )
        return None

    def bracket_fault(self, line: int, column: int) -> _Fault | None:
        """Something wrong between the brackets of a flow collection, or around them."""
        text = self.source.line(line)
        here, before = text[column - 1 : column], text[: column - 1]
        if here == "{" and before.endswith("$"):
            message, help = "`${…}` is a mapping in YAML", "write the bare expression, without `${` and `}`"
            return _Fault(message, help, self.span(line, column - 1, line, column + 1), "yaml-dollar")
        opened = next((frame.event.start_mark for frame in reversed(self.stack) if frame.event.flow_style), None)
        if opened is None:
            message = f"`{here}` has no matching bracket"
            return self.fault(message, "remove it, or quote the string", line, column) if here in ("]", "}") else None
        at_end = not text[column - 1 :].strip() and not any(rest.strip() for rest in self.source.lines[line:])
        if at_end or self.is_outside(opened, line):
            start, end = self.place(opened)
            bracket = self.source.line(start)[end - 1]
            closing = "]" if bracket == "[" else "}"
            return self.fault(f"`{bracket}` is never closed", f"close it with `{closing}`", start, end)
        match here:
            case "[" | "{" if re.search(r"[\w)\]]$", before):
                message = f"inside brackets, `{here}` ends the string before it"
                help = f'quote the whole item: "{_item(text, column - 1)}"'
            case ":" if missing := re.search(r"[^\s,:{\[]\s+(\w+)$", before):
                column, width = missing.start(1) + 1, len(missing[1])
                message, help = f"a comma is missing before `{missing[1]}`", f"write `, {missing[1]}: …`"
                return self.fault(message, help, line, column, width)
            case ":":
                message, help = (
                    "a second `: ` in one entry",
                    "quote the string that contains it, or put a comma before the key",
                )
            case ",":
                message, help = "there is nothing before this comma", "remove it, or write the item"
            case _:
                message, help = (
                    f"`{here}` is not expected in these brackets",
                    "put a comma before it, or quote the item",
                )
        return self.fault(message, help, line, column)

    def is_outside(self, opened: Any, line: int) -> bool:
        """Return whether a line is back at the indentation of the line where the brackets open."""
        first, text = self.source.line(opened.line + 1), self.source.line(line)
        return line > opened.line + 1 and indent(text) <= indent(first) and not re.match(r"\s*[\]},]", text)

    def line_fault(self, error: yaml.MarkedYAMLError, line: int, column: int) -> _Fault:
        """A line, or the rest of one, that fits nothing that is open."""
        problem, text = error.problem or "", self.source.line(line)
        before, rest = text[: column - 1], text[column - 1 :].rstrip()
        if "mapping values are not allowed" in problem:
            return self.colon_fault(line, column, before)
        if "could not find expected ':'" in problem:
            line, column = self.place(error.context_mark)
            written = self.source.line(line)[column - 1 :].rstrip()
            return self.spaceless(line) or self.fault(
                "this key has no `:`", "write `key: value`", line, column, len(written)
            )
        if "sequence entries are not allowed" in problem:
            message, help = "a list cannot start on the line of its key", "start it on the next line, or write `[…]`"
            return self.fault(message, help, line, column)
        frame = self.stack[-1] if self.stack else None
        if before.rstrip().endswith(("'", '"')):
            message, help = (
                "unexpected text after the closing quote",
                "quote the whole string; inside single quotes, '' is one quote",
            )
        elif before.strip():
            message, help = f"`{rest}` is not expected here", "quote the text"
        elif frame and not frame.is_map and not rest.startswith("-"):
            message, help = "there is a key among list items", "indent it into the item, or start it with `- `"
        elif frame and frame.is_map and rest.startswith("- "):
            message, help = "there is a list item among keys", "indent it under its key"
        else:
            last = self.last.start_mark.line + 1 if self.last is not None and not self.last.style else line
            if last < line and (fault := self.spaceless(last)):
                return fault
            message, help = "the indentation matches no line above", "align the line with its neighbours"
        return self.fault(message, help, line, column, len(rest))

    def colon_fault(self, line: int, column: int, before: str) -> _Fault:
        """A ``: `` where no key can stand: in a text, or after a line that does not end as it looks."""
        last = self.last
        if last is not None and last.start_mark.line + 1 < line and not last.style:
            above = last.start_mark.line + 1
            message, help = (
                f"this line continues the string of line {above}",
                "align it with the key above, or quote the string",
            )
            start = indent(before) + 1
            return self.spaceless(above) or self.fault(message, help, line, start, column - start)
        if re.search(r":\s", before):
            return self.fault(
                "a second `: ` on one line", 'quote the string that contains it: `key: "a: b"`', line, column
            )
        return self.fault("a key is not allowed here", "check the indentation", line, column)

    def spaceless(self, line: int) -> _Fault | None:
        """The fault of a line such as ``a:b``."""
        found = re.match(r"\s*(?:- )*([\w$]+):(?=\S)", self.source.line(line))
        if not found:
            return None
        text, column = self.source.line(line).strip(), found.end()
        help = f"write `{text.removeprefix('- ').replace(':', ': ', 1)}`"
        return self.fault("a space is missing after this colon", help, line, column)


def _item(text: str, place: int) -> str:
    """The item of a flow collection around a place, with its brackets."""
    start = max(text.rfind(mark, 0, place) + len(mark) for mark in (", ", ": ", "{", "["))
    depth = 0
    for end in range(start, len(text)):
        depth += (text[end] in "([{") - (text[end] in ")]}")
        if depth < 0 or (depth == 0 and text[end] == ","):
            return text[start:end].strip()
    return text[start:].strip()


def indent(text: str) -> int:
    return len(text) - len(text.lstrip())
