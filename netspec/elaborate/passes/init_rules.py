"""Initialisation rules: which functions of ``torch.nn.init`` a spec may name, with their arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from netspec.diagnostics import Source, did_you_mean
from netspec.elaborate.passes.init_limits import wrong_number
from netspec.elaborate.reading.arguments import Callee, read_arguments
from netspec.elaborate.reading.scope import show
from netspec.elaborate.reading.values import PLAIN_TEXT, AlreadyReported, Reader
from netspec.graph import InitRule, Level, walk_parameters
from netspec.ops import OPS
from netspec.spec import Entry, Written
from netspec.syntax import MapNode, ScalarNode

FUNCTIONS: dict[str, dict[str, Any]] = {
    "uniform": {"a": 0.0, "b": 1.0},
    "normal": {"mean": 0.0, "std": 1.0},
    "trunc_normal": {"mean": 0.0, "std": 1.0, "a": -2.0, "b": 2.0},
    "constant": {"val": float},
    "ones": {},
    "zeros": {},
    "eye": {},
    "dirac": {"groups": 1},
    "xavier_uniform": {"gain": 1.0},
    "xavier_normal": {"gain": 1.0},
    "kaiming_uniform": {"a": 0, "mode": "fan_in", "nonlinearity": "leaky_relu"},
    "kaiming_normal": {"a": 0, "mode": "fan_in", "nonlinearity": "leaky_relu"},
    "orthogonal": {"gain": 1},
    "sparse": {"sparsity": float, "std": 0.01},
}
"""Each function (``torch.nn.init.<name>_``) with its arguments and their defaults; a type marks one without."""

ALONE = {"uniform": None, "normal": "std", "trunc_normal": "std"}
"""The argument that a number by itself is, where it is not the first: nobody means the mean by ``{normal: 0.01}``."""

NAMED = "initialisations are named as in torch.nn.init"

TEXTS = {
    "mode": ("fan_in", "fan_out"),
    "nonlinearity": ("linear", "conv1d", "conv2d", "conv3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"),
}


def read_rules(written: Iterable[Entry], reader: Reader, env: Mapping[str, Any]) -> tuple[InitRule, ...]:
    """The rules of ``init``, checked. A pattern is ``op.parameter`` or a path that may hold ``*``; later rules win."""
    rules = []
    for pattern, node in written:
        try:
            rules.append(read_rule(pattern, node, reader, env))
        except AlreadyReported:
            continue
    return tuple(rules)


def read_start(node: Written, body: Level, reader: Reader, env: Mapping[str, Any]) -> tuple[InitRule, ...]:
    """The rules of ``train: {init: …}``: one function for every weight of two dimensions or more, or rules.

    They come after those of the spec, so that one start can be held against another.
    """
    if isinstance(node, MapNode) and all("." in key.text for key, _ in node.entries):
        return read_rules(node.entries, reader, env)
    weights = dict.fromkeys(
        f"{step.op.name}.{name}" for _, step, name, _ in walk_parameters(body) if len(step.parameters[name]) > 1
    )
    return read_rules([(ScalarNode(node.span, each, each, True), node) for each in weights], reader, env)


def read_rule(pattern: ScalarNode, node: Written, reader: Reader, env: Mapping[str, Any]) -> InitRule:
    """A rule, checked but for whether there is what it names."""
    if isinstance(node, ScalarNode) and node.text:
        function, argument = node, None
    elif isinstance(node, MapNode) and len(node.entries) == 1:
        function, argument = node.entries[0]
    else:
        raise reader.error(
            "wrong-type", "an initialisation must be a single function", node.span, help="write `{normal: {std: 0.01}}`"
        )
    known = FUNCTIONS.get(function.text)
    if known is None:
        hint = did_you_mean(function.text.removesuffix("_"), FUNCTIONS) or NAMED
        hint = "`null` removes a rule of a spec that this one `extends`" if function.value is None else hint
        raise reader.error("unknown-name", f"no initialisation is named `{function.text}`", function.span, help=hint)
    arguments = _arguments(function, argument, known, reader, env)
    if wrong := wrong_number(function.text, {**known, **arguments}):
        raise reader.error("bad-argument", wrong, (argument or function).span)
    return InitRule(pattern.text, function.text, arguments, pattern.span)


def _arguments(
    function: ScalarNode, written: Written | None, known: Mapping[str, Any], reader: Reader, env: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of a function. Raises ``AlreadyReported`` where one is at fault; every fault is reported."""

    def read(name: str, node: Written) -> Any:
        return _text(name, node, reader, env) if name in TEXTS else _number(name, node, reader, env)

    def unknown(key: ScalarNode) -> object:
        message = f"`{function.text}` has no argument `{key.text}`"
        return reader.error("unknown-argument", message, key.span, help=did_you_mean(key.text, known))

    main = ALONE.get(function.text, next(iter(known), None))
    required = [name for name, default in known.items() if default is float]
    callee = Callee(function.text, known, main, read, unknown, required)
    entries = written.entries if isinstance(written, MapNode) else ()
    alone = None if isinstance(written, MapNode) else written
    found = read_arguments(reader, callee, {key.text: (key, node) for key, node in entries}, alone, function.span)
    if not found.sound:
        raise AlreadyReported
    return found.values


def _text(name: str, node: Written, reader: Reader, env: Mapping[str, Any]) -> str:
    value = reader.value(node, env, PLAIN_TEXT)
    if value in TEXTS[name]:
        return str(value)
    help = did_you_mean(str(value), TEXTS[name])
    raise reader.error("bad-argument", f"`{name}` cannot be {show(value)}", node.span, help=help)


def _number(name: str, node: Written, reader: Reader, env: Mapping[str, Any]) -> float:
    value = reader.value(node, env)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise reader.error("bad-argument", f"`{name}` must be a number, not {show(value)}", node.span)
    return value


def check_paths(rules: Iterable[InitRule], body: Level, reader: Reader, own: Source | None = None) -> None:
    """Guard rules for one path: there must be such a parameter. ``check`` warns of patterns that match nothing.

    ``own`` is the text of a spec that extends another one, whose rules it can remove.
    """
    for rule in rules:
        exact = rule.op is None and rule.keys is None and "*" not in rule.pattern
        if not exact or any(rule.sets(key, node.op.name, name) for _, node, name, key in walk_parameters(body)):
            continue
        help = did_you_mean(rule.pattern, [key for *_, key in walk_parameters(body)])
        if "." not in rule.pattern and (help is None or rule.pattern in OPS):
            help = "name an op and its parameter (`conv2d.weight`), or a path (`fc.weight`, `layer*.bias`)"
        if own is not None and rule.span.source is not own:
            help = f"`init: {{{rule.pattern}: null}}` in {own.name} removes the rule"
        reader.error("unknown-reference", f"`{rule.pattern}` matches no parameter", rule.span, help=help)
