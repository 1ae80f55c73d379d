"""The common part of the benchmarks: two things timed in turn, their ratio, and the bar that it is held to.

The machine is shared and drifts, so no absolute time is ever judged. The two are run alternately, a round apiece in
either order; each round gives one ratio, and the median of the ratios is what counts.
"""

from __future__ import annotations

import ctypes
import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")
Clock = Callable[[], float]
Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar that a ratio is held to."""

    limit: float
    least: bool = False

    def __str__(self) -> str:
        return f"at {'least' if self.least else 'most'} {self.limit:g}"

    def met(self, ratio: float) -> bool:
        return ratio >= self.limit if self.least else ratio <= self.limit


def timed(run: Run, clock: Clock = time.process_time, collect: bool = True) -> float:
    """The seconds that one run takes: of CPU, unless another clock is given."""
    if collect:
        gc.collect()
    start = clock()
    run()
    return clock() - start


def fastest(run: Run, times: int = 3) -> float:
    """The CPU seconds of the fastest of a few runs: what else goes on in the machine only ever adds to one."""
    gc.collect()
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


@contextmanager
def collector_paused() -> Iterator[None]:
    """Python's garbage collector stays out of what is timed inside."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def keep_memory() -> None:
    """Have glibc keep the memory that tensors leave behind: its first use costs a page fault for each 4 kB, and whether
    a step takes kept memory or new would say more of the allocator than of the step.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        never_mapped, never_trimmed = (-4, 0), (-1, 2**31 - 1)
        libc.mallopt(*never_mapped)
        libc.mallopt(*never_trimmed)


def alternate(first: Callable[[], T], second: Callable[[], T], rounds: int) -> list[tuple[T, T]]:
    """Both measured in each round, in turned order, so that neither always goes first."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            after = second()
            pairs.append((first(), after))
        else:
            pairs.append((first(), second()))
    return pairs


def ratios(pairs: Sequence[tuple[float, float]]) -> list[float]:
    return [above / below for above, below in pairs]


def spread(numbers: Sequence[float]) -> str:
    """The median, and the quartiles around it (the extremes of a few)."""
    middle = statistics.median(numbers)
    if len(numbers) < 4:
        low, high = min(numbers), max(numbers)
    else:
        low, _, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return f"{middle:.3f}  [{low:.3f} … {high:.3f}]"


def judge(what: str, numbers: Sequence[float], bar: Bar | None = None, note: str = "") -> bool:
    """Print a measurement with the bar it is held to; gives whether it is met."""
    met = bar is None or bar.met(statistics.median(numbers))
    verdict = "" if bar is None else f"  {bar}: {'ok' if met else 'MISSED'}"
    print(f"{what:<44} {spread(numbers)}{verdict}{'  ' + note if note else ''}", flush=True)
    return met


def seconds(pairs: Sequence[tuple[float, float]]) -> str:
    """The medians behind the ratios, for the reader; nothing is judged by them."""
    first, second = (statistics.median(each) for each in zip(*pairs))
    return f"({first:.3g} s : {second:.3g} s)"


def finish(results: Sequence[bool]) -> None:
    """Leave with 1 where a bar was missed."""
    sys.exit(0 if all(results) else 1)


def import_torchvision() -> ModuleType:
    """torchvision, also beside a torch that its compiled half does not fit."""
    from netspec.runtime.vision import import_torchvision as prepare

    prepare()
    import torchvision

    return torchvision
