"""The columns of times: those of the graph, in every form of the table, at every width."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from devices import made_device

from netspec.analysis.step_time import StepTime
from netspec.cli import main
from netspec.emit.table import ShapeTable
from netspec.graph import Graph
from netspec.pipeline import compile_spec
from netspec.reference.sources.columns import TIMED
from netspec.text.quantities import short_seconds


def timed(graph: Graph) -> tuple[StepTime, ShapeTable]:
    times = StepTime(graph, made_device())
    return times, ShapeTable(graph, times)


@pytest.mark.parametrize("width", [48, 80, 120, 160])
@pytest.mark.parametrize("name", ["lenet", "gpt2", "googlenet", "densenet121", "unet"])
def test_times_stand_in_the_text_at_any_width(name: str, width: int):
    times, table = timed(compile_spec(name))
    lines = table.text(width).splitlines()
    assert max(map(len, lines)) <= width
    head = next(line for line in lines if line.startswith("layer"))
    assert (head.split()[5:7] == [*TIMED]) == (width > 48), "without room, the footer alone has them"
    told = [*map(short_seconds, times.total)]
    assert all(each in " ".join(lines) for each in told)


def test_each_line_has_the_times_of_its_layer():
    times, table = timed(compile_spec("lenet"))
    for line in table.text().splitlines()[4:-12]:
        name = line.split()[0]
        if times.at(name).step:
            assert line.rstrip().endswith(short_seconds(times.at(name).step))


def test_json_csv_markdown_and_html_have_them_too():
    times, table = timed(compile_spec("resnet18"))
    record = json.loads(table.to_json())
    assert record["time"]["device"] == "Abacus"
    assert record["time"]["step_seconds"] == pytest.approx(times.total.step, rel=1e-3)
    assert sum(row["step_seconds"] for row in record["rows"]) == pytest.approx(times.total.step, rel=1e-3)
    rows = [*csv.DictReader(io.StringIO(table.to_csv()))]
    assert sum(float(row["forward_seconds"]) for row in rows) == pytest.approx(times.total.forward, rel=1e-3)
    total = table.to_markdown().splitlines()[-1]
    assert total.endswith(f"| {short_seconds(times.total.forward)} | {short_seconds(times.total.step)} |")
    assert f">{short_seconds(times.at('fc').step)}</td>" in table._repr_html_()


def test_without_a_device_nothing_is_said_of_time():
    table = ShapeTable(compile_spec("lenet"))
    for text in (table.text(120), table.to_json(), table.to_csv(), table.to_markdown(), table._repr_html_()):
        assert "step" not in re.sub(r'title="[^"]*"', "", text)  # the titles explain the other columns


def test_the_commands_take_a_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    device, page = tmp_path / "device.json", tmp_path / "lenet.html"
    device.write_text(made_device().to_json(), encoding="utf-8")
    assert main(["shapes", "lenet", "--times", str(device), "--optimizer", "sgd", "--ascii"]) == 0
    shown = capsys.readouterr().out
    assert "a training step by sgd, without the loss" in shown
    assert "Abacus, 1 thread, processor time" in shown
    assert shown.isascii()
    assert main(["explorer", "lenet", "-o", str(page), "--times", str(device)]) == 0
    assert "Abacus, 1 thread, processor time, adam" in page.read_text(encoding="utf-8")
    assert main(["shapes", "lenet", "--times", str(tmp_path / "none.json")]) == 2
    assert "netspec measure-device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, ""), (2.371e-6, "2.37 µs"), (0.0965, "96.5 ms"), (0.9996, "1.00 s"), (0.15, "150 ms"), (4321, "4,321 s")],
)
def test_times_are_told_to_three_digits(seconds: float, text: str):
    assert short_seconds(seconds) == text
