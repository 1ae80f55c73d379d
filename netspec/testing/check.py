"""Shapes, costs and values of an op, held against torch and onnxruntime."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from netspec.dims import evaluate, evaluate_shape
from netspec.ops import Op
from netspec.runtime.fixed_noise import fixed_noise
from netspec.runtime.own_modules import op_scope
from netspec.testing.case import OpCase, Values
from netspec.testing.onnx_model import Array, OnnxRun, other_opsets
from netspec.testing.pytorch import copies, counted_macs, random_module, run_lines, state_of


def check_case(case: OpCase) -> None:
    """Hold an op's shapes, dtypes, state, costs and values against torch and onnxruntime.

    Raises ``AssertionError`` where they disagree.
    """
    with fixed_noise(case.op().is_random()):
        _check_case(case)


def _check_case(case: OpCase) -> None:
    op, tensors = case.op(), case.tensors()
    ports = range(len(op.infer(*tensors)))
    names = op.output_names(*tensors)
    assert len(names) == len(ports), f"{op.name} has the outputs {', '.join(names)}, but infers {len(ports)}"
    module = random_module(op, tensors)
    check_state(op, tensors, module)
    expected = [check_outputs(case, op, module, sizes) for sizes in case.sizes]
    check_onnx(case, op, tensors, module, expected)
    check_onnx(case, case.op(case.sizes[0]), case.tensors(case.sizes[0]), module, expected[:1])
    for port in ports if len(ports) > 1 else ():
        check_onnx(case, op, tensors, module, [[results[port]] for results in expected], (port,))


def check_state(op: Op, tensors: Sequence[Any], module: Any) -> None:
    """Hold the parameters and buffers that an op claims against those of its module."""
    if isinstance(module, torch.Tensor):
        held = {name: tuple(each.shape) for name, each in state_of(module).items()}
        learned, buffers = (held, {}) if isinstance(module, nn.Parameter) else ({}, held)
    else:
        learned = {} if module is None else {name: tuple(each.shape) for name, each in module.named_parameters()}
        buffers = {} if module is None else {name: tuple(each.shape) for name, each in module.named_buffers()}
    claimed = dict(op.parameters(*tensors))
    assert claimed == learned, f"{op.name} claims the parameters {claimed}, torch has {learned}"
    claimed = dict(op.buffers(*tensors))
    assert claimed == buffers, f"{op.name} claims the buffers {claimed}, torch has {buffers}"


def check_outputs(case: OpCase, op: Op, module: Any, sizes: Mapping[str, int]) -> list[Array]:
    """Hold shapes, dtypes and costs at these sizes against torch; return torch's outputs."""
    tensors, values = case.tensors(), case.values(sizes)
    symbolic = op.infer(*tensors)
    ports = range(len(symbolic))
    with torch.no_grad():
        results = run_lines(op, module, tensors, copies(values), ports)
        for port in ports if len(ports) > 1 else ():
            alone = run_lines(op, module, tensors, copies(values), (port,))[port]
            torch.testing.assert_close(alone, results[port], equal_nan=True)
        if module is not None and op.functional is not None:
            given = {f"x{at}": value for at, value in enumerate(copies(values)) if value is not None}
            called = eval(op.call(list(given), tensors), op_scope(op, self=SimpleNamespace(training=False), **given))
            torch.testing.assert_close(list(called) if isinstance(called, tuple) else [called], results)
    for result, known, symbol in zip(results, case.op(sizes).infer(*case.tensors(sizes)), symbolic):
        shape = tuple(result.shape)
        assert known.shape == shape, f"{op.name} infers {known.shape}, torch gives {shape}"
        assert f"torch.{known.dtype}" == str(result.dtype), f"{op.name} infers {known.dtype}, torch {result.dtype}"
        evaluated = evaluate_shape(symbol.shape, sizes)
        assert evaluated == shape, f"{op.name} infers {symbol.shape}, so {evaluated} at {sizes}, torch gives {shape}"
    if case.macs:
        claimed, counted = evaluate(op.macs(tensors, symbolic), sizes), counted_macs(case, sizes)
        assert claimed == counted, f"{op.name} claims {claimed} multiply-accumulates, torch counts {counted}"
    return [result.detach().numpy() for result in results]


