"""Foreign text on its way into another language: one function for each target that a text can reach.

What a spec, a file name, a table or a run's folder says is text, whoever wrote it. Each function here gives it in a
form that its target shows and never obeys: no quote of it ends a docstring, no tag of it is one, and no terminal acts
on an escape sequence in it. What a person would write comes through as it is.

Every command reads this module as it starts: patterns are compiled, and ``json`` and ``shlex`` imported, when used.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_WIDE_SPACE = "\u3000"  # the space of Chinese and Japanese
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_UNPRINTABLE = "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069\ufffe\uffff]"
_ENDING = r'"{3,}|"+\Z'  # quotes that would end a docstring
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def visible(text: str, keep: str = "") -> str:
    """Return text for a terminal or a message: control characters, invisible ones and those that turn the direction of
    writing stand as escapes, but for the characters in ``keep``."""
    rest = text
    for each in keep:
        rest = rest.replace(each, "")
    if rest.isprintable():
        return text
    return "".join(each if each in keep else _shown(each) for each in text)


def _shown(character: str) -> str:
    if character.isprintable() or character == _WIDE_SPACE:
        return character
    code = ord(character)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def docstring(text: str) -> str:
    """Return text for a Python docstring, wherever in a line or between others it stands."""
    return re.sub(_ENDING, lambda quotes: quotes[0].replace('"', '\\"'), visible(text.replace("\\", "\\\\")))


def literal(text: str) -> str:
    """Return a Python string literal in double quotes."""
    inner = visible(text.replace("\\", "\\\\"))
    return '"' + inner.replace('"', '\\"') + '"'


def html(text: str) -> str:
    """Return text for HTML or SVG, between tags or in a quoted attribute."""
    printed = text if text.isprintable() else re.sub(_UNPRINTABLE, "\N{REPLACEMENT CHARACTER}", text)
    return printed.translate(_ENTITIES)


def dot(text: str) -> str:
    """Return text for a label of DOT, an id or an attribute, and for the SVG that is made of it."""
    return html(text).replace("\\", r"\\")


def mermaid(text: str) -> str:
    """Return text for a quoted label of Mermaid: whatever it or HTML might read is a numbered character."""
    return re.sub(r"[^\w ×⌈⌉⌊⌋·…,.+\-]", lambda found: f"#{ord(found[0])};", visible(text))


def markdown(text: str) -> str:
    """Return text for one line of Markdown, in a cell of a table too."""
    return re.sub(r"([\\`<|\[])", r"\\\1", visible(" ".join(text.split("\n"))))


def code(text: str) -> str:
    """Return text as a span of code in Markdown."""
    shown = visible(text)
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    space = " " if fence != "`" else ""
    return f"{fence}{space}{shown}{space}{fence}"


def json_text(value: Any, indent: int | None = None, default: Any = None) -> str:
    """A value as JSON. Letters of any script stay as they are; what could not be seen is an escape."""
    import json

    text = json.dumps(value, ensure_ascii=False, indent=indent, default=default)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(each if each == "\n" or each.isprintable() else json.dumps(each)[1:-1] for each in text)


def cell(value: Any) -> Any:
    """A cell of CSV. A text that a spreadsheet would take for a formula gets the apostrophe that says it is none."""
    if not isinstance(value, str):
        return value
    text = visible(value, keep="\n\t")
    return "'" + text if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii()


def github(text: str) -> str:
    """The message of a workflow command of GitHub, which unescapes per cent signs."""
    return visible(text, keep="\r\n").replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def github_property(text: str) -> str:
    """The value of a property of such a command."""
    return github(text).replace(":", "%3A").replace(",", "%2C")


def shell(words: Sequence[str]) -> str:
    """A command to be pasted into a shell, which takes every word for what it is."""
    return " ".join(map(_word, words))


def _word(word: str) -> str:
    """One word; where it holds what could not be seen, between ``$'`` and ``'``, which bash and zsh read as C does."""
    if word.isprintable():
        import shlex

        return shlex.quote(word)
    shown = (each if each.isprintable() else _bytes(each) for each in word.replace("\\", "\\\\").replace("'", "\\'"))
    return f"$'{''.join(shown)}'"


def _bytes(character: str) -> str:
    """A character as the bytes that it has in a file's name, whatever the locale."""
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
