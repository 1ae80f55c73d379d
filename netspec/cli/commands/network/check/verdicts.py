"""Printing for ``netspec check``: a verdict for each spec, and every fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netspec.checks.check import check_loaded
from netspec.cli.faults import tell, tell_count, tell_each
from netspec.cli.output import warn
from netspec.diagnostics import Diagnostic, EnvironmentFault, SpecError, UsageError
from netspec.diagnostics.base import Unchecked
from netspec.elaborate import ElaborationCache, Limits
from netspec.pipeline import load_spec


def check_all(targets: Sequence[str], limits: Limits, format: str = "text", strict: bool = False) -> int:
    """Check every spec; verdicts go to stdout, faults to stderr. ``strict`` makes warnings faults. Gives the exit code:
    1 for a fault, and the one of what keeps a spec from being read, which is more than that.

    In a format for programs, all that is printed is one document with the faults of every spec, on stdout.
    """
    failed: list[Diagnostic] = []
    warned: list[Diagnostic] = []
    failures: list[Unchecked] = []
    more = code = 0
    common = ElaborationCache()
    longest = max(map(len, targets))
    for target in targets:
        try:
            verdict, warnings = check_one(target, limits, common, strict)
        except SpecError as error:
            failed += error.diagnostics
            more, code = more + error.more, max(code, error.exit_code)
            if format == "text":
                tell_each(error.diagnostics, error.more)
            continue
        except (UsageError, EnvironmentFault) as error:  # the others are checked all the same
            failures.append(Unchecked(str(error), target))
            code = max(code, error.exit_code)
            if format == "text":
                warn(str(error))
            continue
        warned += warnings
        if format == "text":
            print(f"{target:<{longest}}  {verdict:>11}  ok")
            if warnings:
                tell_each(warnings)
    if format != "text":
        tell([*failed, *warned], more, format, failures)
    elif failed or warned:
        tell_count(len(failed), more, len(warned))
    return code


def check_one(
    target: str, limits: Limits, common: ElaborationCache, strict: bool = False
) -> tuple[str, Sequence[Diagnostic]]:
    """Return the number of networks that a spec makes, in words, and every warning.

    Raises ``SpecError`` with every fault.
    """
    checked = check_loaded(load_spec(target, limits.file), limits, common)
    if checked.diagnostics:
        raise SpecError(checked.diagnostics, checked.more)
    if strict and checked.warnings:
        raise SpecError(replace(found, severity="error") for found in checked.warnings)
    count = len(checked.graphs)
    return f"{count} variants" if count > 1 else "1 network", checked.warnings
