"""The processes that train one network together; a single process is a world of one."""

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
"""The environment variable with the number of the process that has started this one and watches over it."""

TIME_TO_SAVE = 120
"""Seconds that processes have to finish their step and save when they are asked to stop."""

LOOK_EVERY = 1.0
"""Seconds between two checks for the launcher."""

LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL", "gloo", "Socket")
"""Parts of torch's messages about another process that is gone."""


class ReportedElsewhere(Exception):
    """An error that ends this process, and that another process of its world reports."""

    def __init__(self, exit_code: int):
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class World:
    """``rank`` counts from 0 to ``size`` − 1; the first process alone prints and writes files. Every process has to
    call the methods that communicate.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Return whether this is the process that prints and writes."""
        return self.rank == 0

    def sums(self, *numbers: float) -> list[float]:
        """Return the sum of each number over all processes."""
        if self.size == 1:
            return [*numbers]
        tensor = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(tensor)
        return tensor.tolist()

    def most(self, number: int) -> int:
        """Return the largest of the numbers of all processes."""
        if self.size == 1:
            return number
        tensor = torch.tensor(number)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return int(tensor)

    def gathered(self, value: T) -> list[T]:
        """Return the values of all processes, in the order of their ranks."""
        if self.size == 1:
            return [value]
        values: list[T] = [value] * self.size
        dist.all_gather_object(values, value)
        return values

    def from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of the first process."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def wait(self) -> None:
        """Wait until all processes have come this far."""
        if self.size > 1:
            dist.barrier()

    def part(self, count: int) -> slice:
        """Return the share of ``count`` rows that is this process's; shares differ by one row at most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)


SINGLE_PROCESS = World()


def is_worker() -> bool:
    """Return whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def local_rank() -> int:
    """Return the number of this process on its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", 0))


@contextmanager
def joined() -> Iterator[World]:
    """Join the world that torchrun has put this process into; ``SINGLE_PROCESS`` without torchrun.

    All processes but the first are silent. The first process to meet an error raises it, and the others raise
    ``ReportedElsewhere``; the loss of another process is a ``TrainingFault``.
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
        raise fault if is_first_to_report(store) else ReportedElsewhere(fault.exit_code) from None
    except RuntimeError as error:
        if not any(sign in str(error) for sign in LOST):
            raise
        lost = TrainingFault("another process of the run has ended; what was saved is whole")
        raise lost if is_first_to_report(store) else ReportedElsewhere(lost.exit_code) from None
    dist.destroy_process_group()


def _end_with_the_launcher() -> None:
    """Have this process save and end when its launcher is gone, however that was killed."""
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
    """End a process that torchrun has started, without tearing the interpreter down.

    While that is torn down, a thread of torch's now and then aborts a process that has done all its work.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def is_first_to_report(store: Store) -> bool:
    """Return whether no other process of this start has met an error before; true if the store is gone."""
    try:
        return int(store.add("faults", 1)) == 1
    except RuntimeError:
        return True
