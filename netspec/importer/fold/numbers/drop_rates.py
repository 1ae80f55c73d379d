"""The rates of stochastic depth, which grow from block to block: as the blocks' positions while levels are folded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from netspec.importer.fold.numbers.formulas import grouped
from netspec.importer.write.phrases import CallPhrase, Formula, SpecPhrase
from netspec.importer.write.rooms import everything_in

NAME = "drop_path"
MOST_BLOCKS, MOST_AFTER = 1000, 4
TINY = 1e-6
CLOSE = 1e-4
"""The most that a rate may differ from the position that it stands for, in positions."""


class DropProgress(NamedTuple):
    """The block at ``position`` is left out with probability ``rate * position / end``."""

    rate: float
    end: int


def number_rates(spec: SpecPhrase) -> DropProgress | None:
    """Put positions, which are integers, in the place of rates that grow linearly; nothing if they do not."""
    calls = [*_calls(spec)]
    rates = [float(call.arguments.get(argument, 0.5)) for call, argument in calls]
    known = sorted({0.0, *rates})
    unit = min((right - left for left, right in pairwise(known) if right - left > TINY), default=0.0)
    if len(known) < 3 or not unit:
        return None
    positions = [round(rate / unit) for rate in rates]
    last = max(positions)
    if last > MOST_BLOCKS or any(abs(rate / unit - at) > CLOSE for rate, at in zip(rates, positions)):
        return None
    for (call, argument), at in zip(calls, positions):
        call.arguments[argument] = at
    step = max(rates) / last
    ends = {end: float(f"{step * end:.6g}") for end in range(last, last + MOST_AFTER)}
    end = min(ends, key=lambda end: len(repr(ends[end])))  # the rate that the author has chosen is a round number
    return DropProgress(ends[end], end)


def say_rates(spec: SpecPhrase, progress: DropProgress | None) -> None:
    """Say the rates by the positions, with the rate at the end as a parameter of the spec."""
    if progress is None:
        return
    spec.params[NAME] = progress.rate
    for call, argument in [*_calls(spec)]:
        at = call.arguments[argument]
        call.arguments[argument] = Formula(f"{NAME} * {grouped(at)} / {progress.end}") if at else 0.0


def _calls(spec: SpecPhrase) -> Iterator[tuple[CallPhrase, str]]:
    for body in (spec.body, *(block.body for block in spec.blocks)):
        for phrase in everything_in(body):
            if isinstance(phrase, CallPhrase) and phrase.drop_argument:
                yield phrase, phrase.drop_argument
