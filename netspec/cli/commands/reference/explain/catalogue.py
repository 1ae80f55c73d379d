"""``netspec explain``: explain a diagnostic."""

from __future__ import annotations

import textwrap

from netspec.diagnostics import UsageError, did_you_mean
from netspec.diagnostics.catalogue import CATALOGUE, PHASES, Explanation

WIDTH = 88
MOST_LINES = 12


def explain_id(id: str) -> str:
    """An entry of the catalogue in words. Raises ``UsageError`` where there is none."""
    if id not in CATALOGUE:
        hint = did_you_mean(id, CATALOGUE) or "`netspec explain` lists them all"
        raise UsageError(f"no diagnostic has the id `{id}`: {hint}")
    entry = CATALOGUE[id]
    parts = [id, *(textwrap.fill(text, WIDTH) for text in (entry.what, entry.why))]
    beside = [f"With {name} beside it:\n\n" + _spec(text) for name, text in entry.beside]
    parts += ["Wrong:\n\n" + _spec(entry.wrong, entry), "Right:\n\n" + _spec(entry.right), *beside]
    return "\n\n".join(parts)


def _spec(text: str, entry: Explanation | None = None) -> str:
    lines = text.rstrip("\n").split("\n")
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES // 2], "…", *lines[-MOST_LINES // 3 :]]
    lines = [line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in lines]
    if entry is not None and entry.repeated > 1:
        lines.append(f"…  (and so on, {entry.repeated:,} times)")
    if entry is not None and entry.encoding != "utf-8":
        lines[-1] += f"    # saved as {entry.encoding}"
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in "\x00".join(lines))
    return textwrap.indent(shown.replace("\\x00", "\n"), "    ")


COLUMN = max(map(len, CATALOGUE)) + 2
"""The width of the ids in a list."""


def list_ids() -> str:
    """Every id by phase, with what it means."""
    lines = []
    for phase, entries in PHASES.items():
        lines += ["", phase]
        lines += [f"  {id:<{COLUMN}}{entry.what}" for id, entry in entries.items()]
    return "\n".join(lines[1:])
