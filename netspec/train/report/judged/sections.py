"""The part of a run's page about what the network gets wrong: confusions, classes, calibration, the worst mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from netspec.text.quoting import html
from netspec.train.report.judged.judgement import Bin, Judgement, Mistake
from netspec.train.report.judged.plots import reliability, scatter

STYLE = """
.side { display: flex; flex-wrap: wrap; gap: 1.2rem 3rem; align-items: flex-start; }
.side > div { min-width: 0; max-width: 100%; }
h3 { font-size: .9rem; font-weight: 600; margin: 1rem 0 .5rem; }
table.confusion { border-collapse: separate; border-spacing: 2px; font-size: .82rem; }
table.confusion th, table.confusion td { border: 0; padding: 0 .35rem; height: 1.75rem; }
table.confusion td { min-width: 1.9rem; text-align: center; border-radius: 3px; }
table.confusion th { font-weight: 500; max-width: 9rem; overflow: hidden; text-overflow: ellipsis; }
table.confusion thead th { text-align: center; color: var(--faint); max-width: 5.5rem; }
table.confusion tbody th { text-align: right; color: var(--faint); }
table.confusion td.none { color: transparent; }
table.confusion td.much { color: var(--paper); }
table.classes td.bar { min-width: 4.2rem; background-repeat: no-repeat; background-position: 0 100%;
  background-size: calc((100% - .9rem) * var(--of)) 3px;
  background-image: linear-gradient(var(--train), var(--train)); }
.plot text { font-size: 11px; fill: var(--faint); }
.plot .name { fill: var(--ink); stroke: var(--paper); stroke-width: 3px; paint-order: stroke; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.6rem, 1fr)); gap: 1rem; margin: 0; }
.mistakes figure { margin: 0; padding: .6rem; background: var(--band); border-radius: 6px; min-width: 0; }
.mistakes img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 3px;
  image-rendering: pixelated; }
