"""Completion: the words that may stand at the cursor, told from the text before it.

The text up to the cursor is given a word of our own and closed, so that it can be read as YAML; the role of that
word says what is wanted. What stands before it may be broken: lines that cannot be read are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, get_args

from netspec import zoo
from netspec.dataclass import dataclass
from netspec.diagnostics import Report, Source, Span
from netspec.elaborate.passes.init_rules import FUNCTIONS as INITIALISATIONS
from netspec.elaborate.steps import STRUCTURES
from netspec.expressions.values import TABLE as FUNCTIONS
from netspec.lsp.document import Document
from netspec.lsp.hover import arguments_text
from netspec.lsp.mention import Block, Mention
from netspec.lsp.networks import other_network
from netspec.lsp.outline import Outline
from netspec.lsp.words import word_before
from netspec.ops import OPS, Op
from netspec.ops.core.arguments import text_rule
from netspec.reference.sources.forms import call_keys, form_keys
from netspec.reference.sources.ops import PORT, described_arguments
from netspec.syntax import SyntaxNode, parse
from netspec.text.docstrings import documentation
from netspec.text.quoting import markdown

Kind = Literal["op", "block", "structure", "argument", "reference", "parameter", "function", "word", "network"]

MARK = "cursor_7f3a"


@dataclass(frozen=True, slots=True)
class Item:
    """An offer. ``insert`` is the text to write; the cursor goes to ``$1`` and ``$0`` in it."""

    label: str
    kind: Kind
    insert: str
    detail: str = ""
    documentation: str = ""


def complete(document: Document, text: str, line: int, column: int) -> list[Item]:
    """Return the words that may stand at a place of ``text`` (from 1), which may be newer than the document."""
    lines = text.split("\n")[:line]
    lines[-1] = lines[-1][: column - 1]
    lines[-1] = lines[-1][: len(lines[-1]) - len(word_before(lines[-1], len(lines[-1])))]
    outline, mention = _marked(lines)
    if mention is None:
        return []
    blocks = {**document.blocks, **outline.blocks}
    if mention.role in ("network", "variant", "inner") or (mention.role == "parameter" and mention.owner):
        return list(_of_networks(document.source, mention, {**document.outline.networks, **outline.networks}))
    return list(_offers(mention, outline, blocks, {**document.outline.params, **outline.params}))


def _of_networks(source: Source, mention: Mention, inside: Mapping[str, SyntaxNode]) -> Iterator[Item]:
    """Offer the networks that there are, or the words of the one that a step uses."""
    if mention.role == "network":
        yield from (Item(name, "network", name, "in this file") for name in inside)
        yield from (Item(name, "network", name, "of the zoo") for name in zoo.names())
        return
    other = other_network(source, mention.owner, inside)
    if other is None:
        return
    outline = other.outline
    if mention.role == "variant":
        yield from (Item(name, "word", name, f"line {span.line}") for name, span in outline.variants.items())
    elif mention.role == "parameter":
        yield from _free(outline.params, mention)
    else:
        steps = {**outline.outputs, **outline.network.all_steps(), **dict(outline.network.paths())}
        yield from (Item(name, "reference", name, f"line {span.line}") for name, span in steps.items())


def _marked(lines: list[str]) -> tuple[Outline, Mention | None]:
    """The outline of the text before the cursor, and the cursor's own place in it."""
    lines = list(lines)
    for _ in range(4):
        text = "\n".join(lines)
        closing = _closing(text)
        broken = 0
        for word in (MARK, f"{MARK}: "):
            report = Report()
            tree = parse(Source("", f"{text}{word}{closing}"), report)
            outline = Outline(tree)
            found = [mention for mention in outline.mentions if MARK in mention.word]
            if found:
                return outline, found[-1]
            if tree is None and report.diagnostics:
                broken = report.diagnostics[0].primary.span.line
        if not 0 < broken < len(lines) or not lines[broken - 1].strip():
            break
        lines[broken - 1] = ""
    return Outline(None), None


def _closing(text: str) -> str:
    """Return the characters that close the quote and the brackets of flow style left open at the end of a text."""
    open_, quote, before = [], "", "\n"
    comment = False
    for char in text:
        if comment:
            comment = char != "\n"
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"" and before in " \t\n[{,:(":
            quote = char
        elif char == "#" and before in " \t\n":
            comment = True
        elif char in "[{":
            open_.append("]" if char == "[" else "}")
        elif char in "]}" and open_:
            open_.pop()
        before = char
    return quote + "".join(reversed(open_))


