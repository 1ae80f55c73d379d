"""The modules of netspec's in others' hands: a loop by hand, Lightning and Accelerate, each learning the same."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from unittest import mock

import pytest
from places import EXAMPLES

from netspec.runtime.vision import import_torchvision

pytestmark = pytest.mark.slow


@pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec:FutureWarning")  # Lightning's own
@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
@pytest.mark.filterwarnings("ignore:GPU available but not used")
@pytest.mark.parametrize(
    ("example", "leaves"),
    [
        ("by_hand", "lenet.onnx"),
        ("with_lightning", "lenet.ckpt"),
        ("with_accelerate", "model.safetensors"),
    ],
)
def test_a_network_trains_and_its_weights_come_back(
    example: str, leaves: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    import_torchvision()  # Lightning does, through torchmetrics
    with mock.patch.dict(os.environ):
        runpy.run_path(str(EXAMPLES / f"{example}.py"))
    accuracy = float(capsys.readouterr().out.split("accuracy")[1])
    assert 0.93 <= accuracy <= 0.97
    assert (tmp_path / "build" / example / leaves).is_file()
