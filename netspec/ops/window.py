"""The arithmetic of sliding windows, which convolutions and pooling share."""

from __future__ import annotations

from netspec.dims import Size, ceil_div, floor_div, pretty
from netspec.ops.base import ShapeError


def slide(size: Size, kernel: int, stride: int, padding: int, dilation: int = 1, ceil_mode: bool = False) -> Size:
    """How many windows fit: ``⌊(size + padding − dilation·(kernel − 1) − 1)/stride⌋ + 1``.

    ``padding`` is the total of both sides. With ``ceil_mode`` the division rounds up, but a window that would
    start in the padding after the input is left out (as torch's pooling does); ``padding`` must be even then.
    """
    reach = dilation * (kernel - 1) + 1
    if isinstance(size, int) and size + padding < reach:
        padded = f"{size} padded to {size + padding}" if padding else str(size)
        raise ShapeError(f"a window of {reach} does not fit into {padded}", argument="kernel_size")
    room = size + (padding - reach)
    if not ceil_mode:
        return floor_div(room, stride) + 1
    count = ceil_div(room, stride) + 1
    if isinstance(count, int) and isinstance(size, int):
        return count - 1 if (count - 1) * stride >= size + padding // 2 else count
    if padding // 2 + reach - 1 >= stride:  # then even the last window starts before the input ends
        return count
    raise ShapeError(
        f"with ceil_mode, stride {stride} and kernel {kernel}, whether the last window counts depends on {pretty(size)}",
        argument="ceil_mode",
    )