def _offers(mention: Mention, outline: Outline, blocks: dict[str, Block], params: dict[str, tuple]) -> Iterator[Item]:  # type: ignore[type-arg]
    match mention.role:
        case "step":
            yield from _steps(blocks, params)
        case "argument":
            yield from _arguments(mention, blocks)
        case "key" if mention.form is not None:
            for name, key in form_keys(mention.form).items():
                if name not in mention.siblings:
                    yield Item(name, "argument", f"{name}: ", "required" if key.required else "", key.doc)
        case "reference":
            yield Item("prev", "reference", "prev", "the step before")
            for name, span in reversed(mention.scope.all_steps().items()):
                yield Item(name, "reference", name, f"line {span.line}")
            for path, span in mention.scope.paths():
                yield Item(path, "reference", path, f"line {span.line}")
        case "parameter":
            yield from _free(params, mention)
        case "expression":
            yield from _values(mention, outline, blocks, params)


def _free(params: Mapping[str, tuple[Span, str]], mention: Mention) -> Iterator[Item]:
    """Offer the parameters that are not given yet."""
    for name, (_, default) in params.items():
        if name not in mention.siblings:
            yield Item(name, "parameter", f"{name}: ", f"default {default}")


def _steps(blocks: dict[str, Block], params: dict[str, tuple]) -> Iterator[Item]:  # type: ignore[type-arg]
    for block in blocks.values():
        needed = [name for name, (_, default) in block.params.items() if default in ("int", "float", "bool", "str")]
        yield Item(block.name, "block", _call(block.name, needed, None), "block", markdown(block.doc))
    for name, (_, default) in params.items():
        if default in blocks or default in OPS:
            yield Item(f"${name}", "block", f"\\${name}", f"whatever `{name}` names, as {default}")
    for word, form in STRUCTURES.items():
        yield Item(word, "structure", f"{word}:", "structure", documentation(form))
    for op in OPS.values():
        arguments = described_arguments(op)
        needed = [name for name, argument in arguments.items() if argument.required]
        needed += ["from"] if op.variadic else []
        doc = f"{documentation(op)}\n\n{arguments_text(arguments)}".rstrip()
        yield Item(op.name, "op", _call(op.name, needed, op.main), op.family, doc)


def _call(name: str, needed: list[str], main: str | None) -> str:
    """Return a step as it is written, with a place for each argument that it needs."""
    if not needed:
        return name
    if needed == [main]:
        return f"{name}: $0"
    places = ", ".join(f"{argument}: ${number}" for number, argument in enumerate(needed, 1))
    return f"{name}: {{{places}\\}}$0"


def _arguments(mention: Mention, blocks: dict[str, Block]) -> Iterator[Item]:
    owner, given = mention.owner, mention.siblings
    if owner in OPS:
        op = OPS[owner]
        for name, known in described_arguments(op).items():
            if name not in given:
                detail = "required" if known.required else f"default {known.default or 'null'}"
                yield Item(name, "argument", f"{name}: ", detail, known.doc)
        ports: Iterable[str] = op.ports if len(op.ports) > 1 else ()
    else:
        block = blocks.get(owner)
        for name, (_, default) in block.params.items() if block else ():
            if name not in given:
                yield Item(
                    name, "argument", f"{name}: ", default, markdown(block.meanings.get(name, "")) if block else ""
                )
        ports = block.inputs if block and len(block.inputs) > 1 else ()
    for port in ports:
        if port not in given:
            yield Item(port, "argument", f"{port}: ", "input", PORT)
    for name, key in call_keys().items():
        if name not in given:
            yield Item(name, "argument", f"{name}: ", "", key.doc)


def _values(mention: Mention, outline: Outline, blocks: dict[str, Block], params: dict[str, tuple]) -> Iterator[Item]:  # type: ignore[type-arg]
    owner, _, argument = mention.owner.partition(".")
    if argument == "init":
        yield from (Item(name, "function", name, "where weights start") for name in INITIALISATIONS)
    words = _structure_words(owner, argument)
    for word in words or _words(owner, argument):
        yield Item(word, "word", word)
    if mention.owner in params and params[mention.owner][1] in blocks:
        for block in blocks.values():
            yield Item(block.name, "block", block.name, "block", markdown(block.doc))
    if words:
        return
    for name, span in mention.scope.all_values().items():
        yield Item(name, "parameter", name, f"line {span.line}")
    if argument or owner in OPS:
        yield Item("shape", "parameter", "shape", "the shape of the step's input")
    for name in FUNCTIONS:
        yield Item(name, "function", f"{name}($0)")


def _structure_words(owner: str, key: str) -> list[str]:
    """The words that a structure's key takes, where it takes nothing else."""
    keys = form_keys(STRUCTURES[owner]) if owner in STRUCTURES else {}
    holds = keys[key].holds if key in keys else {}
    return [holds["const"]] if "const" in holds else holds.get("enum", [])


def _words(owner: str, argument: str) -> Iterator[str]:
    """The words that an op's argument takes; ``owner.`` alone means its main argument."""
    if owner not in OPS:
        return
    op: type[Op] = OPS[owner]
    name = argument or op.main
    if name is None or name not in op.model_fields:
        return
    yield from sorted(text_rule(op, name).literal)
    annotation = op.model_fields[name].annotation
    if annotation is bool or bool in get_args(annotation):
        yield from ("true", "false")
