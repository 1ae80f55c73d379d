"""`netspec check`, as a process, against importing Pydantic and defining one model: of one file, and of the whole zoo.

CPU time as the kernel counts it, from compiled bytecode. A check may take what a table may, 1.5 times Pydantic, and
10 ms for its file; the zoo's time is told beside it, without a bar: a network of it takes about as long.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pairs import Bar, alternate, finish, judge, ratios, seconds
from processes import PYDANTIC, compiled, cpu

import netspec
from netspec.pipeline import load_spec

BAR = Bar(1)
ROUNDS = 15
TABLE, A_FILE = 1.5, 0.010
FILES = sorted(map(str, (Path(netspec.__file__).parent.parent / "specs").glob("*.yaml")))
CHECK = (sys.executable, "-m", "netspec", "check")


def main() -> None:
    networks = sum(len(load_spec(file).variants) for file in FILES)
    cases = {"lenet": ("lenet",), f"the zoo, {len(FILES)} files with {networks} networks": tuple(FILES)}
    print(f"netspec check : importing Pydantic and defining a model; {TABLE} times that, and {A_FILE * 1000:.0f} ms")
    met = []
    with compiled() as env:
        for what, files in cases.items():
            command = (*CHECK, *files)
            cpu(command, env), cpu(PYDANTIC, env)
            pairs = alternate(lambda command=command: cpu(command, env), lambda: cpu(PYDANTIC, env), ROUNDS)
            judge(f"{what}: of Pydantic", ratios(pairs), note=seconds(pairs))
            if len(files) == 1:
                allowed = [(ours, TABLE * theirs + A_FILE) for ours, theirs in pairs]
                met.append(judge(f"{what}: of what is allowed", ratios(allowed), BAR, seconds(allowed)))
    finish(met)


if __name__ == "__main__":
    main()
