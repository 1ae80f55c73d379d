"""What an editor is told of a text, without the server around it."""

from __future__ import annotations

import pytest

from netspec.lsp import document

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
