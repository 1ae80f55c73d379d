"""A command as a process: streams that cannot be written, signals, and a machine in trouble.

``NETSPEC_MANY=100`` sends a hundred times as many signals.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cli.forks import Forks
from train import small

pytestmark = pytest.mark.slow

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
FULL = "netspec: cannot write to the standard output: No space left on device\n"
TWICE = "the standard input has been read, and is empty now: `-` may stand for one spec alone\n"
SOUND = "{netspec: 1, name: net, inputs: {x: [N, 4]}, network: [relu]}"
XOR = ["train", "xor", "--set", "train.epochs=2", "-o", "run"]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "netspec", *words]


def ended(folder: Path, words: list[str], shell: str = "", **more: Any) -> subprocess.CompletedProcess[str]:
    """A command that has ended; ``shell`` is what a shell adds to it."""
    more["env"] = {**os.environ, **more.pop("env", {})}
    line = ["bash", "-c", f'"$@" {shell}', "bash", *command(*words)] if shell else command(*words)
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, errors="replace", timeout=120, **more)


@pytest.mark.parametrize(
    ("words", "shell", "code", "told"),
    [
        (["list"], ">/dev/full", 3, FULL),
        (["check", "-", "--error-format", "sarif"], "<<<'netspec: 1' >/dev/full", 3, FULL),
        (["--help"], ">/dev/full", 3, FULL),
        (["shapes", "lenet"], ">&-", 3, "netspec: cannot write to the standard output: Bad file descriptor\n"),
        (["emit", "source", "lenet", "-o", "x.py"], ">&- <&-", 0, ""),
        (["shapes", "nothing.yaml"], "2>/dev/full", 2, ""),
        (["shapes", "nothing.yaml"], "2>&-", 2, ""),
        (["check", "lenet"], "<&- >&- 2>&-", 3, ""),
        (["check", "-", "lenet", "-"], f"<<<'{SOUND}' >/dev/null", 2, "netspec: " + TWICE),
    ],
)
def test_output_that_cannot_be_written(tmp_path: Path, words: list[str], shell: str, code: int, told: str):
    found = ended(tmp_path, words, shell)
    assert (found.returncode, found.stderr) == (code, told)


def test_a_reader_that_goes_has_had_enough_and_the_work_is_done(tmp_path: Path):
    """Nor are warnings that are errors a concern of ours: they are of the packages that we use."""
    found = ended(tmp_path, XOR, "| head -1; exit ${PIPESTATUS[0]}", env={"PYTHONWARNINGS": "error"})
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads((tmp_path / "run/result.json").read_text())["steps"] == [2]


def test_nobody_is_watched_for(tmp_path: Path):
    """Also where the reader goes when all has been written."""
    found = ended(tmp_path, ["check", "--watch", "lenet"], "2>&1 | (sleep 1; head -1); exit ${PIPESTATUS[0]}")
    assert found.returncode == 0


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1:strict", "utf-8"])
def test_the_characters_of_the_terminal(tmp_path: Path, encoding: str):
    def said(*words: str) -> str:
        found = subprocess.run(
            command(*words), capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}, cwd=tmp_path
        )
        assert (found.returncode, found.stderr) == (0, b"")
        return found.stdout.decode(encoding.partition(":")[0])

    drawn, plain = said("shapes", "unet"), said("shapes", "unet", "--ascii")
    assert (drawn == plain) is (encoding != "utf-8")
    if encoding == "cp1252":
        json.loads(said("shapes", "unet", "--format", "json"))
        compile(said("source", "unet"), "unet.py", "exec")


def gone() -> None:
    os.mkdir("gone")
    os.chdir("gone")
    os.rmdir("../gone")


@pytest.mark.parametrize(
    ("words", "more", "told"),
    [
        (["explorer", "lenet", "-o", "n" * 300], {}, "File name too long"),
        (["explorer", "lenet", "-o", "."], {}, "cannot write .: it is a folder"),
        (["check", "lenet"], {"preexec_fn": gone}, "the current folder cannot be used: No such file"),
    ],
)
def test_trouble_of_the_machine_is_one_sentence(tmp_path: Path, words: list[str], more: dict[str, Any], told: str):
    found = ended(tmp_path, words, **more)
    assert (found.returncode, found.stderr.count("\n")) == (3, 1), found.stderr
    assert told in found.stderr


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    found = Forks()
    yield found
    found.close()


def test_a_file_that_may_not_grow(tmp_path: Path, forks: Forks):
    found = forks.run(tmp_path, "export", "lenet", "-o", "x.onnx", most=1000)
    assert found == (3, "netspec: cannot write x.onnx: File too large\n")
    assert [*tmp_path.iterdir()] == []


STOPPING = ("netspec: stopping", "netspec: the run stops")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SPEC = """\
netspec: 1
name: line
inputs: {x: [N, 2]}
network: [{linear: 4}, relu, {dropout: 0.1}, {linear: 1}]
train:
  data: {csv: {path: line.csv, target: y}}
  prepare: [standardize]
  loss: mse
  optimizer: {adam: 0.05}
  epochs: 40
  batch: 4
  validation: 0.25
  checkpoint: {steps: 25}
