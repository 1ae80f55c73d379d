"""The memory of an op: what autograd saves and where outputs lie, held against torch's own hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F

from netspec.dims import evaluate_shape
from netspec.ops import Op, OpRun, Tensor
from netspec.testing.case import OpCase, Values
from netspec.testing.pytorch import new_module, run_lines

Storages = dict[int, torch.Tensor]
Arrange = Callable[[torch.Tensor], torch.Tensor]


def address(tensor: torch.Tensor) -> int:
    """Return where a tensor's memory begins."""
    return tensor.untyped_storage().data_ptr()


def nbytes(tensor: torch.Tensor) -> int:
    """Return the bytes of a tensor's memory, all of it where the tensor is a view."""
    return tensor.untyped_storage().nbytes()


def contiguous(value: torch.Tensor) -> torch.Tensor:
    """Return a copy without gaps, the last dimension first in memory."""
    return value.clone()


def transposed(value: torch.Tensor) -> torch.Tensor:
    """Return the same numbers, the dimensions in memory in the opposite order."""
    order = list(reversed(range(value.dim())))
    return value.permute(order).contiguous().permute(order)


def gapped(value: torch.Tensor) -> torch.Tensor:
    """Return the same numbers, with others between them."""
    return torch.stack([value, value], dim=-1)[..., 0] if value.dim() else value.clone()


LAYOUTS: tuple[Arrange, ...] = (contiguous, transposed, gapped)
"""The layouts of inputs in memory."""


@contextmanager
def recording(besides: Iterable[torch.Tensor] = ()) -> Iterator[Storages]:
    """Collect what autograd saves, a tensor for each storage; not what is in the storages of ``besides``."""
    aside = {address(tensor) for tensor in besides}
    saved: Storages = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if address(tensor) not in aside:
            saved.setdefault(address(tensor), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), dropout_as_on_cuda():
        yield saved


@contextmanager
def dropout_as_on_cuda() -> Iterator[None]:
    """Run dropout by the op that torch runs on CUDA, which saves a mask of truth values, where the CPU's saves floats;
    and attention without it: the fused kernel on CUDA saves a seed alone, while on CPU there is none with dropout.
    """
    plain: Callable[..., Any] = F.dropout
    attention: Callable[..., Any] = F.scaled_dot_product_attention

    def dropout(input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        fused = training and p > 0 and not inplace
        return torch.native_dropout(input, p, True)[0] if fused else plain(input, p, training, inplace)

    def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *more: Any, **others: Any) -> Any:
        others |= zip(("attn_mask", "dropout_p", "is_causal"), more)
        return attention(query, key, value, **{**others, "dropout_p": 0.0})

    with patch.object(F, "dropout", dropout), patch.object(F, "scaled_dot_product_attention", attend):
        yield


def check_memory(case: OpCase) -> None:
    """Hold what an op claims to save, and where it claims that outputs lie, against torch.

    In each of ``LAYOUTS``; where gradients flow to one input alone; where the parameters are frozen. Raises
    ``AssertionError`` where they disagree.
    """
    op, tensors, values = ready(case)
    reads = (True,) * len(op.output_names(*tensors))
    learns = bool(op.parameters(*tensors))
    for arrange in LAYOUTS:
        check_run(op, tensors, values, arrange, reads)
        if learns:
            check_run(op, tensors, values, arrange, reads, frozen=True)
    real = [at for at, value in enumerate(values) if value is not None and value.is_floating_point()]
    for only in real if len(real) > 1 else ():
        check_run(op, tensors, values, contiguous, reads, only)


def ready(case: OpCase) -> tuple[Op, tuple[Any, ...], Values]:
    """Return the op, its tensors and values; attention without dropout, for which the CPU has no fused kernel."""
    sizes = case.sizes[0]
    op = case.op(sizes)
    off = {name: 0.0 for name in ("dropout_p",) if getattr(op, name, 0)}
    return op.model_copy(update=off), case.tensors(sizes), case.values(sizes)


def size_of(tensor: Tensor) -> int:
    """Return the bytes of a tensor that has memory of its own."""
    return torch.empty(known_shape(tensor), dtype=getattr(torch, tensor.dtype), device="meta").nbytes


