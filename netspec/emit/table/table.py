"""The shape table: every layer with its shapes and costs, as text, JSON, CSV and Markdown."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netspec.analysis.costs import Costs
from netspec.analysis.memory import Memory
from netspec.analysis.receptive_field import field_sizes, receptive_fields
from netspec.analysis.rows import LayerRow, layer_rows, record
from netspec.dims import Shape, plain_shape
from netspec.emit.table.columns import marks
from netspec.emit.table.footer import seconds_record, time_record, totals_record
from netspec.emit.table.text import DrawnLine, drawn_lines, table_text
from netspec.graph import Graph
from netspec.text.quantities import number, short_seconds
from netspec.text.quoting import cell, json_text, markdown
from netspec.view.lines import EVERYTHING, FOLDED, Fold, View, table_lines

if TYPE_CHECKING:
    from netspec.analysis.step_time import StepTime


class ShapeTable:
    """The layers of a graph, one row each, in the order they run; with ``times``, how long each takes on a device."""

    def __init__(self, graph: Graph, times: StepTime | None = None):
        self.graph, self.times = graph, times
        self._costs, self._memory = Costs(graph.sizes), Memory(graph)

    @cached_property
    def rows(self) -> tuple[LayerRow, ...]:
        """One row for each node, repeats written out."""
        return tuple(layer_rows(self.graph, self._costs))

    def __iter__(self) -> Iterator[LayerRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def params(self) -> int:
        """Learned numbers of the whole network, training-only parts included."""
        return self._costs.of(self.graph.body).params

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference pass at ``graph.sizes``."""
        return self._costs.of(self.graph.body).macs

    @property
    def totals(self) -> dict[str, int]:
        """``{"params": …, "macs": …}`` of the whole network."""
        return {"params": self.params, "macs": self.macs}

    def __str__(self) -> str:
        return self.text()

    def text(
        self, width: int = 80, colour: bool = False, full: bool = False, view: View = FOLDED, ascii: bool = False
    ) -> str:
        """The table as people read it, in at most ``width`` columns.

        A long table is folded until it fits in a few screenfuls; with ``full`` only repeats are, and ``view`` says
        more. ``ascii`` keeps to the characters of ASCII.
        """
        view = replace(view, fold=Fold.REPEATS) if full else view
        return table_text(self.graph, self._costs, self._memory, width, colour, view, ascii, self.times)

    def drawn(self, width: int = 80) -> list[DrawnLine]:
        """The same, line by line, for what paints it in its own way."""
        return drawn_lines(self.graph, self._costs, self._memory, width, times=self.times)

    def _repr_html_(self) -> str:
        """The table as notebooks show it."""
        from netspec.emit.table.html import table_html

        return table_html(self.graph, self._costs, self._memory, self.times)

    def to_json(self) -> str:
        """The whole table as JSON, a row a line."""
        graph = self.graph
        head = {
            "model": graph.name,
            "sizes": dict(graph.sizes),
            "inputs": {name: plain_shape(value.shape) for name, value in graph.inputs.items()},
            "outputs": {name: plain_shape(output.value.shape) for name, output in graph.outputs.items()},
        }
        parts = [f"{json_text(key)}: {json_text(value)}" for key, value in head.items()]
        fields = {path: field_sizes(field) or "all" for path, field in receptive_fields(graph).items()}
        rows = ",\n    ".join(json_text(self._record(row, fields.get(row.path))) for row in self.rows)
        parts.append(f'"rows": [\n    {rows}\n  ]' if rows else '"rows": []')
        parts += [
            f"{json_text(key)}: {json_text(value)}"
            for key, value in totals_record(graph, self._costs, self._memory).items()
        ]
        parts += [] if self.times is None else [f'"time": {json_text(time_record(self.times))}']
        return "{\n  " + ",\n  ".join(parts) + "\n}"

    def _record(self, row: LayerRow, field: list[int] | str | None) -> dict[str, Any]:
        known = record(row) | ({} if field is None else {"receptive_field": field})
        return known | ({} if self.times is None else seconds_record(self.times.at(row.path)))

    def to_csv(self) -> str:
        """The rows as CSV, shapes as in ``[N, 64, ceil(H/2), ceil(W/2)]``, several of them apart by semicolons."""
        import csv

        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        columns = ("path", "op", "detail", "inputs", "outputs", "params", "macs", "line", "training", "frozen")
        writer.writerow((*columns, *(() if self.times is None else seconds_record(self.times.total))))
        for row in self.rows:
            shapes = _shapes_text(row.inputs), _shapes_text(row.outputs)
            marks = (str(mark).lower() for mark in (row.training, row.frozen))
            cells = (row.path, row.op, row.detail, *shapes, row.params, row.macs, row.line, *marks)
            cells += () if self.times is None else tuple(seconds_record(self.times.at(row.path)).values())
            writer.writerow(map(cell, cells))
        return out.getvalue()

    def to_markdown(self) -> str:
        """The table as Markdown, repeats collapsed as in the text."""
        lines = table_lines(self.graph, self._costs, EVERYTHING)
        times = self.times
        more = "" if times is None else " forward | step |"
        out = [
            f"| layer | op | output | params | MACs |{more}",
            "| :-- | :-- | :-- | --: | --: |" + " --: |" * more.count("|"),
        ]
        for line in lines:
            copies = f" ×{line.count}" if line.count > 1 else ""
            name = f"**{line.path}**" if line.kind == "level" else f"`{line.path}`"
            op = " ".join(filter(None, (line.what, line.detail, line.sources)))
            cells = name + copies + marks(line), markdown(op), markdown(line.shape)
            out.append(
                f"| {' | '.join(cells)} | {number(line.params)} | {number(line.macs)} |"
                + _times_cells(times, line.paths)
            )
        out.append(f"| **total** | | | {self.params:,} | {self.macs:,} |" + _times_cells(times, [""]))
        return "\n".join(out) + "\n"


def _shapes_text(shapes: Iterable[Shape]) -> str:
    return "; ".join("[" + ", ".join(map(str, plain_shape(shape))) + "]" for shape in shapes)


def _times_cells(times: StepTime | None, paths: Iterable[str]) -> str:
    """Two more cells of a row of Markdown."""
    if times is None:
        return ""
    return "".join(f" {short_seconds(seconds)} |" for seconds in times.of(paths))
