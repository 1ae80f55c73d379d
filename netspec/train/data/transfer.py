"""Copies to a GPU: rows in pinned memory are copied while the network learns from those before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor

RowsOfBatch = Mapping[str, Tensor]


def copied_ahead(batches: Iterable[RowsOfBatch], device: torch.device) -> Iterator[dict[str, Tensor]]:
    """Yield the rows of each batch on a device with streams, one batch behind what is being copied.

    The copies have a stream of their own, so that they do not queue behind the steps; whoever works with a batch, on
    the present stream, waits for the copy of that batch alone. A fault of ``batches`` comes one batch early.
    """
    streams = torch.get_device_module(device)
    stream = streams.Stream(device)
    ahead = None
    for rows in batches:
        with streams.stream(stream):
            copies = {name: tensor.to(device, non_blocking=True) for name, tensor in rows.items()}
            copied = stream.record_event()
        if ahead is not None:
            yield _received(*ahead, streams.current_stream(device))
        ahead = copies, copied
    if ahead is not None:
        yield _received(*ahead, streams.current_stream(device))


def _received(copies: dict[str, Tensor], copied: torch.Event, stream: torch.Stream) -> dict[str, Tensor]:
    """Have ``stream`` wait for the copies, whose memory is not used again before its work on them is done."""
    stream.wait_event(copied)
    for tensor in copies.values():
        tensor.record_stream(stream)
    return copies
