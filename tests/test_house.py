"""The shape of the code: files and functions that fit in the head, one class a name, sentences for docstrings.

The direction of imports, their layers and cycles, is in the contracts of ``pyproject.toml``.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Union

from places import ROOT, TESTS

CODE = ROOT / "netspec"
FILES = sorted(CODE.rglob("*.py"))
Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Every node of these kinds in the code, with where it is."""
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, kinds):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", node


def test_a_file_has_at_most_400_lines():
    assert {str(path): length for path in FILES if (length := len(path.read_text().splitlines())) > 400} == {}


def test_a_folder_has_at_most_14_files_and_an_eighth_of_the_code():
    """A room is a folder with the files that lie beside each other in it."""
    lines = {path: len(path.read_text().splitlines()) for path in FILES}
    files = Counter(path.parent for path in FILES)
    assert {str(folder): count for folder, count in files.items() if count > 14} == {}
    rooms: Counter[Path] = Counter()
    for path, count in lines.items():
        rooms[path.parent] += count
    assert {str(room): count for room, count in rooms.items() if count > 0.12 * sum(lines.values())} == {}


def test_a_function_has_at_most_60_lines():
    functions = nodes(ast.FunctionDef, ast.AsyncFunctionDef)
    long = {where: node.name for where, node in functions if node.end_lineno - node.lineno >= 60}  # type: ignore[attr-defined]
    assert long == {}


def test_a_class_has_at_most_25_methods():
    methods = {
        f"{where} {node.name}": sum(isinstance(each, Function) for each in node.body)  # type: ignore[attr-defined]
        for where, node in nodes(ast.ClassDef)
    }
    assert {name: count for name, count in methods.items() if count > 25} == {}


def test_no_two_classes_share_a_name():
    named = defaultdict(list)
    for where, node in nodes(ast.ClassDef):
        named[node.name].append(where)  # type: ignore[attr-defined]
    assert {name: places for name, places in named.items() if len(places) > 1} == {}


def test_a_docstring_is_a_sentence_with_a_verb():
    """Those of modules, classes and functions, and of the names that they define."""
    texts = {
        where: node.value.value
        for where, node in nodes(ast.Expr)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    wrong = {
        where: text.splitlines()[0]
        for where, text in texts.items()
        if text.split()[0] in ("What", "Whether", "How", "Which", "Where")
    }
    assert wrong == {}


def test_no_two_test_files_share_a_name():
    """There are no packages among the tests, so pytest tells their modules apart by name alone."""
    names = Counter(path.name for path in TESTS.rglob("*.py") if path.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []


def test_the_tests_use_nothing_private():
    private = {str(path.relative_to(TESTS)): names for path in TESTS.rglob("*.py") if (names := private_names(path))}
    assert private == {}


def private_names(path: Path) -> list[str]:
    """The names with an underscore in front that a test imports, or reads from a module of netspec's."""
    modules: set[str] = set()
    private = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("netspec"):
            modules |= {each.asname or each.name for each in node.names if each.name[0].islower()}
            private += [each.name for each in node.names if each.name.startswith("_")]
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            private += [node.attr] * (isinstance(node.value, ast.Name) and node.value.id in modules)
    return private
