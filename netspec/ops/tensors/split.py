"""Ops that cut a dimension into parts."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Annotated, Any

from netspec.dims import Dim, Size, floor_div, pretty, pretty_shape, total
from netspec.ops.core.agreement import differ
from netspec.ops.core.arguments import INTEGER, Argument, Positive, is_integer
from netspec.ops.core.layout import OutputLayout, shortened, strides_of
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import ForwardCall
from netspec.ops.core.sizes import find, size_vectors, spell_size
from netspec.ops.core.tensors import ShapeError, Tensor, axis_of, known
from netspec.ops.tensors.reshape import Rearrangement


class Sections(Argument):
    """The size of every part, or a list of the parts' sizes (kept as a tuple), which may be symbolic."""

    def read(self, value: Any) -> Any:
        if is_integer(value) and value > 0:
            return value
        if isinstance(value, (list, tuple)) and value and all(map(self.fits, value)):
            return tuple(value)
        raise ValueError("an integer of at least 1, or a list of sizes")

    def fits(self, value: Any) -> bool:
        """Return whether a value is the size of a part."""
        return isinstance(value, Dim) or (is_integer(value) and value > 0)

    def json_schema(self) -> dict[str, Any]:
        one = {**INTEGER, "minimum": 1}
        size = {"anyOf": [one, {"type": "string"}]}
        return {"anyOf": [one, {"type": "array", "items": size, "minItems": 1}]}


class Partition(Rearrangement):
    """Base of the ops that cut a dimension into parts; the outputs are called ``0``, ``1``, …"""

    dim: int = 0

    def parts(self, size: Size) -> tuple[Size, ...]:
        """The sizes of the parts of a dimension."""
        raise AssertionError("each kind of cut says what it makes")

    def sizes_of(self, tensor: Tensor) -> tuple[Size, ...]:
        return self.parts(tensor.shape[axis_of(self.dim, len(tensor.shape))])

    def output_names(self, *inputs: Tensor) -> tuple[str, ...]:
        return tuple(str(number) for number in range(len(self.sizes_of(inputs[0]))))

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        shape = inputs[0].shape
        axis = axis_of(self.dim, len(shape))
        sizes = self.sizes_of(inputs[0])
        return tuple(Tensor((*shape[:axis], size, *shape[axis + 1 :]), inputs[0].dtype) for size in sizes)

    def statements(self, forward: ForwardCall) -> list[str]:
        parts = self.call(forward.present, forward.inputs)
        return [forward.assign(parts if len(forward.targets) > 1 else f"{parts}[0]")]

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        strides = strides_of(run.inputs[0].shape, run.strides[0])
        return tuple(OutputLayout(0, shortened(part.shape, strides)) for part in run.outputs)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axis, sizes = axis_of(self.dim, len(tensors[0].shape)), self.sizes_of(tensors[0])
        count = len(sizes)
        if len(set(sizes)) == 1 and isinstance(sizes[0], Dim):
            result = builder.op("Split", inputs[0], outputs=count, axis=axis, num_outputs=count)
        else:
            parts = size_vectors(builder, self.name, sizes, inputs, tensors)
            result = builder.op("Split", inputs[0], parts, outputs=count, axis=axis)
        return result if count > 1 else (result,)


class Split(Partition):
    """Cuts a dimension into parts of the sizes given (``torch.split``): (…, A + B, …) -> (…, A, …) and (…, B, …)."""

    name = "split"
    main = "split_size_or_sections"
    aten = ("split_with_sizes",)
    aten_names = MappingProxyType({"split_size": "split_size_or_sections", "split_sizes": "split_size_or_sections"})

    split_size_or_sections: Annotated[Any, Sections()]

    def sizes_read(self, *inputs: Tensor) -> Iterable[Size]:
        if isinstance(self.split_size_or_sections, tuple):
            yield from self.split_size_or_sections

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        if isinstance(self.split_size_or_sections, tuple):
            made, shape = total(self.split_size_or_sections), inputs[0].shape
            yield shape[axis_of(self.dim, len(shape))], made, f"split makes {pretty(made)} of dim {self.dim}"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for size in self.sizes_read():
            find("split", size, inputs)
        return super().infer(*inputs)

    def parts(self, size: Size) -> tuple[Size, ...]:
        sections = self.split_size_or_sections
        if isinstance(sections, tuple):
            if differ(size, total(sections)):
                text = f"the parts {pretty_shape(sections)} do not add up to {pretty(size)}"
                raise ShapeError(text, argument="split_size_or_sections")
            return sections
        whole = known(size, "a dimension that is split into parts of equal size")
        return tuple(min(sections, whole - at) for at in range(0, whole, sections))

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        sizes = self.split_size_or_sections
        if isinstance(sizes, tuple) and any(isinstance(size, Dim) for size in sizes):
            parts = [spell_size("split", size, arguments, inputs) for size in sizes]
            sizes = f"({', '.join(parts)}{',' * (len(parts) == 1)})"
        return f"{arguments[0]}.split({sizes}, dim={self.dim})"


class Chunk(Partition):
    """Cuts a dimension into a number of equal parts (``torch.chunk``): (…, n·A, …) -> n times (…, A, …)."""

    name = "chunk"
    main = "chunks"

    chunks: Positive

    def parts(self, size: Size) -> tuple[Size, ...]:
        part = floor_div(size, self.chunks)
        if part * self.chunks == size:
            return (part,) * self.chunks
        whole = known(size, f"a dimension that is cut into {self.chunks} parts")
        most = -(-whole // self.chunks)
        return tuple(min(most, whole - at) for at in range(0, whole, most))

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.chunk({self.chunks}, dim={self.dim})"
