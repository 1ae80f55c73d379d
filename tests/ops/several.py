"""The oracle for ops with several inputs or outputs: their own lines of PyTorch, torch's counter and onnxruntime.

An input is a text such as ``N T 4``, ``N T int64<10`` (integers below 10) or ``N T bool``; ``None`` is one left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from ops.oracle import constructor_text, read_shape, scope
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netspec.dims import Dim, evaluate, evaluate_shape, plain_shape
from netspec.emit.onnx.builder import DTYPES, GraphBuilder
from netspec.ops import OPS, Op, Tensor

SIZES = ({"N": 2, "T": 5, "S": 3}, {"N": 1, "T": 1, "S": 1}, {"N": 3, "T": 8, "S": 11})
Values = list[torch.Tensor | None]


@dataclass(frozen=True)
class Several:
    name: str
    inputs: tuple[str | None, ...]
    arguments: Mapping[str, Any]
    sizes: tuple[Mapping[str, int], ...] = SIZES
    close: float = 1e-5
    counted: bool = True
    values_by: Callable[[Values], Values] | None = None

    def __str__(self) -> str:
        arguments = ",".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.name}({arguments})-{'-'.join(map(str, self.inputs))}".replace(" ", "")

    def op(self, sizes: Mapping[str, int] | None = None) -> Op:
        arguments = dict(self.arguments)
        for name, value in arguments.items() if sizes is not None else ():
            if isinstance(value, list):
                arguments[name] = [evaluate(v, sizes) if isinstance(v, Dim) else v for v in value]
            elif isinstance(value, Dim):
                arguments[name] = evaluate(value, sizes)
        return OPS[self.name](**arguments)

    def tensors(self, sizes: Mapping[str, int] | None = None) -> tuple[Any, ...]:
        made = [None if text is None else read(text)[0] for text in self.inputs]
        if sizes is None:
            return tuple(made)
        return tuple(tensor and Tensor(evaluate_shape(tensor.shape, sizes), tensor.dtype) for tensor in made)

    def values(self, sizes: Mapping[str, int]) -> Values:
        generator = torch.Generator().manual_seed(1)
        made: Values = []
        for text, tensor in zip(self.inputs, self.tensors(sizes)):
            if tensor is None or text is None:
                made.append(None)
            elif "float" in tensor.dtype:
                made.append(torch.randn(*tensor.shape, generator=generator).to(getattr(torch, tensor.dtype)))
            else:
                below = evaluate(read(text)[1], sizes)
                found = torch.randint(0, below, tensor.shape, generator=generator)
                made.append(found.to(getattr(torch, tensor.dtype)))
        return made if self.values_by is None else self.values_by(made)


def several(
    name: str,
    *inputs: str | None,
    at: tuple[Mapping[str, int], ...] = SIZES,
    close: float = 1e-5,
    counted: bool = True,
    values: Callable[[Values], Values] | None = None,
    **args: Any,
) -> Several:
    return Several(name, inputs, args, at, close, counted, values)


def each(*found: Several) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", found, ids=str)


def read(text: str) -> tuple[Tensor, Any]:
    words = text.split()
    dtype, below = "float32", "2"
    if words and words[-1].partition("<")[0] in DTYPES:
        dtype, _, bound = words.pop().partition("<")
        below = bound or "2"
    return Tensor(read_shape(" ".join(words)), dtype), read_shape(below)[0]


def lines_of(op: Op, tensors: Sequence[Any], targets: Sequence[str | None]) -> list[str]:
    """The op's statements over the variables ``a``, ``b``, …; the first target takes the place of ``a``."""
    arguments = [None if tensor is None else "abcdefgh"[at] for at, tensor in enumerate(tensors)]
    taken = {*filter(None, arguments), *filter(None, targets)}

    def fresh(wish: str) -> str:
        name = next(text for text in chain([wish], (f"{wish}{at}" for at in count(2))) if text not in taken)
        taken.add(name)
        return name

    return op.statements("self.op" if op.torch else None, arguments, targets, tensors, fresh)


def run_lines(op: Op, module: nn.Module | None, tensors: Sequence[Any], values: Values, reads: set[int]) -> list[Any]:
    """What the op's lines give for the outputs that are read."""
    names = [f"y{at}" if at else ("a" if tensors and tensors[0] is not None else "y") for at in range(len(reads) + 9)]
    count = len(op.output_names(*tensors))
    targets = [names[at] if at in reads else None for at in range(count)]
    lines = lines_of(op, tensors, targets)
    holder = nn.Module()
    if module is not None:
        holder.op = module
    holder.training = False
    variables = scope(self=holder) | {"abcdefgh"[at]: value for at, value in enumerate(values) if value is not None}
    exec("\n".join(lines), variables)
    return [variables[target] if target else None for target in targets]


