"""A device is measured: every kind of work at every size, in a file that the rest reads."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
import torch

from netspec.analysis.step_time import KINDS, StepTime, read_device
from netspec.cli import main
from netspec.pipeline import compile_spec
from netspec.runtime import measure_device as module
from netspec.runtime.measure_device import GRIDS, PIECES, Stopwatch, measure_device


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch):
    """Two small sizes along each axis, and a single pass."""
    small = {kind: tuple(grid[:2] for grid in grids) for kind, grids in GRIDS.items()}
    monkeypatch.setattr(module, "GRIDS", small)
    monkeypatch.setattr(module, "ELEMENT_COUNTS", (256, 4096))
    monkeypatch.setattr(module, "PASSES", 1)
    monkeypatch.setattr(Stopwatch, "seconds", once)


def once(watch: Stopwatch, run, budget: float = 0.0) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def test_every_kind_is_measured_at_every_size(quick):
    before = torch.get_num_threads()
    record = measure_device("cpu", threads=1)
    assert torch.get_num_threads() == before
    assert (record.device, record.threads, record.clock) == ("cpu", 1, "processor")
    assert set(record.work) == set(KINDS)
    for kind, table in record.work.items():
        assert list(table.sizes) == list(KINDS[kind])
        count = math.prod(map(len, table.sizes.values()))
        assert len(table.forward) == len(table.training) == count
        assert all(each > 0 for each in (*table.forward, *table.training))


def test_the_command_writes_what_shapes_reads(quick, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "device.json"
    assert main(["measure-device", "-o", str(path), "--device", "cpu", "--threads", "1"]) == 0
    assert "1 thread, processor time" in capsys.readouterr().out
    assert StepTime(compile_spec("lenet"), read_device(str(path))).total.forward > 0
    assert main(["measure-device", "--threads", "0"]) == 2
    assert "--threads takes a positive number" in capsys.readouterr().err


@pytest.mark.parametrize("kind", PIECES)
def test_a_piece_has_a_gradient(kind: str):
    """What is measured as training runs backward to every input that can have a gradient, and to every weight."""
    sizes = [grid[0] for grid in GRIDS.get(kind, ((256,),))]
    piece = PIECES[kind](*sizes)
    inputs = [each.requires_grad_(each.is_floating_point()) for each in piece.inputs]
    learned = [*piece.module.parameters()] if isinstance(piece.module, torch.nn.Module) else []
    piece.module(*inputs).sum().backward()
    assert all(each.grad is not None for each in (*inputs, *learned) if each.requires_grad)


def test_the_stopwatch_tells_more_work_from_less():
    watch = Stopwatch(torch.device("cpu"), threads=1)
    numbers = torch.randn(2**20)
    less, more = (watch.seconds(lambda count=count: [numbers.exp() for _ in range(count)]) for count in (1, 16))
    assert less < more
