"""The cases of netspec's own ops, for ``netspec.testing``; and what torch refuses."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from netspec.diagnostics import Source, Span
from netspec.dims import UndecidedError, same
from netspec.elaborate.state.requirements import Requirements
from netspec.ops import OPS, Op, ShapeError, Tensor
from netspec.runtime.own_modules import op_scope
from netspec.testing.case import SIZES, OpCase
from netspec.testing.check import check_case, check_magnitudes

torch.set_num_threads(1)


def case(
    name: str, *shapes: str, at: tuple[Mapping[str, int], ...] = SIZES, dtype: str = "float32", **args: Any
) -> OpCase:
    return OpCase(OPS[name], with_dtype(shapes, dtype), args, at)


def with_dtype(shapes: tuple[str, ...], dtype: str) -> tuple[str, ...]:
    return shapes if dtype == "float32" else tuple(f"{shape} {dtype}" for shape in shapes)


def cases(*found: OpCase) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", found, ids=str)


def check(case: OpCase) -> None:
    check_case(case)
    check_magnitudes(case)


def refused(name: str, *shapes: str, dtype: str = "float32", **args: Any) -> OpCase:
    return OpCase(OPS[name], with_dtype(shapes, dtype), args, (dict.fromkeys("NLDHW", 1),))


def check_refused(case: OpCase) -> ShapeError:
    """Return netspec's ``ShapeError`` for inputs that torch refuses on real tensors."""
    op = case.op()
    tensors = case.tensors(case.sizes[0])
    with pytest.raises(ShapeError) as found:
        infer(op, tensors)
    with pytest.raises(
        (RuntimeError, ValueError, IndexError, TypeError, AssertionError, NotImplementedError, ZeroDivisionError)
    ):
        torch_result(op, tensors, case)
    return found.value


def infer(op: Op, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """As the elaborator does: requirements first."""
    for left, right, why in op.requirements(*tensors):
        try:
            equal = same(left, right)
        except UndecidedError:
            continue
        if not equal:
            raise ShapeError(why)
    return bounded(op, tensors)


def bounded(op: Op, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The outputs, where no size is beyond its bounds."""
    made = op.infer(*tensors)
    Requirements({}).bounds(op.bounds(*tensors), Span(Source("", ""), 1, 1, 1, 1))
    return made


def torch_result(op: Op, tensors: tuple[Tensor, ...], case: OpCase) -> torch.Tensor:
    """Return torch's result for arguments that netspec refuses: the module or function by the op's fields."""
    values = case.values(case.sizes[0])
    if op.torch is None:
        names = [f"x{at}" for at in range(len(values))]
        result: torch.Tensor = eval(
            op.call(names, tensors), op_scope(op, self=SimpleNamespace(training=False), **dict(zip(names, values)))
        )
        return result
    channels = tensors[0].shape[1] if len(tensors[0].shape) > 1 else 1
    sizes = {"in_channels": channels, "num_features": channels, "in_features": tensors[0].shape[-1]}
    sizes |= {"num_channels": channels, "normalized_shape": tensors[0].shape[-1:]}
    kind = eval(op.torch, op_scope(op))
    wanted = inspect.signature(kind).parameters
    arguments = {name: value for name, value in sizes.items() if name in wanted} | op.changed()
    module = kind(**arguments).eval()
    made: torch.Tensor = module(*values)
    return made
