"""A word of the language, with everything there is to say about it; and an argument of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from netspec.dataclass import dataclass

Json = dict[str, Any]

Kind = Literal[
    "structure",
    "op",
    "block",
    "key",
    "loss",
    "optimizer",
    "schedule",
    "data",
    "transform",
    "metric",
    "initialisation",
    "type",
    "function",
    "expression word",
    "diagnostic",
    "column",
    "argument",
    "value",
]

KIND_TITLES: Mapping[str, str] = {
    "data": "data set",
    "expression word": "word of expressions",
    "column": "column of the shape table",
}
"""The kinds that a reader knows by another name."""


@dataclass(frozen=True, slots=True)
class WordArgument:
    """An argument of an op, a block or an ingredient, or a key of a form.

    ``holds`` is the JSON Schema of its value, with its default where it has one; wherever a value may be computed, an
    expression may stand in its place, which ``holds`` need not say. ``main`` marks the argument that a value by itself
    is taken for, ``reads`` an input: a step's name.
    """

    name: str
    doc: str
    holds: Json
    required: bool = False
    main: bool = False
    reads: bool = False

    @property
    def default(self) -> str | None:
        """Its default as YAML writes it; ``None`` where it has none, or null."""
        value = self.holds.get("default")
        if value is None:
            return None
        return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Word:
    """One meaning of a word.

    ``group`` is the family of an op, or the form that a key belongs to; ``doc`` is Markdown; ``place`` says where the
    word is written; ``examples`` are specs in YAML, but for the keys that every spec needs; ``details`` are further
    facts, each with a title; ``related`` are other words; ``holds`` is the schema of a key's value.
    """

    name: str
    kind: Kind
    doc: str
    group: str = ""
    place: str = ""
    arguments: tuple[WordArgument, ...] = ()
    details: tuple[tuple[str, str], ...] = ()
    examples: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    holds: Json | None = None

    @property
    def kind_title(self) -> str:
        """Its kind as a reader knows it: `data set` rather than `data`."""
        return KIND_TITLES.get(self.kind, self.kind)

    @property
    def summary(self) -> str:
        """The first line of its documentation, without marks of Markdown."""
        return self.doc.strip().split("\n")[0].replace("`", "")
