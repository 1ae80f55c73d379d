"""benchmarks/step_time.py: three networks are foretold within a quarter."""

from __future__ import annotations

import runpy
import sys

import pytest
import torch
from places import ROOT


@pytest.mark.slow
@pytest.mark.timing
def test_times_are_foretold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    threads = torch.get_num_threads()
    monkeypatch.setattr(sys, "argv", ["step_time.py", "lenet", "resnet18", "lstm_lm"])
    try:
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "benchmarks" / "step_time.py"), run_name="__main__")
    finally:
        torch.set_num_threads(threads)
    assert ended.value.code == 0, capsys.readouterr().out
