"""Levels that the backward pass runs again, in place of keeping what is made in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netspec.diagnostics import clipped
from netspec.elaborate.reading.values import AlreadyReported, Reader
from netspec.elaborate.state.levels import Interned, LevelBuilder
from netspec.graph import Call, Step
from netspec.spec import CallStep
from netspec.spec.steps import TrainableStructure


def recompute_levels(
    builder: LevelBuilder, first: int, interned: Interned, reader: Reader, written: CallStep | TrainableStructure
) -> None:
    """Mark the levels that a step has made in ``builder``, from the one numbered ``first`` on; of a named loop, its
    iterations.

    Raises ``AlreadyReported`` where not all that it has made are levels.
    """
    made = builder.steps[first:]
    loop = made[0] if len(made) == 1 else None
    if not isinstance(loop, Call) or loop.body.kind != "repeat":
        builder.steps[first:] = marked(made, reader, written)
        return
    inner = builder.inner[loop.name]
    inner.steps[:] = marked(inner.steps, reader, written)
    inner.has_grown = True
    builder.close_again(interned)


def marked(made: Sequence[Step], reader: Reader, written: CallStep | TrainableStructure) -> list[Step]:
    """Return steps as the backward pass runs them again. Raises ``AlreadyReported`` where one is no level."""
    steps = [replace(each, recompute=True) if isinstance(each, Call) else each for each in made]
    if any(each.is_transparent if isinstance(each, Call) else each.structure != "scan" for each in steps):
        raise no_level(reader, written)  # a scan has its zeros and numbers beside it
    return steps


def no_level(reader: Reader, written: CallStep | TrainableStructure) -> AlreadyReported:
    """Report a step that is not run as a whole."""
    assert written.recompute is not None
    word = written.key.text if isinstance(written, CallStep) else written.known_as
    message = f"this `{clipped(word)}` is no level, and levels alone are recomputed"
    help = "leave out `level: false`" if written.is_named else "give it a `name`"
    if isinstance(written, CallStep):
        help = "put it into a `sequential` with the steps around it, and write `recompute: true` there"
    return reader.error("bad-argument", message, written.recompute.span, help=help)
