"""The memory of this machine, and what is asked before something that may not fit in it is tried."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch

from netspec.diagnostics import EnvironmentFault
from netspec.text.quantities import short_bytes

NO_LIMIT = 1 << 60
"""Kernels write a number above this for a group of processes without a limit."""


def free_memory(device: torch.device | None = None) -> int | None:
    """Bytes that this process may still take on a device (default: the CPU); ``None`` where that is not known.

    On the CPU it is the least of what the machine has left, what the control groups allow, and the process's own limit.
    """
    if device is not None and device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device is not None and device.type != "cpu":
        return None
    limits = [*_left_of_machine(), *_left_of_groups(), *_left_of_limits()]
    return max(0, min(limits)) if limits else None


def need_memory(needed: int, doing: str, help: str, device: torch.device | None = None) -> None:
    """Guard: what is to be done fits in the memory that is left. Raises ``EnvironmentFault`` with both numbers."""
    free = free_memory(device)
    if free is not None and needed > free:
        raise EnvironmentFault(
            f"{doing} takes about {short_bytes(needed)}, and {short_bytes(free)} are free here; {help}"
        )


def _left_of_machine() -> Iterator[int]:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024
            return
    try:
        yield os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return


def _left_of_groups() -> Iterator[int]:
    """Yield the memory that the control groups of this process and those around it leave, of either version."""
    for line in _lines("/proc/self/cgroup"):
        _, kinds, path = line.strip().split(":", 2)
        if kinds == "":
            yield from left_of_group(Path("/sys/fs/cgroup"), path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in kinds.split(","):
            files = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
            yield from left_of_group(Path("/sys/fs/cgroup/memory"), path, *files)


def left_of_group(root: Path, path: str, limit: str, usage: str, cache: str) -> Iterator[int]:
    """The limit less what is used; files that the kernel may forget at any time are not."""
    folder = root / path.lstrip("/")
    for each in (folder, *folder.parents):
        most, used = _number(each / limit), _number(each / usage)
        if most is not None and used is not None and most < NO_LIMIT:
            forgettable = (line.split() for line in _lines(each / "memory.stat"))
            yield most - used + sum(int(words[1]) for words in forgettable if words[0] == cache)
        if each == root:
            return


def _left_of_limits() -> Iterator[int]:
    """Return the bytes that ``ulimit -v`` and ``ulimit -d`` leave of this process's address space."""
    try:
        import resource
    except ImportError:  # Windows has none
        return
    taken = {line.split(":")[0]: line.split()[1] for line in _lines("/proc/self/status") if line.startswith("Vm")}
    for kind, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        most, _ = resource.getrlimit(kind)
        if most != resource.RLIM_INFINITY:
            yield most - int(taken.get(name, 0)) * 1024


def _number(path: Path) -> int | None:
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].strip().isdigit() else None


def _lines(path: str | Path) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
