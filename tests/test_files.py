"""A writer that is killed leaves the old file or the new one, never a torn one."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netspec.diagnostics import EnvironmentFault
from netspec.files import replacing, write_text

KILLS = 40
SIZE = 300_000

WRITER = f"""
import itertools, sys
from pathlib import Path
from netspec.files import write_text
path = Path(sys.argv[1])
print("ready", flush=True)
for number in itertools.count(int(sys.argv[2])):
    write_text(path, f"{{number}}\\n" * ({SIZE} // len(f"{{number}}\\n")))
"""


def test_kills_leave_a_whole_file(tmp_path: Path):
    path = tmp_path / "model.py"
    rng = random.Random(1)
    number = 100_000
    write_text(path, f"{number}\n" * (SIZE // 7))
    versions = set()
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(number + 1)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.001, 0.05))
        writer.kill()
        writer.communicate()
        lines = path.read_text().split("\n")
        assert len(path.read_text()) == SIZE // 7 * 7
        assert set(lines) == {lines[0], ""}
        assert int(lines[0]) >= number
        number = int(lines[0])
        versions.add(number)
    assert len(versions) > KILLS // 2  # the kills fell into writes, not before them


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_that_cannot_be_written_is_an_environment_fault(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault):
        write_text(tmp_path / "file" / "below.txt", "text")
