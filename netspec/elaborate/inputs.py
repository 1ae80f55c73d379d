"""The inputs of a spec: their tensors, the symbolic dimensions in them, and the numbers that they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from netspec.diagnostics import UsageError, one_of_these
from netspec.dims import Dim, Size
from netspec.dims import symbols as symbols_of
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import AlreadyReported, Reader
from netspec.elaborate.state.levels import UNKNOWN
from netspec.elaborate.state.requirements import empty_dims
from netspec.expressions import ExpressionError, parse
from netspec.graph import Requirement, Value
from netspec.ops import Tensor
from netspec.spec import Spec
from netspec.syntax import ScalarNode, SyntaxNode

INNER = "bfloat16"
"""A dtype that values have inside a network only: onnxruntime's Python takes and gives NumPy's dtypes."""


def symbol_names(spec: Spec, parameters: Mapping[str, Any]) -> list[str]:
    """The names in input shapes that are neither parameters nor locals, in order of appearance."""
    found: dict[str, None] = {}
    valued = parameters.keys() | spec.let.keys()
    for given in spec.inputs.values():
        for node in given.shape:
            if isinstance(node, ScalarNode) and isinstance(node.value, str):
                try:
                    names = parse(node.text).names
                except ExpressionError:
                    continue  # reported when the shape is read
                found.update(dict.fromkeys(sorted(names - valued, key=node.text.find)))
    return list(found)


def declared_sizes(
    spec: Spec, reader: Reader, env: Mapping[str, Any], symbols: Mapping[str, Any], given: Mapping[str, int]
) -> tuple[dict[str, int], list[Requirement]]:
    """The sizes of symbolic dimensions that the author or the caller set, and what they may be."""
    limits: list[Requirement] = []
    for name in given:
        if name not in symbols:
            hint = one_of_these(name, symbols, "they have none")
            raise UsageError(f"the inputs have no dimension `{name}`: {hint}")
    sizes = dict(given)
    for name, dim in spec.dims.items():
        if name not in symbols:
            help = one_of_these(name, symbols, "the inputs have no symbolic dimensions")
            reader.error("unknown-name", f"no input has the dimension `{name}`", dim.span, help=help)
            continue
        try:
            low = 1 if dim.min is None else reader.integer(dim.min, env, f"the minimum of `{name}`")
            high = None if dim.max is None else reader.integer(dim.max, env, f"the maximum of `{name}`", 1)
            size = sizes.setdefault(name, reader.integer(dim.default, env, f"the size of `{name}`", min(low, 1)))
        except AlreadyReported:
            continue
        if size < low or (high is not None and size > high):
            bounds = f"at least {low}" + ("" if high is None else f" and at most {high}")
            reader.error("bad-value", f"`{name}` is {size}, but must be {bounds}", dim.default.span)
            continue
        if dim.min is not None and low != 1:
            limits.append(Requirement(symbols[name], ">=", low, dim.min.span, f"`{name}` must be at least {low}"))
        if dim.max is not None and high is not None:
            limits.append(Requirement(high, ">=", symbols[name], dim.max.span, f"`{name}` must be at most {high}"))
    for name, size in given.items():
        if size < 1 and (size < 0 or name not in empty_dims(limits)):
            raise UsageError(f"the dimension `{name}` must be at least 1, not {size}")
    return sizes, limits


def read_inputs(spec: Spec, reader: Reader, env: Mapping[str, Any]) -> dict[str, Value]:
    inputs = {}
    for name, given in spec.inputs.items():
        try:
            if given.dtype == INNER:
                help = "declare it as float32, and write `- cast: bfloat16` before the steps that are to run in it"
                message = f"the input `{name}` is {INNER}, which onnxruntime does not accept"
                raise reader.error("bad-value", message, given.span, help=help)
            sizes = [read_size(reader, node, env) for node in given.shape]
            inputs[name] = Value(Tensor(tuple(sizes), given.dtype), given.optional)
        except AlreadyReported:
            inputs[name] = UNKNOWN
    if not spec.inputs:
        reader.error(
            "missing-key", "a spec needs an input", spec.network[0].span, help="`inputs: {image: [N, 3, 224, 224]}`"
        )
    return inputs


def read_size(reader: Reader, node: SyntaxNode, env: Mapping[str, Any]) -> Size:
    """Return a size of an input: a number, or one that is symbolic."""
    value = reader.value(node, env)
    if isinstance(value, Dim) or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise reader.misvalued(node, env, "a size must be a positive integer or a name", value)


def with_absence(inputs: Mapping[str, Value], empty: frozenset[str]) -> dict[str, Value]:
    """Return the inputs, where each that may be left out knows the dimensions that are 0 without it."""
    always = frozenset().union(*(symbols_of(value.shape) for value in inputs.values() if not value.optional))
    return {
        name: replace(value, absence=symbols_of(value.shape) & empty - always) if value.optional else value
        for name, value in inputs.items()
    }


def read_bounds(spec: Spec, reader: Reader, env: Scope) -> dict[str, int]:
    """Return the number that each input of whole numbers stays below, where the spec gives one."""
    bounds = {}
    for name, given in spec.inputs.items():
        if given.below is not None:
            try:
                if is_real(given.dtype):
                    help = "write `range: [0, 1]` for real numbers"
                    message = f"`below` applies to integers, but `{name}` is {given.dtype}"
                    raise reader.error("bad-value", message, given.below.span, help=help)
                if isinstance(given.below, ScalarNode) and isinstance(env.get(given.below.text), Dim):
                    help = "leave `below` out: an op that takes entries of a dimension by it tells that size"
                    message = f"the bound of `{name}` is a number, not a symbolic dimension"
                    raise reader.error("bad-value", message, given.below.span, help=help)
                bounds[name] = reader.integer(given.below, env, f"the bound of `{name}`", 1)
            except AlreadyReported:
                continue
    return bounds


def read_ranges(spec: Spec, reader: Reader, env: Scope) -> dict[str, tuple[float, float]]:
    """Return the least and the largest number of each input of real numbers, where the spec gives them."""
    ranges = {}
    for name, given in spec.inputs.items():
        if given.range is None:
            continue
        try:
            if not is_real(given.dtype):
                help = "write `below: 10` for integers from 0 to 9"
                message = f"`range` applies to real numbers, but `{name}` is {given.dtype}"
                raise reader.error("bad-value", message, given.range.span, help=help)
            ends = reader.items(given.range, env, f"the range of `{name}`")
            numbers = [each for each in ends if isinstance(each, (int, float)) and not isinstance(each, bool)]
            if len(ends) != 2 or len(numbers) != 2 or not numbers[0] < numbers[1]:
                message = f"the range of `{name}` must be its minimum and its maximum"
                raise reader.error("bad-value", message, given.range.span, help="write `range: [0, 1]`")
            ranges[name] = float(numbers[0]), float(numbers[1])
        except AlreadyReported:
            continue
    return ranges


def is_real(dtype: str) -> bool:
    """Return whether a dtype is of real numbers."""
    return dtype.startswith(("float", "bfloat"))
