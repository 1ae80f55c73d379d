"""A session: the spec that a page shows, and the answers to what the page asks about it.

It runs in the browser, in the folder of the zoo, so that a text can import its files. A question is JSON,
``{"ask": "complete", "with": [text, offset]}``, and so is its answer: ``{"answer": …}``, or ``{"fault": …}`` with what
is told instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from netspec import zoo
from netspec.analysis.costs import Costs
from netspec.diagnostics import Diagnostic, NetspecError, Source, UsageError
from netspec.diagnostics.text import plain_text
from netspec.graph import Graph
from netspec.lsp.document import Built, Document, analyse
from netspec.lsp.extras.repairs import repair_of
from netspec.lsp.hints import hints
from netspec.lsp.words import word_before
from netspec.pipeline import compile_loaded, find_spec, load_source
from netspec.playground.offsets import Offsets
from netspec.text.quantities import short
from netspec.text.quoting import visible

NAME = "spec.yaml"
"""The name that the text of a page goes by."""

YOURS = "yours"
"""The name of an edited network beside the one of the zoo that it was made from, whose name it still has."""

OF_DISK = ("missing-data",)
"""Warnings about files, which a page has none of."""

EXPECTATION = "expectation-failed"
"""The id of what a network was expected to be. Whoever edits a network makes another one of it: that is no error."""

Json = dict[str, Any]


class Session:
    """The text as it was last read, with the networks that it makes, or last made where it is wrong now."""

    def __init__(self) -> None:
        self.document: Document | None = None
        self.offsets = Offsets("")
        self._words = _words()

    def answer(self, question: str) -> str:
        """Answer a question."""
        asked = json.loads(question)
        try:
            return json.dumps({"answer": QUESTIONS[asked["ask"]](self, *asked["with"])})
        except (NetspecError, RecursionError) as fault:
            return json.dumps({"fault": str(fault)})

    def warm(self) -> bool:
        """Read ahead a little of what completion and hover tell; gives whether there is more to read."""
        return next(self._words, None) is not None

    def read(self, text: str, is_new: bool, variant: str) -> Json:
        """Read a text; one that ``is_new`` has nothing to do with the one before. ``variant`` has its totals told."""
        self.document = analyse(NAME, text, None if is_new else self.document)
        self.offsets = Offsets(text)
        built = self.document.built
        shapes = hints(self.document, 1, len(self.offsets.lines))
        return {
            "fresh": self.document.fresh,
            "built": 0 if built is None else built.number,
            "variants": [] if built is None else [name or "" for name in built.graphs],
            "name": "" if built is None else self._graph(variant).name,
            "totals": [] if built is None else _totals(self._graph(variant)),
            "problems": [self._problem(each) for each in self._found(self.document, variant)],
            "hints": [[self.offsets.end_of(line), shape] for line, shape in shapes],
        }

    def _found(self, document: Document, variant: str) -> list[Diagnostic]:
        """Return what a check has found, with one note in the place of all that differs from what is expected."""
        differing = [each for each in document.diagnostics if each.id == EXPECTATION]
        others = [each for each in document.diagnostics if each.id not in (EXPECTATION, *OF_DISK)]
        if document.built is None or not differing:
            return others
        names = [graph.name for graph in document.built.graphs.values()]
        return [*others, _as_note(differing, self._graph(variant).name, names)]

    def _problem(self, found: Diagnostic) -> Json:
        """Return a diagnostic as the page shows it; one in another file stands at the top."""
        span = found.primary.span
        is_here = span.source.name == NAME
        start, end = self.offsets.within(span) if is_here else (0, 0)
        return {
            "from": start,
            "to": end,
            "line": span.line if is_here else 0,
            "severity": found.severity,
            "id": found.id,
            "message": visible(found.message),
            "label": visible(found.primary.text),
            "help": visible(found.help or ""),
            "repair": self._repair(found) if is_here else None,
            "text": visible(("" if is_here else f"{span.place}: ") + plain_text(found), keep="\n"),
        }

    def _repair(self, found: Diagnostic) -> Json | None:
        """Return the word that a diagnostic names as the one that is meant, and the place of the wrong one."""
        repair = repair_of(found)
        if repair is None:
            return None
        start, end = self.offsets.within(repair.span)
        return {"from": start, "to": end, "word": repair.word}

    def complete(self, text: str, offset: int) -> Json:
        """Return the words that may stand at a place of a text, and where the one begins that is there already."""
        from netspec.lsp.completion import complete

        offsets = Offsets(text)
        line, column = offsets.place(offset)
        before = word_before(offsets.lines[line - 1], column - 1)
        document = self.document or analyse(NAME, text)
        items = complete(document, text, line, column)
        fields = ("label", "kind", "insert", "detail", "documentation")
        return {
            "from": offsets.of(line, column - len(before)),
            "items": [{name: getattr(item, name) for name in fields} for item in items],
        }

    def hover(self, offset: int) -> str | None:
        """Return Markdown on what stands at a place of the text that was read last."""
        from netspec.lsp.hover import hover

        return None if self.document is None else hover(self.document, *self.offsets.place(offset))

    def table(self, variant: str, width: int) -> Json:
        """Return the shape table as spans of text with styles, line by line, with the line of the spec of each; and
        what each column tells.
        """
        from netspec.emit.table import ShapeTable
        from netspec.reference.sources.columns import COLUMNS, meaning_of

        drawn = ShapeTable(self._graph(variant)).drawn(width)
        return {
            "lines": [[[visible(text), style] for text, style in line.cell] for line in drawn],
            "rows": [line.row for line in drawn],
            "columns": {title: meaning_of(title) for title in COLUMNS},
        }

    def source(self, variant: str) -> Json:
        """Return the PyTorch source."""
        from netspec.emit.source import emit_source

        return {"text": emit_source(self._graph(variant)).text}

    def diagram(self, variant: str) -> Json:
        """Return the diagram as DOT, which the page draws."""
        from netspec.emit.diagram.dot import dot_text

        return {"dot": dot_text(self._graph(variant))}

    def tidy(self, svg: str) -> str:
        """Return a drawn diagram as ``netspec diagram`` writes it."""
        from netspec.emit.diagram.render import tidied

        return tidied(svg)

    def explorer(self, variant: str, is_embedded: bool) -> Json:
        """Return the explorer's page, for a frame or by itself."""
        from netspec.emit.explorer import explorer_page

        return {"html": explorer_page(self._graph(variant), host="page" if is_embedded else "server")}

    def difference(self, variant: str, against: str, is_embedded: bool) -> Json:
        """Return the page that compares a network of the zoo with this one."""
        from netspec.emit.diff import Diff
        from netspec.emit.explorer import comparison_page

        old, new = _of_zoo(against), self._graph(variant)
        diff = Diff(old, replace(new, name=YOURS) if new.name == old.name else new)
        return {"html": comparison_page(diff, is_embedded=is_embedded), "same": diff.is_empty}

    def _graph(self, variant: str) -> Graph:
        """Return a variant's network, else the first; raises ``UsageError`` where the text has made none yet."""
        built: Built | None = None if self.document is None else self.document.built
        if built is None:
            raise UsageError("there is no network to show yet: the spec has errors")
        return built.graphs.get(variant or None, built.graph)


