"""What an editor is told of a text, without the server around it."""

from __future__ import annotations

import pytest

from netspec.lsp import document
from netspec.lsp.completion import complete
from netspec.lsp.definition import definition
from netspec.lsp.hover import hover
from netspec.reference.registry import find

SOUND = "netspec: 1\nname: net\ninputs: {image: [N, 3, 32, 32]}\nnetwork: [relu]\n"


def test_a_bug_is_told_as_one_and_keeps_the_last_graphs(monkeypatch: pytest.MonkeyPatch):
    before = document.analyse("net.yaml", SOUND)
    assert before.diagnostics == ()
    assert before.fresh

    def fails(loaded: object) -> None:
        raise ZeroDivisionError("by a bug")

    monkeypatch.setattr(document, "check_loaded", fails)
    after = document.analyse("net.yaml", SOUND + "# more\n", before)
    (told,) = after.diagnostics
    assert told.id == "internal"
    assert told.message == "a bug in netspec, not in your spec: ZeroDivisionError: by a bug"
    assert told.primary.span.place == "net.yaml:1:1"
    assert after.built is before.built


TRAINED = """
train:
  data: {csv: {path: houses.csv, target: price}}
  augment: [horizontal_flip]
  loss: {output: {mse: {scale: 0.5}}}
  metrics: [r2, mae]
  optimizer: {adam: {lr: 0.01, beta: 2}}
  epochs: 3
"""


def hovered(word: str) -> str | None:
    text = SOUND + TRAINED
    analysed = document.analyse("net.yaml", text)
    (line,) = (number for number, written in enumerate(text.split("\n"), 1) if word in written)
    return hover(analysed, line, text.split("\n")[line - 1].index(word) + 1)


@pytest.mark.parametrize(("kind", "name"), [("loss", "mse"), ("optimizer", "adam"), ("metric", "r2"), ("data", "csv")])
def test_hover_explains_an_ingredient_as_help_does(kind: str, name: str):
    (entry,) = (word for word in find(name) if word.kind == kind)
    text = hovered(name)
    assert text is not None
    assert text.startswith(f"**{name}** · {entry.doc}")
    assert all(f"- `{argument.name}` " in text for argument in entry.arguments)


def test_hover_explains_an_argument_of_an_ingredient_and_a_key_of_train():
    assert hovered("lr") == "`lr` of `adam` (default `0.001`): the learning rate"
    assert hovered("scale") == f"`scale` of `mse` (default `1.0`): {find('mse')[0].arguments[0].doc}"
    assert str(hovered("horizontal_flip")).startswith("**horizontal_flip**")
    assert str(hovered("epochs")).startswith("`epochs`: how often the network sees all rows")
    assert hovered("beta") is None


PATHS = """netspec: 1
name: net
inputs: {x: [N, 8]}
network:
  - sequential:
      name: body
      body:
        - linear: {name: fc, out_features: 4}
        - sequential: {name: inner, body: [relu: {name: act}]}
  - add: {from: [body.fc, body.inner.act]}
"""


def test_a_path_leads_to_its_step():
    read, line = document.analyse("net.yaml", PATHS), PATHS.split("\n")[9]
    for path, wanted in {"body.fc": 8, "body.inner.act": 9}.items():
        column = line.index(path) + 2
        span = definition(read, 10, column)
        assert span is not None
        assert span.line == wanted
        assert f"line {wanted}" in (hover(read, 10, column) or "")
    items = {item.label for item in complete(read, PATHS, 10, line.index("body.fc") + 1)}
    assert {"body", "body.fc", "body.inner.act", "prev"} <= items
