"""The table of ops for nodes of ONNX: an op's own inference tells the shapes, which a file need not have."""

from __future__ import annotations

import re
from typing import NamedTuple

from netspec.importer.lower.table import OpTable, WrongReading
from netspec.importer.program import ForeignProgram
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.core.tensors import Tensor

MALFORMED = (KeyError, TypeError, IndexError, ValueError, AttributeError, ArithmeticError)
"""The errors that a node without an input makes, or one whose input is something else."""

OUTSIDE = {
    r"QLinear|QuantizeLinear$|DequantizeLinear$|DynamicQuantize|\w+Integer$|com\.microsoft\.Q": (
        "is of a quantised network, and a spec is one of real numbers: import the file from before it was quantised"
    ),
    r"ai\.onnx\.ml\.": "is of a model that scikit-learn or the like made, and no step of a neural network",
    r"com\.microsoft\.": (
        "is onnxruntime's own, as its optimizer puts it in the place of ONNX's nodes: import the file from before that"
    ),
}
"""The nodes, by the beginnings of their names, for which there is no op, and why."""


class Declared(NamedTuple):
    """The type and the sizes that a file says of a tensor, ``None`` for what it leaves open."""

    dtype: str | None
    shape: tuple[int | None, ...] | None


class NodeTable(OpTable):
    """Reads nodes. ``declared`` has what the file says of tensors, ``unknown`` those whose shape nobody says."""

    def __init__(self, program: ForeignProgram):
        super().__init__(program)
        self.declared: dict[ForeignTensor, Declared] = {}
        self.unknown: set[ForeignTensor] = set()

    def read(self, call: ForeignCall) -> tuple[str, OpReading]:
        """Return the op that a node is. A node that lacks what its kind must have is none."""
        kind = call.name
        if reason := next((text for form, text in OUTSIDE.items() if re.match(form, kind)), ""):
            raise WrongReading(f"`{kind}` {reason}")
        try:
            return super().read(call)
        except MALFORMED as reason:
            raise WrongReading(f"the node {call.name} is not as ONNX describes it: {reason}") from None

    def agree(self, foreign: ForeignTensor, tensor: Tensor) -> None:
        """Give a tensor the shape that its op infers. Raises ``WrongReading`` where the file says another."""
        declared = self.declared.get(foreign, Declared(None, None))
        if declared.dtype not in (None, tensor.dtype):
            raise WrongReading(f"it gives {tensor.dtype}, not {declared.dtype}")
        if declared.shape is not None:
            pairs = zip(declared.shape, tensor.shape)
            wrong = any(isinstance(size, int) and said not in (None, size) for said, size in pairs)
            if wrong or len(declared.shape) != len(tensor.shape):
                raise WrongReading(f"it gives {list(tensor.shape)}, not {list(declared.shape)}")
        foreign.shape, foreign.dtype = tensor.shape, tensor.dtype

    def trust(self, call: ForeignCall) -> None:
        """Give the outputs of a call that no op is what the file says of them."""
        for output in call.outputs:
            declared = self.declared.get(output, Declared(None, None)) if output is not None else None
            if output is None or declared is None:
                continue
            if declared.shape is None or declared.dtype is None or None in declared.shape:
                self.unknown.add(output)
            else:
                output.shape, output.dtype = tuple(size or 0 for size in declared.shape), declared.dtype

    def forget(self, call: ForeignCall) -> None:
        """Note that the outputs of a call have no known shape."""
        self.unknown.update(output for output in call.outputs if output is not None)
