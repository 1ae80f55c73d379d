"""A page for each meaning of a word, and the list of all words, as text for a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from netspec.dataclass import dataclass
from netspec.reference.registry import SECTIONS, Section
from netspec.reference.show.types import type_text
from netspec.reference.usage import used_in
from netspec.reference.word import Word, WordArgument

INDENT = "  "
MOST_USED = 8
LONGEST_TITLE = 12
MORE = (
    "Arguments and values also have help: `netspec help kernel_size`, `netspec help conv2d.bias`, `netspec help mixed`."
)
BOLD, DIM, PLAIN = "\033[1m", "\033[2m", "\033[0m"


@dataclass(frozen=True, slots=True)
class Page:
    """Every meaning of a word."""

    words: tuple[Word, ...]

    def text(self, width: int = 80, colour: bool = False, ascii: bool = False) -> str:
        """Return the page, its lines no longer than ``width`` but for what cannot be cut."""
        width = min(width, 110)  # longer lines of prose are hard to read
        rule = "\n\n" + "─" * width + "\n\n"
        return _finished(rule.join("\n".join(_page(word, width)) for word in self.words), colour, ascii)


@dataclass(frozen=True, slots=True)
class WordList:
    """Every word by its kind."""

    def text(self, width: int = 80, colour: bool = False, ascii: bool = False) -> str:
        """Return the words in lines no longer than ``width``."""
        lines = ["**The words of a spec.** `netspec help NAME` explains one.", ""]
        for section in SECTIONS:
            lines += [*_listed(section, width), ""]
        lines += textwrap.wrap(MORE, width)
        return _finished("\n".join(lines), colour, ascii)


def _listed(section: Section, width: int) -> Iterator[str]:
    """The names of a section, each group on lines of its own behind its title."""
    yield f"**{section.title}**"
    groups = section.groups()
    longest = max(map(len, groups))
    for title, names in groups.items():
        if longest > LONGEST_TITLE:
            yield f"{INDENT}{title}"
        head = f"{INDENT}{title}" if longest <= LONGEST_TITLE else ""
        yield from _columns(head, names, longest + 4 if 0 < longest <= LONGEST_TITLE else 4 if longest else 2, width)


def _columns(head: str, names: Sequence[str], indent: int, width: int) -> Iterator[str]:
    """Names in columns of equal width behind a title; a long name takes two or more of them."""
    column = 16
    line, used = head.ljust(indent), indent
    for name in names:
        cells = -(-(len(name) + 2) // column)
        if used + len(name) > width and line.strip():
            yield line.rstrip()
            line, used = " " * indent, indent
        line += name.ljust(cells * column)
        used += cells * column
    yield line.rstrip()


def _page(word: Word, width: int) -> Iterator[str]:
    """The lines of an entry, with the marks of Markdown for what is bold."""
    kind = word.kind_title
    group = f" of {_article(word.group)}" if word.kind in ("key", "argument") and word.group else ""
    yield f"**{word.name}** · {kind}{group}" + (f" · {word.group}" if word.group and not group else "")
    yield ""
    for paragraph in re.split(r"\n\s*\n", word.doc.strip()):
        yield from textwrap.wrap(" ".join(paragraph.split()), width)
        yield ""
    for example in word.examples:
        yield from (f"    {line}" for line in example.split("\n"))
        yield ""
    if word.arguments:
        yield "**Keys**" if word.kind in ("structure", "key") else "**Arguments**"
        needed = {argument.name for argument in word.arguments if argument.required}
        for argument in word.arguments:
            yield from _argument(argument, argument.main and needed <= {argument.name}, width)
        yield ""
    yield from _facts(word, width)


def _article(group: str) -> str:
    """The form that a key belongs to, or the word that an argument does."""
    return {"spec": "a spec", "step": "a step", "input": "an input", "output": "an output"}.get(
        group, f"a {group}" if group in ("parameter", "dimension", "block") else f"`{group}`"
    )


def _argument(argument: WordArgument, alone: bool, width: int) -> Iterator[str]:
    """An argument's name with what it takes, and its text below; ``alone`` where a value by itself is taken for it."""
    default = "required" if argument.required else f"default `{argument.default}`" if argument.default else ""
    takes = " · ".join(part for part in (type_text(argument.holds), default) if part)
    head = f"{INDENT}**{argument.name}**  "
    lines = textwrap.wrap(takes, width - 4) or [""]
    if len(head) - 4 + len(takes) <= width:
        yield f"{head}{takes}"
    else:
        yield head.rstrip()
        yield from (f"    {line}" for line in lines)
    doc = f"{argument.doc} (its value may stand alone)".strip() if alone else argument.doc
    yield from (f"      {line}" for line in textwrap.wrap(doc, width - 6))


def _facts(word: Word, width: int) -> Iterator[str]:
    """The remaining facts, each behind its title."""
    facts = [("takes", _takes(word))] if word.holds is not None else []
    facts += [("written", word.place), *word.details]
    if word.kind in ("op", "block", "structure", "data", "transform", "loss", "metric", "optimizer", "schedule"):
        facts.append(("used in", _usage(word.name)))
    facts.append(("see also", ", ".join(word.related)))
    for title, text in facts:
        if text:
            yield from textwrap.wrap(
                text, width, initial_indent=f"{title:<10}", subsequent_indent=" " * 10, break_on_hyphens=False
            )


def _takes(word: Word) -> str:
    """The values that a key or an argument takes, with its default."""
    default = WordArgument("", "", word.holds or {}).default
    return type_text(word.holds or {}) + (f" · default `{default}`" if default is not None else "")


def _usage(name: str) -> str:
    """The networks of the zoo that use a word."""
    found = used_in(name)
    more = f" and {len(found) - MOST_USED} more" if len(found) > MOST_USED else ""
    return ", ".join(found[:MOST_USED]) + more


def _finished(text: str, colour: bool, ascii: bool) -> str:
    """The text with its marks as a terminal shows them, or without."""
    text = re.sub(r"\*\*(.+?)\*\*", rf"{BOLD}\1{PLAIN}" if colour else r"\1", text)
    text = text.rstrip() + "\n"
    return text.translate(ASCII).encode("ascii", "replace").decode() if ascii else text


SIGNS = {"─": "-", "·": "-", "≥": ">=", "≤": "<=", "×": "x", "→": "->", "…": "...", "−": "-", "–": "-", "²": "^2"}
ASCII = str.maketrans(SIGNS)
"""Replacements of signs that a terminal's encoding lacks; any other sign becomes a question mark."""
