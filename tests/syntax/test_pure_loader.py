"""PyYAML's parser in Python reads what LibYAML reads: the same trees with the same spans, and the same faults.

``NETSPEC_MANY=50 pytest tests/test_pure_loader.py`` compares fifty times as many texts.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from places import CASES as ALL_CASES
from test_loader_properties import FRAGMENTS

from netspec.diagnostics import Report, Source
from netspec.syntax import ListNode, MapNode, ScalarNode, parse, reader
from netspec.syntax.pure import PureLoader
from netspec.zoo import files

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
CASES = sorted(ALL_CASES.rglob("*.yaml"))
ZOO = [path.read_text(encoding="utf-8") for path in files()]
PIECES = [
    *FRAGMENTS,
    *("mask?", "[a, b?]", "{a?: 1}", "[?a]", "[? a]", "[a ?b]", "{a: ?b}", "[a:]", "{a:b}", "[a: ]", "[:a]", "a:b"),
    *("|", ">", "|#\n", "|0\n", ">1-# a\n b\n", "|\n a\n", "|2-\n   a\n", "> a\n", ">\n a\n  b\n\n c\n", "|# c\n"),
    *("!", "!a", "!!", "! ", "!<a>", "!a%20", "!a!b", "!a,", "!<a[b]>", "&a", "*a b", "&a-b", "&é"),
    *("'", '"', "''", '"\\\n"', '"a\n b"', "'a\n\n b'", '"\\ud800"', '"\\ud83d\\ude00"', '"\\\\ud800"'),
    *(
        '"\\U00110000"',
        '"\\x1"',
        "a#b",
        "a #b",
        "[a,#b]",
        "...\n%YAML 1.3\n---\n",
        "...\n%FOO\n---\n",
        "--- a",
        "...\n",
    ),
    *("\u3000", "\u00a0", "\ufeff", "\u2028", "\x85", "\t", "\r\n", "\r", "a:\tb", "\\", "@", "`", "%", "~"),
]
NAMED = (
    "inputs: [input, mask?]",
    "a: |# a comment\n  text\n",
    "a: [b:c, d: , {e: }]",
    "a: {b:}",
    "a: [!x, b]",
    "a:\tb",
    "%YAML 1.3\n---\na: 1",
    "a: 1\n...\n%YAML 1.3\n---\nb: 1",
    "\ufeffa: 1",
    "a: b\x85c: d",
    "a: b\u2028c",
    'a: "b\u2029c"',
    "a: [b#c, 'd'#e]",
    "a: 'b'#c",
    '- "\\ud800"',
    '- "\\U00110000"',
    "-\n[?a][",
    "[? , 28]",
    "[? : b]",
    "[?]",
    "[? a : b, {? c}, {? : d}, {?}]",
    "a: \U0001f999 b? # \U0001f999\nc: [\U0001f999?, d",
)


def plain(node: Any) -> Any:
    """A tree as lists, with every span."""
    if node is None:
        return None
    span = node.span.line, node.span.column, node.span.end_line, node.span.end_column
    match node:
        case ScalarNode():
            return span, node.text, repr(node.value), node.plain
        case ListNode():
            return span, [plain(item) for item in node.items]
        case MapNode():
            return span, [(plain(key), plain(value)) for key, value in node.entries], node.partial


def read(text: str, loader: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(reader, "_LOADER", loader)
    report = Report()
    tree = plain(parse(Source("spec.yaml", text), report))
    return tree, [(each.id, each.message, each.help, each.primary.span.place) for each in report.diagnostics]


def changed(count: int) -> Iterator[str]:
    """Pieces put together, and parts of the zoo with pieces in them."""
    rng = random.Random(11)
    for _ in range(count):
        if rng.random() < 0.4:
            yield "".join(rng.choices(PIECES, k=rng.randint(1, 8)))
            continue
        lines = rng.choice(ZOO).split("\n")
        start = rng.randint(0, len(lines))
        text = "\n".join(lines[start : start + rng.randint(1, 25)])
        for _ in range(rng.randint(1, 3)):
            place = rng.randint(0, len(text))
            text = text[:place] + rng.choice(PIECES) + text[place + rng.randint(0, 4) :]
        yield text


@pytest.fixture(autouse=True)
def libyaml() -> None:
    if not hasattr(yaml, "CSafeLoader"):
        pytest.skip("PyYAML was built without LibYAML")


def assert_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(text, PureLoader, monkeypatch) == read(text, yaml.CSafeLoader, monkeypatch), text


@pytest.mark.parametrize("text", NAMED)
def test_where_the_two_parsers_differ(text: str, monkeypatch: pytest.MonkeyPatch):
    assert_same(text, monkeypatch)


def test_a_question_mark_ends_no_name(monkeypatch: pytest.MonkeyPatch):
    tree, faults = read("[input, mask?]", PureLoader, monkeypatch)
    assert [item[1] for item in tree[1]] == ["input", "mask?"]
    assert not faults


def test_the_zoo(monkeypatch: pytest.MonkeyPatch):
    for text in ZOO if MANY > 1 else sorted(ZOO, key=len)[:20]:
        assert_same(text, monkeypatch)


def test_the_cases(monkeypatch: pytest.MonkeyPatch):
    for path in CASES if MANY > 1 else random.Random(3).sample(CASES, min(25, len(CASES))):
        assert_same(path.read_text(encoding="utf-8", errors="replace"), monkeypatch)


def test_changed_texts(monkeypatch: pytest.MonkeyPatch):
    for text in changed(900 * MANY):
        assert_same(text, monkeypatch)
