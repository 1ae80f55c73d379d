"""`netspec build` verified quickly, as it is by default, against in full: whole processes, in processor time.

    python benchmarks/build.py
    git worktree add ../before ab2b87ad && python benchmarks/build.py --before ../before

What is left of a quick build is Python and torch, initial values, and files that are written and read once. ViT-B/16
takes images of one size: quickly and in full it is tried at the same three batches, of which each run costs what the
network does, and it is held against a build that runs nothing. With ``--before``, all are held against the build of
another checkout, such as the last that verified at large sizes alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pairs import Bar, alternate, finish, judge, ratios, seconds

HERE = Path(__file__).parents[1]


class Paired(NamedTuple):
    """A network with what its quick build is held against, the bar, and that against the build of ``ab2b87ad``.

    One round tells enough where a run takes long.
    """

    verify: str
    bar: Bar
    before: Bar
    rounds: int


NETWORKS = {
    "gpt2": Paired("full", Bar(0.2), Bar(0.2), 1),
    "bert": Paired("full", Bar(0.4), Bar(0.25), 2),
    "resnet50": Paired("full", Bar(0.95), Bar(0.75), 3),
    "vit_b_16": Paired("none", Bar(3.2), Bar(0.25), 1),
}
"""Of ResNet-50's 3 s, verification in full is the fourth part."""


def built(name: str, checkout: Path, options: Sequence[str]) -> float:
    """The seconds of user and system time of one build by the netspec of a checkout."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "netspec", "build", name, *options, "-o", str(Path(folder) / name)]
        environment = os.environ | {"PYTHONPATH": str(checkout)}
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{' '.join(command)} failed"
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("networks", nargs="*", default=[*NETWORKS], help=f"of {', '.join(NETWORKS)}")
    options.add_argument("--before", metavar="CHECKOUT", type=Path, help="pair with its build instead")
    asked = options.parse_args()
    results = []
    for name in asked.networks:
        paired = NETWORKS[name]
        quick = partial(built, name, HERE, ["--verify", "quick"])
        if asked.before is None:
            other, bar, against = partial(built, name, HERE, ["--verify", paired.verify]), paired.bar, paired.verify
        else:
            other, bar, against = partial(built, name, asked.before.resolve(), []), paired.before, "before"
        pairs = alternate(quick, other, paired.rounds)
        results.append(judge(f"{name}, quick : {against}", ratios(pairs), bar, seconds(pairs)))
    finish(results)


if __name__ == "__main__":
    main()
