"""Memory against torch: what its hooks see autograd keep, and the bytes of all tensors that are alive."""

from __future__ import annotations

import contextlib
import runpy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from clock import at_most
from elaborate import test_scans as scans
from ops.kept import LiveBytes
from places import ROOT
from torch import nn

from netspec.analysis.memory import OPTIMIZERS, Memory, TrainingStep, trained_sizes
from netspec.analysis.step_plan import StepPlanner
from netspec.dims import Dim, evaluate, pretty
from netspec.graph import Graph, visits
from netspec.graph.recomputed import with_recomputed
from netspec.pipeline import compile_spec
from netspec.recipes import ingredients
from netspec.recipes.losses import CrossEntropyLoss
from netspec.recipes.optimizers import SGD, Adam, AdamW
from netspec.runtime.examples import example_inputs
from netspec.runtime.module import build_module
from netspec.testing.memory import dropout_as_on_cuda, nbytes, recording
from netspec.train.optimize.objective import Objective

SMALL: dict[str, dict[str, Any]] = {
    "gpt2": {"layers": 2, "vocab": 99, "width": 48},
    "bert": {"layers": 2, "vocab": 99, "width": 48, "hidden": 64},
    "vit": {"layers": 2, "dropout": 0.1},
    "llama": {"layers": 2, "vocab": 99, "width": 64, "heads": 8, "groups": 2, "hidden": 80},
    "transformer": {"layers": 2, "vocab": 99, "width": 32, "hidden": 40},
}
"""Networks that are built smaller than they are: with these parameters."""
CONVOLUTIONAL = [
    *(
        "lenet",
        "lenet_modern",
        "lenet_batch_norm",
        "alexnet",
        "alexnet_2012",
        "alexnet_torchvision",
        "nin",
        "vgg11_small",
    ),
    *("resnet18", "resnet50", "resnet20", "plain20", "preresnet", "densenet121", "googlenet", "unet"),
    *("googlenet_d2l", "mobilenet_v2", "conv_shapes", "pooling", "edge_detector"),
]
OTHERS = ["mlp", "mlp_dropout", "perceptron", "polynomial", "softmax_regression", "attention_layer"]
OTHERS += ["self_attention_layer", "multi_head_self_attention_layer", *SMALL]


def small(name: str) -> tuple[Graph, dict[str, int]]:
    """A network of the zoo, and sizes at which it runs fast: two samples, 64 pixels or words."""
    graph = compile_spec(name, overrides=SMALL.get(name))
    return graph, {symbol: 2 if symbol == "N" else min(size, 64) for symbol, size in graph.sizes.items()}


def inputs_of(graph: Graph, sizes: Mapping[str, int], without: tuple[str, ...] = ()) -> list[Any]:
    made = example_inputs(graph, sizes)
    return [None if name in without else made[name] for name in graph.inputs]


def kept_by_torch(graph: Graph, sizes: Mapping[str, int], without: tuple[str, ...] = ()) -> int:
    module = build_module(graph).train()
    with recording(besides=[*module.parameters(), *module.buffers()]) as found:
        _results = module(*inputs_of(graph, sizes, without))
    return sum(map(nbytes, found.values()))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CONVOLUTIONAL, *OTHERS])
def test_what_is_kept_is_what_the_hooks_see(name: str) -> None:
    graph, sizes = small(name)
    assert evaluate(Memory(graph).total_kept, sizes) == kept_by_torch(graph, sizes)


def test_resnet18_at_full_size() -> None:
    graph = compile_spec("resnet18")
    kept = evaluate(Memory(graph).total_kept, graph.sizes)
    assert kept == kept_by_torch(graph, graph.sizes)
    assert round(kept / 1e6, 2) == 22.22


@pytest.mark.parametrize("without", [("attention_mask",), ("attention_mask", "token_type_ids"), ()])
def test_inputs_that_may_be_left_out(without: tuple[str, ...]) -> None:
    graph, sizes = small("bert")
    assert evaluate(Memory(graph, without=without).total_kept, sizes) == kept_by_torch(graph, sizes, without)


@pytest.fixture
def scan(request: pytest.FixtureRequest, tmp_path: Path) -> Graph:
    path = tmp_path / "net.yaml"
    path.write_text(scans.HEAD + request.param.replace("REVERSE", ""))
    return compile_spec(path)


