"""The pages of the Python side: what ``__all__`` of the public modules lists, with types, from the docstrings."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from sitemaker.page import Page, fence, prose

FOLDER = "reference/python"
MODULES = {
    "netspec": "what people hold in their hands: networks, runs, imports, errors",
    "netspec.ops": "what an op of your own is made of",
    "netspec.recipes": "what a data set, a loss, an optimizer and the like of your own are made of",
    "netspec.targets": "what a network is written as, for targets of your own",
    "netspec.testing": "the test of an op of your own",
}


def python_pages() -> Iterator[Page]:
    """Give a page for each public module."""
    lines = [f"- [`{name}`]({_file(name)}) – {about}" for name, about in MODULES.items()]
    text = "What `__all__` lists is public, and stays ([stability](../stability.md)). torch is loaded when needed.\n\n"
    yield Page(f"{FOLDER}/index.md", "Python", text + "\n".join(lines))
    for name, about in MODULES.items():
        yield _page(name, about)


def _file(module: str) -> str:
    return f"{module}.md"


def _page(name: str, about: str) -> Page:
    module = importlib.import_module(name)
    functions: list[tuple[str, Any]] = []
    classes: list[tuple[str, Any]] = []
    values: list[tuple[str, Any]] = []
    for each in sorted(module.__all__, key=str.lower):
        if each.startswith("__"):
            continue
        found = getattr(module, each)
        group = classes if inspect.isclass(found) else functions if inspect.isfunction(found) else values
        group.append((each, found))
    parts = [_with_code(module.__doc__ or ""), ""]
    for title, group in (("Functions", functions), ("Classes", classes), ("Values and types", values)):
        if group:
            parts += [f"## {title}", ""]
            parts += [line for each, found in group for line in _entry(each, found)]
    return Page(f"{FOLDER}/{_file(name)}", f"Module {name}", "\n".join(parts), summary=f"{name}: {about}")


def _with_code(docstring: str) -> str:
    """A docstring as Markdown, its paragraphs of Python as blocks of code."""
    paragraphs = prose(docstring).split("\n\n")
    return "\n\n".join(fence(each, "python") if _is_python(each) else each for each in paragraphs)


def _is_python(text: str) -> bool:
    try:
        return any(isinstance(each, ast.Assign) for each in ast.parse(text).body)
    except SyntaxError:
        return False


def _entry(name: str, found: Any) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    if inspect.isclass(found):
        yield from _class(name, found)
    elif inspect.isfunction(found):
        yield fence(f"def {name}{signature(found)}", "python")
        yield prose(inspect.getdoc(found) or "")
    else:
        yield prose(_value_doc(found))
    yield ""


def _value_doc(found: Any) -> str:
    """The documentation of a value, unless it is that of its type alone."""
    doc = inspect.getdoc(found) or ""
    return "" if doc == inspect.getdoc(type(found)) else doc


def _class(name: str, found: type) -> Iterator[str]:
    bases = ", ".join(base.__name__ for base in found.__bases__ if base is not object)
    own = "__init__" in vars(found) and not hasattr(found, "model_fields")
    made = signature(vars(found)["__init__"]) if own else ""
    yield fence(f"class {name}({bases})" if bases else f"class {name}{made}", "python")
    yield prose(vars(found).get("__doc__") or "")
    yield ""
    for member, value in _members(found):
        yield f"#### {name}.{member} {{#{name.lower()}.{member.lower()}}}"
        yield ""
        getter = (
            value.fget if isinstance(value, property) else value.func if isinstance(value, cached_property) else None
        )
        if getter is not None:
            returned = inspect.signature(getter).return_annotation
            yield fence(f"{member}: {_annotation(returned)}", "python")
            yield prose(inspect.getdoc(getter) or "")
        else:
            function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
            yield fence(f"def {member}{signature(function)}", "python")
            yield prose(inspect.getdoc(function) or "")
        yield ""


def _members(found: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a class, with those of netspec's own bases."""
    seen: set[str] = set()
    for base in found.__mro__:
        if not base.__module__.startswith("netspec"):
            continue
        for member, value in [*vars(base).items()]:
            shown = inspect.isfunction(value) or isinstance(
                value, (property, cached_property, classmethod, staticmethod)
            )
            function = getattr(value, "__func__", getattr(value, "fget", getattr(value, "func", value)))
            if member.startswith("_") or member in seen or not shown or not inspect.getdoc(function):
                continue
            seen.add(member)
            yield member, value


def signature(function: Any) -> str:
    """Return a function's signature without ``self``, on lines of its own where it is long."""
    found = inspect.signature(function)
    parameters = [each for name, each in found.parameters.items() if name not in ("self", "cls")]
    texts, starred = [], False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not starred:
            texts.append("*")
        starred = starred or each.kind in (each.KEYWORD_ONLY, each.VAR_POSITIONAL)
        texts.append(_parameter(each))
    returned = "" if found.return_annotation is found.empty else f" -> {_annotation(found.return_annotation)}"
    flat = f"({', '.join(texts)}){returned}"
    return flat if len(flat) < 70 else "(\n" + "".join(f"    {text},\n" for text in texts) + f"){returned}"


def _parameter(each: inspect.Parameter) -> str:
    stars = "*" if each.kind is each.VAR_POSITIONAL else "**" if each.kind is each.VAR_KEYWORD else ""
    typed = "" if each.annotation is each.empty else f": {_annotation(each.annotation)}"
    default = "" if each.default is each.empty else f" = {each.default!r}" if typed else f"={each.default!r}"
    return f"{stars}{each.name}{typed}{default}"


def _annotation(annotation: Any) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(typing|collections\.abc)\.", "", text.strip("'"))
