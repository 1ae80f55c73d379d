"""torch and onnxruntime as the judges of an op: one case says an op, its arguments and its inputs' shapes."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netspec.diagnostics import Source, Span
from netspec.dims import Dim, Shape, UndecidedError, evaluate, evaluate_shape, same, spell
from netspec.elaborate.state.requirements import Requirements
from netspec.emit.onnx.builder import DTYPES, GraphBuilder
from netspec.ops import OPS, Constructor, Op, ShapeError, Tensor

torch.set_num_threads(1)

SIZES = ({"N": 2, "L": 11, "D": 7, "H": 11, "W": 8}, {"N": 3, "L": 14, "D": 9, "H": 13, "W": 14})


@dataclass(frozen=True)
class Case:
    """``shapes`` are texts such as ``N 6 H W``; ``sizes`` gives the symbols their values, in turn."""

    name: str
    shapes: tuple[str, ...]
    arguments: Mapping[str, Any]
    sizes: tuple[Mapping[str, int], ...] = SIZES
    dtype: str = "float32"

    def __str__(self) -> str:
        arguments = ",".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.name}({arguments})-{'-'.join(self.shapes)}".replace(" ", "")

    def op(self, sizes: Mapping[str, int] | None = None) -> Op:
        """The op; with ``sizes``, what is symbolic in its arguments is known too."""
        arguments = dict(self.arguments)
        for name, value in arguments.items():
            if sizes is not None and isinstance(value, list) and any(isinstance(size, Dim) for size in value):
                arguments[name] = list(evaluate_shape(tuple(value), sizes))
        return OPS[self.name](**arguments)

    def tensors(self) -> tuple[Tensor, ...]:
        return tuple(Tensor(read_shape(text), self.dtype) for text in self.shapes)

    def concrete(self, sizes: Mapping[str, int]) -> tuple[Tensor, ...]:
        return tuple(Tensor(evaluate_shape(tensor.shape, sizes), tensor.dtype) for tensor in self.tensors())

    def values(self, sizes: Mapping[str, int]) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(1)
        made = [torch.randn(*map(int_of, t.shape), generator=generator) for t in self.concrete(sizes)]
        dtype = getattr(torch, self.dtype)
        return [value.to(dtype) if dtype.is_floating_point else (value * 9).to(dtype) for value in made]


def case(
    name: str, *shapes: str, at: tuple[Mapping[str, int], ...] = SIZES, dtype: str = "float32", **args: Any
) -> Case:
    return Case(name, shapes, args, at, dtype)


def cases(*found: Case) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", found, ids=str)


def read_shape(text: str) -> Shape:
    return tuple(int(word) if word.isdigit() else _size(word) for word in text.split())


def _size(word: str) -> Any:
    """``H``, ``2*H``."""
    factor, _, symbol = word.rpartition("*")
    return Dim.symbol(symbol) * int(factor or 1)


def int_of(size: Any) -> int:
    assert isinstance(size, int)
    return size


def constructor_text(made: Constructor) -> str:
    parts = [repr(value) for value in made.positional.values()]
    parts += [f"{name}={value!r}" for name, value in made.keywords.items()]
    return f"{made.callee}({', '.join(parts)})"


def scope(**more: Any) -> dict[str, Any]:
    return {"nn": nn, "F": F, "torch": torch, "self": SimpleNamespace(training=False), **more}


def build_module(op: Op, tensors: tuple[Tensor, ...]) -> nn.Module:
    """The op's module from its generated text, in evaluation mode, every parameter and buffer random."""
    module: nn.Module = eval(constructor_text(op.module(*tensors)), scope())
    generator = torch.Generator().manual_seed(2)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.5)
            if name == "running_var":
                tensor.abs_().add_(0.5)
    return module.eval()


def call_text(op: Op, values: list[torch.Tensor], tensors: tuple[Tensor, ...]) -> torch.Tensor:
    """The op by its generated functional text."""
    names = [f"x{index}" for index in range(len(values))]
    made: torch.Tensor = eval(op.call(names, tensors), scope(**dict(zip(names, values))))
    return made


def check(case: Case) -> None:
    """Everything there is to hold against torch and onnxruntime."""
    op, tensors = case.op(), case.tensors()
    (symbolic,) = op.infer(*tensors)
    module = build_module(op, tensors) if op.torch else None
    expected = []
    for sizes in case.sizes:
        values = case.values(sizes)
        with torch.no_grad():
            made = module(*map(torch.clone, values)) if module else call_text(op, values, tensors)
        (inferred,) = case.op(sizes).infer(*case.concrete(sizes))
        assert inferred.shape == tuple(made.shape), "the inferred shape, all sizes known"
        assert f"torch.{inferred.dtype}" == str(made.dtype)
        assert evaluate_shape(symbolic.shape, sizes) == tuple(made.shape), "the inferred shape, sizes symbolic"
        assert evaluate(op.macs(tensors, (symbolic,)), sizes) == counted_macs(case, sizes)
        if module is not None and op.functional is not None:
            torch.testing.assert_close(call_text(op, [value.clone() for value in values], tensors), made)
        expected.append(made.numpy())
    learned = {name: tuple(p.shape) for name, p in module.named_parameters()} if module else {}
    assert op.parameters(*tensors) == learned
    run_onnx(op, tensors, module, case, expected)
    run_onnx(case.op(case.sizes[0]), case.concrete(case.sizes[0]), module, case, expected[:1])
    if case.dtype == "float32":
        check_accuracy(op, tensors, module, case)


