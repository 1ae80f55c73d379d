"""The standard blocks as what a level is held against: their steps and parameters in plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from typing import Any

from netspec.dataclass import dataclass
from netspec.diagnostics import Report
from netspec.library import names
from netspec.spec.parameters import is_type
from netspec.syntax import ListNode, MapNode, SyntaxNode, parse, read_source

KINDS: Mapping[type, str] = {bool: "bool", int: "int", float: "float", str: "str", list: "list"}


@dataclass(eq=False)
class StandardParameter:
    """A parameter: its type, and what it is by default, ``None`` where it must be given."""

    type: str
    default: Any = None

    @property
    def is_text(self) -> bool:
        """Return whether it takes a word."""
        return self.type == "str"


@dataclass(eq=False)
class StandardBlock:
    """A standard block. ``inputs`` has their names, each with whether a call may leave it out; ``let`` its locals."""

    name: str
    body: list[Any]
    params: dict[str, StandardParameter] = field(default_factory=dict)
    inputs: dict[str, bool] = field(default_factory=dict)
    let: dict[str, Any] = field(default_factory=dict)


@cache
def standard_blocks() -> Mapping[str, StandardBlock]:
    """Return every standard block by its name."""
    return {name: _read(name) for name in names()}


def _read(name: str) -> StandardBlock:
    report = Report()
    tree = parse(read_source(names()[name]), report)
    assert tree is not None
    said = plain(tree)["blocks"][name]
    inputs = {each.removesuffix("?"): each.endswith("?") for each in said.get("inputs", ["input"])}
    params = {key: _parameter(each) for key, each in said.get("params", {}).items()}
    return StandardBlock(name, said["body"], params, inputs, said.get("let", {}))


def _parameter(said: Any) -> StandardParameter:
    if isinstance(said, str) and is_type(said):
        return StandardParameter(said)
    about = said if isinstance(said, dict) else {"default": said}
    default = about.get("default")
    return StandardParameter(about.get("type") or KINDS[type(default)], default)


def plain(node: SyntaxNode) -> Any:
    """Return a tree of syntax as plain values; words and expressions are texts."""
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    if isinstance(node, MapNode):
        return {key.text: plain(value) for key, value in node.entries}
    return node.value


def is_name(value: Any) -> bool:
    """Return whether a value is a lone name."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z_]\w*", value) is not None
