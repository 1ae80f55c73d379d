"""Runs of equal steps in a program: what torch.export makes of a Python loop, one copy of its body after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from netspec.importer.lower.idioms.matching import reading
from netspec.importer.program import ForeignStep

FEWEST_COPIES = 3
LONGEST_BODY = 400
"""A body has no more steps."""
NUMBERED: dict[str, tuple[str, ...]] = {"select": ("index",), "slice": ("start", "end")}
"""The arguments that say which step of a sequence is read, which differ from copy to copy."""


class StepRun(NamedTuple):
    """Copies of ``width`` steps, from ``start`` on; ``tail`` has the steps of a last one that lacks what nothing reads,
    ``None`` for those that it lacks.
    """

    start: int
    width: int
    copies: int
    tail: tuple[int | None, ...] = ()

    @property
    def end(self) -> int:
        """The number of the first step behind the run."""
        return self.start + self.width * self.copies + sum(at is not None for at in self.tail)

    @property
    def total(self) -> int:
        """The number of copies, the last one among them."""
        return self.copies + bool(self.tail)

    def place(self, copy: int, at: int) -> int | None:
        """Return the number of a copy's step in the program."""
        return self.tail[at] if copy == self.copies else self.start + copy * self.width + at


def runs_in(steps: Sequence[ForeignStep]) -> Iterator[StepRun]:
    """Yield the runs that may be a loop, those that cover the most steps first."""
    tokens = _Tokens().of(steps)
    found: dict[tuple[int, int], int] = {}
    for width in sorted(_distances(tokens)):
        at = 0
        while at + width < len(tokens):
            first = at
            while at + width < len(tokens) and tokens[at] is not None and tokens[at] == tokens[at + width]:
                at += 1
            alike = at - first
            if alike >= width * (FEWEST_COPIES - 2) and alike:
                found[first, width] = alike
            at += 1
    ranked = sorted(found.items(), key=lambda item: (-(item[1] + item[0][1]), item[0][1]))
    for (first, width), alike in ranked:
        for start in range(first, first + width):
            copies = (alike + width - (start - first)) // width
            run = StepRun(start, width, copies)
            tail = _tail(tokens, run)
            if tail and copies + 1 >= FEWEST_COPIES:
                yield run._replace(tail=tail)
            if copies >= FEWEST_COPIES:
                yield run


def _tail(tokens: Sequence[int | None], run: StepRun) -> tuple[int | None, ...]:
    """Return the steps behind a run that are a copy with gaps; nothing if there are none."""
    at, made = run.end, list[int | None]()
    for offset in range(run.width):
        matches = at < len(tokens) and tokens[at] == tokens[run.start + offset]
        made.append(at if matches else None)
        at += matches
    return tuple(made) if 2 * (at - run.end) >= run.width else ()


def _distances(tokens: Sequence[int | None]) -> set[int]:
    """Return how far equal steps are from each other."""
    last: dict[int, int] = {}
    counts: dict[int, int] = {}
    for at, token in enumerate(tokens):
        if token is None:
            continue
        if token in last:
            distance = at - last[token]
            counts[distance] = counts.get(distance, 0) + 1
        last[token] = at
    most = max(counts.values(), default=0)
    return {each for each, count in counts.items() if each <= LONGEST_BODY and count * 50 >= most}


class _Tokens:
    """Numbers steps so that those have one number that do the same, whatever they read."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def of(self, steps: Sequence[ForeignStep]) -> list[int | None]:
        """Return the number of each step; ``None`` for one that is alone."""
        return [self._token(step) for step in steps]

    def _token(self, step: ForeignStep) -> int | None:
        if step.reading is None or step.loop is not None:
            return None
        said = reading(step)
        skipped = NUMBERED.get(step.op, ())
        arguments = tuple((name, repr(value)) for name, value in said.arguments.items() if name not in skipped)
        state = tuple((name, id(each)) for name, each in said.state.items())
        outputs = tuple(None if each is None else (each.shape, each.dtype) for each in said.outputs)
        scopes = tuple(call.path for call in step.scopes)
        key = step.op, arguments, state, len(said.inputs), outputs[:1], scopes
        return self.numbers.setdefault(key, len(self.numbers))
