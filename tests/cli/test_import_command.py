"""``netspec import``: what it prints, writes and refuses, with Python's own modules and files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from netspec.cli import main

NETS = '''
import torch
from torch import nn

class Net(nn.Module):
    """A network of one layer. Its text goes on."""

    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)

    def forward(self, image):
        return self.conv(image).relu()

class Refused(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x

class Random(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(3, 3), nn.Dropout(0.5))

def broken():
    raise ValueError("not today")

seven = 7
'''

IMAGE = "image=[N, 3, H, W]"


@pytest.fixture(autouse=True)
def _nets(tmp_path, monkeypatch):
    (tmp_path / "some_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("some_nets", None)


def test_the_report_says_what_it_came_to_how_it_was_verified_and_what_is_next(capsys):
    arguments = ["import", "some_nets:Net", "--input", IMAGE, "--dim", "H=8", "--dim", "W=6"]
    assert main([*arguments, "-o", "net.yaml", "--weights", "net.safetensors", "--argument", "width=5"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "spec      net.yaml: 14 lines, 140 parameters; 6.48k MACs at N=1, H=8, W=6"
    assert told[1].startswith("weights   net.safetensors: ")
    assert told[2].startswith("verified  it computes what the original does, ")
    assert "at N=2, H=8, W=6; N=3, H=9, W=7; N=2, H=16, W=12" in " ".join(each.strip() for each in told)
    assert told[-1] == "next      netspec build net.yaml"
    assert main(["check", "net.yaml"]) == 0
    text = Path("net.yaml").read_text()
    assert "doc: A network of one layer." in text
    assert "params: {width: 5}" in text
    assert "expect: {params: 140, macs: 6480}" in text


def test_without_a_file_the_spec_alone_is_on_stdout(capsys):
    assert main(["import", "some_nets:Random", "--input", "input=[N, 3]", "--name", "by_chance"]) == 0
    out, told = capsys.readouterr()
    assert out.startswith("netspec: 1\nname: by_chance\n")
    assert "in training at N=2" in told
    assert "next" not in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["some_nets:Ned"], "did you mean `Net`"),
        (["some_nets.py"], "not written `some_nets:Name`"),
        (["some_nets.Net"], "not written `some_nets:Net`"),
        (["no_such_nets:Net"], "Python finds no module `no_such_nets` here"),
        (["some_nets:seven"], "is a int, and no module, class or function"),
        (["some_nets:broken"], "some_nets:broken failed as it was called at "),
        (["some_nets:Net"], "its forward takes image; write `--input 'image=[N, 3, 224, 224]'`"),
        (["some_nets:Net", "--argument", "widht=4"], "did you mean `width`"),
        (["some_nets:Net", "--argument", "width=[4"], "--argument width=[4: `[` is never closed"),
        (["some_nets:Net", "--input", "image=[N, 3"], "an input is written `image="),
        (["some_nets:Net", "--input", "picture=[N, 3, 8, 8]"], "has no parameter `picture`; it takes image"),
        (["some_nets:Net", "--input", "image=[N, 4, 8, 8]"], "Net does not run on image [2, 4, 8, 8] at "),
        (["some_nets:Net", "--input", IMAGE, "--dim", "D=4"], "--dim D: no input has such a symbolic dimension"),
        (["some_nets:Refused", "--input", "x=[N, 3]"], "torch.export refuses Refused at "),
        (["none.pt2"], "there is no file none.pt2"),
        (["some_nets.pt2", "--dim", "N=4"], "a file has its own sizes"),
        (["none.onnx", "--input", IMAGE], "a file has its own inputs"),
    ],
)
def test_what_cannot_be_imported_is_told_in_one_line(capsys, arguments, message):
    assert main(["import", *arguments]) == 2
    out, told = capsys.readouterr()
    assert not out
    assert message in told
    assert len(told.splitlines()) == 1


def test_inputs_larger_than_the_memory_are_refused_with_both_numbers(capsys):
    assert main(["import", "some_nets:Net", "--input", "image=[N, 3, 9000000, 9000000]"]) == 3
    assert "an example of `image` takes about " in capsys.readouterr().err


def test_models_of_timm_and_torchvision_say_themselves_what_they_take():
    from torch import nn

    from netspec.importer.guesses import guessed_inputs

    module = nn.Identity()
    assert guessed_inputs(module, nn.Identity) == []
    module.pretrained_cfg = {"input_size": (3, 96, 96)}
    assert [str(each) for each in guessed_inputs(module, None)] == ["input=[N, 3, 96, 96]"]