def _words() -> Iterator[object]:
    """Give the documentation of each op, which is read from its module."""
    import netspec.lsp.completion
    import netspec.lsp.hover  # noqa: F401
    from netspec.ops import OPS
    from netspec.reference.sources.ops import described_arguments

    for op in OPS.values():
        yield described_arguments(op)


def _as_note(differing: list[Diagnostic], shown: str, names: list[str]) -> Diagnostic:
    """Return the first difference of the variant that is shown, else of another, with how many variants more differ."""
    firsts = {name: each for name in names for each in reversed(differing) if each.message.startswith(f"{name}: ")}
    name = shown if shown in firsts else next(iter(firsts))
    whose, more = "" if name == shown else f"{name} ", len(firsts) - 1
    rest = f" (and {more} other variant{'s' if more > 1 else ''})" if more else ""
    what = firsts[name].message.removeprefix(f"{name}: ")
    return replace(
        firsts[name], message=f"{whose}differs from what the spec expects: {what}{rest}", severity="note", notes=()
    )


def _totals(graph: Graph) -> list[list[str]]:
    """Return what a network costs: in words, short, and exactly."""
    cost = Costs(graph.sizes).of(graph.body)
    sizes = ", ".join(f"{name} = {size}" for name, size in graph.sizes.items())
    macs = f"{cost.macs:,}" + (f" at {sizes}" if sizes else "")
    return [["parameters", short(cost.params), f"{cost.params:,}"], ["MACs", short(cost.macs), macs]]


@cache
def _of_zoo(name: str) -> Graph:
    """Return a network of the zoo, whose file goes by its name alone. Raises ``UsageError`` where there is none."""
    path, variant = find_spec(name)
    return compile_loaded(load_source(Source(path.name, zoo.read(path).text), variant))


QUESTIONS: Mapping[str, Callable[..., Any]] = {
    "read": Session.read,
    "complete": Session.complete,
    "hover": Session.hover,
    "table": Session.table,
    "source": Session.source,
    "diagram": Session.diagram,
    "tidy": Session.tidy,
    "explorer": Session.explorer,
    "difference": Session.difference,
}
"""The questions that a page asks, by their names."""
