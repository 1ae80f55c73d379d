"""Ops with their arguments, as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.elaborate.building.nodes import make_op
from netspec.elaborate.context import Context
from netspec.elaborate.messages.unknowns import unknown_op_argument
from netspec.elaborate.reading.arguments import build, model_callee, read_arguments
from netspec.elaborate.reading.keys import hashable, values_of
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.calls import OpCall
from netspec.ops import Op
from netspec.spec import CallStep


def read_op(context: Context, step: CallStep, kind: type[Op], call: OpCall, env: Scope) -> Op:
    """Return the op that a call runs. Every fault in its arguments is reported; then it raises ``AlreadyReported``."""
    key = step, kind, values_of(call.names, env)
    if key not in context.cache.read_ops:
        context.cache.read_ops[key] = _read_anew(context, step, kind, call, env)
    return context.cache.read_ops[key]


def _read_anew(context: Context, step: CallStep, kind: type[Op], call: OpCall, env: Scope) -> Op:
    reader = context.reader
    callee = model_callee(reader, kind, env, lambda key: unknown_op_argument(reader, kind, key))
    found = read_arguments(reader, callee, call.arguments, step.main, step.span)
    refusal = id(step), hashable(found.values)
    if refusal in context.refused:
        raise AlreadyReported

    def create(values: Mapping[str, Any]) -> Op:
        return make_op(context, kind, values)

    try:
        return build(create, reader, kind.name, found, env, step.span)
    except AlreadyReported:
        context.refused.add(refusal)
        raise
