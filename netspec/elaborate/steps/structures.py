"""The forward pass: each authored step becomes nodes and levels, with shapes inferred as they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import ValidationError

from netspec.diagnostics import Label, Span, clipped, nearest
from netspec.elaborate.base import Frame
from netspec.elaborate.levels import ABSENT, UNKNOWN, Builder
from netspec.elaborate.messages.hints import nested
from netspec.elaborate.messages.repairs import (
    branch_labels,
    changing_arguments,
    changing_steps,
    last_step,
    padding_help,
    projection_help,
    residual_message,
)
from netspec.elaborate.passes.init_steps import started
from netspec.elaborate.scope import Scope, origin_labels, show
from netspec.elaborate.steps.share import Sharing
from netspec.elaborate.values import Failed
from netspec.expressions import UNKNOWN_VALUE
from netspec.graph import Call, LevelKind, Value
from netspec.ops import OPS
from netspec.ops.core.base import ShapeError
from netspec.spec import NAME, CallStep, For, If, Parallel, Repeat, Residual, Scan, Sequential, Share, Side, Step
from netspec.syntax import ListNode, ScalarNode


def with_shape(env: Scope, prev: Value | None) -> Scope:
    """The scope of a step that reads ``prev``; where no single value comes before, there is no ``shape``."""
    made = Scope(env, env.origins)
    if prev is not None:
        made["shape"] = UNKNOWN_VALUE if prev is UNKNOWN else prev.shape
        if prev is ABSENT:
            del made["shape"]
    else:
        made.pop("shape", None)
    return made


class Elaborator(Sharing):
    """Expands steps into levels: calls as they come, structures as they say."""

    def run(self, frame: Frame, steps: Sequence[Step], prev: Value | None) -> Value | None:
        """Elaborate a body; gives the value of its last step (``None`` where that leaves no single value)."""
        self.look_ahead(steps)
        for step in steps:
            prev = self.step(frame, step, prev)
        return prev

    def step(self, frame: Frame, step: Step, prev: Value | None, name: str | None = None) -> Value | None:
        """Elaborate one step, under ``name`` where its place gives it one. A fault makes its value unknown."""
        frame = frame.seeing(with_shape(frame.env, prev))
        try:
            value = self.value(frame, step, prev, name)
        except Failed:
            self.bind_unknown(frame, step, name)
            return UNKNOWN
        if isinstance(step, (CallStep, Sequential, Repeat, For)):
            last = frame.builder.steps[-1] if frame.builder.steps else None
            if last is not None and last.span == step.span:
                frame.builder.authored[last.name] = step, frame.env
        return value

    def value(self, frame: Frame, step: Step, prev: Value | None, name: str | None) -> Value | None:
        if isinstance(step, (Share, If)) or step.freeze is step.init is None:
            return self.made_of(frame, step, prev, name)
        frozen = step.freeze is not None and self.reader.condition(step.freeze, frame.env, "`freeze`")
        first = len(frame.builder.steps)
        result = self.made_of(replace(frame, frozen=frame.frozen or frozen), step, prev, name)
        made = frame.builder.steps[first:]
        if not made or result is UNKNOWN:
            return result
        key = step.key.text if isinstance(step, CallStep) else step.known_as
        if frozen and not any(each.frozen for each in made):
            assert step.freeze is not None
            message = f"`{clipped(key)}` has no parameters of its own to freeze"
            raise self.reader.error("bad-argument", message, step.freeze.span, help="leave `freeze` out")
        if step.init is not None:
            is_level = isinstance(step, (CallStep, Sequential, Scan)) or step.name is not None
            frame.builder.steps[first:] = started(made, step.init, key, is_level, self.reader, frame.env)
        return result

    def made_of(self, frame: Frame, step: Step, prev: Value | None, name: str | None) -> Value | None:
        match step:
            case CallStep():
                return self.call(frame, step, prev, name)
            case Sequential():
                return self.sequential(frame, step, prev, name)
            case Scan():
                return self.scan(frame, step, prev, name)
            case Share():
                return self.share(frame, step, prev, name)
            case If():
                test = self.reader.condition(step.test, frame.env, "the test of `if`")
                return self.run(frame, step.then if test else step.otherwise, prev)
            case Repeat() | For():
                return self.loop(frame, step, prev)
            case Parallel() | Residual() | Side():
                return self.structure(frame, step, prev)

    def bind_unknown(self, frame: Frame, step: Step, name: str | None) -> None:
        """Give a faulty step its name all the same, so that what refers to it keeps quiet."""
        written = None if isinstance(step, If) else step.name
        try:
            name = self.reader.text(written, frame.env) if written is not None else name
        except Failed:
            name, frame.builder.incomplete = None, True
        names = [] if name is None else [str(name)]
        if isinstance(step, CallStep):
            if not step.arguments:  # it may have lost its name with everything else
                frame.builder.incomplete = True
            misspelt = [node for word, (_, node) in step.arguments.items() if nearest(word, ["name"])]
            names += [node.text for node in misspelt if isinstance(node, ScalarNode)]
        else:  # what is written inside may not have come to its name
            names += [written.text for inner in nested(step) if (written := getattr(inner, "name", None)) is not None]
            names += step.branches if isinstance(step, Parallel) else []
        if any(not NAME.match(each) for each in names):  # a template, or no name at all
            frame.builder.incomplete = True
        for each in names:
            if each == name or each not in frame.builder.names:
                frame.builder.names[each] = UNKNOWN
        if name is not None:
            frame.builder.places.setdefault(name, step.span)

    def inside(
        self,
        frame: Frame,
        kind: LevelKind,
        name: str,
        span: Span,
        prev: Value | None,
        fill: Callable[[Frame, Value | None], Value | None],
    ) -> Value | None:
        """A level of its own at ``name``, filled by ``fill`` from its input."""
        builder = Builder(kind, "", span, frame.builder.path_of(name), frame.builder)
        entered = None if prev is None else builder.enter(prev, "input")
        result = fill(Frame(builder, frame.env), entered)
        if result is UNKNOWN:
            raise Failed
        if result is None:
            help = "leave out its `name`: then the branches have names of their own, by which steps read them"
            raise self.reader.error("no-value", f"`{name}` ends without a single value to give", span, help=help)
        result = self.required(result, span, "an output")
        level, actual = builder.close(self.interned, {"output": result}, {})
        output = Value(result.tensor)
        self.mark(frame, actual, (output,), span)
        self.add(frame, Call(name, level, tuple(actual), (output,), span, True, frame.training))
        frame.builder.names[name] = output
        return output

    def sequential(self, frame: Frame, step: Sequential, prev: Value | None, given: str | None) -> Value | None:
        name = self.place(frame, step.name, given, step.span)
        return self.inside(
            frame, "sequential", name, step.span, prev, lambda inner, value: self.run(inner, step.body, value)
        )

    def loop(self, frame: Frame, step: Repeat | For, prev: Value | None) -> Value | None:
        rows = self.rows(frame, step)
        if step.name is None:
            for env, trail in rows:
                with self.through(trail):
                    prev = self.run(frame.seeing(env), step.body, prev)
            return prev
        name = self.place(frame, step.name, None, step.span)

        def iterations(inner: Frame, value: Value | None) -> Value | None:
            for number, (env, trail) in enumerate(rows):
                with self.through(trail):
                    turn = inner.seeing(env)
                    value = self.branch(turn, "iteration", str(number), step.span, step.body, value)
            return value

        return self.inside(frame, "repeat", name, step.span, prev, iterations)

    def rows(self, frame: Frame, step: Repeat | For) -> Iterator[tuple[Scope, str]]:
        """What expressions see in each iteration, and how a diagnostic calls it."""
        if isinstance(step, Repeat):
            count = self.reader.integer(step.count, frame.env, "`count`")
            columns: dict[str, list[Any]] = {}
        else:
            columns = {name: self.reader.items(node, frame.env, f"`{name}`") for name, node in step.each.items()}
            lengths = {name: len(column) for name, column in columns.items()}
            if len(set(lengths.values())) > 1:
                labels = tuple(
                    Label(node.span, f"`{name}` has {lengths[name]}") for name, node in step.each.items()
                ) + origin_labels(frame.env, step.each.values(), step.span)
                message = "the lists of `for` are not equally long"
                help = "give each list one item for each turn"
                raise self.reader.error("unequal-lists", message, step.span, secondary=labels, help=help)
            count = next(iter(lengths.values()), 0)
        self.charge_turns(count, step.span)
        written = {} if isinstance(step, Repeat) else {name: frame.env.origin(node) for name, node in step.each.items()}
        for turn in range(count):
            row = {name: column[turn] for name, column in columns.items()}
            if step.index is not None:
                row[step.index] = turn
            told = ", ".join(f"{name} = {show(value)}" for name, value in row.items())
            origins = {
                name: node.items[turn] if isinstance(node, ListNode) and len(node.items) == count else node
                for name, node in written.items()
            }
            yield frame.env.extended(row, origins), f"{told or f'turn {turn + 1} of {count}'} (line {step.span.line})"

    def branch(
        self, frame: Frame, kind: LevelKind, name: str, span: Span, body: Sequence[Step], prev: Value | None
    ) -> Value | None:
        """An iteration or a branch: a lone unnamed step *is* it; anything else gets a level of that name."""
        if len(body) == 1 and isinstance(body[0], (CallStep, Sequential, Scan)) and body[0].name is None:
            return self.step(frame, body[0], prev, name)
        if name in frame.builder.places:
            self.place(frame, None, name, span)
        self.guard_taken(name, span)
        frame.builder.places[name] = span
        return self.inside(frame, kind, name, span, prev, lambda inner, value: self.run(inner, body, value))

    def structure(self, frame: Frame, step: Parallel | Residual | Side, prev: Value | None) -> Value | None:
        prev = self.required(self.previous(prev, step.span), step.span, f"`{step.known_as}`")
        if step.name is None:
            return self.fill(frame, step, prev)
        name = self.place(frame, step.name, None, step.span)
        return self.inside(
            frame, "sequential", name, step.span, prev, lambda inner, value: self.fill(inner, step, value)
        )

    def fill(self, frame: Frame, step: Parallel | Residual | Side, prev: Value | None) -> Value | None:
        prev = self.previous(prev, step.span)
        match step:
            case Parallel():
                return self.parallel(frame, step, prev)
            case Residual():
                return self.residual(frame, step, prev)
            case Side():
                return self.side(frame, step, prev)

    def side(self, frame: Frame, step: Side, prev: Value) -> Value:
        only = step.when == "training"
        with self.requirements.of_training(only):
            self.run(replace(frame, training=frame.training or only), step.body, prev)
        return prev

    def parallel(self, frame: Frame, step: Parallel, prev: Value) -> Value | None:
        results: dict[str, Value] = {}
        spans: dict[str, Span] = {}
        failed = False
        first = len(frame.builder.steps)
        for name, (span, body) in step.branches.items():
            result = self.branch(frame, "branch", name, span, body, prev) if body else prev
            if result is UNKNOWN:
                failed = True
                frame.builder.names[name] = UNKNOWN
                continue
            results[name] = self.required(self.previous(result, span), span, "a branch")
            frame.builder.names[name] = results[name]
            spans[name] = span
        if failed:
            raise Failed
        if step.merge == "none":
            return None
        if len(results) < 2:
            help = "for a single one, write its steps in the body itself"
            raise self.reader.error("missing-input", "`parallel` takes two branches or more", step.span, help=help)
        arguments: dict[str, Any] = {}
        if step.dim is not None:
            if step.merge not in ("concat", "stack"):
                help = "`concat` and `stack` have one; remove it, or choose one of these"
                raise self.reader.error(
                    "unknown-argument", f"merge `{step.merge}` has no `dim`", step.dim.span, help=help
                )
            arguments["dim"] = self.reader.value(step.dim, frame.env)
        branches = branch_labels(spans, results, arguments.get("dim", 1) if step.merge == "concat" else None)
        repair = padding_help(frame.builder.steps[first:])
        if not isinstance(arguments.get("dim", 0), int) and step.dim is not None:
            raise self.reader.misvalued(step.dim, frame.env, f"`dim` of `{step.merge}` is an integer", arguments["dim"])
        return self.merge(
            frame, step.merge, arguments, list(results.values()), step.span, "parallel", branches, None, repair
        )

    def merge(
        self,
        frame: Frame,
        how: str,
        arguments: dict[str, Any],
        values: list[Value],
        span: Span,
        structure: Literal["residual", "parallel"],
        branches: tuple[Label, ...],
        message: str | None = None,
        help: str | None = None,
    ) -> Value:
        """The node that joins a structure's branches; a misfit is told with what each branch gives."""
        try:
            op = self.make(OPS[how], arguments)
        except ValidationError:
            raise self.reader.error("bad-argument", f"`dim` of `{how}` must be an integer", span) from None
        try:
            self.infer(op, tuple(value.tensor for value in values), span)
        except ShapeError as found:
            raise self.reader.error(
                "shape-mismatch", message or str(found), span, secondary=branches, help=help or found.help
            ) from None
        return self.node(frame, "", op, values, span, {}, structure=structure).outputs[0]

    def residual(self, frame: Frame, step: Residual, prev: Value) -> Value:
        first = len(frame.builder.steps)
        result = self.run(frame, step.body, prev)
        ended = len(frame.builder.steps) - first
        changed = result is not UNKNOWN and result is not None and result.shape != prev.shape
        shortcut: Value | None = prev
        if step.shortcut is not None:
            shortcut = self.run(frame, step.shortcut, prev)
        elif step.projection is not None and (changed or result is UNKNOWN):
            shortcut = self.run(frame, step.projection, prev)
        if result is UNKNOWN or shortcut is UNKNOWN:
            raise Failed
        result, shortcut = (
            self.required(self.previous(value, step.span), step.span, "`residual`") for value in (result, shortcut)
        )
        labels: tuple[Label, ...] = ()
        help = None
        body = frame.builder.steps[first:]
        if changed and shortcut is prev:
            labels = changing_steps(body)
            nodes = changing_arguments(step, labels, prev.shape, result.shape)
            labels += origin_labels(frame.env, nodes, step.span)
            help = padding_help(body) if result.shape[:2] == prev.shape[:2] else None
            help = help or projection_help(prev, result)
        elif shortcut is not prev:
            labels = last_step(body[:ended], "the body") + last_step(body[ended:], "the projection")
        message = residual_message(step.merge, result, shortcut)
        values = [result, shortcut]
        return self.merge(frame, step.merge, {}, values, step.span, "residual", labels, message, help)
