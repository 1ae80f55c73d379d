"""A trace as a table: a line for each layer, with what it adds and what has come together so far."""

from __future__ import annotations

import math
from itertools import zip_longest

from netspec.runtime.trace.layers import Layer, Trace
from netspec.text.quoting import visible

HEAD = ("layer", "op", "adds", "so far", "line")
RIGHT = (2, 3)
"""The columns of numbers."""


def trace_table(trace: Trace, parting: bool = False) -> str:
    """Return the table, where an arrow stands at each layer that parts; with ``parting`` it has these alone."""
    layers = trace.parting if parting else trace.layers
    rows = [HEAD, *(_row(layer) for layer in layers)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row, layer in zip_longest(rows, [None, *layers]):
        cells = [
            text.rjust(width) if at in RIGHT else text.ljust(width) for at, (text, width) in enumerate(zip(row, widths))
        ]
        mark = f"← {layer.fault or 'parts'}" if layer is not None and layer.parts else ""
        lines.append(visible("  ".join([*cells, mark]).rstrip()))
    return "\n".join([lines[0], "─" * max(map(len, lines)), *lines[1:]])


def _row(layer: Layer) -> tuple[str, ...]:
    return layer.path, layer.op, _number(layer.own), _number(layer.so_far), layer.place


def _number(number: float) -> str:
    return "" if math.isnan(number) else "∞" if math.isinf(number) else f"{number:.1e}" if number else "0"
