"""The arguments of a block, as a call writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.diagnostics import Label
from netspec.elaborate.context import Context
from netspec.elaborate.messages.unknowns import unknown_parameter
from netspec.elaborate.reading.arguments import Callee, read_arguments
from netspec.elaborate.reading.keys import hashable, values_of
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import AlreadyReported, Reader, bounded, declared_type, default_value
from netspec.elaborate.state.cache import BlockArguments, is_closed
from netspec.elaborate.state.calls import BlockCall
from netspec.expressions import UNKNOWN_VALUE
from netspec.spec import BlockSpec, CallStep, DeclaredParameter, Written
from netspec.syntax import ScalarNode


def block_arguments(
    context: Context, step: CallStep, key: str, block: BlockSpec, call: BlockCall, env: Scope
) -> BlockArguments:
    """Return the values of a block's parameters at a call.

    Raises ``AlreadyReported`` where one is at fault; every fault is reported.
    """
    read = values_of(call.names, env), values_of(call.default_names, visible_to(context, block))
    memo = step, block, read, env["shape"] if "shape" in call.default_names else None
    if memo not in context.cache.read_blocks:
        context.cache.read_blocks[memo] = _read_anew(context, step, key, block, call, env)
    return context.cache.read_blocks[memo]


def origins_of_arguments(block: BlockSpec, found: BlockArguments, env: Scope) -> dict[str, Written]:
    """Return where each parameter of a block was set: at the call, or further back if that only names it."""
    given = {name: node if name in found.texts else env.origin(node) for name, node in found.nodes.items()}
    defaults = {name: each.default for name, each in block.params.items() if each.default is not None}
    return {**defaults, **given}


def _read_anew(
    context: Context, step: CallStep, key: str, block: BlockSpec, call: BlockCall, env: Scope
) -> BlockArguments:
    reader = context.reader
    found = read_arguments(reader, _callee(reader, step, key, block, env), call.arguments, step.main, step.span)
    sound, values = found.sound, dict(found.values)
    origins: dict[str, Written] = {}
    texts: set[str] = set()
    for name, parameter in block.params.items():
        if name in found.nodes:
            node = found.nodes[name]
            if name in values and "str" in declared_type(reader, parameter):
                texts.add(name)
            origins[name] = node if name in texts else env.origin(node)
        elif parameter.default is not None:
            try:
                values[name] = _default(context, block, parameter, {"shape": env["shape"], **values}, origins)
            except AlreadyReported:
                sound = False
            origins[name] = parameter.default
        values.setdefault(name, UNKNOWN_VALUE)
    if not sound:
        raise AlreadyReported
    values = {name: values[name] for name in block.params}
    return BlockArguments(values, hashable(values), found.nodes, frozenset(texts))


def _default(
    context: Context,
    block: BlockSpec,
    parameter: DeclaredParameter,
    before: Mapping[str, Any],
    origins: Mapping[str, Written],
) -> Any:
    """Return a parameter's default, which may read those before it."""
    assert parameter.default is not None
    scope = visible_to(context, block).extended(before, origins)
    return context.reader.remembered(parameter.default, scope, lambda: default_value(context.reader, parameter, scope))


def _callee(reader: Reader, step: CallStep, key: str, block: BlockSpec, env: Scope) -> Callee:
    def read(name: str, node: Written) -> Any:
        parameter = block.params[name]
        value = reader.typed(node, env, declared_type(reader, parameter), f"`{name}` of `{key}`")
        return bounded(reader, parameter, value, node.span)

    def declared(name: str) -> Label:
        return Label(block.params[name].key.span, "declared here without a default")

    def unknown(argument: ScalarNode) -> object:
        return unknown_parameter(reader, step, key, block, argument.text)

    main = next(iter(block.params), None)
    required = [name for name, parameter in block.params.items() if parameter.default is None]
    return Callee(key, block.params, main, read, unknown, required, declared)


def visible_to(context: Context, block: BlockSpec) -> Scope:
    """Return the scope around a block: the parameters of its file; one of another file sees none."""
    return Scope({}) if is_closed(block) else context.globals
