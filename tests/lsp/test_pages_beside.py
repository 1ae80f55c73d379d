"""The answers to netspec's own extensions of editors: sums, pages beside the text, checks of saved files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsp.client import URI, Client
from places import ROOT

pytest.importorskip("pygls")

SPEC = """\
netspec: 1
name: small
params: {width: 8}
dims: {N: 1}
inputs: {image: [N, 3, 16, 16]}
network:
  - conv2d: {out_channels: width, kernel_size: 3}
  - relu
outputs: {features: prev}
variants:
  wide: {width: 80}
"""
BROKEN = SPEC.replace("kernel_size: 3", "kernel_size: 30")
EXPECTED = SPEC + "expect: {params: 1}\n"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    made = Client()
    yield made
    assert made.close() == 0


def ask(client: Client, what: str, **more: Any) -> Any:
    return client.ask(f"netspec/{what}", {"document": URI, **more})


def fault_of(client: Client, what: str, params: Any) -> str:
    """Return the server's message on a request that it refuses."""
    with pytest.raises(AssertionError) as found:
        client.ask(what, params)
    return str(found.value)


def test_the_sum_has_the_size_of_the_network_and_of_a_variant(client):
    client.open(SPEC)
    assert ask(client, "summary") == {
        "sound": True,
        "errors": 0,
        "variants": ["wide"],
        "defaults": True,
        "name": "small",
        "params": "224",
        "macs": "42.3k",
    }
    assert ask(client, "summary", variant="wide")["params"] == "2.24k"
    assert ask(client, "summary", variant="unknown")["sound"] is False


def test_a_broken_text_keeps_the_sum_and_counts_its_errors(client):
    client.open(SPEC)
    client.edit(BROKEN)
    found = ask(client, "summary")
    assert (found["params"], found["errors"]) == ("224", 1)


def test_the_explorer_is_given_once_a_version(client):
    client.open(SPEC)
    first = ask(client, "explorer")
    assert first["fault"] == ""
    assert f'data-version="{first["version"]}"' in first["page"]
    assert "acquireVsCodeApi" in first["page"]
    again = ask(client, "explorer", shown=first["version"])
    assert again == {"version": first["version"], "page": None, "fault": ""}
    client.edit(SPEC.replace("relu", "gelu"))
    after = ask(client, "explorer", shown=first["version"])
    assert after["version"] != first["version"]
    assert '"gelu"' in after["page"]


def test_a_variant_has_a_page_of_its_own(client):
    client.open(SPEC)
    defaults, wide = ask(client, "explorer"), ask(client, "explorer", variant="wide")
    assert defaults["version"] != wide["version"]
    assert '"name":"wide"' in wide["page"]


def test_the_page_of_a_broken_text_stays_with_the_fault(client):
    client.open(SPEC)
    shown = ask(client, "explorer")["version"]
    client.edit(BROKEN)
    found = ask(client, "explorer", shown=shown)
    assert (found["version"], found["page"]) == (shown, None)
    assert found["fault"].startswith("error[")


def test_a_text_that_never_was_sound_has_a_page_that_waits(client):
    uri = "file:///nets/never.yaml"
    client.open("netspec: 1\nname: never\n", uri)
    found = client.ask("netspec/explorer", {"document": uri, "variant": None, "shown": None})
    assert 'class="waiting"' in found["page"]
    assert "error[" in found["fault"]


def test_expectations_that_fail_hide_no_network(client):
    client.open(EXPECTED)
    found = ask(client, "explorer")
    assert '"conv2d"' in found["page"]
    assert "error[" in found["fault"]


def test_the_policy_of_the_page_lets_nothing_be_loaded(client):
    client.open(SPEC)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', ask(client, "explorer")["page"])
    assert policy is not None
    assert "connect-src" not in policy[1]
    assert policy[1].startswith("default-src 'none'")


def test_the_diagram_is_svg(client):
    client.open(SPEC)
    found = ask(client, "diagram")
    assert found["problem"] is None
    assert "<svg" in found["svg"]
    assert "conv2d" in found["svg"]


def test_a_diagram_without_a_network_tells_why(client):
    uri = "file:///nets/never.yaml"
    client.open("netspec: 1\n", uri)
    found = client.ask("netspec/diagram", {"document": uri})
    assert found == {"svg": None, "problem": "The diagram is shown as soon as the spec is right."}


def test_a_saved_file_is_checked_without_being_open(client, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text(SPEC.replace("conv2d", "conv9d"), encoding="utf-8")
    found = client.ask("netspec/check", {"document": path.as_uri()})
    assert [(each["range"]["start"]["line"], "conv9d" in each["message"]) for each in found] == [(6, True)]
    assert client.ask("netspec/check", {"document": (ROOT / "specs" / "lenet.yaml").as_uri()}) == []


def test_a_file_that_is_no_text_is_told(client, tmp_path):
    path = tmp_path / "bytes.yaml"
    path.write_bytes(b"netspec: 1\nname: \xff\n")
    (found,) = client.ask("netspec/check", {"document": path.as_uri()})
    assert found["code"] == "yaml-encoding"


def test_wrong_parameters_are_answered(client, tmp_path):
    assert "`document` is a text" in fault_of(client, "netspec/summary", None)
    assert "`document` is a text" in fault_of(client, "netspec/explorer", {"document": 3})
    assert "`variant` is a text" in fault_of(client, "netspec/diagram", {"document": URI, "variant": 1})
    missing = Path(tmp_path / "missing.yaml").as_uri()
    assert "no such file" in fault_of(client, "netspec/check", {"document": missing})


def test_a_document_that_is_not_open_has_no_pages(client):
    for what in ("summary", "explorer", "diagram"):
        assert client.ask(f"netspec/{what}", {"document": "file:///nets/closed.yaml"}) is None
