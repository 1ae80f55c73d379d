"""The plan of a step that is to fit: what is divided, what is recomputed, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.analysis.memory import Memory, TrainingStep, with_margin
from netspec.analysis.step_plan import StepPlan, StepPlanner
from netspec.graph import Graph
from netspec.graph.recomputed import with_recomputed
from netspec.pipeline import compile_spec

SPEC = """\
netspec: 1
name: planned
params: {between: batch_norm2d, late: false}
inputs: {image: [N, 4, 16, 16]}
blocks:
  layer: {params: {width: 8}, body: [conv2d: {out_channels: width, kernel_size: 3, padding: 1}, $between, relu]}
network:
  - repeat: {name: h, count: 4, index: i, body: [{layer: {recompute: late and i == 3}}]}
  - layer: {name: wide, width: 64}
  - global_avg_pool
  - linear: 10
"""
STEP = TrainingStep(2)
PARTS = (1, 2, 4, 8, 16, 32)


def graph(folder: Path, **params: object) -> Graph:
    path = folder / "planned.yaml"
    path.write_text(SPEC)
    return compile_spec(path, overrides=params)


def planner(graph: Graph, device: str = "cpu", whole: bool = False) -> StepPlanner:
    return StepPlanner(graph, STEP, "float32", device, lambda parts: {"N": 32 // parts}, PARTS, whole=whole)


def peak_of(graph: Graph, plan: StepPlan) -> int:
    """The bytes of a plan, told anew."""
    step = TrainingStep(2, parts=plan.accumulate)
    run = with_recomputed(graph, plan.recompute)
    return with_margin(Memory(run, {"N": 32 // plan.accumulate}, device="cpu").training_bytes(step))


def test_nothing_is_done_where_all_fits(tmp_path: Path) -> None:
    made = graph(tmp_path)
    plan = planner(made).plan(10**12)
    assert plan == StepPlan(1, (), peak_of(made, StepPlan(1, (), 0)))
    assert planner(made).plan(plan.peak) == plan
    assert planner(made).plan(plan.peak - 1) != plan


@pytest.mark.parametrize("whole", [False, True])
def test_every_bound_is_kept_until_none_can_be(tmp_path: Path, whole: bool) -> None:
    made = graph(tmp_path)
    plans = planner(made, whole=whole)
    least, free = plans.plan(0), plans.plan(10**12)
    assert least.accumulate == 32
    before = 0
    for bound in range(free.peak, least.peak, -free.peak // 12):
        plan = plans.plan(bound)
        assert peak_of(made, plan) == plan.peak <= bound
        assert plans.time(plan) >= before
        before = 0 if whole else plans.time(plan)
    assert plans.plan(least.peak - 1).peak == least.peak


def test_a_batch_whose_statistics_are_learned_is_divided_last(tmp_path: Path) -> None:
    made = graph(tmp_path)
    plans = planner(made, whole=True)
    recomputed = peak_of(made, StepPlan(1, plans.levels, 0))
    assert plans.plan(recomputed).accumulate == 1
    assert plans.plan(recomputed - 1).accumulate == 2


@pytest.mark.parametrize(("device", "accumulate"), [("cpu", 2), ("cuda", 1)])
def test_parts_cost_more_where_ops_are_slow_to_begin(tmp_path: Path, device: str, accumulate: int) -> None:
    plans = planner(graph(tmp_path, between="tanh"), device)
    enough = plans.peak(1, plans.levels)
    assert plans.peak(2, ()) < enough  # either would do
    assert plans.plan(enough).accumulate == accumulate


def test_only_what_helps_is_recomputed(tmp_path: Path) -> None:
    """The backward pass begins at the last layer, which would be there again at once."""
    made = graph(tmp_path, late=True)
    plans = planner(made, whole=True)
    assert {*plans.levels} == {"h.0", "h.1", "h.2", "wide"}  # `h.3` is recomputed anyway
    assert plans.plan(plans.plan(10**12).peak - 1).recompute == ("h.0",)
