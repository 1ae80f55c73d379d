"""Words of other networks and files: under `use`, `extends`, `networks` and `import`."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.lsp.completion import complete
from netspec.lsp.definition import definition
from netspec.lsp.document import Document, analyse
from netspec.lsp.hover import hover

BLOCKS = "netspec: 1\nblocks:\n  leaf: {body: [relu]}\n"
TEXT = """\
netspec: 1
name: net
extends: base.yaml
import: {layers: blocks.yaml}
networks:
  inner:
    netspec: 1
    name: inner
    variants: {small: {width: 2}}
    params: {width: 4}
    inputs: {x: [N, D]}
    network:
      - linear: {name: first, out_features: width}
      - linear: {name: second, out_features: 8}
network:
  stem: {out_channels: 16}
  fc:
    - use: {network: resnet18, from: stem, params: {channels: 8}, upto: layer2}
    - use: {name: body, network: resnet, variant: resnet34, without: [fc], outputs: [layer1.0, layer4], from: image}
    - use: {network: inner, outputs: {a: first}, variant: small}
    - layers.leaf
"""
BASE = """\
netspec: 1
name: base
inputs: {image: [N, 3, H, W]}
network:
  - conv2d: {name: stem, out_channels: 8, kernel_size: 3}
  - sequential: {name: body, body: [relu]}
  - linear: {name: fc, out_features: 2}
"""


@pytest.fixture
def read(tmp_path: Path) -> Document:
    (tmp_path / "blocks.yaml").write_text(BLOCKS)
    (tmp_path / "base.yaml").write_text(BASE)
    return analyse(str(tmp_path / "net.yaml"), TEXT)


def place(words: str, of: str) -> tuple[int, int]:
    """The line and the column of a word in the line that holds all of ``words``."""
    (line,) = (number for number, text in enumerate(TEXT.split("\n"), 1) if words in text)
    return line, TEXT.split("\n")[line - 1].index(of) + 2


@pytest.mark.parametrize(
    ("words", "of", "file", "text"),
    [
        ("extends:", "base.yaml", "base.yaml", "netspec: 1"),
        ("import:", "blocks.yaml", "blocks.yaml", "netspec: 1"),
        ("- layers.leaf", "layers.leaf", "blocks.yaml", "leaf: {"),
        ("stem: {out", "stem", "base.yaml", "name: stem"),
        ("network: resnet18", "resnet18", "resnet.yaml", "resnet18:"),
        ("network: resnet18", "channels", "resnet.yaml", "channels: 3"),
        ("upto", "layer2", "resnet.yaml", "layer{i + 1}"),
        ("network: resnet,", "resnet,", "resnet.yaml", "yaml-language-server"),
        ("network: resnet,", "resnet34", "resnet.yaml", "resnet34:"),
        ("network: resnet,", "fc]", "resnet.yaml", "name: fc"),
        ("network: inner", "inner", "net.yaml", "netspec: 1"),
        ("network: inner", "first", "net.yaml", "name: first"),
        ("network: inner", "small", "net.yaml", "small: {"),
    ],
)
def test_a_word_of_another_network_leads_there(read: Document, words: str, of: str, file: str, text: str):
    line, column = place(words, of)
    span = definition(read, line, column)
    assert span is not None
    assert Path(span.source.name).name == file
    assert text in span.source.line(span.line)
    if of not in ("blocks.yaml",):
        assert hover(read, line, column)


def offered(read: Document, line: int, text: str) -> set[str]:
    lines = TEXT.split("\n")[: line - 1]
    return {item.label for item in complete(read, "\n".join([*lines, text]), line, len(text) + 1)}


def test_completion_knows_networks_and_what_is_in_them(read: Document):
    assert {"inner", "resnet18", "unet"} <= offered(read, 3, "extends: ")
    assert {"inner", "resnet18", "unet"} <= offered(read, 18, "    - use: {network: ")
    assert {"fc", "conv1"} <= offered(read, 18, "    - use: {network: resnet18, upto: ")
    assert {"fc", "conv1"} <= offered(read, 18, "    - use: {network: resnet18, without: [")
    assert {"first", "second"} <= offered(read, 18, "    - use: {network: inner, outputs: {low: ")
    assert {"resnet18", "resnet50"} <= offered(read, 18, "    - use: {network: resnet, variant: ")
    assert {"channels", "classes"} <= offered(read, 18, "    - use: {network: resnet18, params: {")
    assert "channels" not in offered(read, 18, "    - use: {network: resnet18, params: {channels: 1, ")
    assert {"stem", "body", "fc"} <= offered(read, 16, "  ")
