"""A difference as text: what is around the layers, the layers in columns, the totals, the keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from textwrap import wrap

from netspec.analysis.diff.changes import ChangedEntry, Differences, labels
from netspec.analysis.unsaid import unsaid_notes
from netspec.emit.diff.key_lines import key_lines
from netspec.emit.diff.lines import DiffLine, diff_lines
from netspec.graph import Graph
from netspec.text.quantities import EXACT_BELOW, bytes_text, number
from netspec.text.quoting import visible
from netspec.view.terminal import (
    GAP,
    NARROWEST,
    PLAIN_SIGNS,
    PLAIN_WORDS,
    Cell,
    cell_width,
    clip,
    padded,
    paint,
    shorten,
    shorten_shape,
    wrapped,
)

MARK = 2
LABEL = len("parameters") + GAP
LEAST = 16
"""Columns that are left for what a layer is and what differs about it."""
MOST_KEYS = 24
"""Lines of keys; JSON has all."""
STYLES = {"added": "added", "removed": "removed", "changed": "changed", "renamed": "changed"}
SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": "~"}


def diff_text(diff: Differences, width: int, colour: bool, ascii: bool = False) -> str:
    """Return the differences as text in at most ``width`` columns (never below 48)."""
    width = max(width, NARROWEST)
    say = in_words if ascii else str
    title = say(visible(" → ".join(labels(diff.old, diff.new))))
    if diff.is_empty:
        return f"{title}: no difference"
    out: list[Cell] = [[(clip(title, width), "bold")], *_sections(diff, width, say), []]
    lines = [line.said(say) for line in diff_lines(diff.changes)]
    if lines:
        out += [*_table(lines, width)]
    out += [*_totals(diff, width, say), *_keys(diff, width, say)]
    out += [[(clip(note, width), "dim")] for note in unsaid_notes(diff.new)]
    if any(line.count > 1 for line in lines):
        out.append([("×N  N alike; the numbers are of one", "dim")])
    if any(line.kind == "follows" for line in lines):
        out.append([("·   as before, in other sizes", "dim")])
    text = "\n".join(paint(cell, colour).rstrip() for cell in out)
    return text.translate(PLAIN_SIGNS) if ascii else text


Say = Callable[[str], str]


def in_words(text: str) -> str:
    """The text with words for the signs that ASCII has no single character for, before it is fitted."""
    return text.translate(PLAIN_WORDS)


def _sections(diff: Differences, width: int, say: Say) -> Iterator[Cell]:
    for title, entries in diff.sections.items():
        for entry in entries:
            yield from _entry(title, entry, width, say)


def _entry(title: str, entry: ChangedEntry, width: int, say: Say) -> Iterator[Cell]:
    """``~ parameter depths  [2, 2] → [3, 4]``."""
    kind = "added" if entry.old is None else "removed" if entry.new is None else "changed"
    text = say(" → ".join(each for each in (entry.old, entry.new) if each is not None))
    head = clip(f"{SIGNS[kind]} {title} {entry.name}", width - 20 - GAP) + " " * GAP
    rows = wrap(text, max(20, width - len(head))) or [""]
    yield [(head[:1], STYLES[kind]), (head[1:], ""), (rows[0], "")]
    yield from ([(" " * len(head) + row, "")] for row in rows[1:])


def signed(value: int, short: bool = False) -> str:
    """``+9,408``, ``−1.2M``; nothing for zero."""
    return ("+" if value > 0 else "−") + number(abs(value), short) if value else ""


def _table(lines: Sequence[DiffLine], width: int) -> Iterator[Cell]:
    """The lines in columns: the layer, what it is and what differs, the numbers."""
    short = [any(abs(value) >= EXACT_BELOW for value in values) for values in _numbers(lines)]
    texts = [[signed(value, brief) for value in values] for values, brief in zip(_numbers(lines), short)]
    params, macs = (max(len(title), *map(len, column)) for title, column in zip(("params", "MACs"), texts))
    room = width - MARK - params - macs - 3 * GAP
    name = min(max([len("layer"), *(cell_width(_name(line)) for line in lines)]), max(18, width // 3), room - LEAST)
    rest = room - name
    op = min(max(cell_width(_op(line)) for line in lines), max(rest - 12, LEAST // 2))
    right = rest - op - GAP
    notes = [note for line in lines for note in line.notes]
    needed = max((min(len(each), right) for each in (*notes, *(line.shape for line in lines))), default=0)
    rest = min(rest, max([24, op + GAP + needed, *(len(note) for note in notes if len(note) > right)]))
    whole = MARK + name + rest + params + macs + 3 * GAP
    head = " " * MARK + "layer".ljust(name + GAP) + "op".ljust(rest + GAP)
    yield [(f"{head}{'params':>{params}}{' ' * GAP}{'MACs':>{macs}}", "dim")]
    yield [("─" * whole, "dim")]
    for line, *values in zip(lines, *texts):
        style = STYLES.get(line.kind, "dim")
        inside = bool(line.notes) and len(line.notes[0]) <= right
        beside = line.notes[0] if inside else shorten_shape(line.shape, right)
        middle = [*padded(shorten(_op(line), op if beside else rest), op if beside else 0)]
        if beside:
            middle.append((" " * GAP + beside, style if line.kind == "follows" else ""))
        numbers = f"{values[0]:>{params}}{' ' * GAP}{values[1]:>{macs}}"
        quiet = line.kind in ("inside", "follows")
        yield [
            (line.mark.ljust(MARK), style),
            *padded(_name(line, name), name + GAP),
            *padded(middle, rest + GAP),
            (numbers, "dim" if quiet else ""),
        ]
        place, room = MARK + name + GAP, rest
        if inside and all(len(note) <= right for note in line.notes):
            place, room = place + op + GAP, right
        for note in line.notes[inside:]:
            yield from ([(" " * place + row, "dim" if quiet else "")] for row in wrap(note, room))
    yield [("─" * whole, "dim")]


def _numbers(lines: Sequence[DiffLine]) -> tuple[list[int], list[int]]:
    return [line.params for line in lines], [line.macs for line in lines]


def _name(line: DiffLine, width: int = 1_000_000) -> Cell:
    tail = f" ×{line.count}" if line.count > 1 else ""
    guides = "".join("│ " if more else "  " for more in line.guides[:-1])
    guides += "".join("├ " if more else "└ " for more in line.guides[-1:])
    room = max(1, width - len(guides) - len(tail))
    return [(guides, "dim"), (clip(line.name, room), "bold" if line.level else ""), (tail, "")]


def _op(line: DiffLine) -> Cell:
    return [(line.what, "dim" if line.level else line.family), (f" {line.detail}" if line.detail else "", "")]


def _totals(diff: Differences, width: int, say: Say) -> Iterator[Cell]:
    """Parameters and MACs of the whole, before and after."""
    old, new = diff.totals
    rows = [("parameters", old.params, new.params, _bytes(new.params)), ("MACs", old.macs, new.macs, _at(diff.new))]
    arrow = say(" → ")
    yield from _drawn(rows, width, arrow, short=False) or _drawn(rows, width, arrow, short=True) or ()


def _drawn(rows: Sequence[tuple[str, int, int, str]], width: int, arrow: str, short: bool) -> list[Cell] | None:
    """The totals in columns; ``None`` where exact numbers are wider than there is room."""
    texts = [(title, _total(old, short), _total(new, short), signed(new - old, short)) for title, old, new, _ in rows]
    columns = [max(map(len, column)) for column in zip(*texts)]
    drawn: list[Cell] = []
    for (title, before, after, change), (_, old, new, aside) in zip(texts, rows):
        text = f"{title:<{LABEL}}{before:>{columns[1]}}{arrow}{after:>{columns[2]}}{' ' * GAP}"
        text += "as before" if old == new else f"{change:>{columns[3]}}{' ' * GAP}{_share(old, new):>7}"
        if len(text.rstrip()) > width and not short:
            return None
        drawn.append(
            [(text, ""), (" " * GAP + aside if aside and len(text) + GAP + len(aside) <= width else "", "dim")]
        )
    return drawn


def _total(value: int, short: bool) -> str:
    return number(value, short) or "0"


def _share(before: int, after: int) -> str:
    """``+12.5%``; what rounds to nothing is less than a tenth of one."""
    if not before:
        return ""
    share = (after - before) / before
    return f"{'+' if share > 0 else '−'}{abs(share):,.1%}" if abs(share) >= 0.0005 else "<0.1%"


def _bytes(params: int) -> str:
    return bytes_text(4 * params).partition(" (")[0]


def _at(graph: Graph) -> str:
    sizes = ", ".join(f"{name}={size}" for name, size in graph.sizes.items())
    return f"at {sizes}" if sizes else ""


def _keys(diff: Differences, width: int, say: Say) -> Iterator[Cell]:
    """Yield lines on the keys of the state dict."""
    keys = diff.keys
    counts = {
        "as before": keys.kept,
        "removed": keys.removed,
        "added": keys.added,
        "reshaped": keys.reshaped,
        "renamed": keys.renamed,
    }
    parts = [f"{len(found):,} {what}" for what, found in counts.items() if found]
    yield from wrapped("keys", parts or ["none"], " ·", width)
    lines = key_lines(keys, diff.changes)
    for line in lines[:MOST_KEYS]:
        names, told = say(line.text), say(line.aside)
        fits = len(names) + GAP + len(told) <= width - MARK
        rows = wrap(names, width - MARK, break_on_hyphens=False)
        aside = [(" " * GAP + told, "dim")] if fits else []
        yield [(SIGNS[line.kind].ljust(MARK), STYLES[line.kind]), (rows[0], ""), *aside]
        yield from ([(" " * MARK + row, "")] for row in rows[1:])
        if not fits:
            yield from ([(" " * 2 * MARK + row, "dim")] for row in wrap(told, width - 2 * MARK))
    if len(lines) > MOST_KEYS:
        left = sum(line.count for line in lines[MOST_KEYS:])
        yield [(f"  … {left:,} more keys: `--format json` has them all", "dim")]
