"""Values of which a step reads nothing but their sizes: those that tell the symbolic sizes in an op's arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from netspec.dims import Dim, Shape, Size
from netspec.elaborate.state.levels import LevelBuilder
from netspec.graph import Call, Value
from netspec.ops import Op
from netspec.ops.core.sizes import formula


def measured(builder: LevelBuilder, op: Op, inputs: Sequence[Value], is_there: Callable[[Value], bool]) -> list[Value]:
    """Return the values, as few as will do, that tell the sizes which an op's own inputs do not; ``is_there`` tells
    which ones a step may read.

    They are values of the level itself, else of the levels around it, else inputs of the network. Where there are none,
    the op says what it lacks.
    """
    if type(op).sizes_read is Op.sizes_read:  # as for nearly every op
        return []
    shapes = [value.shape for value in inputs]
    missing = [size for size in op.sizes_read(*(value.tensor for value in inputs)) if not told(size, shapes)]
    if not missing:
        return []
    seen = sorted(filter(lambda each: is_there(each.value), _candidates(builder)), key=lambda each: each.value.optional)

    def find(tells: Callable[[Shape], bool]) -> Value | None:
        found = next((each for each in seen if tells(each.value.shape)), None)
        return None if found is None else builder.bring(*found)

    one = find(lambda shape: all(size in shape for size in missing))
    one = one or find(lambda shape: all(told(size, [*shapes, shape]) for size in missing))
    if one is not None:
        return [one]
    names = sorted(set().union(*(size.symbols for size in missing if isinstance(size, Dim))))
    unknown = [symbol for symbol in map(Dim.symbol, names) if not told(symbol, shapes)]
    found = [find(lambda shape: told(symbol, [shape])) for symbol in unknown]  # noqa: B023 (called at once)
    return [*dict.fromkeys(value for value in found if value is not None)]


def told(size: Size, shapes: Sequence[Shape]) -> bool:
    """Return whether a size follows from those of tensors of these shapes."""
    return formula(size, shapes) is not None


class _Candidate(NamedTuple):
    """A value whose sizes can be read, and the level that it belongs to."""

    owner: LevelBuilder
    value: Value
    name: str


def _candidates(builder: LevelBuilder) -> Iterator[_Candidate]:
    """Yield what a level can read: its own values, those of the levels around it, the inputs of the network."""
    level: LevelBuilder | None = builder
    while level is not None:
        entered = [*level.declared, *((outside, *inside) for outside, inside in level.captured.items())]
        yield from (_Candidate(level, inside, name) for _, inside, name in entered)
        for step in reversed(level.steps):
            name = step.name if step.named or isinstance(step, Call) else step.op.name
            yield from (_Candidate(level, value, name) for value in step.outputs)
        level = level.parent
    network = builder.network
    yield from (_Candidate(network, value, name) for value, _, name in network.declared)
