"""Activations of ``torch.nn``: elementwise, and those that normalise or halve along a dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netspec.ops.base import OnnxBuilder, Op, Tensor


class Activation(Op):
    """What every activation shares: the output has the input's shape."""

    family = "activation"


class ReLU(Activation):
    """Rectified linear unit, max(0, x) (``torch.nn.ReLU``): any shape."""

    name = "relu"
    torch = "nn.ReLU"
    functional = "F.relu"

    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Relu", inputs[0])


class Sigmoid(Activation):
    """Logistic function, 1 / (1 + exp(−x)) (``torch.nn.Sigmoid``): any shape."""

    name = "sigmoid"
    torch = "nn.Sigmoid"
    functional = "torch.sigmoid"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Sigmoid", inputs[0])
