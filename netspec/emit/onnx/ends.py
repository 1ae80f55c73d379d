"""The ends of a file that takes other inputs than the network, such as raw rows, or gives other outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from netspec.emit.onnx.parts import OnnxValue

if TYPE_CHECKING:
    from netspec.emit.onnx.builder import GraphBuilder


class OnnxEnds(Protocol):
    """Writes nodes in front of a network and behind it."""

    def before(self, builder: GraphBuilder) -> tuple[Sequence[OnnxValue], Mapping[str, OnnxValue]]:
        """Return the inputs of the file, and what those of the network's inputs read that are not such."""

    def behind(self, builder: GraphBuilder, outputs: Mapping[str, OnnxValue]) -> Sequence[OnnxValue]:
        """Return the outputs of the file, made of the network's."""

    def metadata(self) -> Mapping[str, str]:
        """Return properties of the file, once it is written."""
