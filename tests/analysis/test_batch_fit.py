"""The largest batch within a budget of memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.analysis.batch_fit import budget_text, largest, parse_memory, solve
from netspec.analysis.memory import Memory
from netspec.cli import main
from netspec.diagnostics import UsageError
from netspec.dims import Dim, evaluate
from netspec.pipeline import compile_spec


@pytest.mark.parametrize(
    ("text", "size"),
    [("24GiB", 24 * 2**30), ("80 GB", 80 * 10**9), ("1.5MiB", 3 * 2**19), ("500MB", 500 * 10**6), ("7B", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["24", "24gib", "GiB", "-1GB", "0GB", "1e3MB", "0.1B", ""])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="--budget-memory takes a size such as 24GiB, in GiB, MiB"):
        parse_memory(text)


@pytest.mark.parametrize("name", ["resnet18", "unet", "densenet121", "gpt2", "vit"])
@pytest.mark.parametrize("precision", ["float32", "mixed", "bfloat16"])
def test_one_more_does_not_fit(name: str, precision: str) -> None:
    graph, budget = compile_spec(name), parse_memory("24GiB")
    for peak in (
        lambda memory: memory.training_peak("adam", precision),
        lambda memory: memory.inference_peak_in(precision),
    ):
        batch, formula = largest(graph, "N", budget, peak)
        there, more = ({**graph.sizes, "N": batch + extra} for extra in (0, 1))
        assert batch > 0
        assert evaluate(formula, there) == evaluate(peak(Memory(graph, there)), there) <= budget
        assert evaluate(peak(Memory(graph, more)), more) > budget


def test_solve() -> None:
    n = Dim.symbol("N")
    assert [solve(3 * n + 10, "N", budget, 100) for budget in (12, 13, 15, 16, 1000)] == [0, 1, 1, 2, 100]


def test_text() -> None:
    assert budget_text(compile_spec("xor"), "1kB", "adam", "float32").split("\n") == [
        "xor within 1kB, 1,000 bytes",
        "  trains (adam, float32)  N ≤ 26           32·N + 144 bytes",
        "  infers (float32)        N ≤ 40           24·N + 36 bytes",
    ]


def test_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["shapes", "resnet18", "--budget-memory", "100MB", "--dim", "H=64", "--optimizer", "sgd"]) == 0
    made = capsys.readouterr().out
    assert made.startswith("resnet18 within 100MB, 100,000,000 bytes, at H = 64, W = 224\n  trains (sgd, float32) ")
    assert main(["shapes", "resnet18", "--budget-memory", "lots"]) == 2
    assert "not `lots`" in capsys.readouterr().err
    assert main(["shapes", "resnet18", "--budget-memory", "1MB"]) == 0
    assert "not even N = 1" in capsys.readouterr().out
    fixed = tmp_path / "fixed.yaml"
    fixed.write_text("netspec: 1\nname: fixed\ninputs: {x: [3, 4]}\nnetwork: [{linear: 2}]\n", encoding="utf-8")
    assert main(["shapes", str(fixed), "--budget-memory", "1MB"]) == 2
    assert "fixed has no batch to fit" in capsys.readouterr().err
