"""The pages of the diagnostics: what each means, what netspec says of a wrong spec, and the spec made right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import chdir
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from netspec.checks.check import check_loaded
from netspec.diagnostics import SpecError
from netspec.diagnostics.catalogue import CATALOGUE, PHASES, Explanation, complete
from netspec.diagnostics.text import render_all
from netspec.pipeline import load_spec
from netspec.text.quoting import visible
from sitemaker.page import Page, fence, link, messages, prose
from sitemaker.samples import whole
from sitemaker.words import DIAGNOSTICS, linked

INTRODUCTION = """\
Every error and warning has an id that stays, which stands in brackets before the message. `netspec explain ID` prints
what stands here. Warnings (`unused-…`, `missing-data`) become errors with `--strict`, and a comment,
`# netspec: ignore[unused-step]`, silences one at its line.
"""
CASES = Path(__file__).resolve().parents[2] / "tests" / "cases"
"""The failing specs of the tests, each with the text that it gets."""
MOST = 900
"""A longer text of one is not shown."""
LONGEST = 1500
"""A longer wrong spec is one whose size is its mistake, which nobody reads."""


def diagnostic_pages() -> Iterator[Page]:
    """Give the list of all ids by phase, and a page for each."""
    index = f"{DIAGNOSTICS}/index.md"
    lines = [INTRODUCTION]
    for phase, entries in PHASES.items():
        lines += [f"## {phase}", ""]
        lines += [
            f"- {link(index, f'{DIAGNOSTICS}/{id}.md', f'`{id}`')} – {prose(entry.what)}"
            for id, entry in entries.items()
        ]
        lines += [""]
    yield Page(index, "Diagnostics", "\n".join(lines))
    for phase, entries in PHASES.items():
        for id, entry in entries.items():
            yield _page(phase, id, entry)


def _page(phase: str, id: str, entry: Explanation) -> Page:
    path = f"{DIAGNOSTICS}/{id}.md"
    parts = [f"{prose(entry.what)} {prose(entry.why)}", "", "## Wrong", "", _wrong(entry)]
    parts += [messages(said(entry), "netspec check net.yaml"), "## Right", "", _right(entry)]
    parts += [*_case(id)]
    others = [each for each in PHASES[phase] if each != id]
    near = sorted(others, key=lambda other: abs([*CATALOGUE].index(other) - [*CATALOGUE].index(id)))[:6]
    parts += [f"See also {linked(path, near)}.", ""]
    return Page(path, id, "\n".join(parts), phase, entry.what)


def _case(id: str) -> Iterator[str]:
    """Another wrong spec: the shortest of the tests' cases that is told nothing else, with what it is told."""
    failing = [path for path in sorted(CASES.glob("*/*.yaml")) if path.parent.name != "passing"]
    found = [path for path in failing if _ids(path.with_suffix(".txt")) == [id] and _text(path)]
    if found:
        spec = min(found, key=lambda path: len(_text(path)))
        yield "## Another one\n"
        yield fence(_text(spec), title=spec.name)
        yield messages(_text(spec.with_suffix(".txt")), f"netspec check {spec.name}")


def _ids(path: Path) -> list[str]:
    return re.findall(r"^(?:error|warning)\[([a-z-]+)\]", _text(path), re.MULTILINE)


@cache
def _text(path: Path) -> str:
    """A short text that can be shown as it is; nothing of others."""
    text = path.read_bytes().decode(errors="replace")
    is_plain = text.replace("\n", "").isprintable() and "\N{REPLACEMENT CHARACTER}" not in text
    return text if is_plain and len(text) < MOST else ""


def _wrong(entry: Explanation) -> str:
    others = [fence(text, title=name) for name, text in entry.beside]
    notes = []
    if entry.encoding != "utf-8":
        notes.append(f"The file is saved as `{entry.encoding}`.\n")
    if entry.repeated > 1:
        notes.append(f"The last line stands there {entry.repeated:,} times.\n")
    text = _wrong_text(entry)
    if len(text) > LONGEST:
        begins = fence(visible(text[:200], "\n"), "text")
        return f"A file of {len(text):,} characters, which begins so:\n\n{begins}"
    return "\n".join([*others, fence(visible(text, "\n"), title="net.yaml"), *notes])


def _right(entry: Explanation) -> str:
    return fence(visible(whole(complete(entry.right)), "\n"), title="net.yaml")


def _wrong_text(entry: Explanation) -> str:
    """The wrong spec as a file; what stands there many times, once."""
    if entry.whole:
        return entry.wrong + "\n"
    return entry.wrong if entry.repeated > 1 else whole(complete(entry.wrong))


def said(entry: Explanation) -> str:
    """Return what ``netspec check`` says of an entry's wrong spec."""
    with TemporaryDirectory() as folder, chdir(folder):
        for name, text in entry.beside:
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(text, encoding="utf-8")
        text = complete(entry.wrong, entry.repeated) if entry.repeated > 1 else _wrong_text(entry)
        Path("net.yaml").write_bytes(text.encode(entry.encoding))
        try:
            checked = check_loaded(load_spec(Path("net.yaml")))
            told = render_all(checked.diagnostics or checked.warnings, checked.more)
        except SpecError as found:
            told = str(found)
        return re.sub(re.escape(folder), "", told)
