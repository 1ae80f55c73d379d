"""The faces of a diagram's cards: what is written on each, how wide it is, and its HTML-like label for dot."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import NamedTuple

from netspec.dims import Dim, Size, pretty
from netspec.emit.costs import Cost, Costs
from netspec.emit.dot_folding import FOLLOWERS, Box, Card
from netspec.graph import Call, Level, Node, Step
from netspec.ops.base import Op

INK, GREY, PALE = "#0F172A", "#64748B", "#94A3B8"
HEADER, PILL = "#334155", "#B45309"
LONGEST = 44
NARROWEST, WIDEST = 128, 220


class Colours(NamedTuple):
    bar: str
    fill: str
    border: str


PALETTE = {
    "convolution": Colours("#2563EB", "#EFF6FF", "#BFDBFE"),
    "linear": Colours("#7C3AED", "#F5F3FF", "#DDD6FE"),
    "norm": Colours("#0D9488", "#F0FDFA", "#99F6E4"),
    "activation": Colours("#D97706", "#FFFBEB", "#FDE68A"),
    "pooling": Colours("#DB2777", "#FDF2F8", "#FBCFE8"),
    "shape": Colours("#0891B2", "#ECFEFF", "#A5F3FC"),
    "arithmetic": Colours("#475569", "#FFFFFF", "#CBD5E1"),
    "dropout": Colours("#A16207", "#FEFCE8", "#FEF08A"),
    "sequence": Colours("#4F46E5", "#EEF2FF", "#C7D2FE"),
    "level": Colours("#334155", "#E2E8F0", "#CBD5E1"),
    "input": Colours("#64748B", "#F1F5F9", "#CBD5E1"),
}
MUTED = Colours("#CBD5E1", "#FFFFFF", "#CBD5E1")


class Row(NamedTuple):
    """A line of a card: a text, a note at its right end, and the family that its part of the bar shows."""

    text: str
    note: str = ""
    family: str = ""


@dataclass(frozen=True, slots=True)
class Face:
    """What a card says. ``title`` is bold, ``detail`` grey beside it; ``rows`` stand below."""

    family: str
    title: str
    detail: str = ""
    rows: tuple[Row, ...] = ()
    count: int = 1
    training: bool = False

    @property
    def width(self) -> float:
        """The width that the texts need, in points."""
        first = text_width(self.title, 11, bold=True) + text_width(self.detail, 10) + (8 if self.detail else 0)
        others = (text_width(row.text, 9) + (note_width(row.note) + 6 if row.note else 0) for row in self.rows)
        return max([first + pill_width(self.count), *others]) + 4


def op_face(card: Card, costs: Costs) -> Face:
    """The face of an op with what follows it."""
    nodes = [step for step in card.steps if isinstance(step, Node)]
    head, *tail = nodes
    title, detail = spelled(head.op)
    if head.op.family in FOLLOWERS and tail:
        title, detail, tail = " + ".join(follower(node.op) for node in nodes), "", []
    rows = [Row(text) for text in (cost_text(map(costs.of, nodes), card.count), joined(head)) if text]
    if tail:
        rows.append(Row("+ " + " + ".join(follower(node.op) for node in tail), "", tail[0].op.family))
    if card.name:
        first = rows[0] if rows else Row("")
        rows[:1] = [first._replace(note=card.name)]
    return Face(head.op.family, title, detail, tuple(rows), card.count, card.training)


def level_face(card: Card, costs: Costs) -> Face:
    """The face of a level that stays closed: ``layer3``, ``6 × bottleneck``."""
    bodies = [step.body for step in card.steps if isinstance(step, Call)]
    detail = what(bodies[0]) if len(bodies) == 1 else f"{len(bodies)} × {what(bodies[0])}"
    cost = cost_text(map(costs.of, bodies), card.count)
    title, detail = _placed(card.name, detail)
    return Face("level", title, detail, (Row(cost),) if cost else (), card.count, card.training)


def rest_face(card: Card, costs: Costs) -> Face:
    """The face of a stretch that is left out."""
    cost = cost_text(map(costs.of, card.steps), 1)
    title = f"… {len(card.steps)} more steps"
    return Face("level", title, "", (Row(cost),) if cost else (), 1, card.training)


def header_face(box: Box, costs: Costs) -> Face:
    """The header of an open level."""
    texts = "training only" if box.training else "", cost_text([costs.of(box.level)], box.count)
    family = "block" if box.level.kind == "block" else "group"
    title, detail = _placed(box.name, box.level.title)
    return Face(family, title, detail, tuple(Row(text) for text in texts if text), box.count, box.training)


def _placed(name: str, what: str) -> tuple[str, str]:
    """A level's name before what it is; a bare number comes after."""
    return (what, name) if what and name.replace("–", "").isdigit() else (name, what)