OFF_CENTRE: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mean 10": lambda x: x + 10,
    "mean -100": lambda x: x - 100,
    "mean 1000": lambda x: x + 1000,
    "large": lambda x: x * 1e3,
    "small": lambda x: x * 1e-4,
    "constant": lambda x: torch.full_like(x, 3.3),
    "zeros": lambda x: x * (x > 0),
}
"""What is hard on sums, means and exponentials."""
LEAST = 1e-5
"""The error, relative to the largest number, that any form may have; beyond it, several times that of torch."""


def check_accuracy(op: Op, tensors: tuple[Tensor, ...], module: nn.Module | None, case: Case) -> None:
    """The ONNX form is about as exact as torch's float32, in truth as float64 has it, for inputs of all magnitudes."""
    exact = None if module is None else copy.deepcopy(module).double()
    session = onnxruntime.InferenceSession(
        onnx_model(op, tensors, module).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for kind, change in OFF_CENTRE.items():
        values = [change(value) for value in case.values(case.sizes[0])]
        truth, torchs = (
            run_torch(op, tensors, layer, [value.to(dtype) for value in values])
            for layer, dtype in ((exact, torch.float64), (module, torch.float32))
        )
        (made,) = session.run(None, {f"x{index}": value.numpy() for index, value in enumerate(values)})
        finite = np.isfinite(truth) & np.isfinite(torchs)
        np.testing.assert_array_equal(made[~finite], torchs[~finite], kind)
        if truth.dtype.kind == "f" and finite.any():
            scale = max(np.abs(truth[finite]).max(), *(1e-6 * float(value.abs().max()) for value in values), 1e-30)
            errors = (np.abs(each[finite].astype(np.float64) - truth[finite]).max() for each in (made, torchs))
            ours, theirs = (error / scale for error in errors)
            assert ours <= 8 * theirs + LEAST, f"{kind}: {ours:.1e} on onnxruntime, {theirs:.1e} in torch"


def run_torch(
    op: Op, tensors: tuple[Tensor, ...], module: nn.Module | None, values: list[torch.Tensor]
) -> np.ndarray[Any, Any]:
    with torch.no_grad():
        values = [value.clone() for value in values]
        return (call_text(op, values, tensors) if module is None else module(*values)).numpy()


def counted_macs(case: Case, sizes: Mapping[str, int]) -> int:
    """MACs as torch's own counter has them, on the meta device."""
    op, tensors = case.op(sizes), case.concrete(sizes)
    values = [value.to("meta") for value in case.values(sizes)]
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        if op.torch:
            eval(constructor_text(op.module(*tensors)), scope()).eval()(*values)
        else:
            call_text(op, values, tensors)
    return counter.get_total_flops() // 2


def run_onnx(
    op: Op, tensors: tuple[Tensor, ...], module: nn.Module | None, case: Case, expected: list[np.ndarray]
) -> None:
    """The op alone as an ONNX model: checked by onnx, run by onnxruntime at each of the sizes."""
    text = onnx_model(op, tensors, module).SerializeToString()
    session = onnxruntime.InferenceSession(text, providers=["CPUExecutionProvider"])
    for sizes, wanted in zip(case.sizes, expected):
        (made,) = session.run(None, {f"x{index}": value.numpy() for index, value in enumerate(case.values(sizes))})
        assert (made.shape, made.dtype) == (wanted.shape, wanted.dtype)
        error = np.abs(made.astype(np.float64) - wanted).max()
        assert error <= 1e-5 * np.abs(wanted).max(), f"absolute error {error:.2g}"


def onnx_model(op: Op, tensors: tuple[Tensor, ...], module: nn.Module | None) -> onnx.ModelProto:
    builder = GraphBuilder()
    inputs = []
    for index, tensor in enumerate(tensors):
        shape = [size if isinstance(size, int) else spell(size) for size in tensor.shape]
        inputs.append(builder.input(f"x{index}", shape, tensor.dtype))
    state = {} if module is None else {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    builder.begin("layer", state)
    made = op.onnx(builder, *inputs, tensors=tensors)
    made = builder.op("Identity", made) if made in inputs else made
    (inferred,) = op.infer(*tensors)
    made.type = ir.TensorType(DTYPES[inferred.dtype])
    made.shape = ir.Shape([size if isinstance(size, int) else spell(size) for size in inferred.shape])
    proto = ir.to_proto(ir.Model(builder.graph("case", inputs, [made]), ir_version=10))
    onnx.checker.check_model(proto, full_check=True)
    return proto


def refused(name: str, *shapes: str, dtype: str = "float32", **args: Any) -> Case:
    return Case(name, shapes, args, (dict.fromkeys("NLDHW", 1),), dtype)


def check_refused(case: Case) -> ShapeError:
    """What torch refuses on real tensors netspec refuses too, with a ``ShapeError``; gives that error."""
    op = case.op()
    tensors = case.concrete(case.sizes[0])
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


def torch_result(op: Op, tensors: tuple[Tensor, ...], case: Case) -> torch.Tensor:
    """What torch makes of arguments that netspec refuses: the module or function by the op's fields."""
    values = case.values(case.sizes[0])
    if op.torch is None:
        return call_text(op, values, tensors)
    channels = int_of(tensors[0].shape[1]) if len(tensors[0].shape) > 1 else 1
    sizes = {"in_channels": channels, "num_features": channels, "in_features": int_of(tensors[0].shape[-1])}
    sizes |= {"num_channels": channels, "normalized_shape": tensors[0].shape[-1:]}
    kind = getattr(nn, op.torch.removeprefix("nn."))
    wanted = inspect.signature(kind).parameters
    arguments = {name: value for name, value in sizes.items() if name in wanted} | op.changed()
    module = kind(**arguments).eval()
    made: torch.Tensor = module(*values)
    return made
