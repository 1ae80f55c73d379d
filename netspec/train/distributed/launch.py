"""Several processes for one run: torchrun's agent starts them, watches over them and restarts them."""

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
    """The processes of a run, as torchrun's options name them.

    ``devices`` is their number on this machine; without a number it is one, or one for each GPU if there are several
    machines. ``nnodes`` is the number of machines or ``MIN:MAX``, ``rdzv_endpoint`` the ``HOST:PORT`` where they meet,
    ``max_restarts`` how often all processes are restarted when one dies.
    """

    devices: int | str
    nnodes: str | None
    rdzv_endpoint: str | None
    max_restarts: int

    def run(self, words: Sequence[str], again: str) -> int:
        """Run ``netspec WORDS`` in every process; return the exit code of the one that failed first, or 0.

        ``again`` is the command that resumes the run, printed if a process has been killed. Raises ``UsageError`` for
        options that do not fit, ``EnvironmentFault`` if the processes cannot be started.
        """
        config, processes = self._config(), self._processes()
        if self.rdzv_endpoint is not None:
            print(f"netspec: waiting at {self.rdzv_endpoint} for other machines", file=sys.stderr, flush=True)
        os.environ[LAUNCHER] = str(os.getpid())
        os.environ.setdefault(THREADS, str(max(1, (os.cpu_count() or 1) // processes)))
        for name in logging.root.manager.loggerDict:
            if name.startswith("torch.distributed.elastic"):  # the process that fails reports why
                logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            elastic_launch(config, sys.executable)("-m", "netspec", *words)
        except ChildFailedError as error:
            return exit_code(error, again)
        except RendezvousError as error:
            reason = error.__cause__ or error
            raise EnvironmentFault(
                f"the processes cannot rendezvous at {config.rdzv_endpoint}: {first_line(reason)}"
            ) from None
        except SignalException as error:  # the processes have got the signal too, and have saved
            return 128 + error.sigval
        return 0

    def _processes(self) -> int:
        """Return the number of processes on this machine."""
        gpus = torch.cuda.device_count()
        if not isinstance(self.devices, int):
            return gpus if self.nnodes is not None and self.devices != "cpu" and gpus else 1
        if gpus and self.devices > gpus:
            there = "is 1 GPU" if gpus == 1 else f"are {gpus} GPUs"
            raise EnvironmentFault(f"there {there} here, and not {self.devices}")
        return self.devices

    def _config(self) -> LaunchConfig:
        low, high = self._nnodes()
        if (low, high) != (1, 1) and self.rdzv_endpoint is None:
            raise UsageError("several machines need a rendezvous endpoint: --rdzv-endpoint HOST:PORT, the same on each")
        if self.rdzv_endpoint is not None:
            guard_endpoint(self.rdzv_endpoint)
        if self.max_restarts < 0:
            raise UsageError(f"--max-restarts takes a number from 0 on, not {self.max_restarts}")
        return LaunchConfig(
            min_nodes=low,
            max_nodes=high,
            shutdown_timeout=TIME_TO_SAVE,
            nproc_per_node=self._processes(),
            run_id="netspec",
            rdzv_backend="c10d",
            rdzv_endpoint=self.rdzv_endpoint or "localhost:0",
            local_addr=None if self.rdzv_endpoint else "localhost",
            max_restarts=self.max_restarts,
        )

    def _nnodes(self) -> tuple[int, int]:
        low, _, high = (self.nnodes or "1").partition(":")
        try:
            bounds = int(low), int(high or low)
        except ValueError:
            bounds = 0, 0
        if not 1 <= bounds[0] <= bounds[1]:
            raise UsageError(f"--nnodes takes a number, or the least and the most as MIN:MAX, not `{self.nnodes}`")
        return bounds


def guard_endpoint(endpoint: str) -> None:
    """Guard: an endpoint is ``HOST:PORT``, and the host's name is known here."""
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"--rdzv-endpoint takes HOST:PORT, not `{endpoint}`")
    try:
        socket.getaddrinfo(host.strip("[]"), int(port))
    except OSError:
        raise EnvironmentFault(
            f"there is no machine `{host}`, as far as this one knows: --rdzv-endpoint names it"
        ) from None


def first_line(error: BaseException) -> str:
    """Return the message of one of torch's errors, without the traceback that it carries."""
    return str(error).partition("\n")[0]


def exit_code(error: ChildFailedError, again: str) -> int:
    """Return the exit code of the process that failed first; report one that a signal has ended, and how to go on."""
    rank, failure = error.get_first_failure()
    if failure.exitcode >= 0:
        return failure.exitcode
    name = signal.Signals(-failure.exitcode).name
    report = f"process {rank} was ended by {name}; to resume from the last checkpoint:\n  {again}"
    print(f"netspec: {report}", file=sys.stderr)
    return 1
