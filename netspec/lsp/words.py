"""Words within a text: identifiers around a column."""

from __future__ import annotations

import re

WORD = re.compile(r"\$?[A-Za-z_][A-Za-z0-9_]*")


def word_at(text: str, index: int) -> str | None:
    """The identifier that ``text[index]`` belongs to, or that ends right before it."""
    for found in WORD.finditer(text):
        if found.start() <= index <= found.end():
            return found.group()
    return None


def word_before(line: str, index: int) -> str:
    """The part of an identifier (with ``$`` and dots) that stands right before ``line[index]``."""
    found = re.search(r"[$A-Za-z0-9_.]*\Z", line[:index])
    return found.group() if found else ""


def is_of_others(name: str, language: str, text: str) -> bool:
    """Return whether a document is YAML that is written for something else.

    An editor that knows no language of specs hands every YAML file to the server. A spec has the key ``netspec``, or a
    name that says so; what has no key yet may become one.
    """
    if language != "yaml" or name.endswith((".net.yaml", ".net.yml")):
        return False
    keys = re.findall(r"^[\"']?([\w.-]+)[\"']?\s*:(?=\s|$)", text.removeprefix("\ufeff"), re.MULTILINE)
    return bool(keys) and "netspec" not in keys
