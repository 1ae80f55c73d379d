"""`netspec check --watch`: a save brings a new verdict well within a second, and Ctrl-C ends it with 0."""

from __future__ import annotations

import os
import pty
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

import pytest

pytestmark = pytest.mark.slow

SOUND = "netspec: 1\nname: it\ninputs: {x: [N, 4]}\nnetwork:\n  - linear: 3\n"
FAULTY = SOUND.replace("linear", "liner")
PATIENCE = 60
SOON = 1.0


class Watched:
    """A running `netspec check --watch`, with the lines that it has printed."""

    def __init__(self, folder: Path, *specs: str, **more: Any):
        command = [sys.executable, "-m", "netspec", "check", "--watch", *specs]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", **more
        )
        self.lines: queue.Queue[str] = queue.Queue()
        assert self.process.stdout is not None
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.put(line.rstrip("\n"))

    def verdict(self) -> str:
        """All that is printed up to the line that ends a check."""
        told = []
        while True:
            line = self.lines.get(timeout=PATIENCE)
            if line.startswith("-- "):
                return "\n".join(told)
            told.append(line)

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=PATIENCE)
        self.reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def save(path: Path, text: str) -> None:
    """As many editors save: a new file takes the old one's name."""
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


@pytest.mark.timing
def test_a_save_brings_a_new_verdict_within_a_second(tmp_path):
    spec = tmp_path / "it.yaml"
    spec.write_text(SOUND, encoding="utf-8")
    watched = Watched(tmp_path, "it.yaml")
    assert "ok" in watched.verdict()
    took = []
    for write in (save, lambda path, text: path.write_text(text, encoding="utf-8")):
        for text, told in ((FAULTY, "error[unknown-op]"), (SOUND, "ok")):
            start = time.perf_counter()
            write(spec, text)
            assert told in watched.verdict()
            took.append(time.perf_counter() - start)
    assert watched.end() == 0
    assert sorted(took)[1] < SOON, took  # the machine may be busy once


def test_a_file_that_goes_is_waited_for(tmp_path):
    spec = tmp_path / "it.yaml"
    spec.write_text(SOUND, encoding="utf-8")
    watched = Watched(tmp_path, "it.yaml")
    watched.verdict()
    spec.unlink()
    assert "no such file" in watched.verdict()
    save(spec, SOUND)
    assert "ok" in watched.verdict()
    assert watched.end() == 0


def test_imported_files_are_watched_too(tmp_path):
    part = "netspec: 1\nblocks:\n  part:\n    body:\n      - linear: 3\n"
    (tmp_path / "it.yaml").write_text(
        SOUND.replace("inputs", "import: [part.yaml]\ninputs").replace("linear: 3", "part")
    )
    watched = Watched(tmp_path, "it.yaml")
    assert "error" in watched.verdict()
    save(tmp_path / "part.yaml", part)
    assert "ok" in watched.verdict()
    save(tmp_path / "part.yaml", part.replace("linear", "liner"))
    assert "error[unknown-op]" in watched.verdict()
    assert watched.end() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_is_cleared_and_a_pipe_is_not(tmp_path):
    (tmp_path / "it.yaml").write_text(SOUND, encoding="utf-8")
    watched = Watched(tmp_path, "it.yaml")
    assert "\x1b" not in watched.verdict()
    assert watched.end() == 0

    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "netspec", "check", "--watch", "it.yaml"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=inner, stderr=inner)
    os.close(inner)
    told = b""
    while b"watching it.yaml" not in told:
        told += os.read(outer, 1024)
    assert told.startswith(b"\x1b[2J")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == 0
    os.close(outer)
