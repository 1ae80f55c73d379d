"""A user's file that uses all of netspec from Python: checked by mypy, never run."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import torch
from torch import nn

import netspec
from netspec.targets import Graph, Target, WriteOptions, Written, target
from netspec.train.predict.trained_run import TrainedRun
from netspec.train.torch_datasets import Examples, Splits

model = netspec.load("resnet50", variant="resnet50", dims={"H": 512}, classes=10, activation="relu", widths=[1, 2])
assert_type(model, netspec.Model)
assert_type(model.name, str)
assert_type(model.graph, Graph)
assert_type(netspec.Model(model.graph), netspec.Model)
assert_type(netspec.__version__, str)

table = model.shapes()
assert_type(table.params, int)
assert_type(table.macs, int)
assert_type(table.totals, dict[str, int])
assert_type(table.text(width=120, full=True), str)
assert_type(table.to_json(), str)
assert_type(table.to_csv(), str)
assert_type(table.to_markdown(), str)
for row in table:
    assert_type(row.path, str)
    assert_type(row.op, str)
    assert_type(row.params, int)
    assert_type(row.macs, int)
    assert_type(row.line, int)
    assert_type(row.training, bool)
    for shape in row.outputs:
        assert_type(len(shape), int)

graph = model.graph
assert_type(graph.name, str)
assert_type(dict(graph.sizes), dict[str, int])
assert_type(graph.body.parameter_count, int)
for name, value in graph.inputs.items():
    assert_type(name, str)
    assert_type(value.tensor.dtype, str)
    assert_type(len(value.shape), int)
for output in graph.outputs.values():
    assert_type(output.training, bool)

assert_type(model.source(), str)
assert_type(model.emit("shapes"), str)
assert_type(model.write("source", Path("build")), tuple[Path, ...])
assert_type(model.diagram("net.svg", depth=2, expand=["layer1"], direction="LR"), Path)
assert_type(model.explorer("net.html"), Path)

net = model.module(device="cpu", dtype=torch.float32, seed=1)
assert_type(net, nn.Module)
assert_type(model.export("net.onnx", net), Path)

data = model.data()
assert_type(data, Splits)
assert_type(data.train, Examples)
assert_type(data.test, Examples | None)
assert_type(data.train[0], tuple[torch.Tensor, ...])
assert_type(len(data.train), int)
assert_type(data.train.fields, tuple[str, ...])

for each in TrainedRun.find("runs/lenet/last"):
    assert_type(each.graph, Graph)
    assert_type(each.module("torch"), nn.Module)

betas = [0.9, 0.99]
run = model.train({"optimizer": {"adam": {"lr": 0.01, "betas": betas}}}, epochs=3, output=Path("run"), progress=False)
assert_type(run, netspec.SavedRun)
assert_type(netspec.run("runs/lenet/last"), netspec.SavedRun)
assert_type(run.resume(epochs=6, stretch_schedule=True), netspec.SavedRun)
assert_type(run.path, Path)
assert_type(run.finished, bool)
assert_type(run.best_epoch, int)
assert_type(run.scores["validation"]["loss"], float)
assert_type(run.evaluate({"csv": Path("new.csv")})["rows"]["loss"], float)
assert_type(run.history.steps, list[tuple[int, float]])
assert_type(run.history.curve("validation", "loss"), list[tuple[int, float]])
assert_type(run.model, netspec.Model)
assert_type(run.module(), nn.Module)
for answer in run.predict([{"rooms": 3, "district": "north"}], keep=["district"]):
    assert_type(answer, netspec.Answer)
    assert_type(answer.likeliest, str | None)
    assert_type(answer.text, str | None)
    for share in (answer.probabilities or {}).values():
        assert_type(share, float)
run.predict(torch.zeros(2, 1, 28, 28))


@target("count", "how many parameters there are", file="count.txt")
def count(graph: Graph) -> str:
    return f"{graph.body.parameter_count:,}"


assert_type(count, Target)
assert_type(count.write(graph, Path("build"), WriteOptions(device="cpu")), Written)
assert_type(count.name, str)

try:
    netspec.load("nowhere")
except netspec.SpecError as fault:
    assert_type(fault.diagnostics[0].message, str)
    assert_type(fault.diagnostics[0].id, str)
    assert_type(fault.exit_code, int)
except (netspec.UsageError, netspec.EnvironmentFault) as other:
    assert_type(str(other), str)