def check_onnx(
    case: OpCase,
    op: Op,
    tensors: Sequence[Any],
    module: Any,
    expected: Sequence[Sequence[Array]],
    reads: Sequence[int] | None = None,
) -> None:
    """Hold onnxruntime's outputs at each of the sizes against torch's; ``reads`` are the outputs that are read.

    So they are in the oldest and in the newest opset, where the op has other nodes there.
    """
    reads = range(len(expected[0])) if reads is None else reads
    _compare(case, op, OnnxRun(op, tensors, module, reads), expected)
    for opset in other_opsets(op, tensors, module, reads):
        _compare(case, op, OnnxRun(op, tensors, module, reads, opset), expected)


def _compare(case: OpCase, op: Op, run: OnnxRun, expected: Sequence[Sequence[Array]]) -> None:
    """Hold the outputs of a model against those expected."""
    for sizes, wanted in zip(case.sizes, expected):
        for result, want in zip(run(case.values(sizes)), wanted):
            assert (result.shape, result.dtype) == (want.shape, want.dtype), f"{op.name} on onnxruntime"
            if not result.size or want.dtype.kind != "f":
                np.testing.assert_array_equal(result, want)
                continue
            finite = np.isfinite(want)
            np.testing.assert_array_equal(np.isfinite(result), finite)
            error = np.abs(result[finite].astype(np.float64) - want[finite]).max(initial=0)
            bound = case.tolerance * np.abs(want[finite]).max(initial=1e-30)
            assert error <= bound, f"{op.name} on onnxruntime is off by {error:.2g}, of {bound:.2g} allowed"


MAGNITUDES: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mean 10": lambda x: x + 10,
    "mean -100": lambda x: x - 100,
    "mean 1000": lambda x: x + 1000,
    "large": lambda x: x * 1e3,
    "small": lambda x: x * 1e-4,
    "constant": lambda x: torch.full_like(x, 3.3),
    "zeros": lambda x: x * (x > 0),
}
"""Inputs that are hard on sums, means and exponentials."""
LEAST = 1e-5
"""The error, relative to the largest number, that any form may have; beyond it, several times that of torch."""


def check_magnitudes(case: OpCase) -> None:
    """Hold onnxruntime's errors against those of torch's float32, both measured against float64.

    Only for an op of one output whose inputs are all of float32, and may have any values.
    """
    op, tensors = case.op(), case.tensors()
    if case.change or len(op.infer(*tensors)) > 1 or any(each is None or each.dtype != "float32" for each in tensors):
        return
    with fixed_noise(op.is_random()):
        _check_magnitudes(case, op, tensors)


def _check_magnitudes(case: OpCase, op: Op, tensors: Sequence[Any]) -> None:
    module = random_module(op, tensors)
    exact = copy.deepcopy(module).double() if isinstance(module, nn.Module) else module
    run = OnnxRun(op, tensors, module)
    for kind, change in MAGNITUDES.items():
        values: Values = [None if value is None else change(value) for value in case.values(case.sizes[0])]
        (result,) = run(values)
        truth, single = (
            _outputs(op, layer, tensors, [None if value is None else value.to(dtype) for value in values])
            for layer, dtype in ((exact, torch.float64), (module, torch.float32))
        )
        finite = np.isfinite(truth) & np.isfinite(single)
        np.testing.assert_array_equal(result[~finite], single[~finite], kind)
        if truth.dtype.kind == "f" and finite.any():
            largest = [1e-6 * float(value.abs().max()) for value in values if value is not None]
            scale = max(np.abs(truth[finite]).max(), *largest, 1e-30)
            ours, torchs = (
                np.abs(each[finite].astype(np.float64) - truth[finite]).max() / scale for each in (result, single)
            )
            text = f"{kind}: {op.name} is off by {ours:.1e} on onnxruntime, by {torchs:.1e} in torch"
            assert ours <= 8 * torchs + LEAST, text


def _outputs(op: Op, module: Any, tensors: Sequence[Any], values: Values) -> Array:
    with torch.no_grad():
        (result,) = run_lines(op, module, tensors, copies(values), (0,))
    array: Array = result.numpy()
    return array
