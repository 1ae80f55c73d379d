"""Bounds on what a spec may take, and the count of what it has taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from netspec.dataclass import dataclass
from netspec.diagnostics import Span
from netspec.elaborate.reading.values import Reader
from netspec.ops import OPS
from netspec.spec import CallStep, Step
from netspec.syntax import DEFAULT, FileLimits


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds above which a spec is called a mistake; ``file`` bounds its files."""

    iterations: int = 20_000
    layers: int = 20_000
    depth: int = 32
    file: FileLimits = DEFAULT


class Budget:
    """Counts layers, iterations and expansions against their limits; one that is exceeded ends the elaboration."""

    def __init__(self, limits: Limits, reader: Reader):
        self.limits, self.reader = limits, reader
        self.iterations = 0
        self.layers = 0

    def look_ahead(self, steps: Sequence[Step]) -> None:
        """Guard, before any of them is worked out: the ops of a body are no more layers than are left."""
        left = self.limits.layers - self.layers
        if len(steps) <= left:
            return
        ops = [step for step in steps if isinstance(step, CallStep) and step.key.text in OPS]
        if len(ops) > left:
            self.charge_layers(len(ops), ops[left].span)

    def charge_layers(self, count: int, span: Span) -> None:
        """Count layers."""
        self.layers += count
        if self.layers > self.limits.layers:
            few = self.limits.layers
            self.exhausted(f"the network has more than {few:,} layer{'s' * (few > 1)}", span)

    def has_layers(self, count: int) -> bool:
        """Return whether so many layers more are allowed."""
        return self.layers + count <= self.limits.layers

    def charge_iterations(self, count: int, span: Span) -> None:
        """Count iterations of loops and expansions of blocks: what costs time even where it makes no layer."""
        self.iterations += count
        if self.iterations > self.limits.iterations:
            self.exhausted(f"the loops run more than {self.limits.iterations:,} iterations", span)

    def exhausted(self, message: str, span: Span) -> NoReturn:
        """Report an exceeded bound; nothing after it is looked at."""
        help = "raise the limit with `--max-layers` if the network is meant to be this large"
        self.reader.error("too-large", message, span, help=help)
        self.reader.report.raise_if_any()
        raise AssertionError("a fault has been reported")
