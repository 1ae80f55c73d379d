"""The PyTorch that an op writes, made and run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain, count
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netspec.ops import Constructor, ForwardCall, Op
from netspec.runtime.own_modules import op_scope
from netspec.testing.case import OpCase, Values

NAMES = "abcdefgh"
"""The variables of the inputs."""


def constructor_text(constructor: Constructor) -> str:
    """Return the call that makes a module, as the generated source has it."""
    parts = [repr(value) for value in constructor.positional.values()]
    parts += [f"{name}={value!r}" for name, value in constructor.keywords.items()]
    return constructor.wrap.format(f"{constructor.callee}({', '.join(parts)})")


def new_module(op: Op, tensors: Sequence[Any]) -> Any:
    """Return the op's module (or bare parameter or buffer) as torch makes it; ``None`` for an op without one."""
    return eval(constructor_text(op.module(*tensors)), op_scope(op)) if op.has_module else None


def random_module(op: Op, tensors: Sequence[Any]) -> Any:
    """Return the op's module in evaluation mode, every parameter and buffer random."""
    module = new_module(op, tensors)
    generator = torch.Generator().manual_seed(2)
    for name, tensor in state_of(module).items():
        if tensor.is_floating_point():
            with torch.no_grad():
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.5)
                if name == "running_var":
                    tensor.abs_().add_(0.5)
    return module.eval() if isinstance(module, nn.Module) else module


def state_of(module: Any) -> dict[str, torch.Tensor]:
    """Return what a checkpoint has, by name; a bare parameter or buffer has the empty one."""
    if isinstance(module, torch.Tensor):
        return {"": module.detach()} if getattr(module, "persistent", True) else {}
    return {} if module is None else dict(module.state_dict())


def lines_of(op: Op, tensors: Sequence[Any], targets: Sequence[str | None]) -> list[str]:
    """Return the op's lines over the variables ``a``, ``b``, …, with the module ``self.op``."""
    arguments = [None if tensor is None else NAMES[at] for at, tensor in enumerate(tensors)]
    reserved = {*filter(None, arguments), *filter(None, targets)}

    def fresh(wish: str) -> str:
        name = next(text for text in chain([wish], (f"{wish}{at}" for at in count(2))) if text not in reserved)
        reserved.add(name)
        return name

    return op.statements(ForwardCall("self.op" if op.has_module else None, arguments, targets, tensors, fresh))


def run_lines(
    op: Op, module: Any, tensors: Sequence[Any], values: Values, reads: Collection[int], training: bool = False
) -> list[Any]:
    """Return the outputs that are read, ``None`` for the others. The first takes the variable of the first input."""
    first = "a" if tensors and tensors[0] is not None else "y"
    outputs = range(len(op.output_names(*tensors)))
    targets = [(f"y{at}" if at else first) if at in reads else None for at in outputs]
    holder = nn.Module()
    if module is not None:
        holder.op = module
    holder.training = training
    variables = op_scope(op, self=holder) | {NAMES[at]: value for at, value in enumerate(values) if value is not None}
    exec("\n".join(lines_of(op, tensors, targets)), variables)
    return [variables[target] if target else None for target in targets]


def copies(values: Values) -> Values:
    """Return copies, for an op that may work in place."""
    return [None if value is None else value.clone() for value in values]


def counted_macs(case: OpCase, sizes: Mapping[str, int]) -> int:
    """Return the multiply-accumulates that torch's counter counts, on the meta device."""
    op, tensors = case.op(sizes), case.tensors(sizes)
    values = [None if value is None else value.to("meta") for value in case.values(sizes)]
    module = random_module(op, tensors)
    module = module.to("meta") if isinstance(module, nn.Module) else module
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        run_lines(op, module, tensors, values, range(len(op.output_names(*tensors))))
    return int(counter.get_total_flops()) // 2
