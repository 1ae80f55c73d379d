"""`netspec check` of the whole zoo, as a process, against importing Pydantic and defining one model.

CPU time as the kernel counts it (user and system, from `wait4`), from compiled bytecode, as an installed package runs:
the first run of each, which writes it, is not counted. A file may take 25 ms, however many variants it has.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pairs import Bar, alternate, finish, judge, ratios, seconds

import netspec

BAR = Bar(1)
ROUNDS = 9
TIMES = 1.6
A_FILE = 0.025
FILES = sorted(map(str, (Path(netspec.__file__).parent.parent / "specs").glob("*.yaml")))
OURS = (sys.executable, "-m", "netspec", "check", *FILES)
MODEL = "import pydantic\nclass Point(pydantic.BaseModel):\n    x: int\n    y: int = 0\nPoint(x=1)\n"
THEIRS = (sys.executable, "-c", MODEL)


def cpu(command: Sequence[str], env: Mapping[str, str]) -> float:
    """The CPU seconds of a process, which must end well."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command[:4]} failed"
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPYCACHEPREFIX"] = folder
        cpu(OURS, env), cpu(THEIRS, env)
        pairs = alternate(lambda: cpu(OURS, env), lambda: cpu(THEIRS, env), ROUNDS)
    allowed = [(ours, TIMES * theirs + A_FILE * len(FILES)) for ours, theirs in pairs]
    print("netspec check : importing Pydantic and defining a model")
    judge(f"the zoo, {len(FILES)} files, CPU", ratios(pairs), note=seconds(pairs))
    what = f"of {TIMES:g} times that and {1000 * A_FILE:g} ms a file"
    finish([judge(what, ratios(allowed), BAR, seconds(allowed))])


if __name__ == "__main__":
    main()
