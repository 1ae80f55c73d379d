"""YAML that is written for something else: an editor may hand it to the server, which leaves it alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lsp.client import Client

pytest.importorskip("pygls")

WORKFLOW = "name: tests\non: push\njobs: {}\n"
SPEC = "name: it\nnetspec: 1\ninputs: {x: [N, 4]}\nnetwork:\n  - relu\n"
EMPTY = "# nothing yet\n"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    made = Client()
    yield made
    assert made.close() == 0


def told(client: Client, uri: str) -> list[Any]:
    """Return all diagnostics that the server has published of a document so far."""
    client.at("hover", 0, 0, uri)  # an answer, behind which nothing of before is under way
    return [each["params"]["diagnostics"] for each in client.notes if each.get("params", {}).get("uri") == uri]


def put(client: Client, text: str, uri: str, language: str = "yaml") -> None:
    client.version += 1
    item = {"uri": uri, "languageId": language, "version": client.version, "text": text}
    client.tell("textDocument/didOpen", {"textDocument": item})


def test_a_workflow_has_no_diagnostics_and_is_offered_nothing(client):
    uri = "file:///repo/.github/workflows/tests.yaml"
    put(client, WORKFLOW, uri)
    assert client.at("completion", 0, 0, uri)["items"] == []
    assert client.hints(uri=uri) == {}
    assert told(client, uri) == []


def test_the_key_may_stand_anywhere_at_the_top(client):
    uri = "file:///nets/it.yaml"
    assert client.open(SPEC, uri) == []
    assert client.hints(uri=uri) == {4: "→ [N, 4]"}


def test_what_has_no_key_yet_may_become_a_spec(client):
    uri = "file:///nets/empty.yaml"
    put(client, EMPTY, uri)
    offered = {each["label"] for each in client.at("completion", 1, 0, uri)["items"]}
    assert "netspec" in offered


def test_a_name_of_a_spec_or_its_language_says_enough(client):
    for uri, language in [("file:///nets/workflow.net.yaml", "yaml"), ("file:///nets/workflow.yaml", "netspec")]:
        put(client, WORKFLOW, uri, language)
        assert client.diagnostics(uri) != []


def test_diagnostics_go_when_a_spec_becomes_something_else(client):
    uri = "file:///nets/becomes.yaml"
    assert client.open(SPEC.replace("relu", "relue"), uri) != []
    client.change(WORKFLOW, uri)
    assert told(client, uri)[-1] == []
    assert client.edit(SPEC, uri) == []
