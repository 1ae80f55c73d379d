"""Several processes for one run: torchrun starts them, watches over them, and starts them again."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous.api import RendezvousError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.train.world import LAUNCHER, TIME_TO_SAVE

THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True, slots=True)
class Launch:
    """How many processes share a run. ``devices`` is their number on this machine, ``nodes`` that of the machines, or
    ``MIN:MAX`` of them; ``rendezvous`` is HOST:PORT of the one where they meet, ``restarts`` how often all start again.

    Where the number of devices is not said, one is taken, and all GPUs where several machines work together.
    """

    devices: int | str
    nodes: str | None
    rendezvous: str | None
    restarts: int

    def run(self, words: Sequence[str], again: str) -> int:
        """Give the command ``netspec WORDS`` to every process; gives the exit code of the one that failed first, or 0.

        ``again`` is the command that goes on, which is told where a process has been killed. Raises ``UsageError`` and
        ``EnvironmentFault`` for what cannot be started.
        """
        config, processes = self._config(), self._processes()
        if self.rendezvous is not None:
            print(f"netspec: waiting at {self.rendezvous} for other machines", file=sys.stderr, flush=True)
        os.environ[LAUNCHER] = str(os.getpid())
        os.environ.setdefault(THREADS, str(max(1, (os.cpu_count() or 1) // processes)))
        for name in logging.root.manager.loggerDict:
            if name.startswith("torch.distributed.elastic"):  # what went wrong is told by the process that met it
                logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            elastic_launch(config, sys.executable)("-m", "netspec", *words)
        except ChildFailedError as found:
            return exit_code(found, again)
        except RendezvousError as found:
            reason = found.__cause__ or found
            raise EnvironmentFault(
                f"the processes cannot meet at {config.rdzv_endpoint}: {first_line(reason)}"
            ) from None
        except SignalException as found:  # the processes have got the signal too, and have saved
            return 128 + found.sigval
        return 0

    def _processes(self) -> int:
        """Processes on this machine."""
        gpus = torch.cuda.device_count()
        if not isinstance(self.devices, int):
            return gpus if self.nodes is not None and self.devices != "cpu" and gpus else 1
        if gpus and self.devices > gpus:
            there = "is 1 GPU" if gpus == 1 else f"are {gpus} GPUs"
            raise EnvironmentFault(f"there {there} here, and not {self.devices}")
        return self.devices

    def _config(self) -> LaunchConfig:
        low, high = self._nodes()
        if (low, high) != (1, 1) and self.rendezvous is None:
            raise UsageError("several machines need a place to meet: --rendezvous HOST:PORT, the same on each")
        if self.rendezvous is not None:
            guard_place(self.rendezvous)
        if self.restarts < 0:
            raise UsageError(f"--restarts takes a number from 0 on, not {self.restarts}")
        return LaunchConfig(
            min_nodes=low,
            max_nodes=high,
            shutdown_timeout=TIME_TO_SAVE,
            nproc_per_node=self._processes(),
            run_id="netspec",
            rdzv_backend="c10d",
            rdzv_endpoint=self.rendezvous or "localhost:0",
            local_addr=None if self.rendezvous else "localhost",
            max_restarts=self.restarts,
        )

    def _nodes(self) -> tuple[int, int]:
        low, _, high = (self.nodes or "1").partition(":")
        try:
            found = int(low), int(high or low)
        except ValueError:
            found = 0, 0
        if not 1 <= found[0] <= found[1]:
            raise UsageError(f"--nodes takes a number, or the least and the most as MIN:MAX, not `{self.nodes}`")
        return found


def guard_place(rendezvous: str) -> None:
    """Guard: ``HOST:PORT`` of a machine whose name is known here."""
    host, _, port = rendezvous.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"--rendezvous takes HOST:PORT, not `{rendezvous}`")
    try:
        socket.getaddrinfo(host.strip("[]"), int(port))
    except OSError:
        raise EnvironmentFault(
            f"there is no machine `{host}`, as far as this one knows: --rendezvous names it"
        ) from None


def first_line(found: BaseException) -> str:
    """What a fault of torch says, without the calls that led to it."""
    return str(found).partition("\n")[0]


def exit_code(found: ChildFailedError, again: str) -> int:
    """Of the process that failed first; one that a signal has ended is told, and the command that goes on."""
    rank, failure = found.get_first_failure()
    if failure.exitcode >= 0:
        return failure.exitcode
    name = signal.Signals(-failure.exitcode).name
    told = f"process {rank} was ended by {name}; to go on from the last checkpoint:\n  {again}"
    print(f"netspec: {told}", file=sys.stderr)
    return 1
