"""The arguments of a block, as a call writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.diagnostics import Label
from netspec.elaborate.building.op_arguments import missing_arguments
from netspec.elaborate.context import Context
from netspec.elaborate.messages.unknowns import unknown_parameter
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import Failed, bounded, declared_type, default_value
from netspec.expressions import UNKNOWN_VALUE
from netspec.spec import BlockSpec, CallStep, Written


def block_arguments(
    context: Context, step: CallStep, key: str, block: BlockSpec, inputs: Mapping[str, Written], env: Scope
) -> tuple[dict[str, Any], dict[str, Written]]:
    """The values of a block's parameters at a call, and where each was set; every fault in them is reported."""
    written = {name: entry[1] for name, entry in step.arguments.items() if name not in inputs}
    if step.main is not None:
        if not block.params:
            raise context.reader.error(
                "bad-argument", f"`{key}` has no parameters", step.main.span, help=f"write `- {key}` alone"
            )
        written[next(iter(block.params))] = step.main
    failed = False
    missing: list[str] = []
    unknown = written.keys() - block.params.keys()
    for name in unknown:
        failed = True
        unknown_parameter(context.reader, step, key, block, name)
    values: dict[str, Any] = {}
    origins: dict[str, Written] = {}
    for name, parameter in block.params.items():
        try:
            if name in written:
                type = declared_type(context.reader, parameter)
                value = context.reader.typed(written[name], env, type, f"`{name}` of `{key}`")
                values[name] = bounded(context.reader, parameter, value, written[name].span)
                origins[name] = written[name] if "str" in type else env.origin(written[name])
            elif parameter.default is not None:
                scope = visible_to(context, block).extended({"shape": env["shape"], **values}, origins)
                values[name] = default_value(context.reader, parameter, scope)
                origins[name] = parameter.default
            elif unknown:  # most likely it is among them, misspelt
                values[name] = UNKNOWN_VALUE
            else:
                missing.append(name)
                raise Failed
        except Failed:
            failed, values[name] = True, UNKNOWN_VALUE
    if missing:
        span = block.params[missing[0]].key.span
        labels = (Label(span, "declared here without a default"),)
        missing_arguments(context, key, step, missing, labels)
    if failed:
        raise Failed
    return values, origins


def visible_to(context: Context, block: BlockSpec) -> Scope:
    """What a block sees beside its own parameters: those of its file; an imported block sees none."""
    home = context.network[0].span.source
    return context.globals if block.span.source is home else Scope({})
