"""What commands say of PyTorch and onnxruntime, which run the same network."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from netspec.runtime.verify import Parity

RUNTIMES = ("onnxruntime-gpu", "onnxruntime")
RANGE = "say in what range an input lies: `{shape: …, range: [0, 1]}`"


def report_parity(parity: Parity, path: Path) -> int:
    """Print what was verified; give 1 where PyTorch and onnxruntime disagree."""
    sizes = dict.fromkeys(
        "·".join(f"{name}={size}" for name, size in each.sizes.items()) for each in parity.comparisons
    )
    places = "  ".join(each or "the fixed sizes" for each in sizes)
    if parity.agrees and parity.is_rounding:
        print(f"exported: at {places} PyTorch and onnxruntime give rounding alone, so that nothing can be compared")
        return 0
    if parity.agrees:
        print(f"verified: PyTorch and onnxruntime agree to {parity.worst:.1e} (max|Δ|/max|y|) at {places}")
        if parity.probed:
            print("          with rescaled weights: as initialised, the output hardly depends on the input")
        if not parity.telling:
            print("          but with these it depends on the input no more: this tells little")
        if parity.positive:
            print(f"          on inputs from 0 to 1: of negative ones both give numbers that are not finite; {RANGE}")
        if parity.undefined:
            print(f"          but for places where both give no finite number; {RANGE}")
        return 0
    if not parity.compared:
        print(
            f"netspec: PyTorch and onnxruntime both give no finite number for random inputs at {places}, so that "
            f"nothing can be compared; {RANGE}; the file is kept as {path}",
            file=sys.stderr,
        )
        return 1
    print(
        f"netspec: PyTorch and onnxruntime differ by {parity.worst:.1e} "
        f"(max|Δ|/max|y|; {parity.tolerance:.0e} would do) at {places}; the file is kept as {path}",
        file=sys.stderr,
    )
    return 1


def runtimes() -> dict[str, str]:
    """Return the versions of the onnxruntime packages that are installed."""
    found = {}
    for name in RUNTIMES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def warn_of_two_runtimes() -> None:
    """Warn where two are installed. They write the same package: the last one wins, and removing either breaks both."""
    if len(runtimes()) > 1:
        print(
            "netspec: onnxruntime and onnxruntime-gpu are both installed, and overwrite each other; "
            "uninstall both, then install one",
            file=sys.stderr,
        )
