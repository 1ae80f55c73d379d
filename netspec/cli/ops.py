"""What ``netspec ops`` prints: the vocabulary, from the op classes themselves."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import PydanticUndefined

from netspec.diagnostics import UsageError, did_you_mean
from netspec.ops import OPS
from netspec.ops.base import Op
from netspec.ops.meanings import meaning


def list_ops() -> str:
    """Every op by family, with its first line of documentation."""
    families: dict[str, list[type[Op]]] = {}
    for op in OPS.values():
        families.setdefault(op.family, []).append(op)
    width = max(map(len, OPS)) + 2
    lines = []
    for family, members in families.items():
        lines += ["", family]
        lines += [f"  {op.name:<{width}}{_plain(op.summary())}" for op in members]
    return "\n".join(lines[1:])


def describe_op(name: str) -> str:
    """An op's documentation, its arguments with their defaults, and how it is written."""
    if name not in OPS:
        raise UsageError(f"no op is called `{name}`: " + (did_you_mean(name, OPS) or "`netspec ops` names them all"))
    op = OPS[name]
    lines = [f"{name}  ({op.family})", "", _plain(op.summary()), ""]
    fields = op.model_fields
    if fields:
        defaults = {
            name: "required" if field.is_required() else f"default {_yaml(field.default)}"
            for name, field in fields.items()
        }
        width, second = max(map(len, fields)) + 2, max(map(len, defaults.values())) + 2
        lines.append("arguments")
        for argument, default in defaults.items():
            main = " (the main argument)" if argument == op.main else ""
            lines.append(f"  {argument:<{width}}{default:<{second}}{_plain(meaning(op, argument))}{main}".rstrip())
        lines.append("")
    lines.append("inputs")
    lines.append("  any number, with `from: [a, b]`" if op.variadic else "  " + ", ".join(op.ports))
    return "\n".join([*lines, "", "written", *(f"  {line}" for line in _examples(op))])


def _examples(op: type[Op]) -> list[str]:
    required = [name for name, field in op.model_fields.items() if field.is_required() and name != op.main]
    if op.variadic:
        return [f"- {op.name}: {{from: [a, prev]}}"]
    if required:
        needed = [op.main] if op.main else []
        return [f"- {op.name}: {{{', '.join(f'{name}: …' for name in [*needed, *required])}}}"]
    if op.main and op.model_fields[op.main].is_required():
        return [f"- {op.name}: …"]
    return [f"- {op.name}"] + ([f"- {op.name}: …"] if op.main else [])


def _plain(text: str) -> str:
    return re.sub(r"`+([^`]*)`+", r"\1", text)


def _yaml(value: Any) -> str:
    if value is PydanticUndefined or value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
