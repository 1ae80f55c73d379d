"""The largest batch within a budget of memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.analysis.batch_fit import Plan, budget_text, largest, parse_memory, solve
from netspec.analysis.memory import Memory, with_margin
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
        lambda sizes: Memory(graph, sizes).training_peak("adam", precision),
        lambda sizes: Memory(graph, sizes).inference_peak_in(precision),
    ):
        batch, formula = largest(peak, graph.sizes, "N", budget)
        there, more = ({**graph.sizes, "N": batch + extra} for extra in (0, 1))
        assert batch > 0
        assert evaluate(formula, there) == evaluate(peak(there), there)
        assert with_margin(evaluate(formula, there)) <= budget < with_margin(evaluate(peak(more), more))


def test_solve() -> None:
    n = Dim.symbol("N")
    assert [solve(60 * n + 200, "N", budget, 100) for budget in (272, 273, 335, 336, 10_000)] == [0, 1, 1, 2, 100]


def test_text() -> None:
    assert budget_text(compile_spec("xor"), "1kB", Plan("adam", "float32", "cpu")).split("\n") == [
        "xor within 1kB, 1,000 bytes",
        "  trains (adam, float32)  N ≤ 23           36·N + 120 bytes",
        "  infers (float32)        N ≤ 38           24·N + 36 bytes",
        "  on cpu, with 5 % for what the allocator adds",
    ]


SPEC = """
netspec: 1
name: net
dims: {{N: 1}}
inputs: {{x: [N, 20]}}
network: [{{linear: 4000}}, {{linear: 10}}]
train:
  data: {{noise: {{shape: [20]}}}}
  loss: cross_entropy
  optimizer: {optimizer}
  precision: {precision}
  epochs: 1
"""


def fit(folder: Path, optimizer: str, precision: str = "float32", asked: str = "") -> str:
    """The row of training in what is told of a network with such a recipe."""
    path = folder / "net.yaml"
    path.write_text(SPEC.format(optimizer=optimizer, precision=precision), encoding="utf-8")
    return budget_text(compile_spec(path), "10MB", Plan(asked)).split("\n")[1]


def test_the_recipe_of_the_spec_is_what_fits(tmp_path: Path) -> None:
    plain, adam = fit(tmp_path, "sgd"), fit(tmp_path, "adam")
    assert plain.startswith("  trains (sgd, float32)")
    assert adam.startswith("  trains (adam, float32)")
    assert fit(tmp_path, "sgd", "mixed").startswith("  trains (sgd, mixed)")
    assert fit(tmp_path, "sgd", asked="adam") == adam
    assert batch_of(fit(tmp_path, "{sgd: {momentum: 0.9}}")) < batch_of(plain)
    assert batch_of(adam) < batch_of(plain)


def batch_of(row: str) -> int:
    return int(row.split("≤")[1].split()[0].replace(",", ""))


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
