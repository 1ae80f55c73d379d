"""Repairs: what a message names in the place of a wrong word is what the editor puts there, and the error is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lsp.client import URI, Client
from places import CASES

from netspec.lsp.document import analyse
from netspec.lsp.extras.repairs import MEANT, Repair, repair_of

pytest.importorskip("pygls")

SPEC = """\
netspec: 1
name: small
params: {width: 8}
inputs: {"image": [N, 3, 16, 16]}
network:
  - conv2d: {out_channels: widht, kernal_size: 3}
  - 'relue'
  - linear: {name: 🦙, out_features: 3}
"""
WITH_REPAIR = [
    path.with_suffix(".yaml") for path in sorted(CASES.glob("*/*.txt")) if "help: did you mean" in path.read_text()
]
"""The cases whose messages name a word."""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    made = Client()
    yield made
    assert made.close() == 0


def mended(text: str, repair: Repair) -> str:
    """Return a text with the repair done."""
    lines = text.split("\n")
    line, span = lines[repair.span.line - 1], repair.span
    lines[span.line - 1] = line[: span.column - 1] + repair.word + line[span.end_column - 1 :]
    return "\n".join(lines)


@pytest.mark.parametrize("path", WITH_REPAIR, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_repair_mends_its_error(path: Path):
    text = path.read_text(encoding="utf-8")
    name = str(path)
    repairable = [each for each in analyse(name, text).diagnostics if MEANT.fullmatch(each.help or "")]
    found = [repair for each in repairable if each.primary.span.source.name == name and (repair := repair_of(each))]
    for repair in found:
        after = analyse(name, mended(text, repair)).diagnostics
        assert (repair.of.id, repair.of.message) not in [(each.id, each.message) for each in after]


def test_most_messages_that_name_a_word_have_a_repair():
    found = [each for path in WITH_REPAIR for each in analyse(str(path), path.read_text(encoding="utf-8")).diagnostics]
    named = [each for each in found if MEANT.fullmatch(each.help or "")]
    assert named
    without = [each.message for each in named if repair_of(each) is None]
    assert len(without) <= len(named) // 10, without


def asked(client: Client, line: int) -> list[tuple[str, str, int, int]]:
    """Return the actions on a line, counted from 0: title, new text, and the columns of the old one."""
    at = {"start": {"line": line, "character": 0}, "end": {"line": line, "character": 0}}
    params = {"textDocument": {"uri": URI}, "range": at, "context": {"diagnostics": []}}
    found = []
    for action in client.ask("textDocument/codeAction", params):
        (edit,) = action["edit"]["changes"][URI]
        assert action["kind"] == "quickfix"
        assert action["diagnostics"][0]["range"]["start"]["line"] == line
        columns = edit["range"]["start"]["character"], edit["range"]["end"]["character"]
        found.append((action["title"], edit["newText"], *columns))
    return found


def test_the_editor_is_offered_the_repairs_of_a_line(client):
    client.open(SPEC)
    assert asked(client, 6) == [("Change to `relu`", "relu", 5, 10)]
    assert asked(client, 3) == []
    assert asked(client, 5) == [
        ("Change to `width`", "width", 27, 32),
        ("Change to `kernel_size`", "kernel_size", 34, 45),
    ]


def test_a_text_that_has_changed_since_has_none_until_it_is_checked(client):
    client.open(SPEC)
    client.change(SPEC.replace("relue", "gelu"))
    assert asked(client, 6) == []
    client.diagnostics()
    assert asked(client, 6) == []
