"""Masks of attention, and a softmax under one."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from netspec.dims import Size, pretty, pretty_shape
from netspec.ops.attention.products import no_later
from netspec.ops.core.agreement import broadcast, differ, repeated
from netspec.ops.core.arguments import Extent
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.sizes import find, size_scalar, spell_size
from netspec.ops.core.tensors import InputRange, ShapeError, Tensor, axis_of, need_rank
from netspec.ops.math.compare import need_bool

LEAST = -3.4028234663852886e38
"""The least number of float32."""


class MaskedSoftmax(Op):
    """Softmax along ``dim``, over what ``mask`` shows alone: any shape.

    ``mask`` is true where an element counts, and broadcasts to the input. Where it hides all, all weigh the same.
    """

    name = "masked_softmax"
    family = "sequence"
    main = "dim"
    ports = ("input", "mask")
    optional = ("mask",)
    autocast = "float32"

    dim: int = -1

    def input_range(self, port: str, *inputs: Tensor | None) -> InputRange | None:
        return InputRange(first=1) if port == "mask" else None

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        return repeated(self.name, [tensor.shape for tensor in inputs if tensor is not None])

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given, mask = inputs
        assert given is not None
        axis_of(self.dim, len(given.shape))
        if "float" not in given.dtype:
            raise ShapeError(f"{self.name} takes floating-point numbers, but its input is {given.dtype}")
        if mask is not None:
            need_bool(self.name, mask, "mask")
            found = broadcast(self.name, given.shape, mask.shape)
            if len(found) != len(given.shape) or any(map(differ, found, given.shape)):
                text = f"{self.name} takes a mask for {pretty_shape(given.shape)}, but got {pretty_shape(mask.shape)}"
                raise ShapeError(text)
        return (given,)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        x, *mask = arguments
        hidden = f"{x}.masked_fill(~{mask[0]}, torch.finfo({x}.dtype).min)" if mask else x
        return f"F.softmax({hidden}, dim={self.dim})"

    def saved(self, run: OpRun) -> Saved:
        mask = run.inputs[1]
        return Saved((), (0,), made=() if mask is None else (mask,))  # where not to look

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        x, mask = inputs
        assert tensors[0] is not None
        least = builder.constant(LEAST, tensors[0].dtype)
        return builder.op("Softmax", x if mask is None else builder.op("Where", mask, x, least), axis=self.dim)

    def detail(self) -> str:
        return f"dim {self.dim}"


class CausalMask(Op):
    """The keys that each query may see, query i the first i + 1: query (…, L, E), key (…, S, E) -> (L, S), bool.

    With a ``diagonal`` of P, as of ``torch.tril``, query i sees the first i + 1 + P: P keys came before the queries.
    """

    name = "causal_mask"
    family = "sequence"
    functional = "torch.tril"
    ports = ("query", "key")
    optional = ("key",)
    any_dtype = True
    saved_for_backward = "nothing"

    diagonal: Annotated[Any, Extent(None)] = 0

    @classmethod
    def operators(cls) -> tuple[str, ...]:
        return ()  # torch.tril is that of a matrix of ones alone

    def sizes_read(self, *inputs: Tensor | None) -> Iterable[Size]:
        yield self.diagonal

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        find(self.name, self.diagonal, inputs)
        shapes = [tensor.shape for tensor in inputs[:2] if tensor is not None]
        for shape in shapes:
            if len(shape) < 2:
                need_rank(self.name, shape, 2, layout="at least two dimensions")
        return (Tensor((shapes[0][-2], shapes[-1][-2]), "bool"),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        first, last = arguments[0], arguments[inputs[1] is not None if len(inputs) > 1 else 0]
        diagonal = spell_size(self.name, self.diagonal, arguments, inputs) if self.diagonal != 0 else ""
        return (
            f"torch.ones({first}.size(-2), {last}.size(-2), dtype=torch.bool, device={first}.device).tril({diagonal})"
        )

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        given = [x for x in inputs[:2] if x is not None]
        start = size_scalar(builder, self.name, self.diagonal, inputs, tensors) if self.diagonal != 0 else None
        return no_later(builder, given[0], given[-1], start)

    def detail(self) -> str:
        return "" if self.diagonal == 0 else f"diagonal {pretty(self.diagonal)}"
