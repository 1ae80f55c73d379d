"""Reports on PyTorch and another runtime, which run the same network."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from netspec.runtime.onnx.parity import Parity

CASTS = "rounded to {} behind every node: onnxruntime's CPU has few kernels for it"
ELSEWHERE = "onnxruntime's CPU does not open a file in bfloat16: it is for GPUs and other runtimes, and float16 for all"
RUNTIMES = ("onnxruntime-gpu", "onnxruntime")
RANGE = "say in what range an input lies: `{shape: …, range: [0, 1]}`"


UNVERIFIED = "exported: onnx.checker has passed the file; nothing was run to verify it (--verify none)"


def parity_report(parity: Parity, path: Path, precision: str = "float32") -> tuple[tuple[str, ...], str | None]:
    """Return lines that say what was verified of an ONNX file in a precision, and why it fails, if it does."""
    sizes = dict.fromkeys(
        "·".join(f"{name}={size}" for name, size in each.sizes.items()) for each in parity.comparisons
    )
    places = "  ".join(each or "the fixed sizes" for each in sizes)
    if parity.agrees and parity.is_rounding:
        exported = (
            f"exported: at {places} PyTorch and {parity.runtime} give only rounding errors, so nothing can be compared"
        )
        return (exported,), None
    if parity.agrees:
        verified = f"verified: PyTorch and {parity.runtime} agree to {parity.worst:.1e} (max|Δ|/max|y|) at {places}"
        rounded = CASTS.format(precision).partition(":" if precision == "bfloat16" else "\n")[0]
        casts = [f"{'':<10}{rounded}"] if precision != "float32" and parity.runtime == "onnxruntime" else []
        elsewhere = [ELSEWHERE] if precision == "bfloat16" else []
        return (verified, *casts, *_reservations(parity, precision), *elsewhere), None
    if not parity.compared:
        return (), (
            f"PyTorch and {parity.runtime} give no finite number for random inputs at {places}, so "
            f"nothing can be compared; {RANGE}; the file is kept as {path}"
        )
    part = "" if parity.layer is None else f"; they part first in {parity.layer.told()}"
    return (), (
        f"PyTorch and {parity.runtime} differ by {parity.worst:.1e} "
        f"(max|Δ|/max|y|; {parity.tolerance:.0e} would do) at {places}{part}; the file is kept as {path}"
        f"{_way_round(parity, precision)}"
    )


def _way_round(parity: Parity, precision: str) -> str:
    """Return what to do where a layer leaves the range of a precision."""
    if precision == "float32" or parity.layer is None or not parity.layer.fault:
        return ""
    wider = "`--precision bfloat16` has the range of float32, and " if precision == "float16" else ""
    kept = (
        f"`--keep-float {parity.layer.path}` leaves the layer in float32, as those behind it need to be: "
        "`--agree 0.01` finds as few as will do"
    )
    return f"\nhelp: {wider}{kept}"


def _reservations(parity: Parity, precision: str) -> list[str]:
    """Lines that say how far an agreement goes."""
    reservations = []
    if parity.probed:
        small = "" if precision == "float32" else f", or is too small for {precision}"
        reservations.append(f"with rescaled weights: as initialised, the output hardly depends on the input{small}")
    if not parity.telling:
        reservations.append("but with these, it does not depend on the input either: the comparison says little")
    if parity.positive:
        reservations.append(f"on inputs from 0 to 1: for negative ones, both give numbers that are not finite; {RANGE}")
    if parity.undefined:
        reservations.append(f"except where neither gives a finite number; {RANGE}")
    return [f"{'':<10}{each}" for each in reservations]


def runtimes() -> dict[str, str]:
    """Return the versions of the onnxruntime packages that are installed."""
    versions = {}
    for name in RUNTIMES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def two_runtimes() -> tuple[str, ...]:
    """Return a warning where two are installed: both write the same package, and removing either breaks the other."""
    if len(runtimes()) < 2:
        return ()
    return (
        "onnxruntime and onnxruntime-gpu are both installed, and overwrite each other; uninstall both, "
        "then install one",
    )
