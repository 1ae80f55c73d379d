"""The gradients of an op, held against differences of its outputs."""

from __future__ import annotations

import torch
from torch import nn
from torch.autograd.gradcheck import GradcheckError

from netspec.runtime.fixed_noise import fixed_noise
from netspec.testing.case import OpCase, Values
from netspec.testing.pytorch import copies, random_module, run_lines


def check_gradients(case: OpCase) -> None:
    """Hold torch's backward pass through the op's lines against differences of its outputs, in float64.

    An op without real inputs or outputs has none to check. Raises ``AssertionError`` where they disagree.
    """
    sizes = case.sizes[0]
    op, tensors = case.op(sizes), case.tensors(sizes)
    module = random_module(op, tensors)
    module = module.double() if isinstance(module, nn.Module) else module
    values: Values = [
        value.double() if value is not None and value.dtype == torch.float32 else value for value in case.values(sizes)
    ]
    real = [at for at, value in enumerate(values) if value is not None and value.dtype == torch.float64]
    outputs = [at for at, tensor in enumerate(op.infer(*tensors)) if tensor.dtype == "float32"]

    def run(*leaves: torch.Tensor) -> tuple[torch.Tensor, ...]:
        given = copies(values)
        for at, leaf in zip(real, leaves):
            given[at] = leaf.clone()
        results = run_lines(op, module, tensors, given, outputs)
        return tuple(results[at] for at in outputs)

    leaves = []
    for at in real:
        value = values[at]
        assert value is not None
        leaves.append(value.clone().requires_grad_())
    if not leaves or not outputs:
        return
    results = run(*leaves)
    if any(result.dtype != torch.float64 for result in results) or not any(each.requires_grad for each in results):
        return
    try:
        with fixed_noise(op.is_random()):
            torch.autograd.gradcheck(run, leaves, fast_mode=True)
    except GradcheckError as fault:
        raise AssertionError(f"the gradients of {op.name} are not those of its outputs: {fault}") from None
