"""The figures that ops of one's own leave open: what is added up without them is told."""

from __future__ import annotations

from netspec.graph import Graph, Node, levels_in, walk

MEANS = {
    "MACs": "left out of the sum",
    "memory": "counted as all that it reads and gives",
}


def unsaid(graph: Graph) -> dict[str, list[str]]:
    """Return the ops that do not give a figure, by the figure: ``{"MACs": ["my_op"]}``."""
    nodes = (step for level in levels_in(graph.body) for step in level.steps if isinstance(step, Node))
    if not any(kind.unsaid() for kind in {type(node.op) for node in nodes}):
        return {}
    found: dict[str, dict[str, None]] = {}
    for _, step, _ in walk(graph.body):
        if isinstance(step, Node):
            for figure in type(step.op).unsaid():
                found.setdefault(figure, {})[step.op.name] = None
    return {figure: [*ops] for figure, ops in found.items()}


def unsaid_notes(graph: Graph) -> list[str]:
    """Return a sentence on each figure that is left open: ``MACs not given by `my_op`: left out of the sum``."""
    return [
        f"{figure} not given by {', '.join(f'`{op}`' for op in ops)}: {MEANS[figure]}"
        for figure, ops in unsaid(graph).items()
    ]
