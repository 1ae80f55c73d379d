"""Faults that torch raises in the middle of a step, told with their causes and what helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from netspec.diagnostics import Report, SpecError
from netspec.elaborate.reading.values import Reader
from netspec.recipes.settings import AUTOCAST
from netspec.train.errors import enough_rows, out_of_memory, readable
from netspec.train.setup import Setup


@contextmanager
def told_of_faults(setup: Setup) -> Iterator[None]:
    """Report what can go wrong in a step: too little memory, too few rows, files that cannot be read, a layer that the
    device does not have in the recipe's precision.
    """
    with out_of_memory(setup.recipe.settings), enough_rows(), readable(), in_its_precision(setup):
        yield


@contextmanager
def in_its_precision(setup: Setup) -> Iterator[None]:
    """Report a layer that the device does not compute in the recipe's precision as a ``SpecError`` there."""
    try:
        yield
    except RuntimeError as error:
        if (layer := layer_without_precision(setup)) is None:
            raise
        precision, report = setup.recipe.settings.precision, Report()
        told = str(error).partition("\n")[0].partition(". ")[0]
        message = f"{layer} does not work in `{precision}` on this device ({setup.device.type}): {told}"
        others = "`mixed` or `float32`" if precision == "float16" else "`float32`"
        Reader(report).error("bad-value", message, setup.recipe.spans["precision"], help=f"the precision {others}")
        raise SpecError(report.diagnostics) from None


def layer_without_precision(setup: Setup) -> str | None:
    """Return the layer that fails on the first batch by autocast, if the network works without it; else ``None``."""
    if setup.recipe.settings.precision not in AUTOCAST:
        return None
    batch = next(iter(setup.train.shuffled(0, setup.recipe.settings.batch)))
    layer = failing_layer(setup.model, batch.inputs, setup.autocast())
    without = None if layer is None else failing_layer(setup.model, batch.inputs, nullcontext())
    return layer if without is None else None


def failing_layer(model: nn.Module, inputs: Any, context: Any) -> str | None:
    """Return the innermost layer that torch cannot run on some inputs, or the network; ``None`` if it runs."""
    entered: list[str] = []
    handles = []
    for name, module in model.named_modules():
        told = f"the layer `{name}`" if name else "the network"
        handles.append(module.register_forward_pre_hook(lambda *_, told=told: entered.append(told)))
        handles.append(module.register_forward_hook(lambda *_: entered.pop() and None))
    try:
        with context, torch.enable_grad():
            outputs = model(*inputs)
        made = outputs.values() if isinstance(outputs, dict) else [outputs]
        torch.autograd.backward([each.float().sum() for each in made if each.requires_grad])
    except RuntimeError:
        return entered[-1] if entered else "the backward pass"
    finally:
        for handle in handles:
            handle.remove()
    return None
