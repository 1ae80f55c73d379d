"""The library's blocks: their parameters and inputs, with the texts of their files."""

from __future__ import annotations

from collections.abc import Mapping

from netspec import library
from netspec.reference.sources.ops import PORT
from netspec.reference.values import TEXT
from netspec.reference.word import Json, WordArgument
from netspec.spec import BlockSpec
from netspec.syntax import ScalarNode

TYPES: Mapping[str, Json] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "str": {"type": "string"},
    "list[int]": {"type": "array", "items": {"type": "integer"}},
    "pair[int]": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]},
}


def find_block(name: str) -> BlockSpec:
    """Return a block of the library. Raises ``KeyError`` where it has none of that name."""
    block = library.find(name)
    if block is None:
        raise KeyError(name)
    return block


def block_arguments(block: BlockSpec) -> Mapping[str, WordArgument]:
    """Return a block's parameters by name, in their order; the first is what a value by itself is taken for."""
    made = {}
    for at, (name, parameter) in enumerate(block.params.items()):
        doc = parameter.spec.doc if parameter.spec is not None else None
        default = parameter.default
        value = default.value if isinstance(default, ScalarNode) else None
        holds: Json = dict(TYPES.get(parameter.type or type(value).__name__, {}))
        if default is not None:
            holds["default"] = value
        made[name] = WordArgument(name, doc or "", holds, default is None, at == 0)
    return made


def block_inputs(block: BlockSpec) -> Mapping[str, WordArgument]:
    """Return a block's inputs as arguments of a call, which give each a step."""
    return {name: WordArgument(name, PORT, TEXT, reads=True) for name in block.formal}
