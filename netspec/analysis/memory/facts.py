"""Facts of a node before it runs, for all passes."""

from __future__ import annotations

from collections.abc import Mapping

from netspec.dims import Shape
from netspec.graph import Level, Node
from netspec.ops import Op


class NodeFacts:
    """Facts that are the same in all runs of a node: its ``inputs`` by port, and the shapes of its ``parameters``.

    ``passes`` says which of the inputs a gradient may flow to, ``reads`` which outputs anything reads.
    """

    __slots__ = ("inputs", "parameters", "passes", "reads")

    def __init__(self, node: Node, level: Level):
        op = node.op
        self.inputs = node.arranged(node.inputs)
        ports = () if op.variadic else op.ports
        behind = len(self.inputs) - len(ports)  # of which an op that has ports reads nothing but their sizes
        self.passes = [*(port != "like" for port in ports), *[op.variadic] * behind]
        self.reads = tuple([value in level.uses for value in node.outputs])
        self.parameters: Mapping[str, Shape] = {} if type(op).parameters is Op.parameters else node.parameters
