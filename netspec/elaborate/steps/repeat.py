"""Loops that are unrolled: ``repeat`` and ``for``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from netspec.diagnostics import Label
from netspec.elaborate.building.inner import branch_level, inner_level
from netspec.elaborate.building.step_names import step_name
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.elaborate.reading.scope import Scope, origin_labels, show
from netspec.graph import Value
from netspec.spec.reading import Count, Written
from netspec.spec.steps import Body, IterationIndex, TrainableStructure, values_by_name
from netspec.syntax import ListNode

Lists = Annotated[
    Mapping[str, Written],
    values_by_name("a mapping from names to lists", "lists", "write `each: {width: [64, 128]}`"),
]


class Repeat(TrainableStructure):
    """The body ``count`` times in a row."""

    known_as = "repeat"
    shareable = True
    examples = {"count": "write `count: 3`"}
    usage = (
        """\
network:
  - repeat: {name: stage, count: 3, index: i, body: [linear: 8 * (i + 1), relu], freeze: false, init: orthogonal}""",
    )

    count: Count
    """how many times"""
    body: Body
    index: IterationIndex | None = None


class For(TrainableStructure):
    """The body once for each row of the lists."""

    known_as = "for"
    shareable = True
    examples = {"each": "write `each: {width: [64, 128, 256]}`"}
    usage = (
        """\
network:
  - for:
      name: stage
      each: {width: [64, 32, 16], p: [0.1, 0.2, 0.3]}
      index: i
      body: [linear: width, relu, dropout: p]
      freeze: false
      init: orthogonal""",
    )

    each: Lists
    """lists of equal length; each iteration sees one item of each by its name"""
    body: Body
    index: IterationIndex | None = None


@elaborates(Repeat, For)
def elaborate(
    context: Context, frame: Frame, step: Repeat | For, prev: Value | None, default_name: str | None
) -> Value | None:
    rows = iterations(context, frame, step)
    if step.name is None:
        for env, trail in rows:
            with context.reader.through(trail):
                prev = context.run(frame.seeing(env), step.body, prev)
        return prev
    name = step_name(context, frame, step.name, None, step.span)

    def unrolled(inner: Frame, value: Value | None) -> Value | None:
        for number, (env, trail) in enumerate(rows):
            with context.reader.through(trail):
                iteration = inner.seeing(env)
                value = branch_level(context, iteration, "iteration", str(number), step.span, step.body, value)
        return value

    return inner_level(context, frame, "repeat", name, step.span, prev, unrolled)


def iterations(context: Context, frame: Frame, step: Repeat | For) -> Iterator[tuple[Scope, str]]:
    """Yield the scope of each iteration, and how a diagnostic calls it."""
    if isinstance(step, Repeat):
        count = context.reader.integer(step.count, frame.env, "`count`")
        columns: dict[str, list[Any]] = {}
    else:
        columns = {
            name: context.reader.items(node, frame.env, f"`{name}`", words=True) for name, node in step.each.items()
        }
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            labels = tuple(
                Label(node.span, f"`{name}` has {lengths[name]}") for name, node in step.each.items()
            ) + origin_labels(frame.env, step.each.values(), step.span)
            message = "the lists of `for` differ in length"
            help = "give each list one item per iteration"
            raise context.reader.error("unequal-lists", message, step.span, secondary=labels, help=help)
        count = next(iter(lengths.values()), 0)
    context.budget.charge_iterations(count, step.span)
    written = {} if isinstance(step, Repeat) else {name: frame.env.origin(node) for name, node in step.each.items()}
    for number in range(count):
        row = {name: column[number] for name, column in columns.items()}
        if step.index is not None:
            row[step.index] = number
        text = ", ".join(f"{name} = {show(value)}" for name, value in row.items())
        origins = {
            name: node.items[number] if isinstance(node, ListNode) and len(node.items) == count else node
            for name, node in written.items()
        }
        yield (
            frame.env.extended(row, origins),
            f"{text or f'iteration {number + 1} of {count}'} (line {step.span.line})",
        )
