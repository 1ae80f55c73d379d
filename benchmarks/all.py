"""The benchmarks of time and memory, one after the other, and a table: `python benchmarks/all.py -o TABLE.md`.

They are sized to take at most 20 minutes together on two quiet cores. Leaves with 1 if a bar is missed, or a benchmark
fails.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
SET = (
    "startup",
    "check",
    "construct",
    "scaling",
    "build",
    "export",
    "export_memory",
    "import_time",
    "step",
    "train",
    "cached_step",
    "memory",
    "memory_bound",
    "step_time",
)
"""The benchmarks with bars on time and memory. The others take a quarter of an hour or more each, and write a table."""
LINE = re.compile(
    r"(?P<what>\S.*?)\s{2,}(?P<ratio>[\d.]+  \[[^]]*\])\s*(?P<bar>at (?:most|least) [^:]*: \w+)?(?P<note>.*)"
)

COLUMNS = ("what", "ratio", "bar", "note")


@dataclass
class Outcome:
    """The outcome of a benchmark: its exit code, what it printed, and the seconds that it took."""

    name: str
    code: int
    text: str
    seconds: float

    @classmethod
    def of(cls, name: str) -> Outcome:
        """Run a benchmark."""
        start = time.perf_counter()
        done = subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], stdout=subprocess.PIPE, text=True)
        print(done.stdout, flush=True)
        return cls(name, done.returncode, done.stdout, time.perf_counter() - start)

    @property
    def verdict(self) -> str:
        """The words for its exit code."""
        return {0: "ok", 1: "**missed**"}.get(self.code, "**failed**")

    def rows(self) -> Iterator[str]:
        """A row of Markdown for the benchmark, and for each measurement; other lines say what is held against what."""
        yield f"| **{self.name}** | {self.seconds:.0f} s | {self.verdict} | |"
        for line in self.lines if self.is_measured else ():
            found = LINE.fullmatch(line)
            cells = (
                [found[name] or "" for name in ("what", "ratio", "bar", "note")] if found else [f"*{line}*", "", "", ""]
            )
            yield "| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |"

    @property
    def lines(self) -> list[str]:
        """The lines that it printed."""
        return [line.strip() for line in self.text.splitlines() if line.strip()]

    @property
    def is_measured(self) -> bool:
        """Return whether it prints measurements, rather than a table of its own."""
        return any(LINE.fullmatch(line) for line in self.lines)


def document(outcomes: Sequence[Outcome], minutes: float) -> str:
    """All outcomes in one table, behind it the tables that some print."""
    lines = [
        "# Time and memory",
        "",
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; {minutes:.1f} minutes.",
        "",
        "| what | ratio [quartiles] | bar | |",
        "| :-- | :-- | :-- | :-- |",
        *(row for outcome in outcomes for row in outcome.rows()),
    ]
    for outcome in outcomes:
        if not outcome.is_measured:
            lines += ["", f"## {outcome.name}", "", "```", *outcome.text.rstrip().splitlines(), "```"]
    return "\n".join(lines) + "\n"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("benchmarks", nargs="*", default=SET, help=f"default: {' '.join(SET)}")
    options.add_argument("-o", "--output", type=Path, help="the file for the table")
    given = options.parse_args()
    start = time.perf_counter()
    outcomes = [Outcome.of(name) for name in given.benchmarks]
    if given.output is not None:
        made = document(outcomes, (time.perf_counter() - start) / 60)
        given.output.write_text(made, encoding="utf-8")
    sys.exit(max(outcome.code for outcome in outcomes))


if __name__ == "__main__":
    main()
