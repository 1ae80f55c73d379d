"""The page's settings for Neovim, used by Neovim itself: mistakes, shapes, hovers and completion."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from places import DOCS

pytest.importorskip("pygls")

BESIDE = Path(sys.executable).parent
NVIM = shutil.which("nvim", path=f"{BESIDE}{os.pathsep}{os.environ.get('PATH', '')}")
LEAST = (0, 11)
SPEC = """\
netspec: 1
name: digits
inputs: {image: [N, 1, 28, 28]}
network:
  - conv2d: {out_channels: 32, kernel_size: 3}
  - relu
  - flatten
"""


def version() -> tuple[int, ...]:
    if NVIM is None:
        return (0,)
    said = subprocess.run([NVIM, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(each) for each in re.findall(r"\d+", said.splitlines()[0])[:2])


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(version() < LEAST, reason="no Neovim 0.11 or later is installed"),
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what Neovim with the page's settings has shown."""
    folder = tmp_path_factory.mktemp("neovim")
    page = (DOCS / "editors" / "index.md").read_text(encoding="utf-8")
    (settings,) = re.findall(r"```lua\n(.*?)```", page, re.DOTALL)
    (folder / "init.lua").write_text(settings, encoding="utf-8")
    (folder / "digits.net.yaml").write_text(SPEC, encoding="utf-8")
    (folder / "other.yaml").write_text("on: push\n", encoding="utf-8")
    drive = Path(__file__).parent / "drive.lua"
    own = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    path = f"{BESIDE}{os.pathsep}{os.environ['PATH']}"  # where `netspec` is
    done = subprocess.run(
        [str(NVIM), "--headless", "-u", "init.lua", "-c", f"luafile {drive}", "digits.net.yaml"],
        cwd=folder,
        env={**os.environ, **own, "PATH": path, "NETSPEC_SEEN": str(folder / "seen.json")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (folder / "seen.json").exists(), done.stderr
    found = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    assert "problem" not in found, found["problem"] + done.stderr
    return found


def test_shapes_stand_at_the_ends_of_the_lines(seen):
    assert seen["filetype"] == "yaml"
    assert seen["hints"] == [[4, "→ [N, 32, 26, 26]"], [5, "→ [N, 32, 26, 26]"], [6, "→ [N, 21632]"]]
    assert seen["clean"] == 0


def test_a_mistake_is_shown_where_it_stands(seen):
    line, column, message = seen["fault"]
    assert (line, column) == (5, 4)
    assert "relue" in message
    assert "did you mean `relu`" in message
    assert seen["repaired"] == "  - relu"


def test_hovers_and_completion(seen):
    assert "320 parameters" in seen["hover"]
    assert {"gelu", "conv2d"} <= set(seen["completion"])
    assert "lsp" in seen["omnifunc"]


def test_other_yaml_files_are_left_alone(seen):
    assert seen["others"] == 0
