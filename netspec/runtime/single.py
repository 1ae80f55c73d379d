"""Single ops as modules that have given tensors, which making them does not fill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from netspec.graph import Node
from netspec.ops import Constructor
from netspec.runtime.own_modules import op_scope

FILLS = {
    Tensor.uniform_,
    Tensor.normal_,
    Tensor.bernoulli_,
    Tensor.exponential_,
    Tensor.fill_,
    Tensor.zero_,
}


def fills(function: Callable[..., Any]) -> bool:
    """Return whether a function gives a tensor its values."""
    return function in FILLS or getattr(function, "__module__", None) == "torch.nn.init"


class Suppressed(TorchFunctionMode):
    """Leaves tensors as they are where a constructor would fill them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if fills(func):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def own_module(node: Node, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Return the module that a node is by itself, with these tensors for its parameters and buffers."""
    with Suppressed(), torch.device("meta"):
        module: nn.Module = eval(constructor(node.op.module(*node.tensors)), op_scope(node.op))
    for name, parameter in module.named_parameters():  # what is frozen stays so: these are the module's own weights
        parameter.requires_grad_(tensors[name].requires_grad)
    module.load_state_dict(tensors, assign=True)
    return module


def constructor(made: Constructor) -> str:
    """Return the call that makes a module, as text."""
    given = [repr(value) for value in made.positional.values()]
    given += [f"{name}={value!r}" for name, value in made.keywords.items()]
    return made.wrap.format(f"{made.callee}({', '.join(given)})")
