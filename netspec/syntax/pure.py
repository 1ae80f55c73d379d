"""PyYAML's own parser, made to read what LibYAML reads.

PyYAML's wheels carry LibYAML, which ``reader`` uses; where it was built without, the parser in Python takes its place.
The two differ in places, which are the methods here: each says what LibYAML (0.2.5) does.
"""

# mypy: allow-untyped-calls

from __future__ import annotations

import re
from typing import Any

from yaml.error import Mark
from yaml.events import Event, ScalarEvent
from yaml.parser import Parser, ParserError
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError
from yaml.tokens import DirectiveToken, FlowEntryToken, FlowSequenceEndToken, ScalarToken, TagToken, ValueToken

BREAKS = "\0\r\n\x85\u2028\u2029"
BLANKS = BREAKS + " \t"
ALPHABET = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-")
IN_TAGS = ALPHABET | frozenset(";/?:@&=+$.!~*'()%")
HALF = re.compile(r"(?<!\\)(?:\\\\)*\\[uU](?=(?:0000)?[dD][89a-fA-F])")
"""Before the digits of a surrogate."""
HEADER = re.compile(r"[+-][0-9]?|[0-9][+-]?|")


class PureLoader(Reader, Scanner, Parser):
    """The events of a text, as ``yaml.parse`` asks for them."""

    def __init__(self, text: str):
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def scan_plain(self) -> ScalarToken:
        """A question mark ends no text in brackets, as in ``[mask?]``, and no colon stands before one: ``[a:]``."""
        chunks: list[str] = []
        start = end = self.get_mark()
        indent = self.indent + 1
        spaces: list[str] = []
        while self.peek() != "#":
            length = 0
            while not self._ends_plain(length):
                if self.flow_level and self.peek(length) == ":" and self.peek(length + 1) in ",?[]{}":
                    self.forward(length)
                    problem = "found unexpected ':'"
                    raise ScannerError("while scanning a plain scalar", start, problem, self.get_mark())
                length += 1
            if length == 0:
                break
            self.allow_simple_key = False
            chunks += [*spaces, self.prefix(length)]
            self.forward(length)
            end = self.get_mark()
            spaces = self.scan_plain_spaces(indent, start) or []
            if not spaces or (not self.flow_level and self.column < indent):
                break
        return ScalarToken("".join(chunks), True, start, end)

    def _ends_plain(self, length: int) -> bool:
        character = self.peek(length)
        if character == ":":
            return self.peek(length + 1) in BLANKS
        return character in BLANKS or (self.flow_level > 0 and character in ",[]{}")

    def scan_tag(self) -> TagToken:
        """A tag has fewer characters, and a comma may follow it in brackets."""
        start = self.get_mark()
        verbatim = self.peek(1) == "<"
        self.forward(2 if verbatim else 1)
        handle = None if verbatim else "!"
        if not verbatim:
            length = 0
            while self.peek(length) in ALPHABET:
                length += 1
            if self.peek(length) == "!":
                handle = f"!{self.prefix(length)}!"
                self.forward(length + 1)
        suffix = self._tag_uri(start, IN_TAGS | frozenset(",[]") if verbatim else IN_TAGS)
        if not suffix and handle != "!":
            raise ScannerError("while parsing a tag", start, "did not find expected tag URI", self.get_mark())
        if verbatim:
            if self.peek() != ">":
                raise ScannerError("while scanning a tag", start, "did not find the expected '>'", self.get_mark())
            self.forward()
        if self.peek() not in BLANKS and not (self.flow_level and self.peek() == ","):
            problem = "did not find expected whitespace or line break"
            raise ScannerError("while scanning a tag", start, problem, self.get_mark())
        return TagToken((handle, suffix) if suffix else (None, "!"), start, self.get_mark())

    def _tag_uri(self, start: Mark, allowed: frozenset[str]) -> str:
        chunks = ""
        while self.peek() in allowed:
            if self.peek() == "%":
                chunks += self.scan_uri_escapes("tag", start)
            else:
                chunks += self.peek()
                self.forward()
        return chunks

    def scan_block_scalar_indicators(self, start: Mark) -> tuple[bool | None, int | None]:
        """A comment may follow at once: ``|#``."""
        header = HEADER.match(self.prefix(2))[0]  # type: ignore[index]  # which matches anything
        if "0" in header:
            self.forward(header.index("0"))
            problem = "found an indentation indicator equal to 0"
            raise ScannerError("while scanning a block scalar", start, problem, self.get_mark())
        self.forward(len(header))
        digits = header.strip("+-")
        return {"": None, "+": True, "-": False}[header.strip("123456789")], int(digits) if digits else None

    def scan_directive(self) -> DirectiveToken:
        """No directive is unknown."""
        start = self.get_mark()
        found: DirectiveToken = super().scan_directive()
        if found.name not in ("YAML", "TAG"):
            end = Mark(start.name, start.index, start.line, start.column + 1 + len(found.name), None, 0)
            raise ScannerError("while scanning a directive", start, "found unknown directive name", end)
        return found

    def process_directives(self) -> Any:
        """YAML is of version 1.1 or 1.2."""
        first = self.peek_token() if self.check_token(DirectiveToken) else None
        found = super().process_directives()
        if self.yaml_version not in (None, (1, 1), (1, 2)):
            raise ParserError(None, None, "found incompatible YAML document", first and first.start_mark)
        return found

    def parse_flow_sequence_entry_mapping_key(self) -> Event:
        """Refuse a question mark in a list that nothing follows, as its value would be lost: ``[? , a]``."""
        key = self.get_token()
        if self.check_token(ValueToken, FlowEntryToken, FlowSequenceEndToken):
            lost = self.get_token()
            self.state = self.parse_flow_sequence_entry_mapping_value
            nothing: Event = self.process_empty_scalar(lost.end_mark)
            return nothing
        self.tokens.insert(0, key)
        self.tokens_taken -= 1
        node: Event = super().parse_flow_sequence_entry_mapping_key()
        return node

    def parse_flow_mapping_key(self, first: bool = False) -> Event:
        """A key that is left out stands where the next token does."""
        return self._placed(super().parse_flow_mapping_key(first))

    def parse_flow_mapping_value(self) -> Event:
        """The same of a value."""
        return self._placed(super().parse_flow_mapping_value())

    def parse_flow_sequence_entry_mapping_value(self) -> Event:
        """The same, in a list."""
        return self._placed(super().parse_flow_sequence_entry_mapping_value())

    def _placed(self, event: Event) -> Event:
        if isinstance(event, ScalarEvent) and event.start_mark is event.end_mark and event.tag is event.anchor is None:
            event.start_mark = event.end_mark = self.peek_token().start_mark
        return event

    def fetch_stream_end(self) -> None:
        """Require the colon of a key before the text ends, in brackets that are still open too."""
        for key in self.possible_simple_keys.values():
            if key.required:
                raise ScannerError("while scanning a simple key", key.mark, "could not find expected ':'", key.mark)
        super().fetch_stream_end()

    def scan_flow_scalar_non_spaces(self, double: bool, start: Mark) -> list[str]:
        """An escape stands for a character: no half of a pair, and none beyond Unicode."""
        pointer, here = self.pointer, self.get_mark()
        chunks: list[str] = []
        fault: Exception | None = None
        try:
            chunks = super().scan_flow_scalar_non_spaces(double, start)
        except (ScannerError, ValueError) as found:
            fault = found
        half = HALF.search(self.buffer, pointer, self.pointer + 4) if double else None
        if half is not None:
            raise self._bad_escape(start, Mark(here.name, 0, here.line, here.column + half.end() - pointer, None, 0))
        if fault is not None:  # chr() fails, at the first of the digits
            raise self._bad_escape(start, self.get_mark()) if isinstance(fault, ValueError) else fault
        return chunks

    def _bad_escape(self, start: Mark, place: Mark) -> ScannerError:
        return ScannerError("while parsing a quoted scalar", start, "found invalid Unicode escape", place)
