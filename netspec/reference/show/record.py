"""The meanings of a word as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from netspec.reference.registry import SECTIONS
from netspec.reference.show.types import type_text
from netspec.reference.word import Json, Word, WordArgument


def words_json(words: Sequence[Word]) -> str:
    """Return a list with a record for each meaning."""
    return _json([_record(word) for word in words])


def index_json() -> str:
    """Return the names of all words by kind and group."""
    made: dict[str, dict[str, list[str]]] = {}
    for section in SECTIONS:
        for group, names in section.groups().items():
            made.setdefault(section.kind, {}).setdefault(group, []).extend(names)
    return _json(made)


def _record(word: Word) -> Json:
    record: Json = {
        "name": word.name,
        "kind": word.kind,
        "group": word.group,
        "doc": word.doc,
        "place": word.place,
        "arguments": [_argument(argument) for argument in word.arguments],
        "details": dict(word.details),
        "examples": list(word.examples),
        "related": list(word.related),
    }
    return record if word.holds is None else {**record, "takes": type_text(word.holds)}


def _argument(argument: WordArgument) -> Json:
    made: Json = {"name": argument.name, "doc": argument.doc, "takes": type_text(argument.holds)}
    made |= {"required": argument.required, "main": argument.main}
    return made | ({"default": argument.holds["default"]} if "default" in argument.holds else {})


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