"""


def signalled(process: int, kind: int, rng: random.Random, longest: float) -> tuple[int, ...]:
    """Send a signal once or twice at any moment; gives the exit codes that this may have."""
    time.sleep(rng.uniform(0.0, longest))
    sent = [kind]
    with suppress(ProcessLookupError):
        os.kill(process, kind)
        if rng.random() < 0.4:
            time.sleep(rng.choice((0.0, 0.001, 0.05)))
            sent.append(rng.choice(SIGNALS))
            os.kill(process, sent[-1])
    return 0, *(128 + each for each in sent), *(-each for each in sent)


def test_a_run_that_signals_end_goes_on_bit_for_bit(tmp_path: Path, forks: Forks):
    """None leaves a traceback or a torn file, at any moment from the first to the last."""
    rows = [f"{x},{y},{2 * x - y + 1}" for x in range(6) for y in range(4)]
    (tmp_path / "line.csv").write_text("\n".join(["x,z,y", *rows]) + "\n")
    (tmp_path / "line.yaml").write_text(SPEC)
    began = time.monotonic()
    assert forks.run(tmp_path, "train", "line.yaml", "-o", "whole") == (0, "")
    longest = 1.05 * (time.monotonic() - began)
    losses, scores = small.losses(tmp_path / "whole"), ended_as(tmp_path / "whole")
    rng = random.Random(MANY)
    for number in range(5 * MANY):
        run = tmp_path / f"run{number}"
        process = forks.start(tmp_path, "train", "line.yaml", "-o", run.name)
        allowed = signalled(process, SIGNALS[number % 3], rng, longest)
        code, told = forks.end()
        stopping = all(line.startswith(STOPPING) for line in told.splitlines())
        assert (code in allowed, stopping) == (True, True), (code, allowed, told)
        for path in run.rglob("*.json"):
            json.loads(path.read_text())
        begun = (run / "run.json").is_file()
        assert forks.run(tmp_path, "train", "line.yaml", "--resume" if begun else "-o", run.name) == (0, "")
        assert small.losses(run) == losses
        assert ended_as(run) == scores


def ended_as(run: Path) -> dict[str, Any]:
    found = json.loads((run / "result.json").read_text())
    return {key: found[key] for key in ("scores", "best_epoch", "steps")}


SCRIPT = "import sys\nfrom netspec.cli import main\nsys.exit(main())"
"""As it is installed. By ``-m``, Python itself ends with SIGINT where a library met the signal in code of its own."""


def catches(process: int, kind: int) -> bool:
    """Whether a process has a handler of its own for a signal."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (kind - 1) & 1)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="sees by /proc when the command begins")
def test_signals_while_the_libraries_are_loaded(tmp_path: Path):
    rng = random.Random(MANY)
    for number in range(2 * MANY):
        with subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *XOR],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            while not catches(process.pid, signal.SIGTERM):  # before, it is Python that starts, and nothing of ours
                assert process.poll() is None
                time.sleep(0.005)
            allowed = signalled(process.pid, SIGNALS[number % 3], rng, 2.0)
            told = process.communicate(timeout=60)[1]
        assert (process.returncode in allowed, told) == (True, ""), (process.returncode, allowed, told)


@pytest.mark.parametrize("module", ["json", "torch"])
def test_a_process_of_the_front_half_ends_without_teardown(module):
    """What is to be done at the exit is done, and what is written arrives; torch ends in its own way."""
    code = f"""
import atexit, sys
from types import ModuleType
from netspec.cli import main
sys.modules.setdefault({module!r}, ModuleType({module!r}))
sys.argv = ["netspec", "--version"]
atexit.register(print, "at the exit")
main()
print("returned")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, *rest = done.stdout.splitlines()
    assert version.startswith("netspec ")
    assert rest == (["returned", "at the exit"] if module == "torch" else ["at the exit"])
