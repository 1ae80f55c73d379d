"""Commented specs to start from, which train as they stand: ``netspec new`` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

KINDS: Mapping[str, str] = {
    "image": "a residual network for images",
    "table": "a network for a table of numbers",
    "text": "a decoder that learns to continue a text",
    "cell": "a recurrent cell of your own, over a sequence",
}
"""The kinds of specs to start from, each in a file beside this one, in which FILE and NAME stand for the new file's."""


def start(kind: str, file: str, name: str) -> str:
    """Return the spec of a kind for a file and a network of these names."""
    text = Path(__file__).with_name(f"{kind}.yaml").read_text("utf-8")
    return text.replace("FILE", file).replace("NAME", name)
