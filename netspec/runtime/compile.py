"""torch.compile, of a whole network or of its repeated blocks by themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn


def compile_regions(model: nn.Module) -> None:
    """Compile each repeated block by itself: one compilation serves all of a size. A network without any is one."""
    blocks = repeated_blocks(model)
    # torch gives a function up after 8 sizes, and GoogLeNet has 9 of one block: there is to be room for each of them in
    # training and in evaluation, with whole batches and with the last one of an epoch.
    limits = torch._dynamo.config
    limits.recompile_limit = max(limits.recompile_limit, 4 * len(blocks))
    for module in blocks or [model]:
        compile_module(module)


def repeated_blocks(model: nn.Module) -> list[nn.Module]:
    """The blocks that stand in a network more than once. Blocks within such a block are parts of it."""
    own = Counter(type(module) for module in model.modules() if not type(module).__module__.startswith("torch."))
    return [*_outermost(model, {kind for kind, count in own.items() if count > 1})]


def _outermost(module: nn.Module, kinds: set[type[nn.Module]]) -> Iterator[nn.Module]:
    """The modules of some classes, without those that stand within one of them."""
    for child in module.children():
        if type(child) in kinds:
            yield child
        else:
            yield from _outermost(child, kinds)


def compile_module(module: nn.Module) -> None:
    """Compile a module in place, as ``nn.Module.compile`` does, which leaves an ``nn.Sequential`` as it is.

    torch passes over a call in which none but its own code runs: such a module gets a frame of ours around it.
    """
    if not isinstance(module, nn.Sequential):
        module.compile()
        return
    call: Callable[..., Any] = module._call_impl

    def run(*inputs: Any) -> Any:
        return call(*inputs)

    module._compiled_call_impl = torch.compile(run)
