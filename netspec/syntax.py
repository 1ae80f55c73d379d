"""YAML text to a tree of nodes with spans; YAML's traps are refused, each with its own diagnostic.

Plain scalars are read by YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema), where ``no`` is text
and ``1e-3`` a number. The tree is built from PyYAML's events with a stack of our own: its composer recurses in C
and dies of deep nesting, and its constructors keep the last of two equal keys in silence.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Union

import yaml

from netspec.diagnostics import Diagnostic, Label, Report, Source, Span, SpecError, UsageError, did_you_mean

Scalar = Union[None, bool, int, float, str]
MAX_INTEGER = 2**53


@dataclass(frozen=True, slots=True, eq=False)
class ScalarNode:
    """One value. ``text`` as written, escapes and folding done; ``value`` as YAML 1.2 reads it where it is ``plain``.

    A key's value is always its text.
    """

    span: Span
    text: str
    value: Scalar
    plain: bool

    def within(self, start: int, end: int) -> Span:
        """The span of ``text[start:end]``; the node's own where the text is not written on one line as it stands."""
        span = self.span
        written = span.source.line(span.line)[span.column - 1 : span.end_column - 1]
        quote = 0 if self.plain else 1
        if span.line != span.end_line or written[quote : len(written) - quote] != self.text:
            return span
        return span.within(start + quote, end + quote)


