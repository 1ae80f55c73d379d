"""The columns of the shape table, by their titles."""

from __future__ import annotations

from collections.abc import Mapping

COLUMNS: Mapping[str, str] = {
    "layer": "The name of a step, within the level that it stands in; `×3` for three alike in a row, each fed by the "
    "one before.",
    "op": "The op or the block, its telling arguments, and what it reads unless that is the line above.",
    "output": "The shape of what comes out; `″` where it is that of the line above, `+1` for one more output.",
    "params": "The parameters, each counted once; of a level those of all that is in it.",
    "MACs": "The multiply-accumulates of a forward pass of one batch, at the sizes that the table ends with; two "
    "FLOPs each.",
    "share": "The share of all MACs of the network.",
    "field": "The receptive field: how much of the input one element of the output sees, `43` for 43×43; `all` where "
    "it sees all of it, and nothing where there is no such number.",
    "kept": "What one forward pass in training keeps for the backward pass, in float32, at the sizes that the "
    "table ends with.",
    "line": "The line of the spec that the step is written in.",
    "input": "The shapes of what the step reads.",
    "forward": "How long a forward pass takes, foretold for the device of `--times`.",
    "step": "How long a training step takes, foretold for the device of `--times`.",
}
"""Says of each column what it tells, in the order in which they stand."""

WIDE = ("share", "field", "kept", "line", "input")
"""The columns that a wide terminal alone has room for, in the order in which they get it."""

TIMED = ("forward", "step")
"""The columns of a table with times."""


def meaning_of(title: str) -> str:
    """Return what a column tells as plain text, for a page that shows it under the pointer."""
    return COLUMNS[title].replace("`", "")
