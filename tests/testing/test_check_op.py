"""The harness for ops of one's own passes what is right, and tells what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from netspec.ops import Op, OpRun, Pointwise, Saved, Shape, ShapeError, Size, Tensor
from netspec.testing import check_op


class Square(Pointwise):
    """x²: any shape."""

    name = "square"
    functional = "torch.square"

    def onnx(self, builder: Any, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Mul", inputs[0], inputs[0])


class Project(Op):
    """W·x, without a bias: (…, C) -> (…, out)."""

    name = "project"
    family = "linear"
    torch = "nn.Linear"
    main = "out_features"
    saved_for_backward = "input"

    out_features: int

    def output_shape(self, *shapes: Shape) -> Shape:
        return (*shapes[0][:-1], self.out_features)

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return {"weight": (self.out_features, inputs[0].shape[-1])}

    def module(self, *inputs: Tensor) -> Any:
        made = super().module(*inputs)
        sizes = {"in_features": inputs[0].shape[-1], "out_features": self.out_features}
        return type(made)(made.callee, sizes, {"bias": False})

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        size: Size = inputs[0].shape[-1]
        for each in outputs[0].shape:
            size = size * each
        return size

    def saved(self, run: OpRun) -> Saved:
        return Saved((0,) if run.learns else ())  # of two dimensions; of more, torch copies what does not fold

    def onnx(self, builder: Any, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("MatMul", inputs[0], builder.op("Transpose", builder.parameter("weight"), perm=[1, 0]))


def test_passes_an_op_without_state() -> None:
    check_op(Square, "N 6 H W")


def test_passes_an_op_that_learns() -> None:
    check_op(Project, "N T 6", out_features=4, memory=False)
    check_op(Project, "N 6", out_features=4)


def test_passes_ops_of_netspec_by_name() -> None:
    check_op("gelu", "N 3 L")
    check_op("embedding", "N T int64<9", num_embeddings=9, embedding_dim=4)
    check_op("where", "N T bool", "N T", "N T")


class Wrong(Square):
    """Base of squares that say something untrue."""

    name = "wrong"


class WrongShape(Wrong):
    def output_shape(self, *shapes: Shape) -> Shape:
        return (*shapes[0], 1)


class WrongCost(Wrong):
    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        return 7


class WrongParameters(Wrong):
    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return {"weight": (3,)}


class WrongBuffers(Wrong):
    def buffers(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return {"mean": (3,)}


class WrongOnnx(Wrong):
    def onnx(self, builder: Any, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Add", inputs[0], inputs[0])


class WrongMemory(Wrong):
    saved_for_backward = "output"


class WrongLayout(Wrong):
    elementwise = False


class WrongGradient(Wrong):
    saved_for_backward = "nothing"

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]} + ({arguments[0]}.detach() ** 2 - {arguments[0]}.detach())"


class WrongFarFromZero(Wrong):
    """Right for small numbers alone."""

    def onnx(self, builder: Any, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        bound = builder.constant(100.0, "float32")
        small = builder.op("Min", builder.op("Abs", inputs[0]), bound)
        return builder.op("Mul", small, small)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (WrongShape, r"wrong infers \(2, 6, 1\), torch gives \(2, 6\)"),
        (WrongCost, "wrong claims 7 multiply-accumulates, torch counts 0"),
        (WrongParameters, r"wrong claims the parameters \{'weight': \(3,\)\}, torch has \{\}"),
        (WrongBuffers, r"wrong claims the buffers \{'mean': \(3,\)\}, torch has \{\}"),
        (WrongOnnx, "wrong on onnxruntime is off by"),
        (WrongMemory, "wrong claims to save"),
        (WrongLayout, "an output of wrong has the strides"),
        (WrongFarFromZero, "mean -100: wrong is off by"),
    ],
)
def test_tells_what_is_wrong(kind: type[Op], text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        check_op(kind, "N 6")


def test_tells_of_wrong_gradients() -> None:
    with pytest.raises(AssertionError, match="the gradients of wrong are not those of its outputs: Jacobian mismatch"):
        check_op(WrongGradient, "N 6", memory=False)


def test_passes_on_what_the_op_refuses() -> None:
    with pytest.raises(ShapeError, match="takes floating-point numbers"):
        check_op("gelu", "N 3 int64")
