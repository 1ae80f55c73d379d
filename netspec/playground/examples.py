"""The examples that the page offers: specs to start from, the zoo, and those of the reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from netspec import zoo
from netspec.reference.examples.complete import complete
from netspec.reference.registry import SECTIONS, Section
from netspec.reference.word import Word
from netspec.spec import Spec
from netspec.starts import KINDS, start

Json = dict[str, Any]


def examples() -> list[Json]:
    """Return the examples by group; each has a name, a line on what it is, and its text."""
    zoo_entries = [_of_zoo(path.stem) for path in zoo.files()]
    groups = [_group("Start here", [_start(kind) for kind in KINDS]), _group("Zoo", zoo_entries)]
    return [*groups, *(_group(section.title, [*_of_section(section)]) for section in SECTIONS if _is_shown(section))]


def _group(title: str, items: list[Json]) -> Json:
    return {"title": title, "items": items}


def _start(kind: str) -> Json:
    return {"name": kind, "doc": KINDS[kind], "text": start(kind, "spec.yaml", kind)}


def _of_zoo(name: str) -> Json:
    from netspec.pipeline import load_spec

    loaded = load_spec(name)
    spec: Spec = loaded.spec
    variants = [each for each in spec.variants if each != name]
    return {"name": name, "doc": _first_line(spec.doc), "text": loaded.source.text, "variants": variants}


def _is_shown(section: Section) -> bool:
    """Return whether a section's words have specs that a page can show: those of diagnostics are wrong on purpose."""
    return section.kind in ("structure", "op", "block", "loss", "optimizer", "schedule", "transform", "initialisation")


def _of_section(section: Section) -> Iterator[Json]:
    for each in section.names():
        word = section.entry(*each)
        if word.examples:
            yield {"name": word.name, "doc": _summary(word), "text": _whole(word)}


def _whole(word: Word) -> str:
    """Return a word's first example as a whole spec, with the keys that every spec needs above it."""
    text = complete(word.examples[0])
    for key in ("netspec: 1\n", "name: net\n"):
        text = text.replace(key, "", 1)
    return f"# {word.name}: {_summary(word)}\nnetspec: 1\nname: {word.name}\n{text.rstrip()}\n"


def _summary(word: Word) -> str:
    """Return the first sentence of a word's text, without marks of Markdown."""
    sentence = re.split(r"(?<=[.:])\s", _first_line(word.doc))[0].rstrip(".:")
    return re.sub(r"[`*\\]", "", sentence)


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0]