SCANS = pytest.mark.parametrize(
    "scan", [scans.LSTM, scans.ATTENTION, scans.DROPPING, scans.MEMORY, scans.NESTED], indirect=True
)


@SCANS
@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_scan_keeps_each_turn(scan: Graph, length: int) -> None:
    sizes = {**scan.sizes, "T": length, "S": 3}
    assert evaluate(Memory(scan).total_kept, sizes) == kept_by_torch(scan, sizes)


@SCANS
def test_a_path_keeps_what_is_in_it(scan: Graph) -> None:
    parts_add_up(scan)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "densenet121", "gpt2", "transformer", "unet"])
def test_parts_add_up(name: str) -> None:
    parts_add_up(small(name)[0])


def parts_add_up(graph: Graph) -> None:
    """Each level keeps what its steps keep, the network what all keep."""
    memory = Memory(graph)
    sums: dict[str, Any] = {}
    kept = {}
    for path, *_ in visits(graph.body):
        kept[path] = kept_at(memory, path)
        around = path.rpartition(".")[0]
        sums[around] = sums.get(around, 0) + kept[path]
    for path, total in sums.items():
        assert (kept[path] if path else memory.total_kept) == total, path


def kept_at(memory: Memory, path: str) -> Any:
    try:
        return memory.kept(path)
    except KeyError:  # nothing of it is kept
        return 0


def test_formulas() -> None:
    memory = Memory(compile_spec("mlp"))
    assert pretty(memory.kept()) == "4160·N"
    assert isinstance(memory.training_peak(), Dim)
    with pytest.raises(KeyError):
        memory.kept("nowhere")


@pytest.mark.parametrize("precision", ["mixed", "bfloat16"])
@pytest.mark.parametrize("name", ["lenet", "resnet18", "densenet121", "gpt2", "vit"])
def test_other_precisions(name: str, precision: str) -> None:
    """In pure bfloat16, torch on CPU keeps what norms measured in bfloat16, on CUDA in float32 as is counted."""
    graph, sizes = small(name)
    module = build_module(graph).train()
    given = inputs_of(graph, sizes)
    how: Any = torch.autocast("cpu", torch.bfloat16)
    if precision == "bfloat16":
        how, module = contextlib.nullcontext(), module.bfloat16()
        given = [value.bfloat16() if value.is_floating_point() else value for value in given]
    with recording(besides=[*module.parameters(), *module.buffers()]) as found, how:
        _results = module(*given)
    kept = evaluate(Memory(graph).kept(precision=precision), sizes)
    wanted = sum(map(nbytes, found.values()))
    measured = sum(nbytes(tensor) for tensor in found.values() if is_statistic(tensor))
    assert kept == wanted + (measured if precision == "bfloat16" else 0)


def is_statistic(tensor: torch.Tensor) -> bool:
    """A mean or a deviation: a number a channel, or a number a word."""
    return tensor.dtype == torch.bfloat16 and (tensor.dim() == 1 or tensor.shape[-1] == 1)


EXACT = [*(name for name in CONVOLUTIONAL if name != "conv_shapes"), "bert", "gpt2", "llama", "vit"]
EXACT += ["self_attention_layer", "multi_head_self_attention_layer"]


def peak_of_torch(graph: Graph, sizes: Mapping[str, int], monkeypatch: pytest.MonkeyPatch) -> int:
    """The most bytes of tensors that are ever alive. torch's own fast path for its attention is one kernel, which
    nothing can be seen of.
    """
    monkeypatch.setattr(torch.backends.mha, "_is_fastpath_enabled", False)
    module = build_module(graph).eval()
    given = inputs_of(graph, sizes)
    with torch.no_grad(), LiveBytes([*module.parameters(), *given]) as live:
        module(*given)
    return live.peak


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT)
def test_the_peak_of_inference_is_that_of_torch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, sizes = small(name)
    measured = peak_of_torch(graph, sizes, monkeypatch)
    peak = evaluate(Memory(graph, sizes).inference_peak, sizes)
    if name == "alexnet_2012":  # whose local_response_norm lets go of what it makes a little earlier
        assert measured <= peak <= 1.01 * measured
    else:
        assert peak == measured


