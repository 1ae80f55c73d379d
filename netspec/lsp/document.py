"""A document as it stands in the editor: its outline, what a check finds, and the last graphs that were sound."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping
from dataclasses import field
from functools import cache, cached_property
from pathlib import Path

from netspec import library
from netspec.checks.check import check_loaded
from netspec.dataclass import dataclass
from netspec.diagnostics import Diagnostic, Label, Report, Source, Span, SpecError
from netspec.graph import Call, ExecutionCount, Graph, Step, visits
from netspec.lsp.mention import Block, written
from netspec.lsp.outline import Outline
from netspec.pipeline import load_source
from netspec.spec import BlockSpec
from netspec.syntax import parse
from netspec.syntax.files import read_source

Place = tuple[int, int]
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Instance:
    """A step as it was built: where, and in which variant's graph."""

    path: str
    step: Step
    training: bool
    executions: ExecutionCount


class Built:
    """The graphs of a sound text, with every step that each place of it became. No other has its ``number``."""

    def __init__(self, source: Source, graphs: Mapping[str | None, Graph]):
        self.source, self.graphs = source, graphs
        self.number = next(_NUMBERS)
        self.variant = next(iter(graphs))
        self.graph = graphs[self.variant]
        self._steps: dict[str | None, dict[Place, list[Instance]]] = {}

    def at(self, place: Place) -> tuple[str | None, list[Instance]]:
        """Return a step's variant and instances: of the defaults, else of the first variant that has it at all."""
        for variant in self.graphs:
            found = self.steps(variant).get(place)
            if found:
                return variant, found
        return self.variant, []

    def steps(self, variant: str | None) -> dict[Place, list[Instance]]:
        """Every step of a variant by the line and column of its key; the outermost of a place alone."""
        if variant not in self._steps:
            found: dict[Place, list[Instance]] = {}
            for path, step, training, executions, *_ in visits(self.graphs[variant].body):
                if step.span.source.name == self.source.name:
                    here = found.setdefault((step.span.line, step.span.column), [])
                    if not here or _kind(here[0].step) == _kind(step):
                        here.append(Instance(path, step, training, executions))
            self._steps[variant] = found
        return self._steps[variant]


def _kind(step: Step) -> str:
    return step.body.kind if isinstance(step, Call) else "node"


@dataclass(frozen=True)
class Document:
    """One version of a text. ``outline`` is the last that could be read, ``built`` the last that was sound.

    Both are of this text where ``fresh`` says so.
    """

    source: Source
    diagnostics: tuple[Diagnostic, ...]
    outline: Outline
    read: bool
    built: Built | None
    imported: Mapping[str, Block] = field(default_factory=dict)

    @property
    def blocks(self) -> Mapping[str, Block]:
        """The blocks that the text can call: the library's, those of the files that it imports, and its own."""
        return {**standard_blocks(), **self.imported, **self.outline.blocks}

    @property
    def fresh(self) -> bool:
        return self.built is not None and self.built.source.text == self.source.text

    @cached_property
    def _lines(self) -> dict[int, int]:
        """Return, for each line that is as it was when the graphs were built, its number then."""
        if self.built is None:
            return {}
        then, now = self.built.source.lines, self.source.lines
        if then == now:
            return {number: number for number in range(1, len(now) + 1)}
        matcher = difflib.SequenceMatcher(None, then, now, autojunk=False)
        return {
            block.b + offset + 1: block.a + offset + 1
            for block in matcher.get_matching_blocks()
            for offset in range(block.size)
        }

    def line_then(self, line: int) -> int | None:
        """The number that a line had when the graphs were built; ``None`` where it has changed since."""
        return self._lines.get(line)

    def built_lines(self) -> dict[int, int]:
        """The same the other way round: from the lines then to those now."""
        return {then: now for now, then in self._lines.items()}


def analyse(name: str, text: str, before: Document | None = None) -> Document:
    """Read and check a text; what it is too broken for is kept from the version before."""
    source = Source(name, text.removeprefix("\ufeff"))
    tree = parse(source, Report())
    outline = Outline(tree) if tree is not None or before is None else before.outline
    built = before.built if before is not None else None
    imported = before.imported if before is not None else {}
    try:
        loaded = load_source(source)
        foreign = {name: block for name, block in loaded.spec.blocks.items() if block.span.source is not source}
        imported = {name: _imported(name, block) for name, block in foreign.items()}
        checked = check_loaded(loaded)
        if checked.graphs:
            built = Built(source, checked.graphs)
        diagnostics = checked.diagnostics + checked.warnings
    except SpecError as found:
        diagnostics = tuple(found.diagnostics)
    except Exception as found:  # an editor must not lose its server to a bug of ours
        message = f"a bug in netspec, not in your spec: {type(found).__name__}: {found}"
        diagnostics = (_at_top(source, "internal", message),)
    return Document(source, diagnostics, outline, tree is not None, built, imported)


def analyse_file(path: Path) -> Document:
    """Read and check a file as it was saved. Raises ``UsageError`` where there is none."""
    try:
        source = read_source(path)
    except SpecError as found:  # it is no text
        return Document(Source(str(path), ""), tuple(found.diagnostics), Outline(None), False, None)
    return analyse(source.name, source.text)


@cache
def standard_blocks() -> Mapping[str, Block]:
    """The library, as an outline has it."""
    found = ((name, library.find(name)) for name in library.names())
    return {name: _imported(name, block) for name, block in found if block is not None}


def _imported(name: str, block: BlockSpec) -> Block:
    """A block of another file, as an outline has it."""
    params = {
        key: (parameter.key.span, written(parameter.default) if parameter.default else parameter.type or "")
        for key, parameter in block.params.items()
    }
    meanings = {
        key: parameter.spec.doc for key, parameter in block.params.items() if parameter.spec and parameter.spec.doc
    }
    return Block(name, block.span, params, tuple(block.formal), tuple(block.outputs or ()), block.doc or "", meanings)


def _at_top(source: Source, id: str, message: str) -> Diagnostic:
    return Diagnostic(id, message, Label(Span(source, 1, 1, 1, 1)))
