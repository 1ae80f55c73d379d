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


def texts_in(item: Any) -> list[str]:
    """Every text in a form, a step or a node."""
    found: list[str] = []
    _collect(item, found)
    return found


def _collect(item: Any, found: list[str]) -> None:
    match item:
        case None | bool() | int() | float():
            pass
        case ScalarNode():
            found.append(item.text)
        case str():
            found.append(item)
        case ListNode():
            _collect_each(item.items, found)
        case MapNode():
            for entry in item.entries:
                _collect_each(entry, found)
        case tuple() | list():
            _collect_each(item, found)
        case CallStep():
            parts = item.key, item.main, item.name, item.state_key, item.source
            _collect_each((*parts, item.freeze, item.init, item.recompute), found)
            for entry in item.arguments.values():
                _collect_each(entry, found)
        case Form():
            _collect_each(vars(item).values(), found)
        case Mapping():
            found.extend(item)
            _collect_each(item.values(), found)
        case _ if hasattr(item, "default"):  # a declared parameter
            _collect_each((item.default, item.spec), found)


def _collect_each(items: Iterable[Any], found: list[str]) -> None:
    for item in items:
        _collect(item, found)
