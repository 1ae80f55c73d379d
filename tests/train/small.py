"""A small network and small data to train it on, within a second."""

from __future__ import annotations

from pathlib import Path

import torch

from netspec.graph import Graph
from netspec.pipeline import compile_spec
from netspec.recipes import Column
from netspec.train.data import Data, TensorRows
from netspec.train.report.progress import Plain
from netspec.train.run import Result, Run
from netspec.train.setup import Setup
from netspec.train.store.folder import RunFolder

SPEC = """\
netspec: 1
name: small
params: {hidden: 16, dropout: 0.2}
inputs: {image: [N, 1, 28, 28]}
network:
  - flatten
  - linear: {name: first, out_features: hidden}
  - relu
  - dropout: dropout
  - linear: {name: head, out_features: 10}
train:
  data: mnist
  loss: cross_entropy
  optimizer: {adam: 0.01}
  epochs: 3
  batch: 20
"""


def graph(folder: Path, text: str = SPEC, **train: str) -> Graph:
    """The network, with lines added under ``train``."""
    path = folder / "small.yaml"
    lines = [line for line in text.splitlines() if line.strip().split(":")[0] not in train or "  " not in line]
    path.write_text("\n".join([*lines, *(f"  {key}: {value}" for key, value in train.items())]) + "\n")
    return compile_spec(path)


def data(rows: int = 120, seed: int = 0) -> Data:
    """Images whose class is where they are bright, with noise."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(10, (rows,), generator=generator)
    image = torch.randint(0, 60, (rows, 1, 28, 28), generator=generator, dtype=torch.uint8)
    for row, each in enumerate(label.tolist()):
        image[row, :, 2 * each : 2 * each + 4] += 100
    columns = {"image": Column((1, 28, 28)), "label": Column((), "int64", 10, target=True)}
    rows_of = lambda part: TensorRows({"image": image[part], "label": label[part]})  # noqa: E731
    return Data(columns, rows_of(slice(0, rows - 20)), None, rows_of(slice(rows - 20, rows)))


def begin(graph: Graph, folder: Path, source: Data | None = None) -> Run:
    """A run of the network, ready to go."""
    folder.mkdir(parents=True, exist_ok=True)
    return Run(Setup(graph, source or data(), torch.device("cpu")), RunFolder(folder), Plain(0), warn=print)


def losses(folder: Path) -> list[tuple[int, float]]:
    """The loss of each step, as the run's folder has it."""
    import json

    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines if "loss" in line]


def guard_resumes(graph: Graph, folder: Path) -> None:
    """Guard: a run that is cut off in its first epoch, saved at every step, goes on as one that is not, bit for bit."""
    whole = begin(graph, folder / "whole")
    whole.go()
    begin(graph, folder / "cut").train_epoch()
    assert any((folder / "cut" / "checkpoints").glob("*.pt"))
    again = begin(graph, folder / "cut")
    again.go()
    assert losses(folder / "cut") == losses(folder / "whole")
    weights = whole.setup.model.state_dict()  # the best ones
    for name, tensor in again.setup.model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


__all__ = ["SPEC", "Result", "begin", "data", "graph", "guard_resumes", "losses"]
