"""Ops with their arguments, as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.elaborate.building.nodes import make_op
from netspec.elaborate.context import Context
from netspec.elaborate.messages.unknowns import unknown_op_argument
from netspec.elaborate.reading.arguments import build, model_callee, read_arguments
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import hashable
from netspec.ops import Op
from netspec.spec import CallStep, Entry


def read_op(context: Context, step: CallStep, kind: type[Op], arguments: Mapping[str, Entry], env: Scope) -> Op:
    """Return the op that a call runs. Every fault in its arguments is reported; then it raises ``AlreadyReported``."""
    if not arguments and step.main is None and (known := context.cache.ops.get((kind, ()))) is not None:
        return known
    reader = context.reader
    callee = model_callee(reader, kind, env, lambda key: unknown_op_argument(reader, kind, key))
    found = read_arguments(reader, callee, arguments, step.main, step.span)
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
