"""A page of the site, and the few forms of Markdown that the made ones consist of."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A made page: its path below the site's sources, its title, its text below that, and its group in the menu."""

    path: str
    title: str
    text: str
    group: str = ""
    summary: str = ""

    def source(self) -> str:
        """Return the page as a file of Markdown, its summary as the description that search engines show."""
        summary = re.sub(r"[`*\"]", "", self.summary).strip()
        head = f'---\ndescription: "{summary}"\n---\n\n' if summary else ""
        return f"{head}# {self.title}\n\n{self.text.strip()}\n"


def fence(text: str, language: str = "yaml", title: str = "") -> str:
    """Return a block of code."""
    named = f' title="{title}"' if title else ""
    return _fenced(text, f"{language}{named}")


def messages(text: str, command: str) -> str:
    """Return a block of messages below the command that gives them, whose long lines are wrapped."""
    return _fenced(text, f' {{.text .messages title="{command}"}}')


def _fenced(text: str, info: str) -> str:
    marks = "````" if "```" in text else "```"
    return f"{marks}{info}\n{text.rstrip()}\n{marks}\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, its cells as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def terms(entries: Iterable[tuple[str, str, str]]) -> str:
    """Return a list of terms, each with an anchor, with what it takes beside it and its text below.

    Unlike a table of four columns, it can be read on a telephone.
    """
    shown = []
    for name, takes, text in entries:
        beside = f" <span class='takes' markdown>{takes}</span>" if takes else ""
        shown.append(f"`{name}`{{#{anchor(name)}}}{beside}\n:   {text or '…'}\n")
    return "\n".join(shown)


def anchor(name: str) -> str:
    """Return the anchor of a term."""
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")


def link(here: str, there: str, text: str) -> str:
    """Return a link from one page to another, relative as Markdown writes it."""
    path, mark, at = there.partition("#")
    return f"[{text}]({posixpath.relpath(path, posixpath.dirname(here) or '.')}{mark}{at})"


def prose(docstring: str) -> str:
    """Return a docstring as Markdown: its double backticks single, its lines those of paragraphs."""
    return re.sub(r"``([^`]+)``", r"`\1`", docstring.strip())


def sentence(text: str) -> str:
    """Return a text with a capital at its beginning and a full stop at its end."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
