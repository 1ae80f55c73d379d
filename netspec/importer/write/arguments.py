"""The arguments of a call as a spec writes them: those that are not defaults, a lone one without its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.dims import Dim
from netspec.importer.write.constants import SHORT, count_numbers, spell_list
from netspec.importer.write.phrases import BlockPhrase, Formula
from netspec.importer.write.sizes import spell_size
from netspec.ops import OPS, Op
from netspec.ops.core.arguments import text_rule


def op_arguments(kind: type[Op], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return an op's arguments in the order of its class, the main one first, without those that are its defaults."""
    names = sorted(kind.model_fields, key=lambda name: name != kind.main)
    return {
        name: plain(arguments[name], text_rule(kind, name).any)
        for name in names
        if name in arguments and not _same(arguments[name], kind.model_fields[name].default)
    }


def block_arguments(block: BlockPhrase, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block's arguments in the order of its parameters."""
    return {
        name: plain(arguments[name], "str" in (type_or_default, block.types.get(name)))
        for name, type_or_default in block.params.items()
        if name in arguments
        and not _same(arguments[name], type_or_default)
        and not (isinstance(arguments[name], Formula) and arguments[name] == block.usual.get(name))
    }


def main_argument(word: str, block: BlockPhrase | None) -> str | None:
    """Return the argument that a lone value goes to."""
    return next(iter(block.params), None) if block is not None else OPS[word].main


def _same(value: Any, default: Any) -> bool:
    return bool(type(value) is type(default) and value == default)


def plain(value: Any, any_text: bool = False) -> Any:
    """Return a value of plain YAML; an expression where any text is taken as it stands is put in braces."""
    if isinstance(value, Formula):
        return f"{{{value}}}" if any_text else value
    if isinstance(value, str):
        return value.replace("{", "{{").replace("}", "}}") if any_text else value
    if isinstance(value, Dim):
        return spell_size(value)
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, tuple) and count_numbers(value) > SHORT:
        return spell_list(value)
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value
