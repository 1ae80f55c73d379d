"""Step times foretold: between what is measured, over layers, and how they grow."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

import pytest
from devices import EACH, LAUNCH, SIZES, made_device
from hypothesis import given
from hypothesis import strategies as st

from netspec import zoo
from netspec.analysis.step_time import KINDS, OPTIMIZER_KINDS, StepTime, read_device
from netspec.diagnostics import UsageError
from netspec.graph import Node, walk
from netspec.pipeline import compile_spec

DEVICE = made_device()

SCAN = """
netspec: 1
name: scan
dims: {N: 4, T: 8}
inputs: {x: [N, T, 64]}
network:
  - scan:
      name: loop
      over: {x: x}
      state: {h: [N, 64]}
      body:
        - linear: {name: read, from: x, out_features: 64}
        - linear: {name: turn, from: h, out_features: 64}
        - add: {name: joined, from: [read, turn]}
        - tanh: {name: next}
      next: {h: next}
"""


def times(spec: str | Path, optimizer: str = "adam", **sizes: int) -> StepTime:
    return StepTime(compile_spec(str(spec), sizes=sizes), DEVICE, optimizer)


@pytest.mark.parametrize("sizes", [*product(SIZES, repeat=3)])
def test_a_measured_size_takes_what_was_measured(sizes: tuple[int, ...]):
    expected = LAUNCH + EACH * math.prod(sizes)
    assert DEVICE.seconds("product", *sizes) == pytest.approx((expected, 3 * expected))


@given(st.lists(st.floats(1, 2**24), min_size=2, max_size=2).map(sorted))
def test_more_of_a_work_takes_no_less(pair: list[float]):
    less, more = (DEVICE.seconds("relu", size) for size in pair)
    assert less.forward <= more.forward * (1 + 1e-9)
    assert less.training <= more.training * (1 + 1e-9)


def test_beyond_what_is_measured_time_grows_with_the_work_and_below_it_stays():
    largest = DEVICE.seconds("attention", 1, SIZES[-1]).forward
    assert DEVICE.seconds("attention", 1, 2 * SIZES[-1]).forward == pytest.approx(4 * largest)
    assert DEVICE.seconds("relu", 0.25) == DEVICE.seconds("relu", 1)


@pytest.mark.parametrize("name", ["resnet18", "gpt2", "googlenet", "rnn_attention"])
def test_layers_add_up(name: str):
    found = times(name)
    nodes = [path for path, step, _ in walk(compile_spec(name).body) if isinstance(step, Node)]
    assert found.of(nodes) == pytest.approx(found.total)
    graph = compile_spec(name)
    assert found.of([step.name for step in graph.body.steps]) == pytest.approx(found.total)


@pytest.mark.parametrize("entry", zoo.names())
def test_every_network_has_a_time(entry: str):
    found = times(entry)
    assert 0 < found.total.forward < math.inf
    assert found.total.forward <= found.total.step < math.inf


@pytest.mark.parametrize("name", ["lenet", "unet", "bert", "seq2seq"])
def test_a_larger_batch_takes_longer(name: str):
    small, large = (times(name, N=size).total for size in (2, 64))
    assert small.forward < large.forward
    assert small.step < large.step
    assert large.forward < 40 * small.forward, "what is launched once is not launched for each of the batch"


def test_optimizers_differ_in_the_step_alone():
    work = {kind: DEVICE.work[kind] for kind in OPTIMIZER_KINDS}
    assert len(work) == 4
    totals = {kind: times("lenet", kind).total for kind in OPTIMIZER_KINDS}
    assert len({each.forward for each in totals.values()}) == 1


def test_what_is_frozen_is_not_updated(tmp_path: Path):
    text = "netspec: 1\nname: it\ninputs: {x: [N, 64]}\nnetwork:\n  - linear: {name: a, out_features: 64%s}\n"
    trained, frozen = tmp_path / "trained.yaml", tmp_path / "frozen.yaml"
    trained.write_text(text % "")
    frozen.write_text(text % ", freeze: true")
    assert times(frozen).total.forward == times(trained).total.forward
    assert times(frozen).total.step == pytest.approx(times(frozen).total.forward), "no backward pass at all"
    assert times(trained).total.step > 2 * times(trained).total.forward


def test_what_is_for_training_alone_is_no_part_of_inference():
    graph = compile_spec("googlenet")
    only = [path for path, step, training in walk(graph.body) if training and isinstance(step, Node)]
    found = times("googlenet")
    assert only
    assert found.of(only).forward == 0
    assert found.of(only).step > 0


def test_a_tied_weight_is_updated_once():
    """GPT-2's last layer has the weight of its first: the optimizer's time for 38 million numbers is in one alone."""
    update = DEVICE.seconds("adam", 50257 * 768).training
    found = times("gpt2", T=2)
    assert found.at("transformer.wte").step > update
    assert found.at("lm_head").step < update + found.at("transformer.wte").step


def test_a_loop_runs_for_each_step_and_what_is_taken_out_of_it_runs_once(tmp_path: Path):
    path = tmp_path / "scan.yaml"
    path.write_text(SCAN)
    short, long = times(path, T=8), times(path, T=16)
    assert long.at("loop.turn").forward == pytest.approx(2 * short.at("loop.turn").forward)
    assert long.at("loop.read").forward < 2 * short.at("loop.read").forward, "all steps in one product"
    rows = DEVICE.seconds("product", 4 * 16, 64, 64).forward
    assert long.at("loop.read").forward == pytest.approx(rows)


def test_the_file_is_what_was_measured(tmp_path: Path):
    path = tmp_path / "device.json"
    path.write_text(DEVICE.to_json(), encoding="utf-8")
    again = read_device(str(path))
    assert again.title == DEVICE.title == "Abacus, 1 thread, processor time"
    for kind in KINDS:
        assert again.work[kind].forward == pytest.approx(DEVICE.work[kind].forward, rel=0.01)
    assert StepTime(compile_spec("lenet"), again).total == pytest.approx(times("lenet").total, rel=0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: "no", "is no JSON"),
        (lambda record: json.dumps([1]), "is no file of a measured device"),
        (lambda record: json.dumps(record | {"netspec_device": 99}), "is no file of a measured device"),
        (lambda record: json.dumps(record | {"work": {}}), "lacks some of what is measured"),
        (lambda record: json.dumps(record | {"extra": 1}), "lacks some of what is measured"),
        (lambda record: json.dumps(record | {"work": record["work"] | {"add": {}}}), "lacks some of what is measured"),
    ],
)
def test_another_file_is_refused(change, message: str, tmp_path: Path):
    path = tmp_path / "device.json"
    path.write_text(change(json.loads(DEVICE.to_json())), encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        read_device(str(path))


@pytest.mark.parametrize("time", [0, -1, float("nan"), "1", None])
def test_a_time_that_is_none_is_refused(time, tmp_path: Path):
    record = json.loads(DEVICE.to_json())
    record["work"]["relu"]["forward"][0] = time
    path = tmp_path / "device.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(UsageError, match="lacks some of what is measured"):
        read_device(str(path))


def test_a_missing_file_is_told(tmp_path: Path):
    with pytest.raises(UsageError, match=r"cannot read .*: No such file.*measure-device"):
        read_device(str(tmp_path / "none.json"))
