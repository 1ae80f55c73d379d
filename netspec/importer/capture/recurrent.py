"""Recurrent layers as single operators: torch.export would run their iterations, and so fix their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

KINDS = ("lstm", "gru", "rnn_tanh", "rnn_relu")
ONE_STATE = "Tensor input, Tensor hx"
TWO_STATES = "Tensor input, Tensor[] hx"
REST = (
    "Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first"
)
LIBRARY = torch.library.Library("netspec", "DEF")  # type: ignore[no-untyped-call]


@contextmanager
def whole_recurrent_layers() -> Iterator[None]:
    """Have ``nn.LSTM``, ``nn.GRU`` and ``nn.RNN`` call an operator whose length may stay symbolic."""
    functions = torch._VF
    before = {kind: getattr(functions, kind) for kind in KINDS}
    for kind in KINDS:
        setattr(functions, kind, _instead(kind, before[kind]))
    try:
        yield
    finally:
        for kind in KINDS:
            setattr(functions, kind, before[kind])


def _instead(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The operator in the place of torch's function, which stays for packed batches."""

    def call(*given: Any) -> Any:
        packed = not isinstance(given[3], bool)
        return function(*given) if packed else getattr(torch.ops.netspec, kind)(*given)

    return call


def _shapes(input: Tensor, hx: Tensor | Sequence[Tensor], params: Any, *settings: Any) -> tuple[Tensor, ...]:
    """Tensors of the shapes that a layer gives."""
    both = settings[-2]
    states = [hx] if isinstance(hx, Tensor) else [*hx]
    output = input.new_empty((*input.shape[:-1], states[0].shape[-1] * (2 if both else 1)))
    return (output, *map(torch.empty_like, states))


for _kind in KINDS:
    _two = _kind == "lstm"
    LIBRARY.define(f"{_kind}({TWO_STATES if _two else ONE_STATE}, {REST}) -> (Tensor, Tensor{', Tensor' * _two})")  # type: ignore[no-untyped-call]
    LIBRARY.impl(_kind, getattr(torch._VF, _kind), "CPU")  # type: ignore[no-untyped-call]
    torch.library.register_fake(f"netspec::{_kind}", _shapes, lib=LIBRARY)
