"""The arguments of an op, as they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from netspec.diagnostics import Label, clipped
from netspec.dims import Dim
from netspec.elaborate.building.nodes import make_op
from netspec.elaborate.context import Context
from netspec.elaborate.messages.unknowns import PLAIN_WORDS, listed, unknown_op_argument
from netspec.elaborate.reading.scope import Scope, origin_labels, show
from netspec.elaborate.reading.values import Failed, is_expression, whole_help
from netspec.elaborate.state.levels import hashable
from netspec.ops import Op
from netspec.ops.core.arguments import text_rule
from netspec.spec import CallStep, Entry, Written


def read_op(context: Context, step: CallStep, kind: type[Op], arguments: Mapping[str, Entry], env: Scope) -> Op:
    """The op with its arguments evaluated and checked; every fault in them is reported."""
    fields = kind.model_fields
    values: dict[str, Any] = {}
    nodes: dict[str, Written] = {}
    failed = False
    if step.main is not None:
        if kind.main is None:
            listed = ", ".join(f"`{field}`" for field in fields)
            wanted = f"write `- {kind.name}` alone" + (f", or name the argument: {listed}" if fields else "")
            message = f"`{kind.name}` takes no " + ("argument without its name" if fields else "arguments")
            raise context.reader.error("bad-argument", message, step.main.span, help=wanted)
        nodes[kind.main] = step.main
    for argument, (key, node) in arguments.items():
        if argument in fields:
            nodes[argument] = node
            continue
        failed = True
        unknown_op_argument(context.reader, kind, key)
    for argument, node in nodes.items():
        try:
            values[argument] = context.reader.value(node, env, text_rule(kind, argument))
        except Failed:
            failed = True
    if failed:
        raise Failed
    refusal = id(step), hashable(values)
    if refusal in context.refused:
        raise Failed
    try:
        return make_op(context, kind, values)
    except ValidationError as found:
        context.refused.add(refusal)
        faults = found.errors(include_input=False, include_url=False)
        missing = [str(fault["loc"][0]) for fault in faults if fault["type"] == "missing"]
        if missing:
            missing_arguments(context, kind.name, step, missing)
        for each in faults:
            if each["type"] != "missing":
                argument_fault(context, step, kind, each, nodes, values, env)
        raise Failed from None


def missing_arguments(
    context: Context, key: str, step: CallStep, missing: Sequence[str], labels: tuple[Label, ...] = ()
) -> None:
    """Report what a call lacks, in one."""
    message = f"`{key}` needs {listed(missing)}"
    help = f"`{key}: {{{', '.join(f'{name}: …' for name in missing)}}}`"
    context.reader.error("missing-argument", message, step.span, help=help, secondary=labels)


def argument_fault(
    context: Context,
    step: CallStep,
    kind: type[Op],
    fault: Mapping[str, Any],
    nodes: Mapping[str, Written],
    values: Mapping[str, Any],
    env: Scope,
) -> None:
    if not fault["loc"]:
        context.reader.error("bad-argument", f"`{kind.name}`: {fault['msg'].removeprefix('Value error, ')}", step.span)
        return
    argument = str(fault["loc"][0])
    value = values[argument]
    help: str | None = None
    if isinstance(value, Dim):
        help = "only a known number will do here; reduce it with an adaptive pooling, or fix the input's size"
    elif isinstance(value, float) and "integer" in fault["msg"]:
        help = whole_help(nodes[argument])
    elif isinstance(value, str) and is_expression(value, env):
        help = f"`{clipped(value)}` is worked out where its type is said: `{{type: int, default: …}}`"
    wanted = fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    for word, plain in PLAIN_WORDS.items():
        wanted = wanted.replace(word, plain)
    message = f"`{argument}` of `{kind.name}` is {show(value)}, but must be {wanted}"
    node = nodes[argument]
    context.reader.error("bad-argument", message, node.span, help=help, secondary=origin_labels(env, [node], node.span))
