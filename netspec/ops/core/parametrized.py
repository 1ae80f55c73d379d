"""Layers whose weight is worked out from others in each run: by weight normalisation, or spectral normalisation."""

from collections.abc import Mapping
from typing import Any, ClassVar

from netspec.dims import Shape, product
from netspec.ops.core.foreign import ForeignCall, ForeignTensor
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import Constructor
from netspec.ops.core.tensors import ShapeError, Tensor, known

ORIGINAL = "parametrizations.weight.original"
"""The key of torch's ``nn.utils.parametrizations`` for what a weight is made of."""
KINDS = ("weight_norm", "spectral_norm")
STATE = "parametrizations.weight.0._"


class Parametrized(Op):
    """Base of the layers that take ``weight_norm`` and ``spectral_norm``; ``spectral_dim`` is the weight's of outputs.

    The keys are those of ``torch.nn.utils.parametrizations``.
    """

    rare: ClassVar[tuple[str, ...]] = KINDS
    spectral_dim: ClassVar[int] = 0

    weight_norm: bool = False
    spectral_norm: bool = False

    @staticmethod
    def weight_of(call: ForeignCall) -> ForeignTensor | None:
        """Return the weight of a call, or what has its shape among those that it is made of."""
        names = ("weight", ORIGINAL, f"{ORIGINAL}1")
        return next((tensor for name in names if (tensor := call.tensor(name)) is not None), None)

    def weight_shape(self, *inputs: Tensor) -> tuple[int, ...]:
        """The shape of the weight that the layer computes with."""
        raise AssertionError("each kind of layer has its own")

    def weights(self, *inputs: Tensor) -> Mapping[str, Shape]:
        """The learned tensors that the weight is, or is made of."""
        shape = self.weight_shape(*inputs)
        if self.weight_norm and self.spectral_norm:
            raise ShapeError(f"{self.name} takes weight_norm or spectral_norm, not both", argument="spectral_norm")
        if self.weight_norm:
            return {f"{ORIGINAL}0": norms(shape), f"{ORIGINAL}1": shape}
        return {ORIGINAL if self.spectral_norm else "weight": shape}

    def buffers(self, *inputs: Tensor) -> Mapping[str, Shape]:
        if not self.spectral_norm:
            return {}
        rows, columns = self.matrix_sizes(self.weight_shape(*inputs))
        return {f"{STATE}u": (rows,), f"{STATE}v": (columns,)}

    @property
    def is_worked_out(self) -> bool:
        """Return whether the weight is made of others in each run."""
        return self.weight_norm or self.spectral_norm

    def matrix_sizes(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """The sizes of the weight as a matrix, with a row for each output."""
        rows = shape[self.spectral_dim]
        return rows, known(product(shape), "a weight") // rows

    def is_steady(self) -> bool:
        """In training, each run refines the estimate of the spectral norm."""
        return super().is_steady() and not self.spectral_norm

    def module(self, *inputs: Tensor) -> Constructor:
        made = super().module(*inputs)
        keywords = {name: value for name, value in made.keywords.items() if name not in KINDS}
        wraps = [f"nn.utils.parametrizations.{kind}({{}})" for kind in KINDS if getattr(self, kind)]
        return Constructor(made.callee, made.positional, keywords, *wraps)

    def learns_weight(self, run: OpRun) -> bool:
        """Return whether gradients flow to what the weight is made of."""
        return any(name == "weight" or name.startswith(ORIGINAL) for name in run.learns)

    def weight_saved(self, run: OpRun, whole: bool) -> tuple[Tensor, ...]:
        """Return what autograd saves of making the weight, and if ``whole`` the weight, which is no parameter."""
        if not self.is_worked_out:
            return ()
        shape, dtype = self.weight_shape(*run.inputs), run.inputs[0].dtype
        made = [Tensor(shape, dtype)] if whole else []
        if self.learns_weight(run) and self.weight_norm:
            made.append(Tensor(norms(shape), dtype))
        elif self.learns_weight(run):
            made += [Tensor(sizes, dtype) for sizes in (*((size,) for size in self.matrix_sizes(shape)), ())]
        return tuple(made)

    def onnx_weight(self, builder: OnnxBuilder, tensor: Tensor) -> Any:
        """The weight in ONNX; ``tensor`` is the input. onnxruntime works it out once."""
        shape = self.weight_shape(tensor)
        if self.weight_norm:
            size, direction = builder.parameter(f"{ORIGINAL}0"), builder.parameter(f"{ORIGINAL}1")
            axes = builder.constant(list(range(1, len(shape))))
            length = builder.op("Sqrt", builder.op("ReduceSumSquare", direction, axes, keepdims=1))
            return builder.op("Mul", direction, builder.op("Div", size, length))
        if not self.spectral_norm:
            return builder.parameter("weight")
        whole, dim = builder.parameter(ORIGINAL), self.spectral_dim
        matrix = whole
        if dim:
            matrix = builder.op("Transpose", whole, perm=[dim, *range(dim), *range(dim + 1, len(shape))])
        matrix = builder.op("Reshape", matrix, builder.constant([shape[dim], -1]))
        turned = builder.op("MatMul", matrix, builder.parameter(f"{STATE}v"))
        return builder.op("Div", whole, builder.op("MatMul", builder.parameter(f"{STATE}u"), turned))


def norms(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a weight's norms, one for each entry of its first dimension."""
    return (shape[0], *(1 for _ in shape[1:]))