.mistakes.text { grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); }
.mistakes figcaption { font-size: .8rem; line-height: 1.4; margin-top: .4rem; overflow-wrap: anywhere; }
.mistakes blockquote { margin: 0; font-size: .88rem; overflow-wrap: anywhere; }
.said { color: var(--validation); font-weight: 600; }
.faint { color: var(--faint); }
"""

MOST_CELLS = 25
"""Classes of the largest matrix that is shown; of more, the most frequent confusions are."""

MOST_LISTED = 20

COUNTED = "Rows count from 1 in the order of their file, as <code>netspec predict</code> counts them: a header is none"


def sections(judgement: Judgement) -> Iterator[str]:
    """Yield the parts of a page, one after another."""
    kind = "classes" if judgement.classes else "answers"
    yield f"<h2>{'Classes' if judgement.classes else 'Answers'}</h2>"
    yield f"<p>The {kind} of the {html(judgement.part)}, {judgement.rows:,} in all, by the best weights</p>"
    if judgement.classes:
        parts = [_confusions(judgement), _calibration(judgement.bins, judgement.calibration_error())]
        yield f'<div class="side">{"".join(filter(None, parts))}</div>'
        yield _by_class(judgement)
    elif judgement.pairs:
        yield f'<div class="wide">{scatter(judgement.pairs)}</div>'
    if judgement.mistakes:
        yield from _mistakes(judgement.mistakes, "mistakes" if judgement.classes else "errors")


def _confusions(judgement: Judgement) -> str:
    if len(judgement.classes) > MOST_CELLS:
        found = judgement.confusions()[:MOST_LISTED]
        rows = [[each.wanted, each.said, f"{each.rows:,}", f"{each.share:.1%}"] for each in found]
        return f"<div><h3>Taken for another</h3>{_table(['class', 'taken for', 'rows', 'of class'], rows)}</div>"
    names = [f'<th title="{html(name)}">{html(name)}</th>' for name in judgement.classes]
    body = []
    for at, (name, row) in enumerate(zip(names, judgement.confusion)):
        total = sum(row)
        cells = [_cell(count, count / total if total else 0.0, at == other) for other, count in enumerate(row)]
        body.append(f"<tr>{name}{''.join(cells)}</tr>")
    head = f"<thead><tr><th></th>{''.join(names)}</tr></thead>"
    table = f'<table class="confusion">{head}<tbody>{"".join(body)}</tbody></table>'
    return f'<div><h3>Each class (down) taken for (across)</h3><div class="wide">{table}</div></div>'


def _cell(count: int, share: float, right: bool) -> str:
    """Return a cell whose colour is as strong as its share of the row: of right answers, or of wrong ones."""
    if not count:
        return '<td class="none">0</td>'
    colour = "train" if right else "validation"
    strength = 8 + 92 * share
    kind = ' class="much"' if share > 0.55 else ""
    title = f"{share:.1%} of the class"
    fill = f"color-mix(in srgb, var(--{colour}) {strength:.0f}%, transparent)"
    return f'<td{kind} style="background:{fill}" title="{title}">{count:,}</td>'


def _calibration(bins: Sequence[Bin], error: float | None) -> str:
    if error is None:
        return ""
    told = f"<p>Expected calibration error {error:.4f}, in {len(bins)} bins</p>"
    return f"<div><h3>Right, by how sure it is</h3>{reliability(bins)}{told}</div>"


def _by_class(judgement: Judgement) -> str:
    heads = ["class", "precision", "recall", "f1", "support"]
    lines = []
    for each in judgement.scores():
        cells = "".join(
            "<td></td>" if value is None else f'<td class="bar" style="--of:{value:.4f}">{value:.4f}</td>'
            for value in each[1:4]
        )
        lines.append(f"<tr><td>{html(each.name)}</td>{cells}<td>{each.support:,}</td></tr>")
    head = "".join(f"<th>{name}</th>" for name in heads)
    table = f'<table class="classes"><tr>{head}</tr>{"".join(lines)}</table>'
    return f'<h3>Scores of each class</h3><div class="wide">{table}</div>'


def _mistakes(mistakes: Sequence[Mistake], what: str) -> Iterator[str]:
    yield f"<h2>The worst {what}</h2>"
    if not all(each.file for each in mistakes):
        yield f"<p>{COUNTED}</p>"
    shown = [each.shown or {} for each in mistakes]
    if all("picture" in each for each in shown):
        yield _gallery(mistakes, "mistakes", lambda each: _picture(str((each.shown or {})["picture"])))
    elif all("text" in each for each in shown):
        yield _gallery(
            mistakes, "mistakes text", lambda each: f"<blockquote>{html((each.shown or {})['text'])}</blockquote>"
        )
    else:
        names = list(dict.fromkeys(name for each in shown for name in each.get("features", {})))
        rows = [
            [each.place, each.wanted, _said(each), *(one.get("features", {}).get(name, "") for name in names)]
            for each, one in zip(mistakes, shown)
        ]
        yield _table(["", "right", "answer", *names], rows)


def _gallery(mistakes: Sequence[Mistake], kind: str, shown: Callable[[Mistake], str]) -> str:
    figures = []
    for each in mistakes:
        right = html(each.wanted) if each.of_wanted is None else f"{html(each.wanted)} ({_share(each.of_wanted)})"
        caption = f'<span class="said">{html(_said(each))}</span><br>right: {right}'
        figures.append(
            f"<figure>{shown(each)}<figcaption>{caption}"
            f'<br><span class="faint">{html(each.place)}</span></figcaption></figure>'
        )
    return f'<div class="{kind}">{"".join(figures)}</div>'


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else f"{share:.1%}" if share >= 0.001 else "0%"


def _said(mistake: Mistake) -> str:
    return mistake.said if mistake.sure is None else f"{mistake.said} ({mistake.sure:.0%})"


def _picture(uri: str) -> str:
    return f'<img src="{html(uri)}" alt="">'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html(name)}</th>" for name in heads)
    lines = ["<tr>" + "".join(f"<td>{html(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(lines)}</table></div>'
