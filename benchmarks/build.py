"""`netspec build` verified quickly, as it is by default, against in full: whole processes, in processor time.

What is left of a quick build is Python and torch, initial values, and files that are written and read once.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from pairs import Bar, alternate, finish, judge, ratios, seconds

COMMAND = str(Path(sys.executable).with_name("netspec"))
NETWORKS = {"gpt2": (Bar(0.2), 1), "bert": (Bar(0.4), 2), "resnet50": (Bar(0.95), 3), "vit_b_16": (Bar(0.85), 1)}
"""The bars, and the rounds: one tells enough where a run takes long.

ViT takes images of one size, so that each run costs what the network does: only their number falls.

Of ResNet-50's 3 s, verification in full is the fourth part."""


def built(name: str, verify: str, folder: Path) -> float:
    """The seconds of user and system time of one build."""
    command = [COMMAND, "build", name, "--verify", verify, "-o", str(folder / f"{name}-{verify}")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{' '.join(command)} failed"
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("networks", nargs="*", default=[*NETWORKS], help=f"of {', '.join(NETWORKS)}")
    names = options.parse_args().networks
    print("quick : full")
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        for name in names:
            bar, rounds = NETWORKS[name]
            sides = (partial(built, name, verify, Path(temporary)) for verify in ("quick", "full"))
            pairs = alternate(*sides, rounds)
            results.append(judge(name, ratios(pairs), bar, seconds(pairs)))
    finish(results)


if __name__ == "__main__":
    main()
