"""``memory`` of a recipe: what a run chooses to fit it, tells, records, and chooses again as it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from train import small

from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.graph import Graph
from netspec.train.job import first_setup
from netspec.train.memory import fitting
from netspec.train.memory.step import run_memory
from netspec.train.store.folder import RunFolder

SPEC = """\
netspec: 1
name: small
inputs: {image: [N, 1, 28, 28]}
blocks:
  layer: {body: [conv2d: {out_channels: 6, kernel_size: 3, padding: 1}, batch_norm2d, relu, dropout: 0.1]}
network:
  - max_pool2d: 2
  - repeat: {name: h, count: 3, body: [layer]}
  - flatten
  - linear: {name: head, out_features: 10}
train:
  data: mnist
  loss: cross_entropy
  optimizer: {adam: 0.01}
  steps: 4
  batch: 32
  devices: cpu
"""


def graph(folder: Path, **train: str) -> Graph:
    folder.mkdir(exist_ok=True)
    return small.graph(folder, SPEC, **train)


def test_a_run_without_a_bound_has_no_plan(tmp_path: Path) -> None:
    setup = first_setup(graph(tmp_path))
    assert setup.plan is None
    assert fitting.told_plan(setup) == ""


def test_what_is_chosen_is_taken_told_and_foretold(tmp_path: Path) -> None:
    usual = run_memory(made := graph(tmp_path), first_setup(made))
    setup = first_setup(graph(tmp_path, memory=f"{usual * 6 // 10}B", accumulate="2"))
    plan = setup.plan
    assert plan is not None
    assert (plan.accumulate, plan.recompute) == (2, ())  # batch norms see the parts that the recipe says
    setup = first_setup(graph(tmp_path, memory=f"{usual * 2 // 3}B"))
    plan = setup.plan
    assert plan is not None
    assert (plan.accumulate, plan.recompute) == (1, ("h.0", "h.1"))
    assert plan.peak == run_memory(setup.graph, setup) <= usual * 2 // 3
    assert fitting.told_plan(setup).startswith(
        f"fits in {usual * 2 // 3}B: whole batches, recomputing h.0, h.1; about "
    )
    setup = first_setup(graph(tmp_path, memory=f"{usual // 5}B"))
    assert setup.plan is not None
    assert setup.recipe.settings.accumulate == setup.plan.accumulate > 4
    assert setup.plan.peak == run_memory(setup.graph, setup)


@pytest.mark.slow
def test_recomputing_takes_the_same_steps(tmp_path: Path) -> None:
    usual = run_memory(made := graph(tmp_path), first_setup(made))
    made = graph(tmp_path, memory=f"{usual * 2 // 3}B")
    for name, bound in (("free", "1TB"), ("bound", f"{usual * 2 // 3}B")):
        words = ["train", made.spec, "--set", f"train.memory={bound}", "-o", str(tmp_path / name)]
        assert main(words) == 0
    assert small.losses(tmp_path / "free") == small.losses(tmp_path / "bound")
    scores = [json.loads((tmp_path / name / "result.json").read_text())["scores"] for name in ("free", "bound")]
    assert scores[0] == scores[1]
    record = RunFolder(tmp_path / "bound").facts()
    assert record["step_plan"]["recompute"] == ["h.0", "h.1"]
    assert record["recipe"]["accumulate"] == 1


@pytest.mark.slow
def test_a_run_that_goes_on_keeps_to_what_it_chose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = graph(tmp_path, memory="500kB")
    assert main(["train", made.spec, "-o", str(tmp_path / "run")]) == 0
    begun = RunFolder(tmp_path / "run")
    chosen = begun.facts()["step_plan"]
    assert chosen["accumulate"] > 1
    monkeypatch.delattr(fitting, "planner")
    setup = first_setup(made, begun=begun)
    assert setup.plan is not None
    assert json.loads(json.dumps(setup.plan._asdict())) == chosen
    assert setup.recipe.settings.accumulate == chosen["accumulate"]


def test_a_bound_that_nothing_fits_is_told_with_the_least_that_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SpecError) as found:
        first_setup(graph(tmp_path, memory="10kB"))
    fault = found.value.diagnostics[0]
    assert fault.primary.span.line == len(SPEC.splitlines()) + 1
    assert "with 1 row at a time and every layer recomputed, one still takes about " in fault.message
    assert fault.help is not None
    least = fault.help.removeprefix("write `memory: ").partition("`")[0]
    assert first_setup(graph(tmp_path, memory=least)).plan is not None
    assert main(["train", graph(tmp_path, memory="10kB").spec, "--dry-run"]) == 1
    assert "no step fits in 10kB" in capsys.readouterr().err


def test_a_closure_works_on_whole_batches(tmp_path: Path) -> None:
    setup = first_setup(graph(tmp_path, optimizer="lbfgs", memory="1GB"))
    assert fitting.possible_parts(setup, 32) == [1]


@pytest.mark.parametrize(("batch", "parts"), [("12", [1, 2, 3, 4, 6, 12]), ("null", [1, 2, 4, 8, 16, 32])])
def test_parts_are_equal(tmp_path: Path, batch: str, parts: list[int]) -> None:
    setup = first_setup(graph(tmp_path, batch=batch))
    assert fitting.possible_parts(setup, 12 if batch == "12" else 32) == parts
