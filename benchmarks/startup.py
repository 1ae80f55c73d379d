"""`netspec shapes resnet152` against torchinfo's summary of torchvision's ResNet-152, each as a whole process.

Wall time, and CPU time as the kernel counts it (user and system, from `wait4`). Both run from compiled bytecode, as
an installed package does: the first run of each, which writes it, is not counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pairs import Bar, alternate, finish, judge, ratios, seconds

BAR = Bar(8, least=True)
ROUNDS = 5
OURS = (str(Path(sys.executable).with_name("netspec")), "shapes", "resnet152")
SUMMARY = """
from pairs import import_torchvision
import torchinfo
print(torchinfo.summary(import_torchvision().models.resnet152(), (1, 3, 224, 224), verbose=0))
"""
THEIRS = (sys.executable, "-c", SUMMARY)
PARAMETERS = b"60,192,808"


def run(command: Sequence[str], env: Mapping[str, str]) -> tuple[float, float]:
    """Wall and CPU seconds of a process, which must have printed the network's parameters."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        assert process.returncode == 0, f"{command[0]} failed"
        assert PARAMETERS in out.read(), f"{command[0]} did not count {PARAMETERS.decode()} parameters"
    return wall, usage.ru_utime + usage.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPYCACHEPREFIX"] = folder
        beside = {**env, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), env.get("PYTHONPATH", "")])}
        run(OURS, env), run(THEIRS, beside)
        pairs = alternate(lambda: run(THEIRS, beside), lambda: run(OURS, env), ROUNDS)
    print("torchinfo : netspec shapes")
    results = []
    for what, at in (("resnet152, wall", 0), ("resnet152, CPU", 1)):
        times = [(theirs[at], ours[at]) for theirs, ours in pairs]
        results.append(judge(what, ratios(times), BAR, seconds(times)))
    finish(results)


if __name__ == "__main__":
    main()
