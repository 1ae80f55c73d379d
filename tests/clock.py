"""Judges how long something takes by a yardstick: the same machine, at the same moment, on a fixed piece of Python."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager


def processor_time() -> float:
    """Seconds of processor time of this process and of the children it has waited for."""
    return time.process_time() + sum(os.times()[2:4])


def yardstick() -> float:
    """Seconds of processor time for a fixed piece of work, about a tenth on an idle core."""
    start = time.process_time()
    words = [str(number * 7919 % 10007) for number in range(100_000)]
    sorted(dict.fromkeys(words), key=lambda word: (len(word), word[::-1]))
    sum(len(word) * (number % 13) for number, word in enumerate(words * 8))
    return time.process_time() - start


FASTEST = 0.02
"""Seconds that no machine's yardstick is below: what takes less than so many of these need not be compared."""


@contextmanager
def at_most(yards: float) -> Iterator[None]:
    """Guard: the block takes at most so many yardsticks of processor time, its children included."""
    start = processor_time()
    yield
    took = processor_time() - start
    if took > yards * FASTEST:
        yard = max(yardstick(), yardstick())
        assert took <= yards * yard, f"{took:.2f} s, {took / yard:.1f} yardsticks of {yard:.3f} s; at most {yards}"
