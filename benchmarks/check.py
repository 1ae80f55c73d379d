"""`netspec check`, as a process, against importing Pydantic and defining one model: of one file, and of the whole zoo.

CPU time as the kernel counts it, from compiled bytecode. A file may take 10 ms, however many variants it has.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pairs import Bar, alternate, finish, judge, ratios, seconds
from processes import PYDANTIC, compiled, cpu

import netspec

BAR = Bar(1)
ROUNDS = 15
A_FILE = 0.010
FILES = sorted(map(str, (Path(netspec.__file__).parent.parent / "specs").glob("*.yaml")))
CHECK = (sys.executable, "-m", "netspec", "check")
CASES = {"lenet": ("lenet",), f"the zoo, {len(FILES)} files": tuple(FILES)}


def main() -> None:
    print("netspec check : importing Pydantic and defining a model, and 10 ms a file")
    met = []
    with compiled() as env:
        for what, files in CASES.items():
            command = (*CHECK, *files)
            cpu(command, env), cpu(PYDANTIC, env)
            pairs = alternate(lambda command=command: cpu(command, env), lambda: cpu(PYDANTIC, env), ROUNDS)
            judge(f"{what}: of Pydantic alone", ratios(pairs), note=seconds(pairs))
            allowed = [(ours, theirs + A_FILE * len(files)) for ours, theirs in pairs]
            met.append(judge(f"{what}: of what is allowed", ratios(allowed), BAR, seconds(allowed)))
    finish(met)


if __name__ == "__main__":
    main()