def what(level: Level) -> str:
    """What a level is, in a few words: its block, or how many of which block it holds."""
    if level.title:
        return level.title
    calls = [step for step in level.steps if isinstance(step, Call)]
    titles = dict.fromkeys(call.body.title for call in calls)
    if calls and len(calls) == len(level.steps) and len(titles) == 1 and (title := next(iter(titles))):
        return f"{len(calls)} × {title}"
    return f"{len(level.steps)} steps"


def spelled(op: Op) -> tuple[str, str]:
    """An op's title and detail: ``conv 7×7`` and ``64, /2``."""
    name = re.sub(r"[123]d$", "", op.name).replace("_", " ")
    first, _, others = op.detail().partition(", ")
    return (f"{name} {first}", others) if re.fullmatch(r"\d+(×\d+)+", first) else (name, op.detail())


def follower(op: Op) -> str:
    name, detail = spelled(op)
    return f"{name} {detail}" if op.family == "dropout" and detail else name


def joined(node: Node) -> str:
    """How sizes add up along the dimension that a node joins: ``256 = 64 + 128 + 32·2``."""
    shapes = [tensor.shape for tensor in node.tensors]
    made = node.outputs[0].shape
    if not node.op.variadic or len(shapes) < 2 or any(len(shape) != len(made) for shape in shapes):
        return ""
    for axis, size in enumerate(made):
        total: Size = 0
        for shape in shapes:
            total = total + shape[axis]
        if total == size and size != shapes[0][axis]:
            return sum_text(total, [shape[axis] for shape in shapes])
    return ""


def sum_text(total: Size, sizes: Sequence[Size]) -> str:
    terms = [bracketed(size) for size in sizes]
    return f"{pretty(total)} = " + " + ".join(terms if len(terms) <= 5 else [*terms[:2], "…", terms[-1]])


def bracketed(size: Size) -> str:
    text = pretty(size)
    return f"({text})" if isinstance(size, Dim) and " " in text else text


def cost_text(costs: Iterable[Cost], count: int) -> str:
    """Parameters and MACs in short: ``9.4K · 118.0M``; parameters alone where nothing is multiplied."""
    found = list(costs)
    params, macs = sum(cost.params for cost in found), sum(cost.macs for cost in found)
    if not params and not macs:
        return ""
    return (f"{short(params)} · {short(macs)}" if macs else short(params)) + (" each" if count > 1 else "")


def short(number: int, digits: int = 1) -> str:
    """``9.4K``, ``118.0M``, ``1.8G``."""
    for limit, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "K")):
        if number >= limit * (1 - 0.5 / 10 ** (digits + 3)):
            return f"{number / limit:.{digits}f}{unit}"
    return str(number)


def escaped(text: str, longest: int = LONGEST) -> str:
    """Text that no label, tooltip or SVG takes for anything else; longer than ``longest`` it is cut."""
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return html.escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)).replace("\n", " ")


_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def text_width(text: str, points: float, bold: bool = False) -> float:
    """An estimate of a text's width in Arial, rather too wide than too narrow."""
    units = sum(_NARROW.get(char, 0.56 if char.islower() or char.isdigit() else 0.72) for char in text)
    return units * points * (1.1 if bold else 1.03)


_NARROW = {
    **dict.fromkeys("ijl.,:;|!'·", 0.25),
    **dict.fromkeys("ftr ()[]-/I⌈⌉⌊⌋", 0.36),
    "m": 0.85,
    "w": 0.74,
    "W": 0.95,
}
_NARROW |= {"M": 0.85, "×": 0.6, "+": 0.6, "=": 0.6, "…": 1.0, "–": 0.56, "→": 1.0, "\xa0": 0.28}


def card_width(faces: Iterable[Face]) -> int:
    """One width for all cards, so that columns are even; a card that needs more takes more."""
    return round(min(max([NARROWEST, *(face.width for face in faces)]), WIDEST))


