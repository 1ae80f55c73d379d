"""The page on deploying: its commands run, and the script's answers are those of the run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from places import GUIDES, ROOT

from netspec.cli import main

PAGE = (GUIDES / "deploying.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_the_commands_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    train, export, script = map(shlex.split, COMMANDS[0].splitlines())
    assert main([*train[1:], "--set", "train.epochs=1"]) == 0
    assert main(export[1:]) == 0
    int8 = shlex.split(next(text for text in COMMANDS if "int8" in text))
    assert main([*int8[1:-1], "int8.onnx"]) == 0
    sizes = [(tmp_path / name).stat().st_size for name in ("int8.onnx", export[-1])]
    assert sizes[0] < sizes[1] / 3
    chance = np.random.default_rng(0)
    for name in script[3:]:
        Image.fromarray(chance.integers(0, 256, (40, 30), np.uint8)).save(name)
    capsys.readouterr()
    assert main(["predict", "runs/lenet_modern/last", *script[3:]]) == 0
    told = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    made = subprocess.run([sys.executable, ROOT / script[1], *script[2:]], capture_output=True, text=True, check=True)
    assert [line.replace(":", "").split()[:2] for line in made.stdout.splitlines()] == told
