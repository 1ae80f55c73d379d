"""Parameters of a file or a block: their types and defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from netspec.dataclass import dataclass
from netspec.diagnostics import Report, clipped, nearest
from netspec.expressions import ExpressionError, parse
from netspec.spec.reading import (
    Form,
    Text,
    Value,
    Written,
    named_by,
    read_form,
    read_list,
    reader,
)
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode


class ParamSpec(Form):
    """A parameter in its long form."""

    type: Text | None = None
    """`int`, `float`, `bool`, `str`, `size` (an integer or a symbolic size), `list[…]` of one of these, or
    `pair[…]`: a list of two, which may be given as one value for both"""
    default: Value | None = None
    """the value that holds unless another is given; its type is the parameter's"""
    min: Value | None = None
    """the least value"""
    max: Value | None = None
    """the largest value"""
    choices: Annotated[tuple[Written, ...], reader(read_list)] | None = None
    """the values that are allowed"""
    doc: Text | None = None
    """what the parameter means"""


@dataclass(frozen=True, slots=True)
class DeclaredParameter:
    """A declared parameter. ``type`` is ``int``, ``float``, ``bool``, ``str``, ``size``, or ``list[…]`` or
    ``pair[…]`` of one of these.
    """

    key: ScalarNode
    type: str | None
    default: Written | None
    spec: ParamSpec | None = None


TYPE = re.compile(r"(?:list\[)*(?:pair\[)?(?:int|float|bool|str|size)\]*\Z")


def _read_parameter(key: ScalarNode, node: SyntaxNode, report: Report) -> DeclaredParameter | None:
    if isinstance(node, MapNode):
        long = read_form(ParamSpec, node, report, f"the parameter `{key.text}`")
        if long is None:
            return None
        type_node = node.get("type")
        if long.type is not None and type_node is not None and not is_type(long.type):
            close = nearest(long.type, ("int", "float", "bool", "str", "size", "list[int]", "pair[int]"))
            help = f"did you mean `{close}`?" if close else TYPES_HELP
            report.error("unknown-type", f"`{clipped(long.type)}` is not a type", type_node.span, help=help)
            return None
        if long.type is None and long.default is None:
            help = f"write `{key.text}: {{default: 64}}`, or `{{type: int}}`"
            message = f"the parameter `{key.text}` needs a `default` or a `type`"
            report.error("missing-key", message, key.span, help=help)
            return None
        return DeclaredParameter(key, long.type, long.default, long)
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and is_type(node.value):
        return DeclaredParameter(key, node.value, None)
    return DeclaredParameter(key, None, node)


TYPES_HELP = "types are int, float, bool, str, size, and list[…] and pair[…] of these"


def is_type(text: str) -> bool:
    """Return whether a text spells a parameter's type, as ``list[list[int]]``."""
    return bool(TYPE.match(text)) and text.count("[") == text.count("]")


Parameters = Annotated[
    Mapping[str, DeclaredParameter], named_by(_read_parameter, "a mapping from parameters to defaults")
]


def check_defaults(
    parameters: Mapping[str, DeclaredParameter], visible: Mapping[str, DeclaredParameter], report: Report
) -> None:
    """Report defaults without a type that read other parameters: texts by the letter, expressions by intent."""
    for name, parameter in parameters.items():
        default = parameter.default
        if parameter.type is not None or default is None:
            continue
        for item in default.items if isinstance(default, ListNode) else (default,):
            if isinstance(item, ScalarNode) and _reads(item, visible):
                typed = f"int, default: {clipped(item.text)}" if item is default else "list[int], default: […]"
                report.error(
                    "unknown-type",
                    f"`{clipped(item.text)}` reads other parameters, but a default without a type is a string",
                    item.span,
                    help=f"declare the type: `{name}: {{type: {typed}}}`, or quote it if a string is meant",
                )
                break


def _reads(item: ScalarNode, visible: Mapping[str, DeclaredParameter]) -> bool:
    """Return whether a plain text computes something from parameters, or is the name of one that holds no text."""
    if not item.plain or not isinstance(item.value, str):
        return False
    if item.text in visible:
        return not _is_text(visible[item.text])
    try:
        names = parse(item.text).names
    except ExpressionError:
        return False
    return bool(names) and names <= visible.keys()


def _is_text(parameter: DeclaredParameter) -> bool:
    if parameter.type is not None:
        return parameter.type == "str"
    return isinstance(parameter.default, ScalarNode) and isinstance(parameter.default.value, str)
