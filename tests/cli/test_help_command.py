"""`netspec help`: every meaning of a word on one page, all words in a list, JSON, and words from outside."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import EXAMPLES

from netspec.cli import main
from netspec.plugins import clear_plugins
from netspec.recipes.base import PLUGIN_MODULES
from netspec.reference.registry import SECTIONS, find
from netspec.reference.show.page import BOLD, Page, WordList

RESIDUAL = """\
residual · structure

The body's result plus its input; another `merge` takes the two in this order.
"""


@pytest.fixture(autouse=True)
def without_plugins() -> Iterator[None]:
    """Forget the plugins of a test."""
    yield
    for module in PLUGIN_MODULES:
        sys.modules.pop(module, None)
    clear_plugins()


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints."""
    assert main(["help", *words]) == 0
    return capsys.readouterr().out


def test_a_structure(capsys: pytest.CaptureFixture[str]):
    page = said(capsys, "residual")
    assert page.startswith(RESIDUAL)
    assert "  merge  `add`, `multiply`, `maximum` or `concat` · default `add`\n" in page
    assert "  body  list of steps · required\n      its steps (its value may stand alone)\n" in page
    used = page.partition("used in ")[2].split("\n\n")[0]
    assert {"gpt2", "llama"} <= {*used.replace(",", " ").split()}


def test_several_meanings_stand_one_below_the_other(capsys: pytest.CaptureFixture[str]):
    page = said(capsys, "linear")
    assert page.index("linear · op · linear") < page.index("─" * 80) < page.index("linear · schedule")


def test_an_unknown_word(capsys: pytest.CaptureFixture[str]):
    assert main(["help", "residul"]) == 2
    assert capsys.readouterr().err.startswith("netspec: there is no word named `residul`: did you mean `residual`")


def test_a_column_of_the_table(capsys: pytest.CaptureFixture[str]):
    assert said(capsys, "kept").startswith("kept · column of the shape table\n\nWhat one forward pass in training")
    structure, column = said(capsys, "share").split("─" * 80)
    assert structure.startswith("share · structure\n")
    assert "share · column of the shape table\n\nThe share of all MACs of the network.\n" in column


def test_a_command(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["build", "--help"])
    told = capsys.readouterr().out
    assert said(capsys, "build") == told
    assert said(capsys, "train").endswith("\n`netspec train` is a command, too: netspec train --help\n")


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_has_every_word_and_fits_the_terminal(width: int):
    text = WordList().text(width)
    listed = set(text.split())
    assert {name for section in SECTIONS for _, name in section.names()} <= listed
    assert max(map(len, text.split("\n"))) <= width


def test_the_list_is_printed(capsys: pytest.CaptureFixture[str]):
    assert said(capsys) == WordList().text(80)


def test_json(capsys: pytest.CaptureFixture[str]):
    (adam,) = json.loads(said(capsys, "adam", "--format", "json"))
    assert adam["kind"] == "optimizer"
    assert {each["name"]: each["default"] for each in adam["arguments"]} == {
        "lr": 0.001,
        "betas": [0.9, 0.999],
        "eps": 1e-08,
        "amsgrad": False,
    }
    index = json.loads(said(capsys, "--format", "json"))
    assert index["op"]["convolution"][1] == "conv2d"
    assert index["key"]["expect"] == ["params", "weights", "macs", "outputs"]


def test_words_from_outside(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.syspath_prepend(EXAMPLES / "plugin")
    page = said(capsys, "stripes", "--plugin", "stripes")
    assert page.startswith("stripes · data set\n")
    assert "    train:\n      data: {stripes: " in page
    assert "  size  " in page


OP = '''
from netspec.ops import Activation


class Bent(Activation):
    """x bent at 0."""

    name = "bent"
    functional = "torch.relu"
    slope: float = 0.5
    """the slope of the negative side"""

    def onnx(self, builder, *inputs, tensors):
        return builder.op("Relu", inputs[0])
'''


def test_an_op_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "bending.py").write_text(OP)
    monkeypatch.syspath_prepend(tmp_path)
    page = said(capsys, "bent", "--plugin", "bending")
    assert page.startswith("bent · op · activation\n\nx bent at 0.\n")
    assert "  slope  number · default `0.5`\n      the slope of the negative side\n" in page


def test_colours_and_ascii():
    page = Page(find("conv2d"))
    assert page.text(80, colour=True).startswith(f"{BOLD}conv2d\033[0m · op")
    assert page.text(80, ascii=True).isascii()
    assert "integer >= 1 - required" in page.text(80, ascii=True)


def test_a_terminal_without_the_signs(monkeypatch: pytest.MonkeyPatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", out)
    assert main(["help", "conv2d"]) == 0
    out.flush()
    assert b"integer >= 1" in out.buffer.getvalue()  # type: ignore[attr-defined]
