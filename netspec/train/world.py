"""The processes that train one network together; a process by itself is a world of one."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from netspec.diagnostics import NetspecError, TrainingFault

T = TypeVar("T")
LAUNCHER = "NETSPEC_LAUNCHER"
"""The variable that has the process which has started this one, and watches over it."""

TIME_TO_SAVE = 120
"""Seconds that processes have to end their step and save, when they are told to stop."""

LOOK_EVERY = 1.0
"""Seconds between two looks at whether the launcher is still there."""

LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL", "gloo", "Socket")
"""What torch's messages have where another process has gone."""


class AlreadyReported(Exception):
    """A fault that ends this process, and that another one of its world has told."""

    def __init__(self, exit_code: int):
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class World:
    """``rank`` counts from 0 to ``size`` − 1; the first process alone prints and writes files."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def sums(self, *numbers: float) -> list[float]:
        """Each number, added up over all processes."""
        if self.size == 1:
            return [*numbers]
        given = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(given)
        return given.tolist()

    def most(self, number: int) -> int:
        """The largest of the numbers of all processes."""
        if self.size == 1:
            return number
        given = torch.tensor(number)
        dist.all_reduce(given, dist.ReduceOp.MAX)
        return int(given)

    def gathered(self, value: T) -> list[T]:
        """The values of all processes, in the order of their ranks."""
        if self.size == 1:
            return [value]
        found: list[T] = [value] * self.size
        dist.all_gather_object(found, value)
        return found

    def from_first(self, tensors: Iterable[Tensor]) -> None:
        """Give all processes the first one's values of some tensors, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def wait(self) -> None:
        """Go on when all processes have come this far."""
        if self.size > 1:
            dist.barrier()

    def part(self, count: int) -> slice:
        """Which of ``count`` rows are this process's: an equal share, to one row."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)


SINGLE_PROCESS = World()


def is_worker() -> bool:
    """Return whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def local_rank() -> int:
    """The number of this process among those on its machine: the GPU that it takes."""
    return int(os.environ.get("LOCAL_RANK", 0))


@contextmanager
def joined() -> Iterator[World]:
    """The world that torchrun has put this process into, or ``SINGLE_PROCESS``.

    All processes but the first are silent. Of faults, the first process to meet one raises it, and the others
    ``AlreadyReported``; that another process has gone is a ``TrainingFault``.
    """
    if not is_worker():
        yield SINGLE_PROCESS
        return
    _end_with_the_launcher()
    store, rank, size = next(rendezvous("env://"))
    # After a restart the store still has the addresses of processes that are gone: each start has names of its own.
    store = PrefixStore(f"start-{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(local_rank())
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", store=store, rank=rank, world_size=size)
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(sys.stdout if rank == 0 else nowhere):
            yield World(rank, size)
    except NetspecError as fault:
        raise fault if is_first_to_report(store) else AlreadyReported(fault.exit_code) from None
    except RuntimeError as found:
        if not any(sign in str(found) for sign in LOST):
            raise
        lost = TrainingFault("another process of the run has ended; what was saved is whole")
        raise lost if is_first_to_report(store) else AlreadyReported(lost.exit_code) from None
    dist.destroy_process_group()


def _end_with_the_launcher() -> None:
    """Have this process save and end when the one that has started it is gone, however that was killed."""
    launcher = int(os.environ.get(LAUNCHER, 0))

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(LOOK_EVERY)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(TIME_TO_SAVE)
        os._exit(1)

    if launcher and hasattr(os, "fork"):
        threading.Thread(target=watch, daemon=True).start()


def leave(code: int) -> NoReturn:
    """End a process that torchrun has started, here and now.

    As the interpreter is torn down, a thread of torch's now and then aborts a process that has done all it should.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def is_first_to_report(store: Store) -> bool:
    """Whether no other process of this start has met a fault before. Where the store is gone, none will tell it."""
    try:
        return int(store.add("faults", 1)) == 1
    except RuntimeError:
        return True
