"""From a text to its tree, by PyYAML's events and a stack of our own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from typing import Any, NoReturn

from netspec.dataclass import dataclass
from netspec.diagnostics import Label, Report, Source, Span, SpecError, nearest
from netspec.syntax.characters import check_characters
from netspec.syntax.explain import Explainer
from netspec.syntax.files import DEFAULT, RAISE, FileLimits
from netspec.syntax.nodes import ListNode, MapNode, ScalarNode, SyntaxNode
from netspec.syntax.pyyaml import yaml
from netspec.syntax.scalars import Trap, resolve

COMPREHENSION = re.compile(r"\sfor\s+[\w, ]+?\s+in\s")

_LOADER: Any = getattr(yaml, "CSafeLoader", None)
if _LOADER is None:
    from netspec.syntax.pure import PureLoader as _LOADER


def parse(source: Source, report: Report, limits: FileLimits = DEFAULT) -> SyntaxNode | None:
    """The tree of a text; every fault goes to the report, and after one that hides the rest there is no tree."""
    if not check_characters(source, report):
        return None
    reader = _Reader(source, report, limits)
    try:
        return reader.read()
    except (_Stop, SpecError):  # the report is full
        return None
    except yaml.MarkedYAMLError as found:
        Explainer(source, reader.stack, reader.last).explain(found, report)
        return None
    except (yaml.YAMLError, ValueError):  # the pure backend lets chr() fail on "\U00110000"
        line, column = Explainer(source, reader.stack, reader.last).place(reader.last and reader.last.end_mark)
        report.error("yaml-syntax", "the text after this cannot be read", reader.span(line, column))
        return None


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
    partial: bool = False


class _Reader:
    """Builds the tree of one text. Lines and columns count from 1; PyYAML's marks count from 0."""

    def __init__(self, source: Source, report: Report, limits: FileLimits):
        self.source, self.report, self.limits = source, report, limits
        self.stack: list[_Frame] = []
        self.root: SyntaxNode | None = None
        self.anchors: dict[str, tuple[SyntaxNode, int, int]] = {}
        self.nodes = self.expanded = 0
        self.split_until = (0, 0)
        self.last: Any = None
        self.last_line = source.text.count("\n")

    def span(self, line: int, column: int, end_line: int | None = None, end_column: int | None = None) -> Span:
        return Span(self.source, line, column, end_line or line, end_column or column)

    def event_span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        if start.line > self.last_line:  # LibYAML puts what is missing at the end of a text into a line of its own
            column = len(self.source.text) - self.source.text.rfind("\n")
            return self.span(self.last_line + 1, column)
        return self.span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def stop(self, id: str, message: str, span: Span, label: str = "", help: str | None = None) -> NoReturn:
        self.report.error(id, message, span, label, help=help)
        raise _Stop

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
                        help = "put it into its own file"
                        self.stop("yaml-documents", "a second document starts here", span, help=help)
        if self.root is None or (isinstance(self.root, ScalarNode) and self.root.plain and not self.root.text):
            self.stop("yaml-empty", "the file contains no spec", self.span(1, 1), help="start with `netspec: 1`")
        return self.root

    def count(self, event: Any) -> None:
        """Bounds, and what is refused on any node: a tag."""
        self.nodes += 1
        self.expanded += 1
        if self.nodes > self.limits.nodes:
            message = f"the file has more than {self.limits.nodes:,} nodes"
            self.stop("yaml-nodes", message, self.event_span(event), help=RAISE)
        tag = getattr(event, "tag", None)
        if tag:
            line, start = event.start_mark.line + 1, event.start_mark.column
            written = re.compile(r"!\S*").search(self.source.line(line), start)
            column, end = (written.start() + 1, written.end() + 1) if written else (start + 1, start + 2)
            span = self.span(line, column, line, end)
            self.report.error("yaml-tag", "YAML tags are not supported", span, help="remove it, or quote the string")

    def open(self, event: Any) -> None:
        if len(self.stack) >= self.limits.depth:
            message = f"the nesting is more than {self.limits.depth} levels deep"
            self.stop("yaml-depth", message, self.event_span(event), help="move inner parts to `blocks`")
        start = (event.start_mark.line + 1, event.start_mark.column + 1)
        self.stack.append(_Frame(event, isinstance(event, yaml.MappingStartEvent), [], start))

    def close(self, event: Any) -> None:
        frame = self.stack.pop()
        if frame.event.flow_style:
            frame.end = (event.end_mark.line + 1, event.end_mark.column + 1)
        start = frame.event.start_mark
        span = self.span(start.line + 1, start.column + 1, *frame.end)
        made = MapNode(span, tuple(frame.items), frame.partial) if frame.is_map else self.list(span, frame)
        self.attach(made, frame.event, frame.size, frame.height)

    def list(self, span: Span, frame: _Frame) -> SyntaxNode:
        """Return a list; ``[2 * d for d in depths]``, a list with one item to YAML, as the expression that it is."""
        if frame.event.flow_style and len(frame.items) == 1 and span.line == span.end_line:
            (item,) = frame.items
            if isinstance(item, ScalarNode) and item.plain and COMPREHENSION.search(item.text):
                text = self.source.line(span.line)[span.column - 1 : span.end_column - 1]
                return ScalarNode(span, text, text, True)
        return ListNode(span, tuple(frame.items))

    def alias(self, event: Any) -> None:
        name, span = event.anchor, self.event_span(event)
        if name not in self.anchors:
            inside = any(frame.event.anchor == name for frame in self.stack)
            message = f"`*{name}` contains itself" if inside else f"there is no anchor `&{name}` before this"
            close = nearest(name, self.anchors)
            help = f"did you mean `*{close}`?" if close else "quote a string that starts with `*`"
            self.stop("yaml-alias", message, span, help="write the value out" if inside else help)
        node, size, height = self.anchors[name]
        self.expanded += size - 1
        if self.expanded > self.limits.expanded:
            message = f"the aliases expand to more than {self.limits.expanded:,} nodes"
            self.stop("yaml-bomb", message, span, help=f"use a block with params; {RAISE}")
        if len(self.stack) + height > self.limits.depth:
            self.stop("yaml-depth", f"with this alias the nesting is more than {self.limits.depth} levels deep", span)
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
            if frame.key is None or not self.has_colon(frame, frame.key, node):
                frame.partial = True
            else:
                frame.items.append((frame.key, node))
            frame.key, frame.has_key = None, False

    def has_colon(self, frame: _Frame, key: ScalarNode, value: SyntaxNode) -> bool:
        """Guard: ``{i}`` is a mapping in YAML, with a key and no value."""
        if not frame.event.flow_style:
            return True
        empty = isinstance(value, ScalarNode) and value.plain and not value.text
        if empty and value.span.order == (key.span.source.name, *_end(key.span)):
            if _end(key.span) <= self.split_until:
                return False
            if len(self.stack) > 1 and self.stack[-2].is_map and not self.stack[-2].has_key:
                return False  # the mapping is a key itself: that is reported
            spaced = key.text.replace(":", ": ", 1)
            help = f"write `{{{key.text}: …}}`, the bare expression `{key.text}`, or quote the whole string"
            help = f"write `{spaced}`, with a space after the colon" if spaced != key.text else help
            self.report.error("yaml-braces", f"`{key.text}` is a key without a value", key.span, help=help)
            return False
        return True

    def key(self, frame: _Frame, node: SyntaxNode) -> ScalarNode | None:
        """The node as a key, or None where the entry is refused."""
        if not isinstance(node, ScalarNode):
            what = "a mapping" if isinstance(node, MapNode) else "a list"
            help = "a key must be a string; write an expression bare, without braces, or in quotes"
            self.report.error("yaml-key", f"{what} cannot be a key", node.span, help=help)
            return None
        if node.text == "<<" and node.plain:
            help = "write the keys out, or make a block with params"
            self.report.error("yaml-merge", "merge keys are not part of YAML 1.2", node.span, help=help)
            return None
        first = frame.keys.setdefault(node.text, node)
        if first is not node:
            label = Label(first.span, "first defined here")
            message, help = f"the key `{node.text}` is defined twice", "remove one of them"
            self.report.error("duplicate-key", message, node.span, secondary=(label,), help=help)
            return None
        return node

    def scalar(self, event: Any) -> ScalarNode:
        text, plain = event.value, not event.style
        span = self.scalar_span(event, text)
        if plain:
            self.check_split(event, span)
        if not plain or self.at_key():
            return ScalarNode(span, text, text, plain)
        if span.end_line > span.line:
            self.check_dashes(span)
        return ScalarNode(span, text, self.resolve(text, span), True)

    def scalar_span(self, event: Any, text: str) -> Span:
        """Return the span of a scalar, without its tag and anchor where it stands on one line."""
        if event.style in ("|", ">"):
            return self.block_span(event)
        end = event.end_mark
        line, end_column = end.line + 1, end.column + 1
        if event.style or not text or event.start_mark.line != end.line:
            return self.event_span(event)
        return Span(self.source, line, end_column - len(text), line, end_column)

    def block_span(self, event: Any) -> Span:
        """Return the span of a text in ``|`` or ``>``, without the empty lines below it."""
        span = self.event_span(event)
        end = span.end_line - (span.end_column == 1)
        while end > span.line and not self.source.line(end).strip():
            end -= 1
        return self.span(span.line, span.column, end, len(self.source.line(end)) + 1)

    def resolve(self, text: str, span: Span) -> Any:
        """A plain value; one that is refused is reported, and stands as its text."""
        value = resolve(text)
        if not isinstance(value, Trap):
            return value
        self.report.error(value.id, value.message, span, help=value.help)
        return text

    def check_dashes(self, span: Span) -> None:
        """A list item indented by one space too many silently joins the text of the item before it."""
        for line in range(span.line + 1, span.end_line + 1):
            written = self.source.line(line)
            if written.lstrip().startswith("- "):
                column = len(written) - len(written.lstrip()) + 1
                place = self.span(line, column, line, column + 1)
                help = f"align it with the `-` of the list, or quote the string of line {span.line}"
                self.report.error(
                    "yaml-trap", "this `-` starts no item: the line continues the string above", place, help=help
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
            message, help = f"the comma ends the item after `{event.value}`", f'quote it: "{whole}"'
            span = self.span(span.line, span.column, span.line, place + 2)
        else:
            message, help = f"the round brackets of `{event.value}` do not match", "close them, or quote the string"
        self.report.error("yaml-comma", message, span, help=help)


def _end(span: Span) -> tuple[int, int]:
    return span.end_line, span.end_column
