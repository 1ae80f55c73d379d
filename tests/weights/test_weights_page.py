"""The page on weights: its commands give what it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch
from places import GUIDES
from zoo.vision import outlined

from netspec.cli import main
from netspec.diagnostics import Source
from netspec.pipeline import compile_loaded, load_source

PAGE = (GUIDES / "weights.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```console\n\$ netspec (.+?)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_the_commands_of_the_page_give_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    state = outlined("resnet18").to_empty(device="cpu").state_dict()
    torch.save(state, "resnet18.pth")
    torch.save({"epoch": 3, "state_dict": {f"model.{key}": tensor for key, tensor in state.items()}}, "lightning.ckpt")
    assert len(SHOWN) == 4
    for command, shown in SHOWN:
        main(shlex.split(command))
        told = capfd.readouterr()
        assert told.out + told.err == shown, command


@pytest.mark.parametrize("text", [part.partition("```")[0] for part in PAGE.split("```yaml\n")[1:]])
def test_the_recipes_of_the_page_are_some(text: str) -> None:
    graph = compile_loaded(load_source(Source("page.yaml", f"netspec: 1\nname: flowers\nextends: resnet18\n{text}")))
    assert graph.recipe is not None
    assert graph.recipe.weights is not None