def card_label(face: Face, width: int) -> str:
    """The label of a card: rows of a text and a note, behind a bar in the colours of what they tell of."""
    style, shade = "", _lighter if face.training else str
    colours = PALETTE.get(face.family, PALETTE["level"])
    fill, border = colours.fill, colours.border
    if face.training:
        fill, border, style = "#FFFFFF", PALE, ' style="dashed"'
    title = font(face.title, GREY if face.training else INK, 11, bold=True)
    if face.detail:
        title += font("\xa0\xa0" + face.detail, GREY, 10)
    right = round(max([note_width(row.note) for row in face.rows], default=0))
    cells = [_cells(title, face.count, "", width, right)]
    for row in face.rows:
        cells.append(_cells(font(row.text, GREY, 9), 1, font(row.note, PALE, 9), width, right, pill_width(face.count)))
    cells = ['<td height="3"></td>', *cells, '<td height="1"></td>']
    bars = [""] * len(cells)
    families = [face.family, face.family, *(row.family or face.family for row in face.rows)]
    families.append(families[-1])
    for place, family in enumerate(families):
        if place == 0 or family != families[place - 1]:
            rows = next((n for n, other in enumerate(families[place:]) if other != family), len(families) - place)
            bar = shade(PALETTE.get(family, PALETTE["level"]).bar)
            bars[place] = f'<td rowspan="{rows}" width="5" bgcolor="{bar}"></td>'
    lines = "".join(f"<tr>{bar}{row}</tr>" for bar, row in zip(bars, cells))
    frame = f'border="1" cellborder="0" cellspacing="0" cellpadding="1" bgcolor="{fill}" color="{border}"'
    return f"<table {frame}{style}>{lines}</table>"


def _cells(text: str, count: int, note: str, width: int, right: int, marked: int = 0) -> str:
    """A row's cells behind the bar.

    There are six columns: a margin, the text, ``right`` points for a note, of which the last are for the mark of a
    repeat, and a margin. ``marked`` is the width of a mark in another row.
    """
    mark = pill_width(count) or marked
    gap = max(right - mark, 0)
    left = width - gap - mark - 4
    if note:
        end = f'<td align="right" colspan="2" width="{gap + mark}">{note}</td>'
    elif count > 1:
        end = f'<td width="{gap}"></td><td bgcolor="{PILL}" width="{mark}">{font(f"×{count}", "white", 10, bold=True)}</td>'
    else:
        return f'<td width="4"></td><td align="left" width="{width}" colspan="4">{text}</td>'
    return f'<td width="4"></td><td align="left" width="{left}">{text}</td>{end}<td width="4"></td>'


def note_width(note: str) -> float:
    return text_width(note, 9) + 6 if note else 0


def pill_width(count: int) -> int:
    """What the mark of a repeat takes; nothing where there is none."""
    return round(text_width(f"×{count}", 10, bold=True) + 8) if count > 1 else 0


def header_label(face: Face, width: int) -> str:
    """The label of an open level's header: a bar with the name, the block, the cost and how often it repeats.

    A block's bar is dark, a mere group's light. The cost takes a row of its own where one row does not hold all.
    """
    dark, ink, soft = (HEADER, "white", "#CBD5E1") if face.family == "block" else ("#CBD5E1", INK, "#475569")
    if face.training:
        dark, ink, soft = PALE, "white", "#F1F5F9"
    title = font(face.title, ink, 10, bold=True) + (font("\xa0\xa0" + face.detail, soft, 10) if face.detail else "")
    texts, note, right, mark = [row.text for row in face.rows], "", 0, pill_width(face.count)
    needed = text_width(face.title, 10, bold=True) + text_width(face.detail, 10) + 20
    if len(texts) == 1 and not mark and needed + note_width(texts[0]) <= width:
        right = round(note_width(texts[0]))
        note = font(texts.pop(), soft, 9)
    cells = [_cells(title, face.count, note, width + 6, right)]
    cells += [_cells(font(text, soft, 9), 1, "", width + 6, right, mark) for text in texts]
    cells = ['<td height="2"></td>', *cells, '<td height="1"></td>']
    lines = "".join(f"<tr>{row}</tr>" for row in cells)
    return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="1" bgcolor="{dark}">{lines}</table>'


def font(text: str, colour: str, points: int, longest: int = LONGEST, bold: bool = False) -> str:
    """A text in a label; dot takes no empty ones."""
    if not text:
        return ""
    inner = f"<b>{escaped(text, longest)}</b>" if bold else escaped(text, longest)
    return f'<font color="{colour}" point-size="{points}">{inner}</font>'


def _lighter(colour: str) -> str:
    """A colour halfway to white."""
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{(part + 255) // 2:02X}" for part in parts)


def place_of(step: Step) -> str:
    """Where the spec asks for a step: file and line, without folders."""
    return f"{PureWindowsPath(step.span.source.name).name}:{step.span.line}"
