"""Documentation that stands in the source: a class's docstring, and the text behind each of its fields.

A field is documented as an attribute is, by a text on the line below it::

    class Huber(Loss):
        delta: Weight = 1.0
        \"\"\"the error up to which the loss is squared\"\"\"

One without a text has that of the alias it is annotated with (``lr: Rate``), else that of the class it inherits from.
Python drops such texts, so that they cost nothing where nobody asks; they are read from the source of those who do.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cache


def documentation(kind: type) -> str:
    """Return a class's docstring as Markdown; empty where it has none."""
    return _markdown(inspect.cleandoc(kind.__doc__ or ""))


@cache
def field_docs(kind: type) -> Mapping[str, str]:
    """Return the text of each field of a class, as Markdown on one line; a field without one is missing."""
    docs: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        docs |= _own_docs(each)
    return docs


@cache
def _own_docs(kind: type) -> dict[str, str]:
    """The texts of the fields in a class's own body."""
    statements = _module_body(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = next((each for each in statements if isinstance(each, ast.ClassDef) and each.name == name), None)
        if found is None:
            return {}
        statements = found.body
    docs = {}
    for statement, text in _followed(statements):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        name, annotation = statement.target.id, statement.annotation
        if name.startswith("_") or _is_of_class(annotation):
            continue
        doc = text or _alias_doc(kind.__module__, _alias(annotation))
        if doc:
            docs[name] = _markdown(" ".join(doc.split()))
    return docs


def _is_of_class(annotation: ast.expr) -> bool:
    """Return whether what is annotated is no field: ``ClassVar[…]``."""
    named = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return isinstance(named, ast.Name) and named.id == "ClassVar"


def _alias(annotation: ast.expr) -> str:
    """The name that a field is annotated with, alone or beside ``None``."""
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _alias(annotation.left)
    return annotation.id if isinstance(annotation, ast.Name) else ""


def _alias_doc(module: str, alias: str) -> str:
    """The text below ``alias = …``, in a module or in the one that it is imported from."""
    for statement, text in _followed(_module_body(module)) if alias else ():
        if isinstance(statement, ast.Assign) and [getattr(each, "id", "") for each in statement.targets] == [alias]:
            return text
        if isinstance(statement, ast.ImportFrom) and not statement.level and statement.module:
            imported = next((each for each in statement.names if (each.asname or each.name) == alias), None)
            if imported is not None:
                return _alias_doc(statement.module, imported.name)
    return ""


def _followed(statements: Sequence[ast.stmt]) -> list[tuple[ast.stmt, str]]:
    """Each statement with the text that stands below it."""
    return [(each, _text(below)) for each, below in zip(statements, [*statements[1:], None])]


def _text(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return statement.value.value if isinstance(statement.value.value, str) else ""
    return ""


@cache
def _module_body(module: str) -> Sequence[ast.stmt]:
    """The statements of a module, which may lie in an archive; none where it has no source, as a built-in one."""
    found = sys.modules.get(module)
    path = getattr(found, "__file__", None) or ""
    return ast.parse("".join(linecache.getlines(path, vars(found)))).body if path.endswith(".py") else ()


def _markdown(text: str) -> str:
    return re.sub(r"``([^`]*)``", r"`\1`", text)
