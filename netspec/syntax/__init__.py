"""YAML text to a tree of nodes with spans; YAML's traps are refused, each with its own diagnostic.

Plain scalars are read by YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema), where ``no`` is text
and ``1e-3`` a number. The tree is built from PyYAML's events with a stack of our own: its composer recurses in C
and dies of deep nesting, and its constructors keep the last of two equal keys in silence.
"""

from __future__ import annotations

from netspec.syntax.files import DEFAULT, RAISE, STDIN, FileLimits, decode, read_source, read_stdin
from netspec.syntax.nodes import ListNode, MapNode, ScalarNode, SyntaxNode
from netspec.syntax.reader import parse

__all__ = [
    "DEFAULT",
    "RAISE",
    "STDIN",
    "FileLimits",
    "ListNode",
    "MapNode",
    "ScalarNode",
    "SyntaxNode",
    "decode",
    "parse",
    "read_source",
    "read_stdin",
]
