"""What two processes do together, for ``test_devices.py``: torchrun starts this file, and it writes what it found."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from train import small

from netspec.diagnostics import TrainingFault
from netspec.graph import Graph
from netspec.pipeline import compile_spec, read_value
from netspec.recipes import ingredients
from netspec.train.data import Data, TensorRows
from netspec.train.report.progress import Plain
from netspec.train.run import Run
from netspec.train.setup import Setup
from netspec.train.store.folder import RunFolder
from netspec.train.world import SINGLE_PROCESS, World, joined, leave

STEADY = small.SPEC.replace("dropout: 0.2", "dropout: 0.0")
"""Without dropout, which differs from process to process."""

OPTIMIZERS = [name for name, kind in ingredients("optimizer").items() if not kind.closure]  # type: ignore[attr-defined]


def short() -> str:
    return STEADY.replace("epochs: 3", "steps: 4")


TIED = """\
netspec: 1
name: tied
inputs: {image: [N, 1, 28, 28]}
blocks:
  twice:
    body: [linear: {name: first, out_features: 32}, relu, linear: {name: second, out_features: 32}]
network:
  - flatten
  - linear: {name: into, out_features: 32}
  - repeat: {name: levels, count: 2, body: [twice]}
  - linear: {name: head, out_features: 32, bias: false}
  - linear: {name: again, out_features: 32, bias: false, tie: {weight: head.weight}}
  - batch_norm1d: {name: norm}
  - linear: {name: classes, out_features: 10}
train:
  data: mnist
  loss: cross_entropy
  optimizer: {adam: 0.01}
  epochs: 3
"""

ACROSS = TIED.replace("tie: {weight: head.weight}", "tie: {weight: levels.0.first.weight}").replace(
    "  - batch_norm1d: {name: norm}\n", ""
)
"""A parameter of a repeated block is one of a layer outside, too."""

IMAGES = """\
netspec: 1
name: images
inputs: {image: [N, 1, 28, 28]}
blocks:
  twice:
    body: [conv2d: {name: first, out_channels: 4, kernel_size: 3}, relu]
network:
  - conv2d: {name: stem, out_channels: 4, kernel_size: 5, stride: 2}
  - repeat: {name: levels, count: 2, body: [twice]}
  - global_avg_pool
  - linear: {name: head, out_features: 10}
train:
  data: mnist
  loss: cross_entropy
  optimizer: {adam: 0.01}
  channels_last: true
"""

FINE = {"ema": "{decay: 0.9, warmup: true}", "groups": "{first: {lr: 0.005, freeze: 1}, head: {warmup: 5}}"}
"""Keys with which a network is fine-tuned."""


def recipes(folder: Path, strategy: str = "ddp") -> dict[str, tuple[Graph, Data]]:
    """Networks and data by what they try out. 101 rows train: the last batch of 10 has one row, for one of two."""
    made = {
        "plain": (STEADY, {"batch": "10"}),
        "parts": (STEADY, {"batch": "10", "accumulate": "2", "clip": "0.5", **FINE}),
        "dropout": (small.SPEC, {"augment": "[{random_crop: 2}]", "schedule": "cosine", **FINE}),
        "mixed": (
            STEADY,
            {"batch": "10", "augment": "[random_erasing, mixup, cutmix]", "prepare": "standardize", "average": "2"},
        ),
        "lora": (
            STEADY,
            {"batch": "10", "lora": "{rank: 3, of: first, alpha: 6}", "groups": "{head: 0.02}", "ema": "0.9"},
        ),
        "tied": (TIED, {"batch": "37", "ema": "0.9", "layer_decay": "0.8"}),
        "across": (ACROSS.replace("epochs: 3", "steps: 4"), {"batch": "37"}),
        "channels_last": (IMAGES, {"steps": "4", "batch": "37"}),
        "recomputed": (IMAGES.replace("[twice]}", "[twice], recompute: true}"), {"steps": "4", "batch": "37"}),
        **{name: (short(), {"optimizer": name, "weight_decay": "0.01"}) for name in OPTIMIZERS},
    }
    data, graphs = small.data(132), {}
    for name, (text, keys) in made.items():
        place = folder / strategy / name
        place.mkdir(parents=True, exist_ok=True)
        small.graph(place, text, **keys)
        overrides = {"train.strategy": read_value("train.strategy", strategy)}
        graphs[name] = (compile_spec(place / "small.yaml", overrides=overrides), data)
    return graphs


def begin(graph: Graph, data: Data, folder: Path, world: World = SINGLE_PROCESS) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    return Run(Setup(graph, data, torch.device("cpu"), world=world), RunFolder(folder), Plain(0), print)


def stopped(run: Run, step: int) -> None:
    """Train, and stop after a step as one process is asked to: the second one, where there are two."""

    def ask(*_: object) -> None:
        run.requests.asked_to_stop |= run.state.step >= step and run.world.rank == run.world.size - 1

    run.optimizer.register_step_post_hook(ask)
    assert run.go().interrupted


def torn(graph: Graph) -> Data:
    """Data of which a single row that trains, and so one of the processes, has a number that is none."""
    data = small.data(132)
    rows = data.train
    assert isinstance(rows, TensorRows)
    rows.tensors["image"] = rows.tensors["image"].float()
    rows.tensors["image"][int(Setup(graph, data, torch.device("cpu")).train.subset[0])] = torch.nan
    return data


def fault_of(run: Run) -> str:
    with pytest.raises(TrainingFault) as found:
        run.go()
    return str(found.value)


def main(folder: Path) -> None:
    found: dict[str, Any] = {}
    with joined() as world:
        torch.set_num_threads(1)
        for strategy in ("ddp", "fsdp"):
            mine, made = folder / strategy, recipes(folder / f"specs-{world.rank}", strategy)
            for name, each in made.items():
                found[f"{strategy} {name}"] = begin(*each, mine / name, world).go().scores
            graph, _ = made["plain"]
            found[f"{strategy} torn"] = world.gathered(fault_of(begin(graph, torn(graph), mine / "torn", world)))
            stopped(begin(*made["dropout"], mine / "stopped", world), 7)
            begin(*made["dropout"], mine / "stopped", world).go()
            for name in ("plain", "tied"):
                stopped(begin(*made[name], mine / f"to-one-{name}", world), 5)
                begin(*made[name], folder / f"from-one-{name}-{strategy}", world).go()
        if world.is_first:
            (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave(0)
