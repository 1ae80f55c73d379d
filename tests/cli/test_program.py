"""A command as a process: streams that cannot be written, signals, and a machine in trouble.

``NETSPEC_MANY=100`` sends a hundred times as many signals.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from train import small

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
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
        (["list"], ">/dev/full", 3, "netspec: cannot write to the standard output: No space left on device\n"),
        (["--help"], ">/dev/full", 3, "netspec: cannot write to the standard output: No space left on device\n"),
        (["shapes", "lenet"], ">&-", 3, "netspec: cannot write to the standard output: Bad file descriptor\n"),
        (["explorer", "lenet", "-o", "x.html"], ">&- <&-", 0, ""),
        (["shapes", "nothing.yaml"], "2>/dev/full", 2, ""),
        (["shapes", "nothing.yaml"], "2>&-", 2, ""),
        (["check", "lenet"], "<&- >&- 2>&-", 3, ""),
    ],
)
def test_output_that_cannot_be_written(tmp_path: Path, words: list[str], shell: str, code: int, told: str):
    found = ended(tmp_path, words, shell)
    assert (found.returncode, found.stderr) == (code, told)


def test_a_reader_that_goes_has_had_enough_and_the_work_is_done(tmp_path: Path):
    found = ended(tmp_path, XOR, "| head -1; exit ${PIPESTATUS[0]}")
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads((tmp_path / "run/result.json").read_text())["steps"] == [2]
    found = ended(tmp_path, ["check", "--watch", "lenet"], "2>&1 | head -1; exit ${PIPESTATUS[0]}")
    assert found.returncode == 0


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1:strict", "utf-8"])
def test_the_characters_of_the_terminal(tmp_path: Path, encoding: str):
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    for words in (["shapes", "unet"], ["shapes", "unet", "--format", "json"], ["source", "unet"], ["explain"]):
        found = subprocess.run(command(*words), capture_output=True, env=env, cwd=tmp_path)
        assert (found.returncode, found.stderr) == (0, b"")
        text = found.stdout.decode(encoding.partition(":")[0])
        if "json" in words:
            json.loads(text)
    plain = subprocess.run(command("shapes", "unet", "--ascii"), capture_output=True, env=env, cwd=tmp_path).stdout
    drawn = subprocess.run(command("shapes", "unet"), capture_output=True, env=env, cwd=tmp_path).stdout
    assert (drawn == plain) is (encoding != "utf-8")


def limited(kind: int, most: int) -> dict[str, Any]:
    return {"preexec_fn": lambda: resource.setrlimit(kind, (most, most))}


def gone() -> None:
    os.mkdir("gone")
    os.chdir("gone")
    os.rmdir("../gone")


@pytest.mark.parametrize(
    ("words", "more", "told"),
    [
        (["export", "lenet", "-o", "x.onnx"], limited(resource.RLIMIT_FSIZE, 1000), "cannot write x.onnx: File too"),
        (["explorer", "lenet", "-o", "n" * 300], {}, "File name too long"),
        (["explorer", "lenet", "-o", "."], {}, "cannot write .: it is a folder"),
        (["check", "lenet"], {"preexec_fn": gone}, "the folder that this was called in cannot be used: No such file"),
        (["train", "xor"], {"env": {"PYTHONPATH": "broken"}}, "safetensors cannot be loaded: it is broken"),
    ],
)
def test_trouble_of_the_machine_is_one_sentence(tmp_path: Path, words: list[str], more: dict[str, Any], told: str):
    (tmp_path / "broken").mkdir()
    fault = 'raise ImportError("it is broken", name="safetensors")'
    (tmp_path / "broken/safetensors.py").write_text(fault)
    found = ended(tmp_path, words, **more)
    assert (found.returncode, found.stderr.count("\n")) == (3, 1), found.stderr
    assert told in found.stderr


def test_warnings_that_are_errors_are_none_of_ours(tmp_path: Path):
    found = ended(tmp_path, XOR, env={"PYTHONWARNINGS": "error"})
    assert (found.returncode, found.stderr) == (0, "")


LONG = {"epochs": "4000", "checkpoint": "{steps: 50}"}


def test_signals_at_any_moment(tmp_path: Path):
    """None leaves a traceback or a torn file; what was saved goes on."""
    small.graph(tmp_path, **LONG)
    rng = random.Random(MANY)
    for number in range(3 * MANY):
        kind = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[number % 3]
        process = subprocess.Popen(
            command("train", "small.yaml", "-o", "run"), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        time.sleep(rng.uniform(0.15, 6.0))
        for _ in range(rng.choice((1, 1, 2))):
            process.send_signal(kind)
            time.sleep(rng.uniform(0.0, 0.05))
        faults = process.communicate(timeout=60)[1].decode()
        assert process.returncode in (130, 128 + kind, -kind), (process.returncode, faults)
        assert faults == ""
        for path in (tmp_path / "run").rglob("*.json"):
            json.loads(path.read_text())