@dataclass(frozen=True, slots=True, eq=False)
class ListNode:
    """A sequence, in block or flow style."""

    span: Span
    items: tuple[SyntaxNode, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MapNode:
    """A mapping with its keys in order, each once."""

    span: Span
    entries: tuple[tuple[ScalarNode, SyntaxNode], ...]
    _found: dict[str, tuple[ScalarNode, SyntaxNode]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_found", {entry[0].text: entry for entry in self.entries})

    def get(self, key: str) -> SyntaxNode | None:
        """The value under a key."""
        return self._found[key][1] if key in self._found else None

    def key(self, key: str) -> ScalarNode | None:
        """The node of the key itself."""
        return self._found[key][0] if key in self._found else None

    def keys(self) -> tuple[str, ...]:
        return tuple(self._found)


SyntaxNode = Union[ScalarNode, ListNode, MapNode]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may hold; ``expanded`` counts the nodes behind each alias again."""

    bytes: int = 4_000_000
    depth: int = 64
    nodes: int = 200_000
    expanded: int = 1_000_000


def read_source(path: Path, limits: Limits = Limits()) -> Source:
    """The text of a file: UTF-8, bounded, and a regular file; ``SpecError`` or, where it is missing, ``UsageError``."""
    data = _read_bytes(path, limits.bytes)
    if len(data) > limits.bytes:
        raise _bad_file(Source(str(path), ""), f"the file is larger than {limits.bytes:,} bytes", "import its parts")
    try:
        return Source(str(path), data.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as found:
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        source = Source(str(path), data.decode("utf-8", "replace"))
        line, column = (1, 1) if wide else _position(data[: found.start].decode("utf-8"), found.start)
        what = "the file is UTF-16" if wide else f"byte 0x{data[found.start]:02x} is not UTF-8"
        raise _bad_file(source, what, "save the file as UTF-8", line, column, "yaml-encoding") from None


def _read_bytes(path: Path, most: int) -> bytes:
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for its writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        beside = [str(other) for other in sorted(path.parent.glob("*.y*ml"))] if path.parent.is_dir() else []
        hint = did_you_mean(str(path), beside)
        raise UsageError(f"no such file: {path}" + (f"; {hint}" if hint else "")) from None
    except OSError as found:
        if path.is_dir():
            raise _bad_file(Source(str(path), ""), "this is a folder", "name a YAML file") from None
        raise UsageError(f"cannot read {path}: {found.strerror}") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        what = "this is a folder" if stat.S_ISDIR(mode) else "this is not a regular file"
        raise _bad_file(Source(str(path), ""), what, "name a YAML file")
    with os.fdopen(handle, "rb") as file:
        return file.read(most + 1)


def _bad_file(
    source: Source, message: str, help: str, line: int = 1, column: int = 1, id: str = "bad-file"
) -> SpecError:
    span = Span(source, line, column, line, column)
    return SpecError([Diagnostic(id, message, Label(span), help=help)])


def parse(source: Source, report: Report, limits: Limits = Limits()) -> SyntaxNode | None:
    """The tree of a text; every fault goes to the report, and after one that hides the rest there is no tree."""
    reader = _Reader(source, report, limits)
    try:
        reader.check_characters()
        return reader.read()
    except _Stop:
        return None
    except yaml.MarkedYAMLError as found:
        reader.explain(found)
        return None
    except (yaml.YAMLError, ValueError):  # the pure backend lets chr() fail on "\U00110000"
        line, column = reader.place(reader.last.end_mark if reader.last else None)
        report.error("yaml-syntax", "the text after this cannot be read", reader.span(line, column))
        return None


def _tab(line: str) -> int:
    """The column of the first tab before a comment, or 0."""
    place = line.find("\t")
    if place < 0:
        return 0
    comment = _COMMENT.search(line)
    return 0 if comment and comment.end() <= place else place + 1


def _position(text: str, index: int) -> tuple[int, int]:
    """Line and column of a character."""
    return text.count("\n", 0, index) + 1, len(text[:index]) - (text.rfind("\n", 0, index) + 1) + 1


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Control characters, line breaks that editors do not show as such, surrogates, byte order marks, text direction.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]|\r(?!\n)"
)
_LINE_BREAKS = "\x0b\x0c\x85\u2028\u2029\r"
_COMMENT = re.compile(r"(?:^|\s)#")
_DIRECTIVE = re.compile(r"(?:[ ]*(?:\#[^\n]*)?\r?\n)*(%\S*)")

_CORE = {"null": None, "true": True, "false": False}
_WORDS = {"": None, "~": None} | {
    form(word): value for word, value in _CORE.items() for form in (str, str.title, str.upper)
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
# What YAML 1.1 reads as something else. Its single letters (y, n) are left out: N is everyone's batch dimension.
_OLD_TRUE, _OLD_FALSE = re.compile("yes|Yes|YES|on|On|ON"), re.compile("no|No|NO|off|Off|OFF")
_OLD_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")


class _Stop(Exception):
    """A fault after which there is no tree; it is in the report."""


@dataclass(slots=True)
class _Frame:
    """A collection that is still open."""

    event: Any
    is_map: bool
    items: list[Any]
    end: tuple[int, int]
    key: ScalarNode | None = None
    has_key: bool = False
    keys: dict[str, ScalarNode] = field(default_factory=dict)
    size: int = 1
    height: int = 1


class _Reader:
    """Builds the tree of one text. Lines and columns count from 1; PyYAML's marks count from 0."""

    def __init__(self, source: Source, report: Report, limits: Limits):
        self.source, self.report, self.limits = source, report, limits
        self.stack: list[_Frame] = []
        self.root: SyntaxNode | None = None
        self.anchors: dict[str, tuple[SyntaxNode, int, int]] = {}
        self.nodes = self.expanded = 0
        self.split_until = (0, 0)
        self.last: Any = None

    def span(self, line: int, column: int, end_line: int | None = None, end_column: int | None = None) -> Span:
        return Span(self.source, line, column, end_line or line, end_column or column)

    def event_span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        return self.span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def stop(self, id: str, message: str, span: Span, label: str = "", help: str | None = None) -> NoReturn:
        self.report.error(id, message, span, label, help=help)
        raise _Stop

    def check_characters(self) -> None:
        """What the two backends of PyYAML treat differently, or not at all, is refused before they see it."""
        text = self.source.text
        for found in _FORBIDDEN.finditer(text):
            line, column = _position(text, found.start())
            code = f"U+{ord(found.group()):04X}"
            what, help = "control character", "remove it; in double quotes an escape such as \\x07 stands for it"
            if found.group() in _LINE_BREAKS:
                what, help = "line break", "end lines with a line feed"
            elif found.group() == "\x00":
                help = "save the file as UTF-8, not as UTF-16"
            elif ord(found.group()) > 0x9F:
                what, help = "invisible character", "remove it"
            self.stop("yaml-character", f"{what} {code}", self.span(line, column, line, column + 1), help=help)
        tabs = [(number, tab) for number, line in enumerate(self.source.lines, 1) if (tab := _tab(line))]
        for number, column in tabs[:1]:
            indents = not self.source.line(number)[: column - 1].strip()
            what = "the indentation holds a tab" if indents else "a tab stands between words"
            what += f", and {len(tabs) - 1} more lines have one" if len(tabs) > 1 else ""
            span = self.span(number, column, number, column + 1)
            self.stop("yaml-tab", what, span, help="use spaces; in double quotes write \\t")
        directive = _DIRECTIVE.match(text)
        if directive:
            line, column = _position(text, directive.start(1))
            span = self.span(line, column, line, column + len(directive.group(1)))
            self.stop("yaml-directive", f"`{directive.group(1)}` is a directive", span, help="remove the line")

    def events(self) -> Iterator[Any]:
        return iter(yaml.parse(self.source.text, Loader=_LOADER))

    def read(self) -> SyntaxNode | None:
        documents = 0
        for event in self.events():
            match event:
                case yaml.ScalarEvent():
                    self.count(event)
                    self.attach(self.scalar(event), event, 1, 0)
                    self.last = event
                case yaml.AliasEvent():
                    self.count(event)
                    self.alias(event)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self.count(event)
                    self.open(event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self.close(event)
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        span = self.event_span(event)
                        self.stop("yaml-documents", "a second document starts", span, help="a spec is one document")
        if self.root is None or (isinstance(self.root, ScalarNode) and self.root.plain and not self.root.text):
            self.stop("yaml-empty", "the file holds no spec", self.span(1, 1), help="start with `netspec: 1`")
        return self.root

    def count(self, event: Any) -> None:
        """Bounds, and what is refused on any node: a tag."""
        self.nodes += 1
        self.expanded += 1
        if self.nodes > self.limits.nodes:
            self.stop("yaml-nodes", f"the file has more than {self.limits.nodes:,} nodes", self.event_span(event))
        tag = getattr(event, "tag", None)
        if tag:
            line, start = event.start_mark.line + 1, event.start_mark.column
            written = re.compile(r"!\S*").search(self.source.line(line), start)
            column, end = (written.start() + 1, written.end() + 1) if written else (start + 1, start + 2)
            span = self.span(line, column, line, end)
            self.report.error("yaml-tag", "YAML tags have no meaning here", span, help="remove it, or quote the text")

    def open(self, event: Any) -> None:
        if len(self.stack) >= self.limits.depth:
            message = f"the nesting is deeper than {self.limits.depth}"
            self.stop("yaml-depth", message, self.event_span(event), help="move inner parts to `blocks`")
        start = (event.start_mark.line + 1, event.start_mark.column + 1)
        self.stack.append(_Frame(event, isinstance(event, yaml.MappingStartEvent), [], start))

    def close(self, event: Any) -> None:
        frame = self.stack.pop()
        if frame.event.flow_style:
            frame.end = (event.end_mark.line + 1, event.end_mark.column + 1)
        start = frame.event.start_mark
        span = self.span(start.line + 1, start.column + 1, *frame.end)
        node: SyntaxNode = MapNode(span, tuple(frame.items)) if frame.is_map else ListNode(span, tuple(frame.items))
        self.attach(node, frame.event, frame.size, frame.height)

    def alias(self, event: Any) -> None:
        name, span = event.anchor, self.event_span(event)
        if name not in self.anchors:
            inside = any(frame.event.anchor == name for frame in self.stack)
            message = f"`*{name}` holds itself" if inside else f"no anchor `&{name}` stands before this"
            help = None if inside else did_you_mean(name, self.anchors)
            self.stop("yaml-alias", message, span, help=help or "a text that starts with `*` is quoted")
        node, size, height = self.anchors[name]
        self.expanded += size - 1
        if self.expanded > self.limits.expanded:
            message = f"the aliases expand to more than {self.limits.expanded:,} nodes"
            self.stop("yaml-bomb", message, span, help="use a block with params")
        if len(self.stack) + height > self.limits.depth:
            self.stop("yaml-depth", f"with this alias the nesting is deeper than {self.limits.depth}", span)
        if isinstance(node, ScalarNode) and self.at_key():
            node = ScalarNode(span, node.text, node.text, node.plain)
        self.attach(node, None, size, height, (span.end_line, span.end_column))

    def at_key(self) -> bool:
        return bool(self.stack) and self.stack[-1].is_map and not self.stack[-1].has_key

    def attach(self, node: SyntaxNode, event: Any, size: int, height: int, end: tuple[int, int] | None = None) -> None:
        """Puts a finished node where it belongs, and keeps it under its anchor."""
        if event is not None and event.anchor:
            self.anchors[event.anchor] = (node, size, height)
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        frame.end = end or (node.span.end_line, node.span.end_column)
        frame.size += size
        frame.height = max(frame.height, height + 1)
        if not frame.is_map:
            frame.items.append(node)
        elif not frame.has_key:
            frame.key, frame.has_key = self.key(frame, node), True
        else:
            if frame.key is not None:
                frame.items.append((frame.key, node))
                self.check_has_colon(frame, frame.key, node)
            frame.key, frame.has_key = None, False

    def check_has_colon(self, frame: _Frame, key: ScalarNode, value: SyntaxNode) -> None:
        """``{i}`` is a mapping in YAML, with a key and no value."""
        empty = isinstance(value, ScalarNode) and value.plain and not value.text
        if frame.event.flow_style and empty and value.span.order == (key.span.source.name, *_end(key.span)):
            if _end(key.span) <= self.split_until:
                return
            spaced = key.text.replace(":", ": ", 1)
            help = f"write `{{{key.text}: …}}`, the bare expression `{key.text}`, or quote the whole text"
            help = f"write `{spaced}`, with a space after the colon" if spaced != key.text else help
            self.report.error("yaml-braces", f"`{key.text}` is a key without a value", key.span, help=help)

    def key(self, frame: _Frame, node: SyntaxNode) -> ScalarNode | None:
        """The node as a key, or None where the entry is refused."""
        if not isinstance(node, ScalarNode):
            what = "a mapping" if isinstance(node, MapNode) else "a list"
            help = "a key is text; an expression is written bare, without braces, or in quotes"
            self.report.error("yaml-key", f"{what} stands as a key", node.span, help=help)
            return None
        if node.text == "<<" and node.plain:
            help = "write the keys out, or make a block with params"
            self.report.error("yaml-merge", "merge keys are not part of YAML 1.2", node.span, help=help)
            return None
        first = frame.keys.setdefault(node.text, node)
        if first is not node:
            label = Label(first.span, "first here")
            message, help = f"`{node.text}` is here twice", "remove one of them"
            self.report.error("duplicate-key", message, node.span, secondary=(label,), help=help)
            return None
        return node

    def scalar(self, event: Any) -> ScalarNode:
        text, plain = event.value, not event.style
        span = self.event_span(event)
        if event.style in ("|", ">"):
            end = span.end_line - (span.end_column == 1)
            while end > span.line and not self.source.line(end).strip():
                end -= 1
            span = self.span(span.line, span.column, end, len(self.source.line(end)) + 1)
        elif span.line == span.end_line and plain and text:
            span = self.span(span.line, span.end_column - len(text), span.line, span.end_column)
        if not plain or self.at_key():
            if plain:
                self.check_split(event, span)
            return ScalarNode(span, text, text, plain)
        self.check_split(event, span)
        self.check_dashes(span)
        return ScalarNode(span, text, self.resolve(text, span), True)

    def resolve(self, text: str, span: Span) -> Scalar:
        """A plain value by YAML 1.2's core schema."""
        if text in _WORDS:
            return _WORDS[text]
        meaning = _old_meaning(text)
        if meaning:
            what, help = meaning
            self.report.error("yaml-trap", f"`{text}` is {what} in YAML 1.1", span, help=help)
            return text
        if _INTEGER.fullmatch(text):
            number = int(text, 0) if text[1:2] in ("o", "x") else int(text) if len(text) < 400 else MAX_INTEGER + 1
            if abs(number) > MAX_INTEGER:
                self.report.error("number-range", "the number is beyond 2**53", span, help="numbers are kept exact")
            return number
        if _FLOAT.fullmatch(text):
            value = float(text)
            if value in (float("inf"), float("-inf")):
                self.report.error("number-range", "the number is beyond what a float holds", span)
            return value
        if _SPECIAL.fullmatch(text):
            return float(text.replace(".", "", 1))
        return text

    def check_dashes(self, span: Span) -> None:
        """A list item indented by one space too many silently joins the text of the item before it."""
        for line in range(span.line + 1, span.end_line + 1):
            written = self.source.line(line)
            if written.lstrip().startswith("- "):
                column = len(written) - len(written.lstrip()) + 1
                place = self.span(line, column, line, column + 1)
                help = f"align it with the `-` of the list, or quote the text of line {span.line}"
                self.report.error(
                    "yaml-trap", "this `-` starts no item: the line goes on the text above", place, help=help
                )

    def check_split(self, event: Any, span: Span) -> None:
        """``[max(a, b), 3]`` has three items in YAML: a comma in round brackets ends an item all the same."""
        if not self.stack or not self.stack[-1].event.flow_style or event.value.count("(") == event.value.count(")"):
            return
        if (span.line, span.column) < self.split_until:
            return
        line, depth = self.source.line(span.line), 0
        for place in range(span.column - 1, len(line)):
            depth += (line[place] == "(") - (line[place] == ")")
            if depth <= 0 and line[place] == ")":
                break
        self.split_until = (span.line, place + 2)
        whole = line[span.column - 1 : place + 1]
        if depth == 0 and "," in whole:
            message, help = f"the comma ends the item: `{event.value}` stands alone", f'quote it: "{whole}"'
            span = self.span(span.line, span.column, span.line, place + 2)
        else:
            message, help = f"the round brackets of `{event.value}` do not match", "close them, or quote the text"
        self.report.error("yaml-comma", message, span, help=help)

    # --- what PyYAML's parser refuses, in words ---

    def explain(self, error: yaml.MarkedYAMLError) -> None:
        """Reports a syntax error at the place where the author can mend it."""
        line, column = self.place(error.problem_mark or error.context_mark)
        fault = self.word_fault(error, line, column) or self.bracket_fault(line, column)
        fault = fault or self.line_fault(error, line, column)
        self.report.error(fault.id, fault.message, fault.span, help=fault.help)

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
            return self.fault(f"`{escape}` is no escape", help, line, start + 1, len(escape))
        if "block scalar" in context:
            message = "`|` and `>` start a text of several lines"
            return self.fault(message, "quote the text, or start it on the next line", at_line, at_column)
        if any(word in context for word in ("alias", "anchor", "tag")):
            character = self.source.line(at_line)[at_column - 1 : at_column]
            return self.fault(f"`{character}` cannot start a text", "quote the text", at_line, at_column)
        if "cannot start any token" in problem:
            return self.fault(f"`{text[column - 1 : column]}` cannot start a text", "quote the text", line, column)
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
            message = f"`{here}` closes nothing"
            return self.fault(message, "remove it, or quote the text", line, column) if here in ("]", "}") else None
        at_end = not text[column - 1 :].strip() and not any(rest.strip() for rest in self.source.lines[line:])
        if at_end or self.is_outside(opened, line):
            start, end = self.place(opened)
            bracket = self.source.line(start)[end - 1]
            closing = "]" if bracket == "[" else "}"
            return self.fault(f"`{bracket}` is never closed", f"close it with `{closing}`", start, end)
        match here:
            case "[" | "{" if re.search(r"[\w)\]]$", before):
                message, help = f"`{here}` does not belong to a text inside brackets", "quote the whole item"
            case ":":
                message, help = (
                    "a second `: ` in one entry",
                    "quote the text that holds it, or put a comma before the key",
                )
            case ",":
                message, help = "nothing stands before this comma", "remove it, or write the item"
            case _:
                message, help = (
                    f"`{here}` is not expected in these brackets",
                    "put a comma before it, or quote the item",
                )
        return self.fault(message, help, line, column)

    def is_outside(self, opened: Any, line: int) -> bool:
        """Whether a line is back at the indentation of the line where the brackets open."""
        first, text = self.source.line(opened.line + 1), self.source.line(line)
        return line > opened.line + 1 and _indent(text) <= _indent(first) and not re.match(r"\s*[\]},]", text)

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
            message, help = "text follows a closed quote", "quote the whole text; inside single quotes '' is one quote"
        elif before.strip():
            message, help = f"`{rest}` is not expected here", "quote the text"
        elif frame and not frame.is_map and not rest.startswith("-"):
            message, help = "a key stands among list items", "indent it into the item, or start it with `- `"
        elif frame and frame.is_map and rest.startswith("- "):
            message, help = "a list item stands among keys", "indent it under its key"
        else:
            message, help = "the indentation fits no line above", "align the line with its neighbours"
        return self.fault(message, help, line, column, len(rest))

    def colon_fault(self, line: int, column: int, before: str) -> _Fault:
        """A ``: `` where no key can stand: in a text, or after a line that does not end as it looks."""
        last = self.last
        if last is not None and last.start_mark.line + 1 < line and not last.style:
            above = last.start_mark.line + 1
            message, help = (
                f"this line goes on the text of line {above}",
                "align it with the key above, or quote the text",
            )
            start = _indent(before) + 1
            return self.spaceless(above) or self.fault(message, help, line, start, column - start)
        if re.search(r":\s", before):
            return self.fault("a second `: ` on one line", 'quote the text that holds it: `key: "a: b"`', line, column)
        return self.fault("no key can stand here", "check the indentation", line, column)

    def spaceless(self, line: int) -> _Fault | None:
        """The fault of a line such as ``a:b``."""
        found = re.match(r"\s*(?:- )*([\w$]+):(?=\S)", self.source.line(line))
        if not found:
            return None
        text, column = self.source.line(line).strip(), found.end()
        help = f"write `{text.removeprefix('- ').replace(':', ': ', 1)}`"
        return self.fault("the space after this colon is missing", help, line, column)


@dataclass(frozen=True, slots=True)
class _Fault:
    """A syntax error in our words."""

    message: str
    help: str
    span: Span
    id: str = "yaml-syntax"


def _end(span: Span) -> tuple[int, int]:
    return span.end_line, span.end_column


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _old_meaning(text: str) -> tuple[str, str] | None:
    """What YAML 1.1 takes a plain value for where YAML 1.2 does not, and how to write either."""
    if _OLD_TRUE.fullmatch(text):
        return "true", f'write `true`, or quote it: "{text}"'
    if _OLD_FALSE.fullmatch(text):
        return "false", f'write `false`, or quote it: "{text}"'
    if _OLD_OCTAL.fullmatch(text):
        digits = text.replace("_", "")
        sign, rest = ("-" if digits[0] == "-" else ""), digits.lstrip("+-").lstrip("0") or "0"
        octal = f"{sign}{int(rest, 8)} or " if re.fullmatch("[0-7]{1,16}", rest) and len(rest) > 1 else ""
        return "an octal number", f'write {octal}{sign}{rest}, or quote it: "{text}"'
    if _SEXAGESIMAL.fullmatch(text):
        total = 0.0
        for part in text.lstrip("+-").replace("_", "").split(":"):
            total = total * 60 + float(part)
        sign = "-" if text[0] == "-" else ""
        return "a number of base 60", f'write {sign}{total:.15g}, or quote it: "{text}"'
    if _DATE.fullmatch(text):
        return "a date", f'quote it: "{text}"'
    return None
