"""The colours of diagrams in the page: each that Graphviz draws in becomes that of the page's light or dark."""

from __future__ import annotations

from netspec.emit.diagram.palette import CARRY, GREY, INK, MIST, PALE, PALETTE, PILL, SKIP, TIE

PLACE = "#panel-diagram"
PLAIN = (
    ('[fill="white"], [fill="#ffffff"]', "fill: var(--surface)"),
    (f'[fill="{INK}"]', "fill: var(--ink)"),
    (f'[fill="{GREY}"]', "fill: var(--grey)"),
    (f'[fill="{PALE}"]', "fill: var(--grey)"),
    (f'[stroke="{PALE}"]', "stroke: var(--pale)"),
    (f'polygon[fill="{PALE}"]', "fill: var(--pale)"),
    (f'polygon[fill="{MIST}"], path[fill="{MIST}"]', "fill: var(--group)"),
    (f'text[fill="{MIST}"]', "fill: var(--block-soft)"),
    (f'[stroke="{MIST}"]', "stroke: var(--strong-line)"),
    ('[fill="#f1f5f9"], :is(polygon, path)[fill="#f8fafc"]', "fill: var(--raised)"),
    ('text[fill="#f8fafc"], text[fill="white"], text[fill="#ffffff"]', "fill: var(--block-ink)"),
    ('[fill="#e2e8f0"]', "fill: var(--level)"),
    ('[fill="#334155"]', "fill: var(--block)"),
    ('[fill="#475569"]', "fill: var(--soft)"),
    ('[stroke="#475569"]', "stroke: var(--soft)"),
    (f'[fill="{SKIP}"]', "fill: var(--skip)"),
    (f'[stroke="{SKIP}"]', "stroke: var(--skip)"),
    (f'[stroke="{CARRY}"]', "stroke: var(--linear)"),
    (f'[fill="{TIE}"]', "fill: var(--string)"),
    (f'[stroke="{TIE}"]', "stroke: var(--string)"),
    (f'[fill="{PILL}"]', "fill: var(--pill)"),
)
"""The colours of texts, levels and edges, and what they become."""


def diagram_rules() -> str:
    """Return the rules of style that turn a diagram's colours into those of the page."""
    rules = list(PLAIN)
    for family, colours in PALETTE.items():
        if family in ("level", "input", "arithmetic"):  # whose colours are among the others
            continue
        name = "var(--shapes)" if family == "shape" else f"var(--{family})"
        rules.append((f'[fill="{colours.bar}"]', f"fill: {name}"))
        rules.append((f'[fill="{colours.ground}"]', f"fill: color-mix(in srgb, {name} var(--tint), var(--surface))"))
        edge = f"stroke: color-mix(in srgb, {name} var(--edge-tint), var(--surface))"
        rules.append((f'[stroke="{colours.border}"]', edge))
    return "".join(f"{PLACE} :is({where.lower()}) {{ {what}; }}\n" for where, what in rules)
