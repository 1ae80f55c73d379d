"""Holds the peak of a step that is planned for a bound, as ``memory:`` of a recipe plans it, against the bound, on CPU.

Six networks, each with three bounds between the least that a step can take and what it takes without one. Measured is
the peak of the step that the planner chooses, in bytes, as ``memory.py`` measures it; beside it stands what was
foretold, without the allocator's margin. Bytes are exact, and so one round is enough. With names of networks, only
those are measured.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from memory import RECIPES, measured, optional_inputs

from netspec.analysis.memory import ScoreMemory, TrainingStep
from netspec.analysis.step_plan import StepPlan, StepPlanner
from netspec.graph import Graph
from netspec.graph.recomputed import with_recomputed
from netspec.pipeline import compile_spec

NETWORKS: Mapping[str, tuple[dict[str, int], dict[str, int], tuple[int, ...]]] = {
    "resnet20": ({}, {"N": 32}, (1, 2, 4, 8)),
    "mobilenet_v2": ({}, {"N": 8, "H": 96, "W": 96}, (1, 2, 4)),
    "unet": ({}, {"N": 2, "H": 96, "W": 96}, (1, 2)),
    "vit": ({"layers": 3}, {"N": 4}, (1, 2, 4)),
    "gpt2": ({"layers": 3, "vocab": 3000, "width": 192, "heads": 6}, {"N": 8, "T": 96}, (1, 2, 4, 8)),
    "lstm_lm_gates": ({}, {"N": 32}, (1, 2, 4, 8)),
}
"""Networks, with the parameters and sizes at which they are measured, and the parts that a batch may have."""
SHARES = (0.1, 0.4, 0.8)
"""Bounds: shares of the way from the least that a step can take to what it takes without one."""
HOW = RECIPES["adam"]
LEAST = 0.90
"""The bar for foretold : measured, from below; from above it is 1.1."""


class Bounded(NamedTuple):
    """A step for a bound: its plan, and the peak that is foretold and measured."""

    bound: int
    plan: StepPlan
    foretold: int
    taken: int


def planner(graph: Graph, sizes: Mapping[str, int], parts: tuple[int, ...]) -> StepPlanner:
    """Return what plans the steps of a network for the recipe of this benchmark."""
    losses = dict.fromkeys(graph.outputs, ScoreMemory(*HOW.loss.memory, HOW.loss.per_class))
    step = TrainingStep(HOW.optimizer.states, 0, losses)
    divided = lambda count: {**sizes, "N": sizes["N"] // count}  # noqa: E731
    return StepPlanner(graph, step, HOW.precision, "cpu", divided, parts, optional_inputs(graph))


def steps_of(name: str) -> Iterator[Bounded]:
    """Yield a step of a network for each bound."""
    overrides, own, parts = NETWORKS[name]
    graph = compile_spec(name, overrides=overrides)
    sizes = {**graph.sizes, **own}
    plans = planner(graph, sizes, parts)
    least, free = plans.plan(0).peak, plans.plan(10**15).peak
    for share in SHARES:
        bound = round(least + share * (free - least))
        plan = plans.plan(bound)
        run = with_recomputed(graph, plan.recompute)
        part = {**sizes, "N": sizes["N"] // plan.accumulate}
        taken = measured(run, part, HOW, parts=plan.accumulate)
        yield Bounded(bound, plan, plan.peak * 100 // 105, taken)


def main() -> None:
    print("peak of a training step that is planned for a bound, on CPU, in MB")
    print(f"{'':<14} {'bound':>8} {'measured':>9} {'foretold : measured':>20}  how")
    missed = []
    for name in sys.argv[1:] or [*NETWORKS]:
        for bound, plan, foretold, taken in steps_of(name):
            ratio = foretold / taken
            fits = taken <= bound and LEAST <= ratio <= 1.1
            missed += [] if fits else [name]
            how = f"{plan.accumulate} parts, {len(plan.recompute)} levels recomputed"
            row = f"{name:<14} {bound / 1e6:8,.1f} {taken / 1e6:9,.1f} {ratio:20.3f}{' ' if fits else '!'} {how}"
            print(row, flush=True)
    print(f"below every bound, {LEAST} to 1.1: {'ok' if not missed else 'MISSED by ' + ', '.join(missed)}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
