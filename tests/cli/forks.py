"""Commands as processes that are forked from one which has loaded the libraries, as that takes most of their time."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any


class Forks:
    """The process that forks; a command at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def start(self, folder: Path, *words: str, most: int = -1) -> int:
        """Start ``netspec WORDS`` in a folder; gives its process. ``most`` is how many bytes a file may have."""
        return self._asked({"folder": str(folder), "words": words, "most": most})

    def end(self) -> tuple[int, str]:
        """The exit code of the command, less than 0 where a signal has ended it, and what it told."""
        code, told = self._asked({})
        return code, told

    def run(self, folder: Path, *words: str, most: int = -1) -> tuple[int, str]:
        """A command that has ended."""
        self.start(folder, *words, most=most)
        return self.end()

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _asked(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def serve() -> None:
    """Fork as the lines of standard input ask for."""
    import matplotlib.pyplot  # noqa: F401
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401

    from netspec.train.names import resolve

    resolve("torchmetrics.Metric")
    process = 0
    for line in sys.stdin:
        request = json.loads(line)
        if request:
            process = forked(**request)
            answer: Any = process
        else:
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            answer = code, Path(f"/proc/self/fd/{TOLD}").read_text()
        print(json.dumps(answer), flush=True)


TOLD = 200
"""The descriptor of the file that has what a command tells."""


def forked(folder: str, words: list[str], most: int) -> int:
    """A process that runs a command as the script does."""
    told = os.memfd_create("told")
    os.dup2(told, TOLD)
    os.close(told)
    process = os.fork()
    if process:
        return process
    try:
        os.chdir(folder)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number, file in enumerate((nothing, nothing, TOLD)):
            os.dup2(file, number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        from netspec.cli import main

        sys.argv = ["netspec", *words]
        code = main()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(99)


if __name__ == "__main__":
    serve()
