"""Calls: steps that run an op or a block, whichever of the two their key means."""

from __future__ import annotations

from netspec import library
from netspec.diagnostics import did_you_mean
from netspec.elaborate.building.step_names import guard_no_keys
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.elaborate.messages.unknowns import replaced, unknown_op
from netspec.elaborate.reading.scope import origin_labels, show
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.steps.block import run_block
from netspec.elaborate.steps.op import run_op
from netspec.expressions import UNKNOWN_VALUE
from netspec.graph import Value
from netspec.ops import OPS
from netspec.spec import CallStep, block_meant


@elaborates(CallStep)
def elaborate(context: Context, frame: Frame, step: CallStep, prev: Value | None, default_name: str | None) -> Value:
    key = step.key.text
    own = not library.owns(step.span.source)  # a block of the library sees none of the spec's, unless it is given
    around = context.calling[-1][0] if context.calling else ""
    name = block_meant(context.blocks, key, around)
    if key.startswith("$"):
        around = written_in(context, frame, key[1:])
        key, own = dispatched(context, frame, step, key[1:]), True
        name = block_meant(context.blocks, key, around) or block_meant(context.blocks, key, "")
    if own and name is not None:
        guard_no_keys(context, step)
        return run_block(context, frame, step, name, context.blocks[name], prev, default_name)
    if key in OPS:
        return run_op(context, frame, step, OPS[key], prev, default_name)
    standard = library.find(key)
    if standard is not None:
        guard_no_keys(context, step)
        return run_block(context, frame, step, key, standard, prev, default_name)
    raise unknown_op(context.reader, step, key, context.blocks, frame.env)


def written_in(context: Context, frame: Frame, parameter: str) -> str:
    """Return the block that gives a parameter its value: its own one by a default, or the one that calls that."""
    if not context.calling:
        return ""
    around, block = context.calling[-1]
    declared = block.params.get(parameter)
    if declared is not None and frame.env.origins.get(parameter) is declared.default:
        return around
    return context.calling[-2][0] if len(context.calling) > 1 else ""


def dispatched(context: Context, frame: Frame, step: CallStep, parameter: str) -> str:
    """The name that ``$parameter`` holds."""
    callee = frame.env.get(parameter)
    if callee is UNKNOWN_VALUE:
        raise AlreadyReported
    if isinstance(callee, str):
        return callee
    if parameter in frame.env and parameter != "shape":
        message = f"`{parameter}` is {show(callee)}, not the name of an op or a block"
        labels = origin_labels(frame.env, [replaced(step.key, parameter)], step.span)
        raise context.reader.error("bad-value", message, step.span, secondary=labels)
    texts = [f"${name}" for name, value in frame.env.items() if isinstance(value, str)]
    help = did_you_mean(step.key.text, texts) or "`$name` runs the op or block that the string parameter `name` names"
    raise context.reader.error("unknown-name", f"there is no parameter named `{parameter}`", step.span, help=help)
