"""The parameters of a spec: the variant that is chosen, their values, and what is required of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.diagnostics import Label, UsageError, clipped, did_you_mean, nearest, one_of_these
from netspec.elaborate.reading.scope import Scope, origin_labels, show
from netspec.elaborate.reading.values import AlreadyReported, Reader, bounded, declared_type, default_value, fit
from netspec.expressions import UNKNOWN_VALUE, parse
from netspec.spec import Spec, Variant
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode

Override = Any
"""A parameter's value from outside: a syntax node (from the command line) or a plain value (from Python)."""


def chosen_variant(spec: Spec, name: str | None) -> Variant | None:
    """Return the variant of that name; ``None`` for the defaults. Raises ``UsageError`` where there is none."""
    if name is None or (name == spec.name and name not in spec.variants):
        return None
    if name in spec.variants:
        return spec.variants[name]
    hint = one_of_these(name, spec.variants, "it has no variants")
    raise UsageError(f"the spec {spec.name} has no variant `{name}`: {hint}")


def parameter_values(spec: Spec, reader: Reader, variant: Variant | None, overrides: Mapping[str, Override]) -> Scope:
    """The value of each parameter: from outside, else from the variant, else its default."""
    for name in overrides:
        if name not in spec.params:
            from netspec.elaborate.messages.recipe_keys import path_in_recipe  # for faults alone

            hint = one_of_these(name, spec.params, "it has no parameters")
            if nearest(name, spec.params) is None and (path := path_in_recipe(name)) is not None:
                hint = f"did you mean `{path}`?"
            raise UsageError(f"the spec {spec.name} has no parameter `{name}`: {hint}")
    misspelt: set[str] = set()  # what the variant most likely meant, so that no more is said of it
    if variant is not None:
        for name in variant.values.keys() - spec.params.keys():
            meant = nearest(name, spec.params.keys() - variant.values.keys())
            misspelt.update([meant] if meant else [])
            span = variant.values[name][0].span
            help = did_you_mean(name, [*spec.params, "expect", "doc"])
            reader.error("unknown-argument", f"the spec has no parameter `{clipped(name)}`", span, help=help)
    values = Scope({}, {})
    origins: dict[str, SyntaxNode] = {}
    values.origins = origins
    reader.later = dict(spec.params)
    for name, parameter in spec.params.items():
        if parameter.default is not None:
            origins[name] = parameter.default
        try:
            if name in overrides:
                values[name] = _override(reader, parameter, overrides[name], values)
                origins.pop(name, None)
                if isinstance(overrides[name], (ScalarNode, ListNode)):
                    origins[name] = overrides[name]
            elif variant is not None and name in variant.values:
                node = origins[name] = variant.values[name][1]
                type = declared_type(reader, parameter)
                why: tuple[Label, ...] = ()
                if parameter.type is None and parameter.default is not None:
                    why = (Label(parameter.default.span, f"type {type} is inferred from this default"),)
                value = reader.typed(node, values, type, f"`{name}`", why)
                values[name] = bounded(reader, parameter, value, node.span)
            elif parameter.default is not None:
                values[name] = default_value(reader, parameter, values)
            else:
                help = f"give it a `default`, or a value: `--set {name}=…`"
                raise reader.error(
                    "missing-argument", f"the parameter `{name}` has no value", parameter.key.span, help=help
                )
        except AlreadyReported:
            values[name] = UNKNOWN_VALUE
    reader.later = {}
    values.update((name, UNKNOWN_VALUE) for name in misspelt)
    return values


def _override(reader: Reader, parameter: Any, given: Override, values: Mapping[str, Any]) -> Any:
    name = parameter.key.text
    type = declared_type(reader, parameter)
    if isinstance(given, (ScalarNode, ListNode, MapNode)):
        return bounded(reader, parameter, reader.typed(given, values, type, f"`{name}`"), given.span)
    fitted = fit(given, type)
    if fitted is None:
        raise UsageError(f"`{name}` must be of type {type}, not {show(given)}")
    return bounded(reader, parameter, fitted, parameter.key.span)


def check_required(spec: Spec, reader: Reader, env: Mapping[str, Any]) -> bool:
    """Return whether what the spec requires of its parameters holds; what does not is reported."""
    holds = True
    for node in spec.require:
        try:
            if not reader.condition(node, env, "a requirement"):
                holds = False
                assert isinstance(node, ScalarNode)
                names = sorted(parse(node.text).names & env.keys(), key=node.text.find)
                values = ", ".join(f"{name} = {env[name]}" for name in names)
                labels = origin_labels(env, [node], node.span)
                reader.error(
                    "requirement-failed",
                    f"`{clipped(node.text, 120)}` does not hold",
                    node.span,
                    f"with {values}" if values else "",
                    secondary=labels,
                )
        except AlreadyReported:
            continue
    return holds
