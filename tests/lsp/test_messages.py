"""Whatever comes in on stdin: it gets the answer that the protocol has for it, and the next message is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("pygls")

from lsp.client import Client

SPEC = "netspec: 1\nname: net\ninputs: {x: [N, 2]}\nnetwork:\n  - linear: 2\n  - relu\n"
URI = "file:///nets/net.yaml"
HOVER, COMPLETION = "textDocument/hover", "textDocument/completion"
AT = {"textDocument": {"uri": URI}, "position": {"line": 4, "character": 5}}
PARSE, REQUEST, METHOD, PARAMS, CANCELLED = -32700, -32600, -32601, -32602, -32800


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    made = Client()
    made.open(SPEC, URI)
    yield made
    assert made.close() == 0


def send(client: Client, *bodies: bytes, header: bytes = b"Content-Length: %d\r\n\r\n") -> None:
    assert client.server.stdin is not None
    for body in bodies:
        client.server.stdin.write((header % len(body) if b"%d" in header else header) + body)
    client.server.stdin.flush()


def answers(client: Client) -> list[Any]:
    """What has been answered before a request that is in order is."""
    client._send({"id": "last", "method": HOVER, "params": AT})
    found: list[Any] = []
    while True:
        message = client._next()
        if message.get("id") == "last":
            assert "linear" in message["result"]["contents"]["value"]
            return found
        if "method" not in message:
            found.append(message)


def request(method: Any, params: Any = None, **others: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params, **others}).encode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        *((body, PARSE) for body in (b"{nonsense", b'{"jsonrpc": "2.0", "method": "\xff"}', b"[" * 100_000)),
        *((body, REQUEST) for body in (b"[]", b"5", b"null", b'"a"', b"{}", b'{"jsonrpc": "2.0"}')),
        (request(5), REQUEST),
        (request(HOVER, AT, jsonrpc="1.0"), REQUEST),
        (request(HOVER, AT, id={"a": 1}), REQUEST),
        (request(HOVER, AT, id=[1]), REQUEST),
        (request(HOVER, AT, id=True), REQUEST),
        (request("initialize", {"capabilities": {}}), REQUEST),
        (request("no/such"), METHOD),
        (request(HOVER), PARAMS),
        (request(HOVER, [1]), PARAMS),
        (request(HOVER, {**AT, "position": None}), PARAMS),
        *((request(HOVER, {**AT, "position": {"line": at, "character": 0}}), PARAMS) for at in (-1, "a", 10**20)),
    ],
)
def test_what_cannot_be_taken_is_refused(client: Client, body: bytes, code: int):
    send(client, body)
    (found,) = answers(client)
    assert found["error"]["code"] == code
    assert "traceback" not in json.dumps(found)


@pytest.mark.parametrize(
    "message",
    [
        {"id": 99, "result": 1},
        {"id": 98, "error": {"code": 1, "message": "no"}},
        {"id": 98, "error": 5},
        {"id": 97},
        {"method": "no/such"},
        {"method": "$/cancelRequest", "params": {"id": 12345}},
        {"method": "$/cancelRequest", "params": 5},
        {"method": "textDocument/didClose", "params": {"textDocument": {"uri": "file:///none.yaml"}}},
        {"method": "textDocument/didSave", "params": {"textDocument": {"uri": "file:///none.yaml"}}},
        {"method": "textDocument/didChange", "params": {"textDocument": {"uri": URI}, "contentChanges": 5}},
        {
            "method": "textDocument/didChange",
            "params": {"textDocument": {"uri": "file:///none.yaml", "version": 2}, "contentChanges": [{"text": "a"}]},
        },
    ],
)
def test_what_asks_for_nothing_is_passed_over(client: Client, message: dict[str, Any]):
    client._send(message)
    assert answers(client) == []


@pytest.mark.parametrize(
    "uri", ["file:///none.yaml", "file:///", "file:///bin/sh", "untitled:One", "http://[::1/x", "::\0"]
)
def test_of_a_document_that_is_not_open_nothing_is_known(client: Client, uri: str):
    asked = {**AT, "textDocument": {"uri": uri}}
    assert client.ask(HOVER, asked) is None
    assert client.ask(COMPLETION, asked)["items"] == []
    assert client.ask("textDocument/definition", asked) is None
    span = {"start": {"line": 0, "character": 0}, "end": {"line": 9, "character": 0}}
    assert client.ask("textDocument/inlayHint", {"textDocument": {"uri": uri}, "range": span}) == []


def test_beyond_the_text_there_is_nothing(client: Client):
    far = {**AT, "position": {"line": 10**6, "character": 10**6}}
    assert client.ask(HOVER, far) is None
    client.ask(COMPLETION, far)


def test_a_cancelled_request_is_answered_once(client: Client):
    other = "file:///nets/other.yaml"
    document = {"uri": other, "languageId": "yaml", "version": 1, "text": SPEC}
    client._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
    send(client, request(HOVER, {**AT, "textDocument": {"uri": other}}))
    client._send({"method": "$/cancelRequest", "params": {"id": 7}})
    client._send({"method": "textDocument/didClose", "params": {"textDocument": {"uri": other}}})
    (found,) = answers(client)
    assert found["id"] == 7
    assert "result" in found or found["error"]["code"] == CANCELLED


def test_frames(client: Client):
    send(client, request("no/such"), header=b"content-length:%d\r\nX: y\r\n\r\n")
    send(client, b"", header=b"Content-Length: many\r\n\r\nnothing\r\n\r\n")
    (found,) = answers(client)
    assert found["error"]["code"] == METHOD
