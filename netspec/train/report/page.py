"""The report page of a run: its recipe, its scores and how they developed. It needs no other file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netspec.files import write_text
from netspec.text.quoting import html
from netspec.train.report.curves import curves_svg
from netspec.train.report.judged.judge import MOST_MISTAKES
from netspec.train.report.judged.judgement import Judgement, read_judgements, together
from netspec.train.report.judged.sections import STYLE as OF_JUDGEMENT
from netspec.train.report.judged.sections import sections
from netspec.train.report.progress import score
from netspec.train.store.folder import RunFolder
from netspec.train.store.history import History, read_history

COLOURS = (
    "--paper: #fff; --ink: #1f2328; --faint: #656d76; --line: #d8dee4; --band: #f6f8fa; --train: #0072b2; "
    "--validation: #d55e00"
)
"""The colours of a light page, which the pictures on it have, too."""

STYLE = (
    f":root {{ {COLOURS}; color-scheme: light dark; }}"
    + """
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #e6edf3; --faint: #8d96a0; --line: #30363d;
  --band: #161b22; --train: #56b4e9; --validation: #f0883e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.5rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.7rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 2.2rem 0 .6rem; }
p { margin: .3rem 0; color: var(--faint); }
.wide { overflow-x: auto; }
svg { display: block; max-width: 100%; height: auto; font-family: inherit; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; }
th, td { padding: .28rem .9rem .28rem 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
tr.best td { font-weight: 600; background: var(--band); }
tr.published td { color: var(--faint); font-style: italic; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.4rem; margin: 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 2.5rem; font-size: .85rem; color: var(--faint); }
"""
)


def write_report(folder: RunFolder, runs: Sequence[RunFolder]) -> None:
    """Write ``report.html`` from what the folder holds. ``runs`` has a folder for each fold, or the run's own."""
    histories = {each.path.name: read_history(each) for each in runs}
    judgement = together([*read_judgements(runs)], MOST_MISTAKES)
    told = page(folder.facts(), folder.result(), folder.environment(), histories, judgement)
    write_text(folder.path / "report.html", told)


def page(
    facts: Mapping[str, Any],
    result: Mapping[str, Any],
    environment: Mapping[str, Any],
    histories: Mapping[str, History],
    judgement: Judgement | None = None,
) -> str:
    """The page as text."""
    name, recipe, published = facts["model"], facts["recipe"], result["published"]
    parts = [
        f"<h1>{html(name)}</h1>",
        f"<p>{facts['weights']:,} parameters, trained on {_said(recipe['data'])} with "
        f"{html(next(iter(recipe['optimizer'])))} "
        f"for {max(result['steps']):,} steps in {duration(result['seconds'])}</p>",
        "<h2>Scores of the best weights</h2>",
        _scores(result, published),
    ]
    for fold, history in histories.items():
        parts.append(f"<h2>{'Curves' if len(histories) == 1 else html(fold)}</h2>")
        parts.append(f'<div class="wide">{curves_svg(history, published)}</div>')
    if judgement is not None:
        parts += sections(judgement)
    for (fold, history), best in zip(histories.items(), result["best_epoch"]):
        parts.append(f"<h2>{'Epochs' if len(histories) == 1 else f'Epochs of {html(fold)}'}</h2>")
        parts.append(_epochs(history, best))
    parts += ["<h2>Settings</h2>", _settings(facts)]
    versions = ", ".join(f"{package} {number}" for package, number in environment["versions"].items())
    where = ", ".join(environment["devices"]) or f"{environment['machine']}, threads: {environment['threads']}"
    parts.append(f"<footer>{html(versions)} · {html(where)} · spec {facts['spec']['sha256'][:12]}</footer>")
    body, style = "\n".join(parts), STYLE + (OF_JUDGEMENT if judgement is not None else "")
    return document(name, style, body)


def document(title: str, style: str, body: str) -> str:
    """Return a page of HTML."""
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{html(title)} · netspec</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{style}</style>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _scores(result: Mapping[str, Any], published: Mapping[str, float]) -> str:
    scores = result["scores"]
    names = list(dict.fromkeys(name for part in scores.values() for name in part))
    rows = [("", [part, *(_number(values.get(name)) for name in names)]) for part, values in scores.items()]
    if published:
        rows.append(("published", ["published", *(_number(published.get(name)) for name in names)]))
    return _table(["", *names], rows)


def _epochs(history: History, best: int) -> str:
    measured = [(part, name) for name in history.labels for part in ("train", "validation")]
    measured = [(part, name) for part, name in measured if history.points(part, name)]
    rows = []
    for epoch in history.epochs:
        cells = [str(epoch["epoch"]), *(_number(epoch.get(part, {}).get(name)) for part, name in measured)]
        rows.append(
            ("best" if epoch["epoch"] == best else "", [*cells, f"{epoch['lr']:.3g}", duration(epoch["seconds"])])
        )
    return _table(["epoch", *(f"{part} {name}" for part, name in measured), "lr", "time"], rows)


def _table(heads: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    head = "".join(f"<th>{html(name)}</th>" for name in heads)
    lines = [
        f'<tr class="{kind}">' + "".join(f"<td>{html(cell)}</td>" for cell in cells) + "</tr>" for kind, cells in rows
    ]
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n' + "\n".join(lines) + "\n</table></div>"


def _settings(facts: Mapping[str, Any]) -> str:
    settings = {**facts["parameters"], **{key: value for key, value in facts["recipe"].items() if _tells(value)}}
    return "<dl>" + "".join(f"<dt>{html(key)}</dt><dd>{_said(value)}</dd>" for key, value in settings.items()) + "</dl>"


def _said(value: Any) -> str:
    return html(plain(value))


def plain(value: Any) -> str:
    """Return a setting as text: ``adam (lr 0.002)``."""
    if isinstance(value, Mapping):
        if len(value) == 1 and isinstance(inside := next(iter(value.values())), Mapping):
            told = ", ".join(f"{key} {plain(each)}" for key, each in inside.items() if _tells(each))
            return f"{next(iter(value))} ({told})" if told else str(next(iter(value)))
        return ", ".join(f"{key} {plain(each)}" for key, each in value.items() if _tells(each))
    if isinstance(value, list):
        return f"[{', '.join(map(plain, value))}]"
    return f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)


def _number(value: float | None) -> str:
    return "" if value is None else score(value)


def duration(seconds: float) -> str:
    """Return a time in seconds as text: ``3 min 02 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _tells(value: Any) -> bool:
    """Return whether a setting is set to something."""
    return value is not None and value is not False and value != [] and value != {}
