"""benchmarks/gpu: every network has its recipe, and the table is made, here on a CPU in a few steps."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
import torch
from places import ROOT

SCRIPT = str(ROOT / "benchmarks" / "gpu" / "throughput.py")
LIST = runpy.run_path(SCRIPT)
PARAMETERS = {
    "lenet": 61_706,
    "alexnet_d2l": 46_764_746,
    "vgg11_small": 43_093_322,
    "nin": 1_992_166,
    "googlenet_d2l": 5_977_530,
    "resnet18": 11_175_370,  # torchvision's 11,689,512, of one channel and with 10 classes
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs the command; gives what it prints."""

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", [SCRIPT, *words])
        runpy.run_path(SCRIPT, run_name="__main__")
        return capsys.readouterr().out

    before = torch.get_float32_matmul_precision()
    yield run
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("name", LIST["NETWORKS"])
@pytest.mark.parametrize("column", LIST["COLUMNS"])
def test_every_network_trains_as_the_book_does(name: str, column: str):
    network = LIST["NETWORKS"][name]
    graph = LIST["graph_of"](name, LIST["COLUMNS"][column], network.batch, 9)
    assert graph.body.parameter_count == PARAMETERS[name]
    assert graph.recipe.data.shape == [1, network.side, network.side]
    assert graph.recipe.settings.batch == network.batch
    assert graph.recipe.settings.channels_last == (column in ("channels last", "compiled"))
    assert 0.9 * graph.recipe.data.rows > 9 * network.batch


@pytest.mark.slow
def test_the_table(run, tmp_path: Path):
    file = tmp_path / "cpu.md"
    columns = ("TF32", "bf16", "channels last")
    words = ("--device", "cpu", "--batch", "2", "--steps", "2", "--warm", "1", "--columns", *columns, "-o", str(file))
    printed = run("lenet", "resnet18", *words)
    assert file.read_text() == printed
    head, rule, *rows = [line for line in printed.splitlines() if line.startswith("|")]
    assert head == "| network | batch | image | D2L, V100 | TF32 | bf16 | channels last | best : V100 |"
    assert head.count("|") == rule.count("|")
    for row, start in zip(rows, ("| LeNet | 2 | 28×28 | 55,000 |", "| ResNet-18 | 2 | 96×96 | 5,000 |"), strict=True):
        assert row.startswith(start)
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        rates = [int(cell.replace(",", "")) for cell in cells[4:7]]
        assert min(rates) > 0
        assert cells[7] == f"{max(rates) / int(cells[3].replace(',', '')):.1f}×"


def test_what_it_cannot_do_it_says(run, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        run("letnet", "--device", "cpu")
    assert "no such network: letnet" in capsys.readouterr().err
    if not torch.cuda.is_available():
        with pytest.raises(SystemExit, match="torch finds no CUDA device here"):
            run("lenet")
