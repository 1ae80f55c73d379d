"""The base of the activations."""

from collections.abc import Sequence
from typing import Any

from netspec.ops.core.op import Op
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor


class Activation(Op):
    """Base of the activations: the output has the input's shape."""

    family = "activation"
    takes_empty = True
    batched_over_leading_dims = True
    saved_for_backward = "input"
    elementwise = True

    def scalar(self, builder: OnnxBuilder, value: float, tensors: Sequence[Tensor]) -> Any:
        """A constant of the input's dtype."""
        return builder.constant(value, tensors[0].dtype)

    def detail(self) -> str:
        return super().detail() if self.main in self.changed() else ""

    def exponential_less_one(self, builder: OnnxBuilder, x: Any, tensors: Sequence[Tensor]) -> Any:
        """exp(x) − 1 for x ≤ 0, exact for small x too: 2·t / (1 − t) with t = tanh(x/2)."""
        half, one, two = (self.scalar(builder, value, tensors) for value in (0.5, 1.0, 2.0))
        t = builder.op("Tanh", builder.op("Mul", x, half))
        return builder.op("Div", builder.op("Mul", t, two), builder.op("Sub", one, t))

    def exponential_unit(
        self, builder: OnnxBuilder, x: Any, tensors: Sequence[Tensor], positive: float, negative: float, within: float
    ) -> Any:
        """positive · x above 0, negative · (exp(within · x) − 1) below."""
        zero = self.scalar(builder, 0.0, tensors)
        above, below = builder.op("Max", x, zero), builder.op("Min", x, zero)
        above, below = (
            each if factor == 1 else builder.op("Mul", each, self.scalar(builder, factor, tensors))
            for each, factor in ((above, positive), (below, within))
        )
        below = self.exponential_less_one(builder, below, tensors)
        below = below if negative == 1 else builder.op("Mul", below, self.scalar(builder, negative, tensors))
        return builder.op("Add", above, below)
