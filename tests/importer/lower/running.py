"""Runs a program that was lowered, op by op: what its module computes is what it must compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from netspec.dims import Dim
from netspec.importer.capture.export import export_module
from netspec.importer.capture.torch_program import read_exported
from netspec.importer.lower import lower
from netspec.importer.program import ForeignProgram, ForeignStep
from netspec.ops import ForwardCall
from netspec.ops.core.op import Op
from netspec.ops.core.tensors import Tensor
from netspec.ops.registry import OPS
from netspec.runtime.own_modules import op_scope


def lowered(
    module: nn.Module, inputs: Mapping[str, Any], dynamic: Mapping[str, Mapping[int, str]] | None = None
) -> ForeignProgram:
    """Return a module's program in ops."""
    return lower(read_exported(export_module(module, inputs, dynamic or {}), type(module).__name__, dynamic or {}))


def ops_of(program: ForeignProgram) -> list[str]:
    """Return the ops of a program in their order."""
    return [step.op for step in program.steps]


def run(program: ForeignProgram, state: Mapping[str, torch.Tensor], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs of a lowered program."""
    assert program.problems == [], "\n".join(map(str, program.problems))
    given = [(foreign, inputs[name]) for name, foreign in program.inputs.items()]
    values: dict[Any, Any] = dict(given)
    with torch.no_grad():
        for step in program.steps:
            values.update(_results(step, values, state, given))
    return {name: values[foreign] for name, foreign in program.outputs.items()}


def difference(module: nn.Module, program: ForeignProgram, inputs: Mapping[str, Any]) -> float:
    """Return by how much the outputs of a lowered program differ at most from its module's, relative to the largest."""
    module.eval()
    with torch.no_grad():
        wanted = torch.utils._pytree.tree_leaves(module(**inputs))
    given = {name: each for name, each in inputs.items() if isinstance(each, torch.Tensor)}
    got = run(program, dict(module.state_dict()), given)
    wanted = [each for each in wanted if isinstance(each, torch.Tensor)]
    apart = [0.0]
    for want, have in zip(wanted, got.values()):
        assert want.shape == have.shape
        assert want.dtype == have.dtype
        want, have = want.double(), have.double()
        finite = want.isfinite()
        assert torch.equal(finite, have.isfinite())
        if finite.any():
            apart.append(float((want - have)[finite].abs().max() / want[finite].abs().max().clamp(min=1e-30)))
    return max(apart)


def _results(
    step: ForeignStep, values: Mapping[Any, Any], state: Mapping[str, torch.Tensor], given: list[tuple[Any, Any]]
) -> dict[Any, Any]:
    assert step.reading is not None
    reading, kind = step.reading, OPS[step.op]
    op = kind(**reading.arguments)
    held = [None if each is None else values[each] for each in reading.inputs]
    inputs: list[Any] = [None if each is None else Tensor(each.shape, each.dtype) for each in reading.inputs]
    arguments: list[str | None] = [None if each is None else f"i{at}" for at, each in enumerate(held)]
    if kind.sizes_read is not Op.sizes_read and any(isinstance(size, Dim) for size in op.sizes_read(*inputs)):
        held += [value for _, value in given]
        inputs += [Tensor(foreign.shape, foreign.dtype) for foreign, _ in given]
        arguments += [f"i{len(reading.inputs) + at}" for at in range(len(given))]
    targets = [None if each is None else f"o{at}" for at, each in enumerate(reading.outputs)]
    holder: Any = nn.Module()
    holder.training = False
    own = {name: state[foreign.key] for name, foreign in reading.state.items()}
    if op.has_module:
        holder.op = _module(op, inputs[: len(reading.inputs)], own)
    call = ForwardCall("self.op" if op.has_module else None, arguments, targets, inputs, lambda wish: f"{wish}_fresh")
    scope = op_scope(op, self=holder, **{f"i{at}": each for at, each in enumerate(held)})
    exec("\n".join(op.statements(call)), scope)
    return {foreign: scope[f"o{at}"] for at, foreign in enumerate(reading.outputs) if foreign is not None}


def _module(op: Op, inputs: list[Any], own: dict[str, torch.Tensor]) -> Any:
    if "" in own:
        return own[""]
    made = op.module(*inputs)
    given = [repr(value) for value in made.positional.values()]
    given += [f"{name}={value!r}" for name, value in made.keywords.items()]
    module = eval(made.wrap.format(f"{made.callee}({', '.join(given)})"), op_scope(op))
    if isinstance(module, nn.Module):
        module.load_state_dict(own)
        module.eval()
    return module
