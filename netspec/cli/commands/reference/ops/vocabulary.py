"""Texts of ``netspec ops``: the vocabulary, from the op classes and the library themselves."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import PydanticUndefined

from netspec import library
from netspec.diagnostics import UsageError, did_you_mean
from netspec.ops import OPS, Op
from netspec.ops.core.meanings import meaning
from netspec.reference.registry import find
from netspec.spec import BlockSpec, Written
from netspec.syntax import ScalarNode


def column() -> int:
    """Return the width of the names in a list of ops."""
    return max(map(len, OPS)) + 2


def list_ops() -> str:
    """Every op by family, with its first line of documentation."""
    families: dict[str, list[type[Op]]] = {}
    for op in OPS.values():
        families.setdefault(op.family, []).append(op)
    width, lines = column(), []
    for family, members in families.items():
        lines += ["", family]
        lines += [f"  {op.name:<{width}}{_plain(op.summary())}{_several(op)}" for op in members]
    lines += ["", "library"]
    lines += [f"  {name:<{width}}{_plain((block.doc or '').splitlines()[0])}" for name, block in _standard().items()]
    return "\n".join(lines[1:])


def describe_op(name: str) -> str:
    """The documentation of an op or a library's block, its arguments with their defaults, and how it is written."""
    block = None if name in OPS else library.find(name)
    if block is not None:
        return _describe_block(name, block)
    if name not in OPS:
        raise UsageError(_not_an_op(name))
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
    lines += ["", "outputs", f"  {_outputs(op)}"]
    return "\n".join([*lines, "", "written", *(f"  {line}" for line in _examples(op))])


def _outputs(op: type[Op]) -> str:
    """The names of an op's outputs, which `from` takes: `encoder.h_n`."""
    return "0, 1, …, as many as there are parts" if op.output_names is not Op.output_names else ", ".join(op.outputs)


def _several(op: type[Op]) -> str:
    return f" Outputs: {_outputs(op)}." if len(op.outputs) > 1 or op.output_names is not Op.output_names else ""


def _not_an_op(name: str) -> str:
    """The message about a name that no op has: what else it names in the language, or the nearest op."""
    try:
        kind = find(name)[0].kind_title
    except UsageError:
        hint = did_you_mean(name, [*OPS, *library.names()]) or "`netspec ops` lists them all"
        return f"there is no op named `{name}`: {hint}"
    return f"`{name}` is {'an' if kind[0] in 'aeio' else 'a'} {kind}: see `netspec help {name}`"


def _standard() -> dict[str, BlockSpec]:
    """The library's blocks."""
    blocks = {name: library.find(name) for name in library.names()}
    return {name: block for name, block in blocks.items() if block is not None}


def _describe_block(name: str, block: BlockSpec) -> str:
    """A block's documentation, parameters, inputs and outputs, and how it is written."""
    lines = [f"{name}  (library)", "", _plain(block.doc or "").strip(), *(["", "arguments"] if block.params else [])]
    defaults = {
        key: "required" if each.default is None else f"default {_written(each.default)}"
        for key, each in block.params.items()
    }
    width = max(map(len, defaults), default=0) + 2
    second = max(map(len, defaults.values()), default=0) + 2
    for at, (key, each) in enumerate(block.params.items()):
        doc = each.spec.doc if each.spec is not None and each.spec.doc is not None else ""
        main = " (the main argument)" if at == 0 else ""
        lines.append(f"  {key:<{width}}{defaults[key]:<{second}}{_plain(doc)}{main}".rstrip())
    inputs = ", ".join(key + " (may be left out)" * optional for key, optional in block.formal.items())
    lines += ["", "inputs", f"  {inputs}"]
    lines += ["", "outputs", f"  {', '.join(block.outputs)}"] if block.outputs else []
    needed = [key for key, each in block.params.items() if each.default is None]
    others = [key for key, optional in block.formal.items() if not optional][1:]
    places = ", ".join(f"{key}: …" for key in [*needed, *others])
    call = f"{{{places}}}" if others or len(needed) > 1 else "…"
    return "\n".join([*lines, "", "written", f"  - {name}: {call}"])


def _written(node: Written) -> str:
    """A default as it stands in the library's file."""
    assert isinstance(node, ScalarNode), "the library's defaults are scalars"
    return node.text


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
