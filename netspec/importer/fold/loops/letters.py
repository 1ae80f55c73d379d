"""The indices of loops: ``i`` outside, ``j`` inside, as a person calls them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from netspec.importer.write.phrases import (
    CallPhrase,
    Formula,
    GroupPhrase,
    IfPhrase,
    LoopPhrase,
    NumberedName,
    ParallelPhrase,
    Phrase,
    ResidualPhrase,
    ScanPhrase,
    SidePhrase,
    SpecPhrase,
    StepLabel,
)

LETTERS = "ijklmnopq"
INDEX = re.compile(r"\bindex\d+\b")


def choose_letters(spec: SpecPhrase) -> None:
    """Give each loop's index the letter of its depth."""
    for block in spec.blocks:
        _Letters({*block.params}).body(block.body, {})
    _Letters({*spec.params}).body(spec.body, {})


class _Letters:
    def __init__(self, taken: set[str]):
        self.letters = [letter for letter in LETTERS if letter not in taken]

    def body(self, body: Sequence[Phrase], known: Mapping[str, str]) -> None:
        for phrase in body:
            self.phrase(phrase, known)

    def phrase(self, phrase: Phrase, known: Mapping[str, str]) -> None:
        phrase.name, phrase.place = _relabelled(phrase.name, known), _relabelled(phrase.place, known)
        if isinstance(phrase, CallPhrase):
            phrase.arguments = {name: _renamed(value, known) for name, value in phrase.arguments.items()}
        elif isinstance(phrase, LoopPhrase):
            phrase.count = _renamed(phrase.count, known)
            phrase.columns = {name: _renamed(value, known) for name, value in phrase.columns.items()}
            letter = self.letters[min(len(known), len(self.letters) - 1)]
            inner = {**known, phrase.index: letter}
            phrase.index = letter
            self.body(phrase.body, inner)
        elif isinstance(phrase, ResidualPhrase):
            self.body([*phrase.body, *phrase.other, *([phrase.drop] if phrase.drop else [])], known)
        elif isinstance(phrase, ParallelPhrase):
            for branch in phrase.branches:
                self.body(branch.body, known)
        elif isinstance(phrase, (SidePhrase, GroupPhrase, ScanPhrase, IfPhrase)):
            if isinstance(phrase, IfPhrase):
                phrase.has = _renamed(phrase.has, known)
            self.body(phrase.body, known)


def _relabelled(name: StepLabel, known: Mapping[str, str]) -> StepLabel:
    return name._replace(letter=known.get(name.letter, name.letter)) if isinstance(name, NumberedName) else name


def _renamed(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, Formula):
        return Formula(INDEX.sub(lambda match: known.get(match[0], match[0]), value))
    return tuple(_renamed(item, known) for item in value) if isinstance(value, tuple) else value
