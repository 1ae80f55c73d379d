"""What ``netspec check`` prints: a verdict a spec, and every fault."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from netspec.check import check_loaded
from netspec.diagnostics import SpecError
from netspec.elaborate import Limits
from netspec.pipeline import load_spec


def check_all(targets: Sequence[str], limits: Limits) -> int:
    """Check every spec; verdicts go to stdout, faults to stderr. Gives the exit code."""
    failed = 0
    width = max(map(len, targets))
    for target in targets:
        try:
            verdict = check_one(target, limits)
        except SpecError as found:
            failed += len(found.diagnostics)
            print(f"{found}\n", file=sys.stderr)
            continue
        print(f"{target:<{width}}  {verdict:>11}  ok")
    if failed:
        print(f"{failed} error{'s' * (failed > 1)}", file=sys.stderr)
    return 1 if failed else 0


def check_one(target: str, limits: Limits) -> str:
    """How many networks a spec makes, in words. Raises ``SpecError`` with every fault."""
    checked = check_loaded(load_spec(target), limits)
    if checked.diagnostics:
        raise SpecError(checked.diagnostics)
    count = len(checked.graphs)
    return f"{count} variants" if count > 1 else "1 network"
