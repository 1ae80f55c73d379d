"""The plan of a run's steps where they are to fit the recipe's ``memory``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.analysis.memory import TrainingStep, counted_as
from netspec.analysis.step_plan import StepPlan, StepPlanner
from netspec.diagnostics import Report, SpecError
from netspec.elaborate.reading.values import Reader
from netspec.text.quantities import quantity, short_bytes
from netspec.train.beforehand import batch_norms, least_rows, samples
from netspec.train.memory.step import input_shapes, left_out, rows_of_a_process, step_sizes
from netspec.train.setup import Setup

MOST_NAMED = 4
"""A longer list of levels is counted."""


def fit_memory(setup: Setup, chosen: Mapping[str, Any] | None = None) -> None:
    """Have a run take its steps within the recipe's ``memory``, if there is such a bound.

    ``chosen`` is the plan of a run that goes on. Raises ``SpecError`` where no step fits.
    """
    bound = setup.recipe.settings.memory
    if bound is None:
        return
    if chosen is not None:
        setup.follow(StepPlan(chosen["accumulate"], tuple(chosen["recompute"]), chosen["peak"]))
        return
    most = quantity(bound, of_bytes=True)
    assert most is not None, "it has been read"
    plan = planner(setup).plan(most)
    if plan.peak > most:
        raise does_not_fit(setup, bound, plan)
    setup.follow(plan)


def planner(setup: Setup) -> StepPlanner:
    """Return what plans the steps of a run."""
    graph, recipe, settings, device = setup.graph, setup.recipe, setup.recipe.settings, setup.device.type
    shapes = input_shapes(setup)
    if any(size is None for shape in shapes for size in (shape or ())[1:]):  # as long as those of the first batch
        first = next(iter(setup.train.shuffled(0, settings.batch)))
        shapes = input_shapes(setup, [None if each is None else each.shape for each in first.inputs])
    rows = rows_of_a_process(setup)
    held = recipe.batch_norm is not None and not recipe.batch_norm.train
    return StepPlanner(
        graph,
        TrainingStep.of(recipe, graph, device),
        counted_as(settings.precision),
        device,
        lambda parts: step_sizes(graph, shapes, -(-rows // parts)),
        [parts for parts in possible_parts(setup, rows) if can_learn(setup, parts)] or [settings.accumulate],
        left_out(graph, shapes),
        whole=not held and any(True for _ in batch_norms(setup)),
    )


def possible_parts(setup: Setup, rows: int) -> list[int]:
    """Return the numbers of parts that a batch may be divided into: all equal, from what the recipe says on."""
    settings, least = setup.recipe.settings, setup.recipe.settings.accumulate
    if setup.recipe.optimizer.closure:  # it evaluates the loss of a whole batch
        return [1]
    if settings.batch is None:
        return [least * 2**power for power in range(rows.bit_length()) if least * 2**power <= rows] or [least]
    parts = range(least, max(rows, least) + 1)
    return [count for count in parts if settings.batch % count == 0 and rows % count == 0] or [least]


def can_learn(setup: Setup, parts: int) -> bool:
    """Return whether every batch norm has more than one number of each channel in each of so many parts."""
    rows = least_rows(setup, parts)
    return all((samples(setup, norm, rows) or 2) > 1 for _, norm in batch_norms(setup))


def does_not_fit(setup: Setup, bound: str, least: StepPlan) -> SpecError:
    """Return the error of a bound that no step fits."""
    report, rows = Report(), -(-rows_of_a_process(setup) // least.accumulate)
    how = f"{rows} row{'s' * (rows != 1)} at a time" + (" and every layer recomputed" if least.recompute else "")
    message = f"no step fits in {bound}: with {how}, one still takes about {short_bytes(least.peak)}"
    help = f"write `memory: {-(-least.peak // 10**6)}MB` or more"
    help += "" if setup.recipe.settings.precision != "float32" else "; `precision: mixed` takes less"
    Reader(report).error("bad-value", message, setup.recipe.spans["memory"], help=help)
    return SpecError(report.diagnostics)


def told_plan(setup: Setup) -> str:
    """Return what a run chose to fit its ``memory``, as a line to read; empty where it has no such bound."""
    plan, bound = setup.plan, setup.recipe.settings.memory
    if plan is None:
        return ""
    rows = -(-rows_of_a_process(setup) // plan.accumulate)
    divided = "whole batches" if plan.accumulate == 1 else f"{plan.accumulate} parts of {rows} rows"
    named = ", ".join(plan.recompute)
    if len(plan.recompute) > MOST_NAMED:
        named = f"{plan.recompute[0]} to {plan.recompute[-1]}, {len(plan.recompute)} levels"
    again = f"recomputing {named}" if plan.recompute else "recomputing nothing"
    return f"fits in {bound}: {divided}, {again}; about {short_bytes(plan.peak)}"


def plan_record(setup: Setup) -> dict[str, Any]:
    """Return what the run's record says of its plan; nothing where it has none."""
    return {} if setup.plan is None else {"step_plan": setup.plan._asdict()}
