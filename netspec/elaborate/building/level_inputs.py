"""The values that a level with declared inputs reads: a block's, or those of another network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from netspec.diagnostics import Span
from netspec.elaborate.building.guards import previous, required
from netspec.elaborate.building.references import reference, references
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.messages.unknowns import JOIN_HELP
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import ABSENT
from netspec.graph import Value
from netspec.spec import Written

OPTIONAL_HELP = "if `{}` is optional in the block, write it as `{}` in its inputs"


class Reads(NamedTuple):
    """The part of a step that names its inputs: ``source`` is its ``from``, ``by_name`` has those that it names.

    ``key`` is the word that the step runs, for messages.
    """

    key: str
    source: Written | None
    by_name: Mapping[str, Written]
    span: Span

    def span_of(self, name: str) -> Span:
        """Return where the step says what an input reads."""
        return self.by_name[name].span if name in self.by_name else self.source.span if self.source else self.span


def level_inputs(
    context: Context, frame: Frame, reads: Reads, formal: Mapping[str, bool], prev: Value | None
) -> dict[str, Value] | None:
    """Return the values by input, without those that are left out; ``None`` where one is unknown.

    ``formal`` are the names of the inputs, each with whether it may be left out.
    """
    key, names = reads.key, [*formal]
    try:
        read = {name: reference(context, frame, node, prev) for name, node in reads.by_name.items()}
        free = [name for name in names if name not in read]
        if reads.source is not None:
            values = references(context, frame, reads.source, prev)
        else:
            values = [previous(context, prev, reads.span)] if not all(formal[name] for name in free) else []
        if len(values) > len(free):
            raise context.reader.error(
                "too-many-inputs",
                f"`{key}` takes {len(names)} input{'s' * (len(names) > 1)}, not {len(values) + len(reads.by_name)}",
                reads.source.span if reads.source is not None else reads.span,
                help=f"its inputs are {', '.join(names)}" if len(names) > 1 else JOIN_HELP,
            )
        read.update(zip(free, values))
        missing = [name for name in names if name not in read and not formal[name]]
        if missing:
            help = f"`{key}: {{{missing[0]}: …}}`, with the name of a step"
            message = f"`{key}` needs its input `{missing[0]}`"
            raise context.reader.error("missing-input", message, reads.span, help=help)
        for name in names:
            if name in read and not formal[name]:
                help = OPTIONAL_HELP.format(name, f"{name}?")
                required(context, read[name], reads.span_of(name), f"`{name}` of `{key}`", help)
        return {name: read[name] for name in names if name in read and read[name] is not ABSENT}
    except AlreadyReported:
        return None
