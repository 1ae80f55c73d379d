"""Several processes for one run: they compute what one does, their checkpoints are one's, and a death is survived."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import mean

import pytest
from train import small
from train.two_processes import begin, recipes, stopped

TESTS = Path(__file__).parents[1]
STRATEGIES = ("ddp", "fsdp")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that two processes have worked in, and one before them."""
    folder = tmp_path_factory.mktemp("two")
    made = recipes(folder / "specs")
    for name in ("plain", "tied"):
        for strategy in STRATEGIES:
            stopped(begin(*made[name], folder / f"from-one-{name}-{strategy}"), 5)
    for name in ("plain", "parts", "tied"):
        begin(*made[name], folder / "one" / name).go()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(TESTS / "train/two_processes.py"), str(folder)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return folder


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]), "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["plain", "parts"])
def test_two_compute_what_one_does(two: Path, strategy: str, name: str):
    one, both = small.losses(two / "one" / name), small.losses(two / strategy / name)
    assert len(both) == 3 * 11
    assert [loss for _, loss in both] == pytest.approx([loss for _, loss in one], rel=1e-3)
    scores = json.loads((two / "found.json").read_text())[f"{strategy} {name}"]
    again = begin(*recipes(two / "specs")[name], two / "one" / name).go().scores
    for part, values in again.items():
        assert scores[part] == pytest.approx(values, rel=1e-3)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_stopped_by_the_second_of_two_it_goes_on_bit_for_bit(two: Path, strategy: str):
    whole, stopped = (small.losses(two / strategy / name) for name in ("dropout", "stopped"))
    assert whole == stopped


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["plain", "tied"])
def test_a_run_goes_on_with_another_number_of_processes(two: Path, strategy: str, name: str):
    one = [loss for _, loss in small.losses(two / "one" / name)]
    from_one = [loss for _, loss in small.losses(two / f"from-one-{name}-{strategy}")]
    folder = two / strategy / f"to-one-{name}"
    assert any(each.is_dir() for each in (folder / "checkpoints").iterdir()) == (strategy == "fsdp")
    begin(*recipes(two / "specs")[name], folder).go()
    to_one = [loss for _, loss in small.losses(folder)]
    if name == "tied":  # its batch norm has the statistics of a process's own rows
        assert from_one[:5] == one[:5]
        assert abs(mean(to_one[-3:]) - mean(one[-3:])) < 0.3
        return
    assert from_one == pytest.approx(one, rel=1e-3)
    assert to_one == pytest.approx(one, rel=1e-3)
