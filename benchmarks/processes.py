"""Whole processes: the time that one takes, from compiled bytecode, as an installed package runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

NETSPEC = str(Path(sys.executable).with_name("netspec"))
PYDANTIC = (
    sys.executable,
    "-c",
    "import pydantic\nclass Point(pydantic.BaseModel):\n    x: int\n    y: int = 0\nPoint(x=1)\n",
)
"""Importing Pydantic and defining one model: what no tool that validates with it goes below."""


@contextmanager
def compiled() -> Iterator[Mapping[str, str]]:
    """An environment whose bytecode lies in a folder of its own: the first run of a command writes it."""
    with tempfile.TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        yield {**env, "PYTHONPYCACHEPREFIX": folder}


def run(command: Sequence[str], env: Mapping[str, str], text: bytes = b"") -> tuple[float, float]:
    """Wall and CPU seconds (user and system, from ``wait4``) of a process, which must end well and print ``text``."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        assert process.returncode == 0, f"{command[:4]} failed"
        assert text in out.read(), f"{command[:4]} did not print {text.decode()}"
    return wall, usage.ru_utime + usage.ru_stime


def cpu(command: Sequence[str], env: Mapping[str, str]) -> float:
    """CPU seconds of a process, which must end well."""
    return run(command, env)[1]
