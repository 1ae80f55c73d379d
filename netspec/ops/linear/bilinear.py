"""The bilinear layer: a learned product of two inputs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netspec.dims import Shape, Size, pretty_shape, product
from netspec.ops.core.agreement import differ, one_dtype
from netspec.ops.core.arguments import Positive
from netspec.ops.core.layout import viewed
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor, known


class Bilinear(Op):
    """x₁ᵀ·A·x₂ + b for each output (``torch.nn.Bilinear``): (…, C), (…, D) -> (…, out_features)."""

    name = "bilinear"
    family = "linear"
    torch = "nn.Bilinear"
    covers = ("F.bilinear",)
    main = "out_features"
    ports = ("input1", "input2")
    autocast = "bfloat16"

    out_features: Positive
    bias: bool = True

    def widths(self, inputs: Sequence[Tensor]) -> tuple[int, int]:
        """The sizes of both inputs' last dimensions."""
        first, second = (tensor.shape for tensor in inputs)
        if not first or len(first) != len(second) or any(map(differ, first[:-1], second[:-1])):
            found = f"{pretty_shape(first)} and {pretty_shape(second)}"
            raise ShapeError(f"{self.name} takes equal sizes before the last, but got {found}")
        what = f"the last dimension that {self.name} takes"
        return known(first[-1], what), known(second[-1], what)

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        first, second = (tensor.shape[:-1] for tensor in inputs)
        yield from (
            (left, right, f"{self.name} takes equal sizes before the last") for left, right in zip(first, second)
        )

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        self.widths(inputs)
        one_dtype(self.name, inputs)
        return super().infer(*inputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        return (*shapes[0][:-1], self.out_features)

    def sizes(self, *inputs: Tensor) -> Mapping[str, Any]:
        return dict(zip(("in1_features", "in2_features"), self.widths(inputs)))

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        weight = (self.out_features, *self.widths(inputs))
        return {"weight": weight, "bias": (self.out_features,)} if self.bias else {"weight": weight}

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        return product(outputs[0].shape) * product(self.widths(inputs))

    def saved(self, run: OpRun) -> Saved:
        """Both inputs as matrices, each copied where its memory cannot be read as one."""
        wanted = [bool(run.learns) or run.needs[1], bool(run.learns) or run.needs[0]]
        inputs, made = [], []
        for at, (tensor, strides) in enumerate(zip(run.inputs, run.strides)):
            rows = product(tensor.shape[:-1])
            if wanted[at] and viewed(tensor.shape, strides, (rows, tensor.shape[-1])) is None:
                made.append(Tensor((rows, tensor.shape[-1]), tensor.dtype))
            elif wanted[at]:
                inputs.append(at)
        return Saved(tuple(inputs), made=tuple(made))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        """The product of A, as a matrix, with all products of an element of each input."""
        first, second = self.widths(tensors)
        columns = builder.op("Unsqueeze", inputs[0], builder.constant([-1]))
        pairs = builder.op("Mul", columns, builder.op("Unsqueeze", inputs[1], builder.constant([-2])))
        leading = builder.op("Shape", inputs[0], start=0, end=-1)
        pairs = builder.op("Reshape", pairs, builder.op("Concat", leading, builder.constant([first * second]), axis=0))
        weight = builder.op("Reshape", builder.parameter("weight"), builder.constant([self.out_features, -1]))
        made = builder.op("MatMul", pairs, builder.op("Transpose", weight, perm=[1, 0]))
        bias = builder.parameter("bias")
        return made if bias is None else builder.op("Add", made, bias)
