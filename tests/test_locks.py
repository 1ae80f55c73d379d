"""A folder that another process writes into is left to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from netspec.cli import main

HOLDER = """
import sys, time
from pathlib import Path
from netspec.cli.commands.network.build.artefacts import LOCK
from netspec.locks import locked
with locked(Path(sys.argv[1]), LOCK, "built"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_a_second_build_is_told_who_has_the_folder_until_that_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "build"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert main(["build", "xor", "-o", str(folder)]) == 3
        other.kill()
    told = capsys.readouterr().err
    assert told.startswith(f"netspec: {folder} is being built by process {other.pid} on ")
    assert [each.name for each in folder.iterdir()] == [".build.lock"]
    assert main(["build", "xor", "-o", str(folder)]) == 0
    assert [each.name for each in folder.glob(".*")] == []
    assert (folder / "model.onnx").is_file()
