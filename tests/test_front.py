"""The front half works without torch, and the layers of the code hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

HEAVY = ("torch", "onnx", "onnx_ir", "onnxruntime", "numpy")


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "resnet"],
        ["shapes", "resnet50"],
        ["shapes", "resnet50", "--format", "json"],
        ["source", "googlenet"],
        ["diagram", "lenet", "-o", "{folder}/lenet.dot"],
        ["diff", "resnet18", "resnet34", "-o", "{folder}/diff.dot"],
        ["explorer", "lenet", "-o", "{folder}/lenet.html"],
        ["list"],
        ["ops", "conv2d"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_commands_of_the_front_half_import_nothing_heavy(arguments: list[str], tmp_path: Path):
    arguments = [argument.format(folder=tmp_path) for argument in arguments]
    code = (
        "import sys; from netspec.cli import main\n"
        f"code = main({arguments!r})\n"
        f"found = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert code == 0 and not found, (code, found)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_imports_go_downward_only():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
