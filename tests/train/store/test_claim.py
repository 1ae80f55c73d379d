"""A run's folder has no files but its own, and one process at a time writes into it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netspec.cli import main
from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.train.store.claim import LOCK, claimed
from netspec.train.store.folder import RunFolder

HOLDER = """
import sys, time
from pathlib import Path
from netspec.train.store.claim import claimed
from netspec.train.store.folder import RunFolder
with claimed(RunFolder(Path(sys.argv[1]))):
    if len(sys.argv) > 2 and __import__("os").fork():  # its child lives on
        print("held", flush=True)
        time.sleep(60)
    elif len(sys.argv) > 2:
        time.sleep(60)
    print("held", flush=True)
    time.sleep(60)
"""


def holder(path: Path, *more: str) -> subprocess.Popen[str]:
    """Another process that has the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path), *more], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.slow
def test_a_second_process_is_told_who_has_the_folder_until_that_is_gone(tmp_path: Path):
    process = holder(tmp_path / "run")
    with pytest.raises(EnvironmentFault) as found, claimed(RunFolder(tmp_path / "run")):
        pass
    assert f"{tmp_path}/run is being trained by process {process.pid} on " in str(found.value)
    process.kill()
    process.wait()
    assert (tmp_path / "run" / LOCK).is_file()
    with claimed(RunFolder(tmp_path / "run")):
        pass
    assert not (tmp_path / "run").exists()  # nothing was written into it
    process.communicate()


def test_a_process_that_was_forked_does_not_keep_the_folder(tmp_path: Path):
    """As those do that read the data ahead, for a while."""
    process = holder(tmp_path / "run", "and forks")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    with claimed(RunFolder(tmp_path / "run")):
        assert len(children) == 1
        assert Path(f"/proc/{children[0]}").exists()
    os.kill(int(children[0]), 9)
    process.communicate()


def test_what_was_left_before_the_run_had_begun_is_taken_up(tmp_path: Path):
    run = tmp_path / "run"
    with claimed(RunFolder(run)):
        (run / "spec.yaml").write_text("half of it")
    assert (run / LOCK).is_file()
    with claimed(RunFolder(run)):
        (run / "run.json").write_text("{}")
    assert not (run / LOCK).exists()


@pytest.mark.parametrize("name", ["report.html", "metrics.jsonl", ".git", "checkpoints", "notes.txt", "spec.yaml"])
def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]):
    own = tmp_path / "own" / name
    own.parent.mkdir()
    own.write_text("mine")
    before = own.stat().st_mtime_ns
    assert main(["train", "xor", "--set", "train.epochs=1", "-o", str(own.parent)]) == 2
    assert capsys.readouterr().err == (
        f"netspec: {own.parent} holds other files than a run's, which are left alone: name a new folder\n"
    )
    assert [each.name for each in own.parent.iterdir()] == [name]
    assert (own.read_text(), own.stat().st_mtime_ns) == ("mine", before)


def test_a_run_whose_checkpoints_lead_out_of_it_is_refused(tmp_path: Path):
    (tmp_path / "run/inside").mkdir(parents=True)
    (tmp_path / "run/run.json").write_text("{}")
    (tmp_path / "run/checkpoints").symlink_to("inside")
    with claimed(RunFolder(tmp_path / "run")):
        pass
    (tmp_path / "run/fold-1").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="fold-1 is a link that leads out of the run"):
        claimed(RunFolder(tmp_path / "run")).__enter__()


def test_a_file_is_no_folder(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file/run", Path("/dev/null"), tmp_path / ("n" * 300)):
        with pytest.raises(EnvironmentFault, match="cannot write"):
            claimed(RunFolder(path)).__enter__()


@pytest.mark.timing
def test_the_wait_is_short(tmp_path: Path):
    process = holder(tmp_path / "run")
    start = time.perf_counter()
    with pytest.raises(EnvironmentFault):
        claimed(RunFolder(tmp_path / "run")).__enter__()
    assert time.perf_counter() - start < 1
    process.kill()
    process.communicate()
