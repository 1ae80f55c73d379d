"""The check that a step of training fits in the memory that is free, before it is tried."""

from __future__ import annotations

from netspec.graph import Graph
from netspec.runtime.machine import need_memory
from netspec.train.memory.step import run_memory
from netspec.train.setup import Setup


def guard_memory(graph: Graph, setup: Setup) -> None:
    """Guard: a step fits in the memory that is left. Raises ``EnvironmentFault``."""
    rows = min(setup.recipe.settings.batch or len(setup.train), len(setup.train))
    help = "`--set train.memory=4GB`, with what may be taken, divides the batch and recomputes what has to be"
    if setup.plan is not None:
        help = "a smaller `train.memory`, a smaller `train.batch` or a smaller network takes less"
    need_memory(run_memory(graph, setup), f"a step with {rows} rows", help, setup.device)
