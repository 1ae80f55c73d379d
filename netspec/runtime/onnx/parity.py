"""Outputs of two runtimes, held against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from netspec.runtime.reference import Reference
from netspec.runtime.trace.layers import Layer

TOLERANCE = 1e-4
ROUNDINGS = 8
ALL_ROUNDING = 0.1
"""The share of an output that its rounding comes to, if the output is nothing but rounding."""
BORNE = 1e-2
"""The share of an output that its rounding comes to at the most, if inputs off centre are to tell something."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """PyTorch and onnxruntime on the same input: ``difference`` is max|Δ| / max|y| over all outputs.

    ``rounding`` is the same measure between PyTorch's runs that differ by rounding alone, where it was needed: a deep
    network may amplify it beyond any fixed tolerance, and then two right answers differ by as much. ``undefined`` says
    that both gave the same infinities, or no numbers, in the same places; where that is all they gave, nothing is
    compared. ``mean`` is that of the real inputs: sums of squares may lose all their digits where it is large.
    """

    sizes: Mapping[str, int]
    difference: float
    rounding: float = 0.0
    tolerance: float = TOLERANCE
    undefined: bool = False
    mean: float = 0.0

    @property
    def agrees(self) -> bool:
        return math.isfinite(self.difference) and self.difference <= max(self.tolerance, ROUNDINGS * self.rounding)


@dataclass(frozen=True, slots=True)
class Parity:
    """The comparisons that an export has passed or failed; ``reference`` is what was compared.

    ``probed`` says that the weights were scaled for them, as the module's own make an output that hardly depends on
    the input, or overflows: nothing could be told from that. ``telling`` is false where their output does no more.
    ``positive`` says that the inputs were drawn from 0 to 1, as of numbers on both sides of 0 the outputs are not
    defined. ``layer`` is the first in which the two part, where they disagree and one layer does.
    """

    comparisons: Sequence[Comparison]
    providers: Sequence[str]
    reference: Reference
    probed: bool = False
    telling: bool = True
    positive: bool = False
    runtime: str = "onnxruntime"
    layer: Layer | None = None

    @property
    def worst(self) -> float:
        return max((each.difference for each in self.comparisons if not math.isnan(each.difference)), default=math.nan)

    @property
    def undefined(self) -> bool:
        """Return whether both gave what is no number, or infinite, in the same places."""
        return any(each.undefined for each in self.comparisons)

    @property
    def compared(self) -> bool:
        """Return whether there was a number to compare in every comparison."""
        return not any(math.isnan(each.difference) for each in self.comparisons)

    @property
    def is_rounding(self) -> bool:
        """Return whether an output is nothing but rounding, as zeros are that are the difference of equal numbers."""
        return any(each.rounding > ALL_ROUNDING for each in self.comparisons)

    @property
    def tolerance(self) -> float:
        """The difference that would do."""
        return max(each.tolerance for each in self.comparisons)

    @property
    def agrees(self) -> bool:
        """Return whether every difference is within the tolerance."""
        return all(each.agrees for each in self.comparisons)


def largest_difference(ours: Sequence[Any], theirs: Sequence[Any], least: Sequence[float] = ()) -> float:
    """The largest relative difference over all outputs; ``nan`` where there is nothing to compare in any of them.

    ``least`` has sizes that the outputs are taken to have at least.
    """
    pairs = zip_longest(ours, theirs, least, fillvalue=0.0)
    differences = [relative_difference(want, got, size) for want, got, size in pairs]
    return max((each for each in differences if not math.isnan(each)), default=math.nan)


def relative_difference(want: Any, got: Any, least: float = 0.0) -> float:
    """max|want − got| / max|want| over the finite numbers; ``nan`` where there are none.

    Infinite where the shapes differ, or a number that is not finite is another one on the other side.
    """
    want, got = np.asarray(want, np.float64), np.asarray(got, np.float64)
    if want.shape != got.shape:
        return math.inf
    finite = np.isfinite(want) & np.isfinite(got)
    if not np.array_equal(want[~finite], got[~finite], equal_nan=True):
        return math.inf
    if want.size and not finite.any():
        return math.nan
    difference = np.abs(want[finite] - got[finite]).max(initial=0.0)
    return float(difference / max(np.abs(want[finite]).max(initial=0.0), least, 1e-30))
