"""Loops that are unrolled: ``repeat`` and ``for``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from netspec.diagnostics import Label, clipped, did_you_mean
from netspec.elaborate.building.guards import previous
from netspec.elaborate.building.inner import branch_level, inner_level, reading
from netspec.elaborate.building.paths import value_at
from netspec.elaborate.building.references import reference_text, step_of
from netspec.elaborate.building.step_names import step_name
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.elaborate.reading.scope import Scope, origin_labels, show
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import UNKNOWN, LevelBuilder, Ports, Values
from netspec.graph import Value
from netspec.spec.reading import Count, Written
from netspec.spec.steps import Body, GroupStructure, IterationIndex, Results, values_by_name
from netspec.syntax import ListNode

Lists = Annotated[
    Mapping[str, Written],
    values_by_name("a mapping from names to lists", "lists", "write `each: {width: [64, 128]}`"),
]


class Repeat(GroupStructure):
    """The body ``count`` times in a row."""

    known_as = "repeat"
    shareable = True
    examples = {"count": "write `count: 3`"}
    usage = (
        """\
network:
  - repeat: {name: stage, count: 3, index: i, body: [linear: 8 * (i + 1), relu], freeze: false, init: orthogonal}""",
        """\
network:
  - repeat: {name: h, from: x, count: 3, body: [linear: 8, relu], recompute: true, collect: {hidden: prev, before: 0}}
  - concat: {from: [h.hidden, "h.before[-1]"], dim: -1}""",
    )

    count: Count
    """how many times"""
    body: Body
    index: IterationIndex | None = None
    collect: Results | None = None
    """lists of what each iteration made, by name: `{hidden: prev}` makes `h.hidden`, for a `repeat` named `h`"""


class For(GroupStructure):
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
      from: x
      body: [linear: width, relu, dropout: p]
      collect: {wide: 0}
      freeze: false
      init: orthogonal
      recompute: true""",
    )

    each: Lists
    """lists of equal length; each iteration sees one item of each by its name"""
    body: Body
    index: IterationIndex | None = None
    collect: Results | None = None
    """lists of what each iteration made, by name: `{hidden: prev}` makes `h.hidden`, for a `for` named `h`"""


@elaborates(Repeat, For)
def elaborate(
    context: Context, frame: Frame, step: Repeat | For, prev: Value | None, default_name: str | None
) -> Value | None:
    frame, prev = reading(context, frame, step.source, step.known_as, prev)
    rows = iterations(context, frame, step)
    if not step.is_named:
        if step.collect is not None:
            help = f"`{step.known_as}: {{name: h, …}}`: its lists are `h.{next(iter(step.collect), 'hidden')}` then"
            message = "only a named loop can collect"
            raise context.reader.error("missing-key", message, step.span, help=help)
        for env, trail in rows:
            with context.reader.through(trail):
                prev = context.run(frame.seeing(env), step.body, prev)
        return prev
    name = step_name(context, frame, step, None)

    def unrolled(inner: Frame, value: Value | None) -> Value | None:
        lists = start_lists(inner.builder, step.collect or {})
        for number, (env, trail) in enumerate(rows):
            with context.reader.through(trail):
                iteration = inner.seeing(env)
                value = branch_level(context, iteration, "iteration", str(number), step.span, step.body, value)
                for key, node in (step.collect or {}).items():
                    lists[key][str(number)] = from_iteration(context, iteration, str(number), node, value)
        return value

    return inner_level(context, frame, "repeat", name, step.span, prev, unrolled)


def start_lists(loop: LevelBuilder, names: Iterable[str]) -> dict[str, dict[str, Value]]:
    """Bind the names of a loop's lists, which its later iterations can read, and return the lists, empty as yet."""
    lists: dict[str, dict[str, Value]] = {name: {} for name in names}
    loop.names.update((name, Values(items)) for name, items in lists.items())
    return lists


def from_iteration(context: Context, frame: Frame, number: str, node: Written, value: Value | None) -> Value:
    """Return what a reference means in the iteration of that number, which made ``value``, as its loop has it."""
    text = reference_text(context, frame, node)
    if value is UNKNOWN:
        return UNKNOWN
    if text == "prev":
        return previous(context, value, node.span)
    loop, path = frame.builder, text.split(".")
    level = loop.inner.get(number)
    if path[0] == "prev":  # of an iteration that is one step, or of the last step of one that is a level
        last = None if level is None else step_of(level, level.given["output"][0])
        path = [*([] if last is None else [last]), *path[1:]]
    found = value_at(context, loop, [number, *path], node.span)
    if isinstance(found, Value):
        return found
    raise not_in_iteration(context, loop, number, node, text)


def not_in_iteration(context: Context, loop: LevelBuilder, number: str, node: Written, text: str) -> AlreadyReported:
    """Report a reference that means no single value in an iteration."""
    level, bound = loop.inner.get(number), loop.names[number]
    if (level or loop).is_incomplete():
        return AlreadyReported()
    names = [] if level is None else [*level.names]
    names += [f"prev.{port}" for port in bound.values] if isinstance(bound, Ports) else []
    message = f"an iteration of `{loop.name}` has no single value `{clipped(text)}`"
    help = did_you_mean(text, [*names, "prev"])
    return context.reader.error("unknown-reference", message, node.span, help=help)


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
