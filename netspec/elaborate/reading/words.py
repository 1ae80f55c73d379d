"""The words in what is written: all that a part of a spec might name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netspec.spec import CallStep, Form
from netspec.syntax import ListNode, MapNode, ScalarNode

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def words_in(item: Any) -> Iterator[str]:
    """Yield every word in a form, a step or a node, each as often as it stands there."""
    for text in texts_in(item):
        yield from WORD.findall(text)


def texts_in(item: Any) -> Iterator[str]:
    """Every text in a form, a step or a node."""
    match item:
        case ScalarNode():
            yield item.text
        case ListNode():
            yield from _each(item.items)
        case MapNode():
            yield from _each(part for entry in item.entries for part in entry)
        case CallStep():
            yield from _each((item.key, item.main, item.name, item.state_key, item.source, item.freeze, item.init))
            yield from _each(part for entry in item.arguments.values() for part in entry)
        case Form():
            yield from _each(vars(item).values())
        case Mapping():
            yield from item
            yield from _each(item.values())
        case tuple() | list():
            yield from _each(item)
        case str():
            yield item
        case _ if hasattr(item, "default"):  # a declared parameter
            yield from _each((item.default, item.spec))


def _each(items: Iterable[Any]) -> Iterator[str]:
    for item in items:
        yield from texts_in(item)
