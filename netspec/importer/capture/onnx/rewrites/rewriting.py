"""A node that is being rewritten as other calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from netspec.dims import Shape
from netspec.ops.core.foreign import ForeignCall, ForeignTensor

Rewrite = Callable[["Rewriting"], Iterator[ForeignCall]]


class Rewriting:
    """A node that is rewritten: its call, and the version of ONNX that it is of."""

    def __init__(self, call: ForeignCall, version: int):
        self.call, self.version = call, version
        self.given = call.arguments

    def made(self) -> ForeignTensor:
        """Return a tensor between two nodes."""
        return ForeignTensor((), "float32")

    def last(self, name: str, /, **arguments: Any) -> ForeignCall:
        """Return the call that gives what the node gives."""
        return ForeignCall(name, arguments, self.call.outputs)

    def again(self, **arguments: Any) -> ForeignCall:
        """Return the node with these arguments too; those that are ``None`` are left out."""
        known = {name: value for name, value in {**self.given, **arguments}.items() if value is not None}
        return self.call._replace(arguments=known)

    def constant(self, value: float, dtype: str) -> ForeignTensor:
        """Return a number as a constant."""
        array = np.array(value, "float32" if dtype == "bfloat16" else dtype)
        return ForeignTensor((), dtype, constant=array)

    def viewed(self, source: ForeignTensor, shape: Shape) -> ForeignCall:
        """Return the call that gives a tensor in another shape."""
        (output,) = self.call.outputs
        if output is not None:
            output.shape = shape
        return self.last("view", self=source, size=list(shape))

    def axes(self) -> list[int] | None:
        """Return the dimensions that the node names; ``None`` where it names none, or works them out."""
        axes = self.given.get("axes")
        return axes if isinstance(axes, list) else None
