"""The arithmetic of sliding windows, which convolutions and pooling share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from netspec.dims import Dim, Size, ceil_div, floor_div, pretty
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Bound, ShapeError

PADDING_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""ONNX's words for torch's padding modes."""
LAYOUT = {1: "[N, C, L]", 2: "[N, C, H, W]", 3: "[N, C, D, H, W]"}


@lru_cache(maxsize=4096)  # the same few windows slide over the same few sizes
def slide(size: Size, kernel: int, stride: int, padding: int, dilation: int = 1, ceil_mode: bool = False) -> Size:
    """Return how many windows fit: ``⌊(size + padding − dilation·(kernel − 1) − 1)/stride⌋ + 1``.

    ``padding`` is the total of both sides. With ``ceil_mode`` the division rounds up, but a window that would
    start in the padding after the input is left out (as torch's pooling does); ``padding`` must be even then.
    """
    reach = dilation * (kernel - 1) + 1
    if ceil_mode:
        # Windows start every `stride`, up to size + padding − reach rounded up, and before the padding at the end.
        count = ceil_div(size + min(padding - reach + stride, padding // 2), stride)
    else:
        count = floor_div(size + (padding - reach), stride) + 1
    if isinstance(count, int) and count < 1:
        padded = f"{size} padded to {size + padding}" if padding else str(size)
        repair = fitting(size, reach, stride) if isinstance(size, int) else None
        raise ShapeError(f"a window of {reach} does not fit into {padded}", argument="kernel_size", help=repair)
    return count


def fitting(size: int, reach: int, stride: int) -> str:
    """Return how to make a window fit: the padding that keeps the size, or the least that is enough."""
    if stride == 1 and reach % 2:
        return f"write `padding: {reach // 2}` to keep {size}, use a smaller window, or downsample less before"
    return "use a smaller window, or downsample less before"


def begins_in_padding(kernel: int, stride: int, padding: int, dilation: int) -> bool:
    """Return whether the last window may lie wholly behind the input, if sizes are rounded up."""
    return padding > dilation * (kernel - 1) + 1 - stride


def enough_to_repeat(mode: str, size: Size, pads: tuple[Size, Size], argument: str) -> Iterator[Bound]:
    """Yield what a padding mode that repeats the input asks of a size: reflection leaves out the border itself."""
    known = [pad for pad in pads if isinstance(pad, int)]
    amounts: list[Size] = [max(known, default=0), *(pad for pad in pads if isinstance(pad, Dim))]
    for most in amounts:
        if mode in ("reflect", "circular") and most != 0:
            least = most + (mode == "reflect")
            reason = f"{mode} padding of {pretty(most)} takes a size of at least {pretty(least)}"
            yield Bound(size, reason, least=least, argument=argument)


NAMED_AXES = 18
"""The first opset whose Pad names its axes."""


def padded(builder: OnnxBuilder, x: Any, amounts: Sequence[int], value: Any = None, mode: str = "constant") -> Any:
    """ONNX Pad by these amounts: before each dimension, then behind each.

    It names its axes, as onnxruntime joins a Pad that does not with the pooling after it. The windows are then others:
    `ceil_mode` leaves out those that begin in the padding, zeros in front of max pooling are none, and padding of a
    kernel's size or more is refused. Opsets before ``NAMED_AXES`` have none to name: there a node stands between the
    two. Padding that goes round is joined of parts of the input: Pad has no such mode before opset 19, and some
    runtimes have it never.
    """
    if mode == "wrap":
        return _gone_round(builder, x, amounts)
    axes = builder.constant(list(range(len(amounts) // 2)))
    return builder.op("Pad", x, builder.constant([*amounts]), value, axes, mode=mode)


def _gone_round(builder: OnnxBuilder, x: Any, amounts: Sequence[int]) -> Any:
    """The end of each padded dimension before it, and its start behind it."""
    rank = len(amounts) // 2
    for axis, (before, after) in enumerate(zip(amounts[:rank], amounts[rank:])):
        end = _stretch(builder, x, axis, -before, 2**63 - 1) if before else None
        start = _stretch(builder, x, axis, 0, after) if after else None
        parts = [part for part in (end, x, start) if part is not None]
        x = builder.op("Concat", *parts, axis=axis) if len(parts) > 1 else x
    return x


def _stretch(builder: OnnxBuilder, x: Any, axis: int, first: int, end: int) -> Any:
    return builder.op("Slice", x, *(builder.constant([number]) for number in (first, end, axis)))
