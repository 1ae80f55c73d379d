"""The stories: each one's script runs once in a copy of its folder, as its reader runs it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from examples.stories.told import Story
from places import EXAMPLES, ROOT


@pytest.fixture(scope="module")
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The story that a test file is named after."""
    name = Path(request.path).stem.removeprefix("test_")
    place = tmp_path_factory.mktemp(name)
    folder = Path(shutil.copytree(EXAMPLES / "stories" / name, place / name))
    done = subprocess.run(
        ["bash", "run.sh"],
        cwd=folder,
        env=os.environ | {"PATH": f"{commands(place / 'bin')}{os.pathsep}{os.environ['PATH']}", "SOURCE": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return Story(folder, done.stdout, done.stderr, (folder / "README.md").read_text(encoding="utf-8"))


def commands(folder: Path) -> Path:
    """A folder with `python` and `netspec`: those that run the tests."""
    folder.mkdir()
    for name, words in {"python": [sys.executable], "netspec": [sys.executable, "-m", "netspec"]}.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        (folder / name).chmod(0o755)
    return folder
