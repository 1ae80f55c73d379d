"""Symbolic lengths of loops: a Python loop fixes the length of what it runs over, so that it is traced at several.

What torch.export makes of a loop holds for one length alone. Once the loops are scans, the programs of two lengths are
equal but for numbers, and each number that differs grows with the length: it is written as a formula of it. A third
program, that of the examples, has to agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from netspec.dims import Dim, Size, substitute
from netspec.importer.program import ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading

SHORTEST = 5
"""The first length that a loop is traced at."""

Trace = Callable[[Mapping[str, int]], ForeignProgram]
"""Traces the network at lengths of the dimensions that it fixes, and lowers it."""


class NotAlike(Exception):
    """Two programs that differ in more than numbers."""


def fixed_lengths(program: ForeignProgram, shapes: Mapping[str, Mapping[int, str]]) -> dict[str, int]:
    """Return the dimensions that were to be symbolic, but have a fixed size in a program with scans."""
    found: dict[str, int] = {}
    if has_loops(program):
        for name, by_number in shapes.items():
            for at, wanted in by_number.items() if name in program.inputs else ():
                size = program.inputs[name].shape[at]
                if isinstance(size, int):
                    found[wanted] = size
    return found


def resized(value: Any, sizes: Mapping[int, int]) -> Any:
    """Return an example with other sizes of some dimensions: of what it has, less or more than once."""
    for dim, size in sizes.items():
        value = value[(*(slice(None) for _ in range(dim)), [at % value.shape[dim] for at in range(size)])]
    return value


def has_loops(program: ForeignProgram) -> bool:
    """Return whether a program has a scan."""
    return any(step.loop is not None for step in program.steps)


def at_any_length(program: ForeignProgram, fixed: Mapping[str, int], trace: Trace) -> ForeignProgram | None:
    """Return a program for any sizes of the dimensions ``fixed``, which has those of the examples so far; ``None``
    where it is none that holds at others.
    """
    names = [*fixed]
    try:
        made = _traced(names, {}, trace)
        _guard_alike(made, program, fixed)
    except NotAlike:
        return None
    made.sizes = {**program.sizes, **fixed}
    made.kind, made.doc, made.numbers = program.kind, program.doc, program.numbers
    return made


def _traced(names: Sequence[str], lengths: Mapping[str, int], trace: Trace) -> ForeignProgram:
    """Return the program for any sizes of these dimensions, with these of others."""
    if not names:
        made = trace(lengths)
        if made.problems:
            raise NotAlike
        return made
    first, *others = names
    shortest = SHORTEST + 2 * len(others)
    short, long = (_traced(others, {**lengths, first: shortest + more}, trace) for more in (0, 1))
    _Joining(Dim.symbol(first), shortest).program(short, long)
    return short


class _Joining:
    """Gives one program the numbers that it has at any length: its own is ``base``, that of the other one more."""

    def __init__(self, symbol: Dim, base: int):
        self.symbol, self.base = symbol, base
        self.pairs: dict[ForeignTensor, ForeignTensor] = {}

    def program(self, one: ForeignProgram, two: ForeignProgram) -> None:
        """Join two programs into the first."""
        if [*one.inputs] != [*two.inputs] or [*one.outputs] != [*two.outputs] or len(one.steps) != len(two.steps):
            raise NotAlike
        for left, right in zip(one.inputs.values(), two.inputs.values()):
            self.tensor(left, right)
        for ours, theirs in zip(one.steps, two.steps):
            self.step(ours, theirs)
        for left, right in zip(one.outputs.values(), two.outputs.values()):
            self.known(left, right)

    def step(self, one: ForeignStep, two: ForeignStep) -> None:
        """Join two steps."""
        if one.op != two.op or one.reading is None or two.reading is None:
            raise NotAlike
        ours, theirs = one.reading, two.reading
        if len(ours.inputs) != len(theirs.inputs) or len(ours.outputs) != len(theirs.outputs):
            raise NotAlike
        for left, right in zip(ours.inputs, theirs.inputs):
            self.known(left, right)
        if {name: each.key for name, each in ours.state.items()} != {n: each.key for n, each in theirs.state.items()}:
            raise NotAlike
        for left, right in zip(ours.outputs, theirs.outputs):
            self.tensor(left, right)
        if one.op == "constant" and ours.arguments != theirs.arguments:
            self.constant(one, ours, theirs)
        else:
            one.reading = ours._replace(arguments=self.arguments(ours.arguments, theirs.arguments))
        if one.loop is not None and two.loop is not None:
            one.loop.length = self.number(one.loop.length, two.loop.length)

    def constant(self, step: ForeignStep, ours: OpReading, theirs: OpReading) -> None:
        """Join two constants of different sizes: positions that are counted, or one number everywhere."""
        (made,) = ours.outputs
        values = [np.asarray(each.arguments["value"]) for each in (ours, theirs)]
        assert made is not None
        arguments: dict[str, Any]
        if all(each.ndim == 1 and (each == np.arange(len(each))).all() for each in values) and made.dtype == "int64":
            step.op, arguments = "arange", {"end": made.shape[0]}
        elif all((each == values[0].flat[0]).all() for each in values):
            number = values[0].flat[0].item()
            dtype = {} if made.dtype == "float32" else {"dtype": made.dtype}
            step.op, arguments = "full", {"size": made.shape, "fill_value": float(number), **dtype}
        else:
            raise NotAlike
        made.constant = None
        step.call = ForeignCall(step.op, arguments, (made,))
        step.reading = OpReading(arguments, (None,), {}, (made,))

    def arguments(self, one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
        """Join arguments by their names."""
        if one.keys() != two.keys():
            raise NotAlike
        return {name: self.value(one[name], two[name]) for name in one}

    def value(self, one: Any, two: Any) -> Any:
        """Join two values of an argument."""
        if isinstance(one, (tuple, list)) and isinstance(two, (tuple, list)) and len(one) == len(two):
            return tuple(self.value(left, right) for left, right in zip(one, two))
        is_size = all(isinstance(each, (int, Dim)) and not isinstance(each, bool) for each in (one, two))
        if is_size:
            return self.number(one, two)
        if type(one) is not type(two) or one != two:
            raise NotAlike
        return one

    def number(self, one: Size, two: Size) -> Size:
        """Return the number that is ``one`` at the first length, and ``two`` at one more."""
        return one if one == two else one + (two - one) * (self.symbol - self.base)

    def tensor(self, one: ForeignTensor | None, two: ForeignTensor | None) -> None:
        """Join what two steps give."""
        if one is None or two is None:
            if one is not two:
                raise NotAlike
            return
        if one.dtype != two.dtype or len(one.shape) != len(two.shape):
            raise NotAlike
        self.pairs[one] = two
        one.shape = tuple(self.number(left, right) for left, right in zip(one.shape, two.shape))

    def known(self, one: ForeignTensor | None, two: ForeignTensor | None) -> None:
        """Guard: two steps read the same."""
        if one is not None and self.pairs.get(one) is not two:
            raise NotAlike
        if one is None and two is not None:
            raise NotAlike


def _guard_alike(made: ForeignProgram, program: ForeignProgram, sizes: Mapping[str, int]) -> None:
    """Guard: a program for any length is, at the examples' sizes, the one that was traced with them."""
    pairs = [*zip(made.inputs.values(), program.inputs.values())]
    if len(made.steps) != len(program.steps):
        raise NotAlike
    for one, two in zip(made.steps, program.steps):
        if one.op != two.op and two.op != "constant":
            raise NotAlike
        if one.reading is not None and two.reading is not None:
            pairs += zip(one.reading.outputs, two.reading.outputs)  # type: ignore[arg-type]
    known = {name: Dim.symbol(name) for name in program.sizes}
    for left, right in pairs:
        if (left is None) != (right is None):
            raise NotAlike
        if left is not None and right is not None and not _alike(left.shape, right.shape, {**known, **sizes}):
            raise NotAlike


def _alike(one: Sequence[Size], two: Sequence[Size], sizes: Mapping[str, Any]) -> bool:
    return len(one) == len(two) and all(substitute(left, sizes) == right for left, right in zip(one, two))
