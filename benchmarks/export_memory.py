"""The memory that the ONNX export of 1.3 billion parameters takes beside the module: no second copy of the weights.

GPT-2 with 24 layers of width 2048, 5.2 GB in float32, in a process of its own, and so by its largest resident size:
before the export, with all weights there, and behind it. Bytes hardly vary, and so one round is enough. It needs 7 GB
of memory and 6 GB of disk.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from pairs import Bar, finish, judge

import netspec

BAR = Bar(1.1)
KIBIBYTE = 1024
SIZES = {"width": 2048, "layers": 24, "heads": 16}


def resident() -> int:
    """The bytes that this process has had in memory at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE


def measure(folder: Path) -> None:
    """Export once; print the bytes of the weights and the largest resident size before and behind it."""
    model = netspec.load("gpt2", **SIZES)
    module = model.module().eval()
    weights = sum(each.nbytes for each in module.parameters())
    before = resident()
    model.export(folder / "model.onnx", module)
    print(weights, before, resident())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    folder = options.parse_args().folder
    if folder is not None:
        measure(folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, __file__, "--folder", temporary]
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    weights, before, behind = map(int, text.split())
    print("largest resident size behind the export : before it")
    note = f"({behind / 1e9:.3g} GB : {before / 1e9:.3g} GB, weights {weights / 1e9:.3g} GB)"
    finish([judge("gpt2, 1.3 billion parameters", [behind / before], BAR, note)])


if __name__ == "__main__":
    main()
