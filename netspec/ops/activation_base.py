"""What the families of activations share."""

from collections.abc import Sequence
from typing import Any

from netspec.ops.base import OnnxBuilder, Op, Tensor


class Activation(Op):
    """What every activation shares: the output has the input's shape."""

    family = "activation"
    leading = True
    keeps = "input"
    elementwise = True

    def scalar(self, builder: OnnxBuilder, value: float, tensors: Sequence[Tensor]) -> Any:
        """A constant of the input's dtype."""
        return builder.constant(value, tensors[0].dtype)

    def detail(self) -> str:
        return super().detail() if self.main in self.changed() else ""
