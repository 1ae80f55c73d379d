"""The memory for the frames of a command's calls, which is one piece."""

from __future__ import annotations

import sys

import pytest

from netspec.cli.program import with_room

resource = pytest.importorskip("resource")


def call_at_every_depth() -> int:
    """Call a function many times, with any number of calls around it; gives how often memory was new to the process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    dive(300)
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


def dive(depth: int) -> None:
    for _ in range(500):
        end()
    if depth:
        dive(depth - 1)


def end() -> None:
    """Do nothing."""


@pytest.mark.skipif(sys.platform != "linux", reason="it counts what Linux counts")
def test_calls_take_no_memory_again_and_again() -> None:
    assert with_room(call_at_every_depth)() < call_at_every_depth() / 2
