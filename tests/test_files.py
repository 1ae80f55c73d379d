"""A writer that is killed leaves the old file or the new one, never a torn one."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netspec.diagnostics import EnvironmentFault
from netspec.files import replacing, temporary_name, write_text

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


@pytest.mark.slow
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


def test_what_killed_writers_leave_is_removed_by_the_next(tmp_path: Path):
    """And nothing else: neither a file of a process that lives, nor one that only looks like it, nor through a link."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, alive = (temporary_name("a.txt").replace(f"-{os.getpid()}-", f"-{number}-") for number in (ended.pid, 1))
    others = [f"{alive}abcd1234.txt", ".a.txt.x7.txt", f"{dead[1:]}abcd1234.txt", ".bashrc"]
    for name in [f"{dead}abcd1234.txt", f"{dead}abcd1234.onnx.data", *others]:
        (tmp_path / name).write_text("")
    (tmp_path / f"{dead}shards00").mkdir()
    (tmp_path / f"{dead}link0000").symlink_to(tmp_path / ".bashrc")
    write_text(tmp_path / "a.txt", "new")
    assert {each.name for each in tmp_path.iterdir()} == {"a.txt", f"{dead}link0000", *others}


@pytest.mark.parametrize("name", ["n" * 255, f"{'n' * 200}.{'s' * 54}", "é" * 127])
def test_a_name_may_be_as_long_as_any(tmp_path: Path, name: str):
    write_text(tmp_path / name, "text")
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_device_and_a_pipe_are_written_into(tmp_path: Path):
    write_text(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(EnvironmentFault) as full:
        write_text(Path("/dev/full"), "text")
    assert str(full.value) == "cannot write /dev/full: No space left on device"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(EnvironmentFault, match="No such device"):
        write_text(tmp_path / "pipe", "nobody reads it")
    reader = subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE, text=True)
    for _ in range(100):
        try:
            write_text(tmp_path / "pipe", "text")
            break
        except EnvironmentFault:  # the reader is not there yet
            time.sleep(0.02)
    assert reader.communicate(timeout=10)[0] == "text"


def test_a_folder_and_a_link_stay_what_they_are(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(EnvironmentFault, match="folder: it is a folder"):
        write_text(tmp_path / "folder", "text")
    (tmp_path / "own.txt").write_text("own")
    (tmp_path / "link.txt").symlink_to("own.txt")
    write_text(tmp_path / "link.txt", "text")
    assert (tmp_path / "own.txt").read_text() == "own"
    assert (tmp_path / "link.txt").read_text() == "text"