def built(op: Op, tensors: Sequence[Any]) -> nn.Module | None:
    if not op.torch:
        return None
    made = op.module(*tensors)
    holder = nn.Module()
    holder.op = eval(made.wrap.format(constructor_text(made)), scope())
    generator = torch.Generator().manual_seed(2)
    for tensor in holder.state_dict().values():
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.5)
    holder.eval()
    return holder.op


def state(module: Any) -> dict[str, torch.Tensor]:
    if module is None:
        return {}
    return {"": module.detach()} if isinstance(module, nn.Parameter) else dict(module.state_dict())


def check_several(case: Several) -> None:
    op, tensors = case.op(), case.tensors()
    symbolic = op.infer(*tensors)
    ports = range(len(symbolic))
    assert len(op.output_names(*tensors)) == len(symbolic)
    module = built(op, tensors)
    learned = {name: tuple(tensor.shape) for name, tensor in state(module).items()}
    assert dict(op.parameters(*tensors)) == learned
    expected = []
    for sizes in case.sizes:
        values = case.values(sizes)
        with torch.no_grad():
            made = run_lines(op, module, tensors, values, set(ports))
            for port in ports if len(ports) > 1 else ():
                alone = run_lines(op, module, tensors, values, {port})[port]
                torch.testing.assert_close(alone, made[port], equal_nan=True)
        known = case.op(sizes).infer(*case.tensors(sizes))
        for result, inferred, tensor in zip(made, known, symbolic):
            assert inferred.shape == tuple(result.shape), "the inferred shape, all sizes known"
            assert f"torch.{inferred.dtype}" == str(result.dtype)
            assert evaluate_shape(tensor.shape, sizes) == tuple(result.shape), "the inferred shape, sizes symbolic"
        if case.counted:
            assert evaluate(op.macs(tensors, symbolic), sizes) == counted(case, sizes)
        expected.append([result.detach().numpy() for result in made])
    run_onnx(op, tensors, module, case, expected, set(ports))
    run_onnx(case.op(case.sizes[0]), case.tensors(case.sizes[0]), module, case, expected[:1], set(ports))
    for port in ports if len(ports) > 1 else ():
        run_onnx(op, tensors, module, case, [[found[port]] for found in expected], {port})


def counted(case: Several, sizes: Mapping[str, int]) -> int:
    op, tensors = case.op(sizes), case.tensors(sizes)
    values = [None if value is None else value.to("meta") for value in case.values(sizes)]
    module = built(op, tensors)
    module = module if module is None or isinstance(module, nn.Parameter) else module.to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run_lines(op, module, tensors, values, set(range(len(op.output_names(*tensors)))))
    return counter.get_total_flops() // 2


def run_onnx(
    op: Op, tensors: Any, module: Any, case: Several, expected: list[list[np.ndarray]], reads: set[int]
) -> None:
    text = onnx_model(op, tensors, module, reads).SerializeToString()
    session = onnxruntime.InferenceSession(text, providers=["CPUExecutionProvider"])
    used = {each.name for each in session.get_inputs()}
    for sizes, wanted in zip(case.sizes, expected):
        values = case.values(sizes)
        feed = {f"x{at}": value.numpy() for at, value in enumerate(values) if value is not None and f"x{at}" in used}
        for made, result in zip(session.run(None, feed), wanted):
            assert (made.shape, made.dtype) == (result.shape, result.dtype)
            if made.size and result.dtype.kind == "f":
                np.testing.assert_array_equal(np.isfinite(made), np.isfinite(result))
                finite = np.isfinite(result)
                error = np.abs(made[finite].astype(np.float64) - result[finite]).max(initial=0)
                assert error <= case.close * np.abs(result[finite]).max(initial=1e-30), f"absolute error {error:.2g}"
            else:
                np.testing.assert_array_equal(made, result)


def onnx_model(op: Op, tensors: Any, module: Any, reads: set[int]) -> onnx.ModelProto:
    builder = GraphBuilder()
    inputs = [
        None if tensor is None else builder.input(f"x{at}", plain_shape(tensor.shape), tensor.dtype)
        for at, tensor in enumerate(tensors)
    ]
    symbolic = op.infer(*tensors)
    weights = {name: tensor.numpy() for name, tensor in state(module).items()}
    builder.begin("layer", weights, unread={port for port in range(len(symbolic)) if port not in reads})
    found = op.onnx(builder, *inputs, tensors=tensors)
    results = found if isinstance(found, tuple) else (found,)
    assert len(results) == len(symbolic)
    outputs = []
    for port in sorted(reads):
        made = results[port]
        plain = made in inputs or made in outputs or made.producer() is None
        made = builder.op("Identity", made) if plain else made
        made.type = ir.TensorType(DTYPES[symbolic[port].dtype])
        made.shape = ir.Shape(plain_shape(symbolic[port].shape))
        outputs.append(made)
    given = [value for value in inputs if value is not None]
    proto = ir.to_proto(ir.Model(builder.graph("case", given, outputs), ir_version=10))
    onnx.checker.check_model(proto, full_check=True)
    return proto