def known_shape(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape of a tensor whose sizes are numbers."""
    return evaluate_shape(tensor.shape, {})


def weights_of(module: Any) -> list[torch.Tensor]:
    """Return parameters and buffers."""
    if module is None:
        return []
    return [module] if isinstance(module, torch.Tensor) else [*module.parameters(), *module.buffers()]


def check_run(
    op: Op,
    tensors: Sequence[Any],
    values: Values,
    arrange: Arrange,
    reads: tuple[bool, ...],
    only: int | None = None,
    frozen: bool = False,
) -> None:
    """Hold the claims for one run against torch; ``only`` is the one input that gradients flow to.

    Raises ``AssertionError`` where they disagree.
    """
    leaves: Values = []
    for at, value in enumerate(values):
        flows = value is not None and value.is_floating_point() and only in (None, at)
        leaves.append(None if value is None else arrange(value.detach().clone().requires_grad_(flows)))
    module = new_module(op, tensors)
    if frozen:
        module.requires_grad_(False)
    weights = weights_of(module)
    with recording(besides=weights) as saved:
        results = run_lines(op, module, tensors, leaves, [at for at, read in enumerate(reads) if read], True)
    needs = tuple(value is not None and value.requires_grad for value in leaves)
    strides = tuple(None if value is None or value.is_contiguous() else value.stride() for value in leaves)
    learns = frozenset(() if frozen else op.parameters(*tensors))
    run = OpRun(tuple(tensors), op.infer(*tensors), strides, needs, reads, learns=learns)
    check_saved(op, run, saved, leaves, results)
    check_layout(op, run, leaves, results, besides={address(each) for each in weights})


def check_saved(op: Op, run: OpRun, saved: Storages, leaves: Values, results: Sequence[Any]) -> None:
    """Hold what an op claims that autograd saves against what it has saved."""
    claimed = op.saved(run) if any(run.needs) or run.learns else None
    inputs, outputs = first_at(leaves), first_at(results)
    saved_inputs = {inputs[where] for where in saved if where in inputs}
    saved_outputs = {outputs[where] for where in saved if where in outputs and where not in inputs}
    others = sorted(nbytes(tensor) for where, tensor in saved.items() if where not in inputs and where not in outputs)
    layouts = op.output_layout(run)
    sources = {at for at in (claimed.inputs if claimed else ())}
    of_outputs = [(at, layouts[at].source) for at in (claimed.outputs if claimed else ())]
    own = {at for at, source in of_outputs if source is None}
    sources |= {source for _, source in of_outputs if source is not None}
    made = sorted(map(size_of, claimed.made if claimed else ()))
    assert sources == saved_inputs, f"{op.name} claims to save the inputs {sources}, torch saves {saved_inputs}"
    assert own == saved_outputs, f"{op.name} claims to save the outputs {own}, torch saves {saved_outputs}"
    assert made == others, f"{op.name} claims to save others of {made} bytes, torch saves {others}"


def check_layout(op: Op, run: OpRun, leaves: Values, results: Sequence[Any], besides: set[int]) -> None:
    """Hold where an op claims that outputs lie against where they lie; not those in the memory of ``besides``."""
    inputs = first_at(leaves)
    for result, tensor, layout in zip(results, run.outputs, op.output_layout(run)):
        if result is None or address(result) in besides:
            continue
        source = inputs.get(address(result))
        assert source == layout.source, f"an output of {op.name} lies in input {source}, not {layout.source}"
        plain = tuple(torch.empty(known_shape(tensor), device="meta").stride())
        claimed = plain if layout.strides is None else layout.strides
        axes = [at for at, size in enumerate(tensor.shape) if size != 1]
        strides = [result.stride(at) for at in axes]
        assert strides == [claimed[at] for at in axes], f"an output of {op.name} has the strides {strides}"


def first_at(tensors: Sequence[Any]) -> dict[int, int]:
    """Return the position of the first tensor in each storage."""
    return {address(value): at for at, value in reversed([*enumerate(tensors)]) if value is not None}
