"""Ops that enlarge or shrink the spatial dimensions: padding, interpolation, pixel shuffling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from netspec.dims import Shape, Size
from netspec.ops.arguments import Integers
from netspec.ops.base import OnnxBuilder, Op, ShapeError, Tensor

PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


class Pad(Op):
    """Pads the last dimensions (``F.pad``); amounts come in pairs, the last dimension first: (…, H, W) -> (…, H', W').

    Negative amounts crop; only ``constant`` takes them.
    """

    name = "pad"
    family = "shape"
    functional = "F.pad"
    main = "pad"
    any_dtype = True

    pad: Integers
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant"
    value: float | None = None

    def output_shape(self, *shapes: Shape) -> Shape:
        return tuple(size + before + after for size, (before, after) in zip(shapes[0], self.amounts(shapes[0])))

    def amounts(self, shape: Shape) -> list[tuple[int, int]]:
        """What each dimension gets before and after it."""
        if len(self.pad) % 2 or len(self.pad) > 2 * len(shape):
            wanted = f"at most {len(shape)} pairs of amounts, the last dimension first"
            raise ShapeError(f"pad takes {wanted}, but got {len(self.pad)} numbers", argument="pad")
        pairs = list(zip(self.pad[::2], self.pad[1::2]))
        if self.mode != "constant":
            self.guard_mode(shape, pairs)
        amounts = [(0, 0)] * (len(shape) - len(pairs)) + pairs[::-1]
        for size, (before, after) in zip(shape, amounts):
            self.guard_size(size, before, after)
        return amounts

    def guard_mode(self, shape: Shape, pairs: Sequence[tuple[int, int]]) -> None:
        """What torch asks of the modes that repeat the input."""
        if len(pairs) > 3 or len(shape) not in (len(pairs) + 1, len(pairs) + 2):
            raise ShapeError(f"{self.mode} padding pads all dimensions but [N, C] or [C], at most 3", argument="pad")
        if min(self.pad) < 0:
            raise ShapeError(f"{self.mode} padding takes amounts of at least 0", argument="pad")
        if self.value is not None:
            raise ShapeError(f"{self.mode} padding takes no value", argument="value")

    def guard_size(self, size: Size, before: int, after: int) -> None:
        """Guard: enough is there to repeat, and something is left after cropping."""
        if not isinstance(size, int):
            return
        most = {"reflect": size - 1, "circular": size}.get(self.mode)
        if most is not None and max(before, after) > most:
            raise ShapeError(f"{self.mode} padding of a size of {size} is at most {most}", argument="pad")
        if size + before + after < 1:
            raise ShapeError(f"pad leaves nothing of a size of {size}", argument="pad")

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        before, after = (list(side) for side in zip(*self.amounts(tensors[0].shape)))
        value = builder.constant(self.value, tensors[0].dtype) if self.value else None
        return builder.op("Pad", inputs[0], builder.constant([*before, *after]), value, mode=PAD_MODES[self.mode])

    def detail(self) -> str:
        mode = "" if self.mode == "constant" else f", {self.mode}"
        return " ".join(map(str, self.pad)) + mode
