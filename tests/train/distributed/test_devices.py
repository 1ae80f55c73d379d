"""Several processes for one run: they compute what one does, their checkpoints are one's, and a death is survived."""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean

import pytest
import torch
from places import GUIDES, TESTS
from torch.distributed.elastic.rendezvous.api import RendezvousConnectionError
from train import small
from train.distributed.two_processes import OPTIMIZERS, begin, recipes, stopped

from netspec.cli import main
from netspec.cli.commands.training.train.work import how
from netspec.cli.parser import make_parser
from netspec.train.distributed import launch

pytestmark = pytest.mark.slow

STRATEGIES = ("ddp", "fsdp")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that two processes have worked in, and one before them."""
    folder = tmp_path_factory.mktemp("two")
    made = recipes(folder / "specs")
    for name in ("plain", "tied"):
        for strategy in STRATEGIES:
            stopped(begin(*made[name], folder / f"from-one-{name}-{strategy}"), 5)
    for name in ("plain", "parts", "mixed", "lora", "tied", "across", "channels_last", "recomputed", *OPTIMIZERS):
        begin(*made[name], folder / "one" / name).go()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(TESTS / "train/distributed/two_processes.py"), str(folder)],
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
@pytest.mark.parametrize("name", ["plain", "parts", "mixed", "lora"])
def test_two_compute_what_one_does(two: Path, strategy: str, name: str):
    one, both = small.losses(two / "one" / name), small.losses(two / strategy / name)
    assert len(both) == 3 * 11
    assert [loss for _, loss in both] == pytest.approx([loss for _, loss in one], rel=1e-3)
    scores = json.loads((two / "found.json").read_text())[f"{strategy} {name}"]
    again = begin(*recipes(two / "specs")[name], two / "one" / name).go().scores
    for part, values in again.items():
        assert scores[part] == pytest.approx(values, rel=1e-3)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["across", "channels_last", "recomputed", *OPTIMIZERS])
def test_what_is_tied_laid_out_and_learned_otherwise_takes_the_same_steps(two: Path, strategy: str, name: str):
    one, both = small.losses(two / "one" / name), small.losses(two / strategy / name)
    assert len(both) == 4
    assert [loss for _, loss in both] == pytest.approx([loss for _, loss in one], rel=1e-3)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_number_that_is_none_is_found_by_all_where_it_comes_from(two: Path, strategy: str):
    first, second = json.loads((two / "found.json").read_text())[f"{strategy} torn"]
    assert first == second
    assert ": the data hold a number that is not finite. The last good checkpoint is kept" in first


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


# The command

KILLS = int(os.environ.get("NETSPEC_KILLS", "1"))
STEPS = 40 + 20 * KILLS


def spec(folder: Path, **train: str) -> Path:
    """A spec with dropout, augmentation and a schedule, on MNIST; a checkpoint every five steps."""
    keys = {"steps": str(STEPS), "checkpoint": "{steps: 5}", "augment": "[{random_crop: 2}]", "schedule": "cosine"}
    small.graph(folder, small.SPEC.replace("  epochs: 3\n", ""), **keys | train)
    return folder / "small.yaml"


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """``netspec train`` with these words, in a process."""
    command = [sys.executable, "-m", "netspec", "train", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment(), cwd=folder, stdout=pipe, stderr=pipe, text=True)


def step_of(run: Path) -> int:
    """The step of the last checkpoint."""
    index = run / "checkpoints/index.json"
    return int(json.loads(index.read_text())[-1]["step"]) if index.is_file() else 0


def workers(launcher: int) -> set[int]:
    """The processes that torchrun has started."""
    found = set()
    for child in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
        try:
            said = Path(f"/proc/{child}/environ").read_text()
        except OSError:  # it has ended
            continue
        if "\0RANK=" in said:
            found.add(int(child))
    return found


def lives(process: int) -> bool:
    """Whether a process has not ended, nor waits for somebody to hear that it has."""
    try:
        return ") Z" not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the processes by /proc")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_killed_at_random_steps_two_processes_go_on_bit_for_bit(tmp_path: Path, strategy: str):
    path, chance = spec(tmp_path, strategy=strategy), random.Random(strategy)
    whole = start(tmp_path, str(path), "--devices", "2", "-o", "whole")
    whole.communicate(timeout=300)
    assert len(small.losses(tmp_path / "whole")) == STEPS
    process = start(tmp_path, str(path), "--devices", "2", "--max-restarts", str(KILLS), "-o", "killed")
    gone: set[int] = set()
    for due in sorted(chance.sample(range(10, STEPS - 10), KILLS)):
        while len(fresh := workers(process.pid) - gone) < 2 or step_of(tmp_path / "killed") < due:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        os.kill(chance.choice(sorted(fresh)), signal.SIGKILL)
        gone |= fresh  # torchrun ends the other one
    told, faults = process.communicate(timeout=300)
    assert process.returncode == 0, faults
    assert 1 <= told.count("going on after step") <= KILLS  # one may be killed before it goes on
    assert faults.count("another process of the run has ended; what was saved is whole") <= KILLS
    assert "Traceback" not in faults
    assert small.losses(tmp_path / "killed") == small.losses(tmp_path / "whole")


def test_two_machines_meet(tmp_path: Path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        place = f"localhost:{free.getsockname()[1]}"
    words = (str(spec(tmp_path, steps="10")), "--devices", "1", "--nnodes", "2", "--rdzv-endpoint", place, "-o", "run")
    machines = [start(tmp_path, *words) for _ in range(2)]
    told = sorted(machine.communicate(timeout=300)[0] for machine in machines)
    assert [machine.returncode for machine in machines] == [0, 0]
    assert told[0] == ""
    assert "batches of 20 on 2 × cpu (ddp)" in told[1]
    assert (tmp_path / "run/model.onnx").is_file()


def test_a_fault_is_told_once(tmp_path: Path):
    process = start(tmp_path, str(spec(tmp_path, optimizer="{sgd: 1e30}")), "--devices", "2")
    _, faults = process.communicate(timeout=300)
    assert process.returncode == 1
    assert faults.count("netspec: the loss is nan at step") == 1
    assert faults.count("\n") == 1


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the processes by /proc")
def test_without_restarts_a_death_is_told_with_the_command_that_goes_on(tmp_path: Path):
    process = start(tmp_path, str(spec(tmp_path, steps="9000")), "--devices", "2", "-o", "run")
    while step_of(tmp_path / "run") < 10:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(workers(process.pid).pop(), signal.SIGKILL)
    _, faults = process.communicate(timeout=60)
    assert process.returncode == 1
    lost = "netspec: another process of the run has ended; what was saved is whole\n"
    again = "netspec train --resume run"
    told = f"was ended by SIGKILL; to resume from the last checkpoint:\n  {again}\n"
    assert faults.replace(lost, "") in [f"netspec: process {rank} {told}" for rank in (0, 1)]


def test_data_that_are_not_there_are_told_once_and_leave_no_folder(tmp_path: Path):
    process = start(tmp_path, str(spec(tmp_path, data="{npz: {path: nothing.npz}}", augment="[]")), "--devices", "2")
    _, faults = process.communicate(timeout=300)
    assert process.returncode == 1
    assert faults.count("error[data-mismatch]: there is no nothing.npz") == 1
    assert [*(tmp_path / "runs/small").iterdir()] == []


def test_interrupted_they_save_and_say_how_to_go_on(tmp_path: Path):
    process = start(tmp_path, str(spec(tmp_path, steps="9000")), "--devices", "2", "-o", "run")
    while step_of(tmp_path / "run") < 20:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    told, faults = process.communicate(timeout=60)
    assert (process.returncode, faults) == (130, "netspec: stopping at the end of this step, to save the run\n")
    assert "and saved; to resume:\n  netspec train --resume run\n" in told
    assert step_of(tmp_path / "run") == len(small.losses(tmp_path / "run"))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the processes by /proc")
def test_where_the_launcher_is_killed_the_others_save_and_end(tmp_path: Path):
    process = start(tmp_path, str(spec(tmp_path, steps="1000000")), "--devices", "2", "-o", "run")
    while step_of(tmp_path / "run") < 5:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    trained = workers(process.pid)
    assert len(trained) == 2
    process.kill()
    process.communicate(timeout=60)  # the workers hold its output open until they end
    until = time.monotonic() + 60
    while any(map(lives, trained)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(lives, trained))
    assert step_of(tmp_path / "run") == len(small.losses(tmp_path / "run"))
    assert [each.name for each in (tmp_path / "run/checkpoints").iterdir() if each.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (
            ["--nnodes", "2"],
            2,
            "several machines need a rendezvous endpoint: --rdzv-endpoint HOST:PORT, the same on each",
        ),
        (["--nnodes", "3:2"], 2, "--nnodes takes a number, or the least and the most as MIN:MAX, not `3:2`"),
        (["--nnodes", "two"], 2, "--nnodes takes a number, or the least and the most as MIN:MAX, not `two`"),
        (["--nnodes", "2", "--rdzv-endpoint", "here"], 2, "--rdzv-endpoint takes HOST:PORT, not `here`"),
        (
            ["--nnodes", "2", "--rdzv-endpoint", "nobody.invalid:1"],
            3,
            "there is no machine `nobody.invalid`, as far as this one knows: --rdzv-endpoint names it",
        ),
        (["--max-restarts", "-1"], 2, "--max-restarts takes a number from 0 on, not -1"),
    ],
)
def test_what_cannot_be_started_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, told: str
):
    assert main(["train", str(spec(tmp_path)), "-o", str(tmp_path / "run"), *words]) == code
    assert capsys.readouterr().err == f"netspec: {told}\n"


@pytest.mark.parametrize(("gpus", "there"), [(1, "is 1 GPU"), (2, "are 2 GPUs")])
def test_gpus_that_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, gpus: int, there: str
):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert main(["train", str(spec(tmp_path)), "-o", str(tmp_path / "run"), "--devices", "4"]) == 3
    assert capsys.readouterr().err == f"netspec: there {there} here, and not 4\n"


def test_every_process_gets_the_options_of_the_command():
    words = ["--error-format", "json", "--max-layers", "30000", "--max-file-size", "9"]
    assert how(make_parser(["train"]).parse_args(["train", "lenet", *words])) == words
    assert how(make_parser(["train"]).parse_args(["train", "lenet"])) == [*words[:1], "text"]


def test_machines_that_cannot_meet(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def fail(*given: object) -> object:
        raise RendezvousConnectionError("the store has failed") from RuntimeError("nobody answers\nframe #1: main")

    monkeypatch.setattr(launch, "elastic_launch", lambda *given: fail)
    words = ["--nnodes", "2", "--rdzv-endpoint", "localhost:1"]
    assert main(["train", str(spec(tmp_path)), "-o", str(tmp_path / "run"), *words]) == 3
    assert capsys.readouterr().err == (
        "netspec: waiting at localhost:1 for other machines\n"
        "netspec: the processes cannot rendezvous at localhost:1: nobody answers\n"
    )


def test_machines_need_a_folder_that_all_see(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["train", str(spec(tmp_path)), "--nnodes", "2", "--rdzv-endpoint", "here:1"]) == 2
    told = "machines that train together need a shared folder: give it with --output"
    assert capsys.readouterr().err == f"netspec: {told}\n"


def test_a_comparison_is_for_one_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["compare", str(spec(tmp_path)), "--over", "hidden=8,16", "--set", "train.devices=2"]
    assert main(words) == 2
    told = "`compare` trains on one device: set `devices` to `auto`, `cpu` or `cuda`"
    assert capsys.readouterr().err == f"netspec: {told}\n"


def test_the_commands_of_the_page_are_commands():
    page = (GUIDES / "many_devices.md").read_text().replace("\\\n", "")
    words = [shlex.split(line) for line in page.splitlines() if "netspec train " in line and "`" not in line]
    commands = [each[each.index("train") :] for each in words]
    assert len(commands) == 4
    for each in commands:
        options = make_parser(each).parse_args(each)
        assert options.command == "train"
        assert options.output or options.devices
