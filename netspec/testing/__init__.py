"""The judgement of an op by torch and onnxruntime, for ops of one's own as for netspec's.

    from netspec.testing import check_op
    check_op(Erfc, "N 6 H W")

The first call imports torch, onnx and onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netspec.ops import OPS, Op

__all__ = ["check_op"]


def check_op(
    op: type[Op] | str,
    *inputs: str | None,
    sizes: Sequence[Mapping[str, int]] | None = None,
    values: Callable[[list[Any]], list[Any]] | None = None,
    tolerance: float = 1e-5,
    macs: bool = True,
    memory: bool = True,
    gradients: bool = True,
    magnitudes: bool = True,
    **arguments: Any,
) -> None:
    """Hold everything that an op says against torch and onnxruntime, on random inputs.

    ``op`` is its class, or the key of one that netspec knows; ``arguments`` are those that a spec would write. An input
    is a shape, with a dtype where it is not float32: ``"N 6 H W"``, ``"N T int64<10"`` (integers from 0 to 9), ``"N T
    bool"``; ``None`` is an optional input left out. A size is a number, or a symbol (``H``, ``2*H``) that has its value
    in each of ``sizes``; N, L, D, H, W, T and S have values by default.

    - Shapes, dtypes, parameters and buffers are those of the PyTorch that the op writes, whether sizes are known or
      symbolic; outputs that nothing reads change nothing.
    - ``onnx.checker`` accepts the nodes, and onnxruntime gives PyTorch's values, to ``tolerance`` of the largest.
    - ``macs``: multiply-accumulates are those that torch's ``FlopCounterMode`` counts.
    - ``memory``: what autograd saves, and where outputs lie, is as claimed, for contiguous inputs and others.
    - ``gradients``: torch's backward pass agrees with differences of the outputs, in float64.
    - ``magnitudes``: for inputs that are large, small, constant or far from 0, ONNX is about as exact as torch.

    What a class leaves open, its multiply-accumulates or its memory, is not judged.

    ``values`` changes the random inputs, as a list of tensors with ``None`` for one left out, to such as the op takes.
    Raises ``AssertionError`` where they disagree, ``ShapeError`` where the op refuses the inputs.
    """
    from netspec.testing.case import SIZES, OpCase
    from netspec.testing.check import check_case, check_magnitudes
    from netspec.testing.gradients import check_gradients
    from netspec.testing.memory import check_memory

    kind = OPS[op] if isinstance(op, str) else op
    unsaid = kind.unsaid()
    case = OpCase(kind, inputs, arguments, tuple(sizes or SIZES), tolerance, macs and "MACs" not in unsaid, values)
    check_case(case)
    if magnitudes:
        check_magnitudes(case)
    if memory and "memory" not in unsaid:
        check_memory(case)
    if gradients:
        check_gradients(case)
