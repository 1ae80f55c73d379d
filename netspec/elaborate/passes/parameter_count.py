"""The number of parameters, which a machine must be able to hold."""

from __future__ import annotations

from netspec.elaborate.passes.draft import Draft
from netspec.graph import Node, parameter_count, walk

MOST_PARAMETERS = 10**13


def check_parameters(draft: Draft) -> None:
    """Guard the number of parameters, at the step that has the most."""
    body, reader = draft.body, draft.reader
    if body.parameter_count <= MOST_PARAMETERS:
        return
    nodes = (step for _, step, _ in walk(body) if isinstance(step, Node))
    largest = max(nodes, key=parameter_count)
    message = f"the network has {body.parameter_count:,} parameters; at most {MOST_PARAMETERS:,} are allowed"
    label = f"{parameter_count(largest):,} of them are here"
    reader.error("too-large", message, largest.span, label, help="reduce a size")
    reader.report.raise_if_any()