@pytest.mark.parametrize("samples", [2, 8])
@pytest.mark.parametrize(
    "name",
    [
        *("transformer", "conv_shapes", "attention_layer", "rnn_lm", "gru_lm", "lstm_lm", "lstm_lm_gates"),
        *("seq2seq", "rnn_attention", "rnn_self_attention", "lstm_classifier"),
    ],
)
def test_the_peak_of_inference_where_an_op_takes_many_steps(
    name: str, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a few per cent: inside torch's attention and recurrent layers, and in the turns of a scan, a variable
    holds something a little longer than it is read.
    """
    graph, sizes = small(name)
    sizes["N"] = samples
    measured = peak_of_torch(graph, sizes, monkeypatch)
    assert evaluate(Memory(graph, sizes).inference_peak, sizes) == pytest.approx(measured, rel=0.065)


OPTIMIZER = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.01),
    "momentum": lambda parameters: torch.optim.SGD(parameters, 0.01, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, foreach=False),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, foreach=False),
}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZER)
@pytest.mark.parametrize("name", ["resnet18", "densenet121", "gpt2"])
def test_training_takes_what_is_foretold(name: str, optimizer: str) -> None:
    """Without a loss, as on CUDA."""
    graph, sizes = small(name)
    sizes["N"] = 8
    module = build_module(graph).train()
    given = inputs_of(graph, sizes)
    steps = OPTIMIZER[optimizer](module.parameters())
    with dropout_as_on_cuda():
        train(module, given, steps)
        state = [value for each in steps.state.values() for value in each.values() if torch.is_tensor(value)]
        with LiveBytes([*module.parameters(), *given, *state]) as live:
            train(module, given, steps)
    kind = KINDS[optimizer]
    workspace = kind.workspace(trained_sizes(graph), at_once=False)
    peak = evaluate(Memory(graph, sizes).training_peak(TrainingStep(kind.states, workspace, {})), sizes)
    assert 0.97 * live.peak <= peak <= 1.05 * live.peak


KINDS: dict[str, Any] = {"sgd": SGD(), "momentum": SGD(momentum=0.9), "adam": Adam(), "adamw": AdamW()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_by_name_and_the_usual_loss_are_those_of_recipes(name: str) -> None:
    assert KINDS[name].states == OPTIMIZERS[name]
    assert KINDS[name].fused
    assert (*CrossEntropyLoss().memory, True) == TrainingStep(0).loss("output")


BENCHMARK = runpy.run_path(str(ROOT / "benchmarks" / "memory.py"))


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [recipe for recipe, how in BENCHMARK["RECIPES"].items() if not how.recompute])
@pytest.mark.parametrize("name", ["mlp", "resnet20", "lstm_lm", "gru_lm", "lstm_lm_gates"])
def test_the_peak_of_a_step_as_the_profiler_sees_it(name: str, recipe: str) -> None:
    graph, sizes = BENCHMARK["network"](name)
    sizes["N"] = 16
    how = BENCHMARK["RECIPES"][recipe]
    ratio = BENCHMARK["predicted"](graph, sizes, how) / BENCHMARK["measured"](graph, sizes, how)
    assert BENCHMARK["LEAST"] <= ratio <= BENCHMARK["MOST"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        *((name, "recomputed") for name in ("resnet20", "mobilenet_v2", "densenet121", "gpt2", "llama", "transformer")),
        *((name, "recomputed, mixed") for name in ("resnet20", "gpt2")),
    ],
)
def test_the_peak_of_a_step_whose_layers_are_recomputed(name: str, recipe: str) -> None:
    graph, sizes = BENCHMARK["network"](name)
    sizes["N"] = min(sizes["N"], 16)
    how = BENCHMARK["RECIPES"][recipe]
    measured, usual = (BENCHMARK["measured"](graph, sizes, each) for each in (how, replace(how, recompute=False)))
    assert BENCHMARK["predicted"](graph, sizes, how) == pytest.approx(measured, rel=0.1)
    assert measured < 0.97 * usual


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet20", "mobilenet_v2", "densenet121", "gpt2", "llama", "transformer"])
def test_a_planned_step_takes_no_more_than_its_bound(name: str) -> None:
    """The tightest bound that a step fits, and one between it and what a step takes without any."""
    graph, sizes = BENCHMARK["network"](name)
    batch, how = min(sizes["N"], 8), BENCHMARK["RECIPES"]["adam"]
    planner = StepPlanner(
        graph,
        TrainingStep(2),
        "float32",
        "cpu",
        lambda parts: {**sizes, "N": batch // parts},
        [parts for parts in (1, 2, 4) if batch > parts],  # DenseNet's batch norms need two rows
        whole=name != "llama",
    )
    free, least = planner.plan(10**15), planner.plan(1).peak
    assert free[:2] == (1, ())
    for bound in (least, (least + free.peak) // 2):
        plan = planner.plan(bound)
        assert plan.accumulate > 1 or plan.recompute
        run, part = with_recomputed(graph, plan.recompute), planner.sizes(plan.accumulate)
        assert BENCHMARK["measured"](run, part, how, plan.accumulate) <= plan.peak <= bound


LOSSES: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in ingredients("loss")]
LOSSES += [("cross_entropy", {"label_smoothing": 0.1}), ("binary_cross_entropy", {"pos_weight": 2.0})]
LOSSES += [("focal", {"weight": [1.0] * 50}), ("binary_focal", {"alpha": None}), ("triplet_margin", {"swap": True})]
LOSSES += [("dice", {"cross_entropy": 1.0}), ("binary_dice", {"cross_entropy": 1.0})]
SHAPES = {"dice": (10, 4, 40, 40), "binary_dice": (20, 5, 20, 20), "triplet_margin": (2000, 3, 50)}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("name", "arguments"), LOSSES)
def test_losses(name: str, arguments: dict[str, Any], precision: str) -> None:
    """What the profiler sees a loss of many scores allocate; the scores are there before."""
    loss: Any = ingredients("loss")[name](**arguments)
    shape = SHAPES.get(name, (2000, 50))
    scores = torch.randn(shape, dtype=getattr(torch, precision)).requires_grad_()
    target = torch.randint(shape[1], shape[:1] + shape[2:]) if loss.per_class else torch.randint(2, shape).float()
    objective, made = Objective({"output": loss}, {}), []

    def forward() -> None:
        made.append(objective(scores, {"output": target}))

    def backward() -> None:
        made.pop().backward()

    forward()
    backward()
    scores.grad = None
    before, behind = (BENCHMARK["peak_of"](step, [], leaves_all=False) for step in (forward, backward))
    memory, count = loss.memory, scores.numel()
    copy = 4 * count if precision != "float32" else 0
    count *= shape[-1] if memory.by_pair else 1
    assert before == pytest.approx(memory.forward * count + copy, abs=count)
    assert memory.backward * count - copy - count <= behind <= memory.backward * count + copy / 2 + 0.5 * count


OPTIMIZER_CASES = [("sgd", {}), ("sgd", {"momentum": 0.9}), ("adagrad", {}), ("rmsprop", {"centered": True})]
OPTIMIZER_CASES += [("adadelta", {}), ("adam", {}), ("adam", {"amsgrad": True}), ("adamw", {})]


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize(("name", "arguments"), OPTIMIZER_CASES)
def test_optimizers_that_are_not_fused(name: str, arguments: dict[str, Any], decay: float, at_once: bool) -> None:
    """Never less than the profiler sees, nor much more."""
    optimizer: Any = ingredients("optimizer")[name](**arguments)
    parameters = [torch.nn.Parameter(torch.randn(count)) for count in (500, 3000, 3000, 1000)]
    kind = getattr(torch.optim, optimizer.torch.rpartition(".")[2])
    running = kind(parameters, **optimizer.keywords(), foreach=at_once, weight_decay=decay)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    running.step()
    measured = BENCHMARK["peak_of"](running.step, [], leaves_all=False)
    expected = 4 * optimizer.workspace([each.numel() for each in parameters], at_once, decay > 0)
    assert measured - 200 <= expected <= measured + 4 * (7500 if at_once else 3000)


def train(module: nn.Module, given: list[Any], steps: torch.optim.Optimizer) -> None:
    made = module(*given)
    total = sum(result.mean() for result in (made.values() if isinstance(made, dict) else [made]))
    del made
    assert isinstance(total, torch.Tensor)
    total.backward()  # type: ignore[no-untyped-call]
    steps.step()
    steps.zero_grad()


@pytest.mark.timing
@pytest.mark.parametrize("name", ["gpt2_xl", "resnet1202"])
def test_deep_networks_take_no_longer(name: str) -> None:
    graph = compile_spec(name)
    with at_most(10):
        memory = Memory(graph)
        assert evaluate(memory.training_peak(), graph.sizes) > evaluate(memory.inference_peak, graph.sizes)
