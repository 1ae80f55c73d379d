"""Copies to a GPU, for whose streams a record of their calls stands in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from netspec.train.data.transfer import copied_ahead

DEVICE = torch.device("cpu")


class Stream:
    """A stream that records in ``calls`` what it is told."""

    def __init__(self, name: str, calls: list[str]):
        self.name, self.calls, self.events = name, calls, 0

    def record_event(self) -> int:
        self.events += 1
        self.calls.append(f"copy {self.events} on {self.name}")
        return self.events

    def wait_event(self, event: int) -> None:
        self.calls.append(f"{self.name} waits for copy {event}")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What streams are told, in order; a tensor tells which stream its memory is kept for."""
    told: list[str] = []
    present = [Stream("main", told)]

    @contextmanager
    def entered(stream: Stream) -> Iterator[None]:
        present.append(stream)
        yield
        present.pop()

    module = SimpleNamespace(
        Stream=lambda device: Stream("side", told), stream=entered, current_stream=lambda device: present[-1]
    )
    monkeypatch.setattr(torch, "get_device_module", lambda device: module)
    monkeypatch.setattr(
        torch.Tensor, "record_stream", lambda tensor, stream: told.append(f"kept for {stream.name}"), raising=False
    )
    return told


def test_the_next_batch_is_copied_before_a_step_begins(calls: list[str]):
    seen = []
    for rows in copied_ahead(({"x": torch.full((2,), number)} for number in range(3)), DEVICE):
        seen.append(rows["x"].tolist())
        calls.append(f"step {len(seen)}")
    assert seen == [[0, 0], [1, 1], [2, 2]]
    assert calls == [
        "copy 1 on side",
        "copy 2 on side",
        *("main waits for copy 1", "kept for main", "step 1"),
        "copy 3 on side",
        *("main waits for copy 2", "kept for main", "step 2"),
        *("main waits for copy 3", "kept for main", "step 3"),
    ]


def test_one_batch_and_none(calls: list[str]):
    assert [rows["x"].tolist() for rows in copied_ahead([{"x": torch.ones(1)}], DEVICE)] == [[1.0]]
    assert [*copied_ahead([], DEVICE)] == []
