"""Every benchmark, one after the other, and one table of what they print: `python benchmarks/all.py -o TABLE.md`.

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
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
LEFT_OUT = {"all", "pairs", "processes", "written", "freeze_data", "round_trip", "imports", "tiny_transformers"}
"""This one, what the others share, what writes data, and what takes a quarter of an hour or more by itself."""
LINE = re.compile(
    r"(?P<what>\S.*?)\s{2,}(?P<ratio>[\d.]+  \[[^]]*\])\s*(?P<bar>at (?:most|least) [^:]*: \w+)?(?P<note>.*)"
)


def names() -> list[str]:
    """The benchmarks that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in LEFT_OUT)


def table(name: str) -> tuple[int, list[str]]:
    """Run a benchmark; give its exit code, and rows of Markdown for what it prints."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], stdout=subprocess.PIPE, text=True)
    print(done.stdout, flush=True)
    took = time.perf_counter() - start
    verdict = {0: "", 1: " **missed**"}.get(done.returncode, " **failed**")
    return done.returncode, [f"| **{name}** ({took:.0f} s){verdict} | | | |", *rows(done.stdout)]


def rows(text: str) -> Iterator[str]:
    """A row for each measurement; other lines say what is held against what."""
    for line in text.splitlines():
        found = LINE.fullmatch(line.strip())
        if found:
            cells = (found[name] or "" for name in ("what", "ratio", "bar", "note"))
            yield "| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |"
        elif line.strip():
            yield f"| *{line.strip()}* | | | |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("benchmarks", nargs="*", default=names(), help=f"of {', '.join(names())}")
    options.add_argument("-o", "--output", type=Path, help="the file for the table")
    given = options.parse_args()
    start = time.perf_counter()
    found = [table(name) for name in given.benchmarks]
    minutes = (time.perf_counter() - start) / 60
    head = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; {minutes:.1f} minutes"
    lines = [
        head,
        "",
        "| what | ratio [quartiles] | bar | |",
        "| :-- | :-- | :-- | :-- |",
        *(row for _, rows in found for row in rows),
    ]
    if given.output is not None:
        given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(max(code for code, _ in found))


if __name__ == "__main__":
    main()
