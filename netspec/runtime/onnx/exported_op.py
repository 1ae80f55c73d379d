"""Ops that do not say themselves in ONNX: torch's exporter writes them, from their PyTorch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from contextlib import contextmanager, redirect_stdout
from functools import lru_cache
from io import StringIO
from itertools import count
from typing import Any

import onnx
import torch
from onnx import inliner
from torch import nn

from netspec.diagnostics import EnvironmentFault
from netspec.dims import Dim
from netspec.ops import ForwardCall, Op, Tensor
from netspec.runtime.own_modules import op_scope

NAMES = "abcdefghijklmnopqrstuvwxyz"
OPSET = 18
"""The one that torch writes of itself: later ones it makes of this."""
LEAST = 5
"""The first size that stands for a symbolic one: those below have meanings of their own (1 is broadcast)."""


def exported_op(op: Op, tensors: Sequence[Tensor | None]) -> onnx.ModelProto:
    """Return a model of an op alone, with sizes as symbolic as those of the inputs; parameters begin with ``op.``.

    It is shared by all that ask for the same, and not to be changed. Raises ``EnvironmentFault`` where torch cannot
    export the op.
    """
    return _exported(op, tuple(tensors))


@lru_cache(maxsize=64)
def _exported(op: Op, tensors: tuple[Tensor | None, ...]) -> onnx.ModelProto:
    present = [tensor for tensor in tensors if tensor is not None]
    sizes = count(LEAST)
    known: dict[Dim, int] = {}
    examples, dynamic = [], []
    for tensor in present:
        shape = [known.setdefault(size, next(sizes)) if isinstance(size, Dim) else size for size in tensor.shape]
        examples.append(torch.zeros(shape, dtype=getattr(torch, tensor.dtype)))
        symbolic = [at for at, size in enumerate(tensor.shape) if isinstance(size, Dim)]
        dynamic.append(dict.fromkeys(symbolic, torch.export.Dim.DYNAMIC))
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                op_module(op, tensors).eval(),
                tuple(examples),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=tuple(dynamic),
                optimize=False,
                verbose=False,
            )
    except Exception as found:
        reason = str(found).strip().splitlines()[0] if str(found).strip() else type(found).__name__
        help = "give its class a method `onnx`"
        raise EnvironmentFault(f"torch cannot export `{op.name}` to ONNX: {reason}; {help}") from None
    assert program is not None
    model = program.model_proto
    return inliner.inline_local_functions(model) if model.functions else model


def op_module(op: Op, tensors: Sequence[Tensor | None]) -> nn.Module:
    """Return a module that runs an op alone, on the inputs that are not left out; its own module is called ``op``."""
    arguments = [None if tensor is None else NAMES[at] for at, tensor in enumerate(tensors)]
    targets = [f"made{at}" for at in range(len(op.infer(*tensors)))]  # type: ignore[arg-type]
    taken = {*filter(None, arguments), *targets}

    def fresh(wish: str) -> str:
        name = next(each for each in (wish, *(f"{wish}{at}" for at in range(2, 99))) if each not in taken)
        taken.add(name)
        return name

    module = "self.op" if op.has_module else None
    lines = op.statements(ForwardCall(module, arguments, targets, tensors, fresh))
    body = "".join(f"    {line}\n" for text in lines for line in text.split("\n"))
    head = f"def forward(self, {', '.join(filter(None, arguments))}):\n"
    scope = op_scope(op)
    exec(f"{head}{body}    return {', '.join(targets)}\n", scope)
    made: Any = type("OpAlone", (nn.Module,), {"forward": scope["forward"]})()
    if op.has_module:
        constructor = op.module(*tensors)  # type: ignore[arg-type]
        given = [repr(value) for value in constructor.positional.values()]
        given += [f"{name}={value!r}" for name, value in constructor.keywords.items()]
        made.op = eval(constructor.wrap.format(f"{constructor.callee}({', '.join(given)})"), op_scope(op))
    whole: nn.Module = made
    return whole


@contextmanager
def _quiet() -> Any:
    """Keep what the exporter says of its progress to itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
