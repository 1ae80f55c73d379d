"""The memory that a step of training is foretold to take, against what it takes: peaks in bytes, on CPU.

Measured is the third step of each network under each recipe, as `netspec train` takes it: network, loss, backward pass,
optimizer. The profiler reports every allocation and release of torch's CPU allocator, tensors and the workspaces of
kernels alike; their running sum, on top of parameters, buffers, the optimizer's state and the batch, has the peak. No
step may end with more than it began with. Bytes are exact, and so one round is enough. With names of networks, only
those are measured.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from netspec.analysis.memory import Memory, ScoreMemory, TrainingStep, trained_sizes
from netspec.dims import evaluate
from netspec.elaborate.training.layers import layer_levels
from netspec.graph import Graph
from netspec.graph.recomputed import with_recomputed
from netspec.pipeline import compile_spec
from netspec.recipes.losses import CrossEntropyLoss, Loss, MSELoss
from netspec.recipes.optimizers import SGD, Adam, AdamW, Optimizer
from netspec.runtime.examples import example_inputs
from netspec.runtime.module import build_module
from netspec.train.data.batches import Batch
from netspec.train.distributed.strategies import ModelWithLoss
from netspec.train.names import resolve
from netspec.train.optimize.objective import Objective

LEAST, MOST = 0.95, 1.10
"""The bar for predicted : measured."""

NETWORKS: Mapping[str, tuple[dict[str, Any], dict[str, int]]] = {
    "mlp": ({}, {"N": 64}),
    "resnet18": ({}, {"N": 4, "H": 96, "W": 96}),
    "resnet20": ({}, {"N": 32}),
    "unet": ({}, {"N": 1, "H": 96, "W": 96}),
    "vgg11": ({}, {"N": 2, "H": 64, "W": 64}),
    "mobilenet_v2": ({}, {"N": 4, "H": 96, "W": 96}),
    "densenet121": ({}, {"N": 2, "H": 96, "W": 96}),
    "googlenet": ({}, {"N": 2}),
    "vit": ({"layers": 3}, {"N": 2}),
    "gpt2": ({"layers": 3, "vocab": 3000, "width": 192, "heads": 6}, {"N": 2, "T": 96}),
    "llama": ({"layers": 3, "vocab": 3000, "width": 192, "heads": 6, "groups": 2, "hidden": 512}, {"N": 2, "T": 96}),
    "transformer": ({"layers": 2, "vocab": 3000, "width": 256, "hidden": 1024}, {"N": 8, "S": 48, "T": 48}),
    "lstm_lm": ({}, {"N": 32}),
    "lstm_lm_gates": ({}, {"N": 32}),
    "lstm_classifier": ({}, {"N": 16, "T": 40}),
    "gru_lm": ({}, {"N": 32}),
    "seq2seq": ({}, {"N": 16}),
    "rnn_attention": ({}, {"N": 16}),
}
"""Networks, with the parameters and sizes at which they are measured."""


@dataclass(frozen=True, slots=True)
class How:
    """A recipe, as far as it matters for memory. ``recompute``: of every layer that is a level."""

    optimizer: Optimizer
    loss: Loss
    precision: str = "float32"
    fused: bool = True
    recompute: bool = False


RECIPES: Mapping[str, How] = {
    "momentum": How(SGD(momentum=0.9), CrossEntropyLoss()),
    "adam": How(Adam(), CrossEntropyLoss()),
    "adamw": How(AdamW(), CrossEntropyLoss()),
    "adam, mse, unfused": How(Adam(), MSELoss(), fused=False),
    "adam, mixed": How(Adam(), CrossEntropyLoss(), precision="mixed"),
    "recomputed": How(Adam(), CrossEntropyLoss(), recompute=True),
    "recomputed, mixed": How(Adam(), CrossEntropyLoss(), precision="mixed", recompute=True),
}


def network(name: str) -> tuple[Graph, dict[str, int]]:
    """A network, and its sizes."""
    overrides, sizes = NETWORKS[name]
    graph = compile_spec(name, overrides=overrides)
    return graph, {**graph.sizes, **sizes}


def predicted(graph: Graph, sizes: Mapping[str, int], how: How) -> int:
    """The bytes that a step is foretold to take."""
    graph = as_run(graph, how)
    losses = dict.fromkeys(graph.outputs, ScoreMemory(*how.loss.memory, how.loss.per_class))
    workspace = 0 if how.fused else how.optimizer.workspace(trained_sizes(graph), at_once=False)
    memory = Memory(graph, sizes, without=optional_inputs(graph), device="cpu")
    peak = memory.training_peak(TrainingStep(how.optimizer.states, workspace, losses), how.precision)
    return evaluate(peak, sizes)


def as_run(graph: Graph, how: How) -> Graph:
    """The network with its layers recomputed, where the recipe asks for it."""
    return with_recomputed(graph, layer_levels(graph.body)) if how.recompute else graph


def optional_inputs(graph: Graph) -> list[str]:
    """The names of the inputs that may be left out, and are."""
    return [name for name, value in graph.inputs.items() if value.optional]


def measured(graph: Graph, sizes: Mapping[str, int], how: How, parts: int = 1) -> int:
    """The bytes that a step takes at its peak, on a batch of so many parts of these sizes."""
    model, made = build_module(as_run(graph, how)).train(), example_inputs(graph, sizes)
    inputs = tuple(None if graph.inputs[name].optional else made[name] for name in graph.inputs)
    targets = {name: target_of(shape, how.loss) for name, shape in output_shapes(model, inputs, graph).items()}
    autocast = partial(torch.autocast, "cpu", torch.bfloat16) if how.precision == "mixed" else nullcontext
    judged = ModelWithLoss(model, Objective(dict.fromkeys(targets, how.loss), {}), autocast)
    optimizer = resolve(how.optimizer.torch)(model.parameters(), **how.optimizer.keywords(), fused=how.fused)
    batch = Batch(inputs, targets, 1, 1)

    def step() -> None:
        for _ in range(parts):
            loss = judged(batch)
            loss.item()
            loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    step()
    state = [each for kept in optimizer.state.values() for each in kept.values() if isinstance(each, Tensor)]
    batch_of_part = [*(each for each in inputs if each is not None), *targets.values()]
    others = [each.clone() for each in batch_of_part * (parts - 1)]
    return peak_of(step, [*model.parameters(), *model.buffers(), *state, *batch_of_part, *others])


def output_shapes(model: torch.nn.Module, inputs: tuple[Any, ...], graph: Graph) -> dict[str, torch.Size]:
    """The shapes of the outputs in training, by name; of those that are real numbers."""
    with torch.no_grad():
        made = model(*inputs)
    named = made if isinstance(made, dict) else {next(iter(graph.outputs)): made}
    return {name: tensor.shape for name, tensor in named.items() if tensor.is_floating_point()}


def target_of(shape: torch.Size, loss: Loss) -> Tensor:
    """A target for scores of a shape: classes, or numbers."""
    if not loss.per_class:
        return torch.randn(shape)
    axis = 1 if len(shape) > 3 else len(shape) - 1
    return torch.randint(shape[axis], (*shape[:axis], *shape[axis + 1 :]))


def peak_of(step: Callable[[], None], there: Iterable[Tensor], leaves_all: bool = True) -> int:
    """The most bytes that are alive in a step, with those of the tensors that are there before.

    A whole step leaves the memory as it was.
    """
    storages = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in there}
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    assert profiled.profiler is not None
    assert profiled.profiler.kineto_results is not None
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = before = sum(storages.values())
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    assert not leaves_all or abs(now - before) < 4096, f"a step leaves {now - before} bytes"
    return peak


def main() -> None:
    names = sys.argv[1:] or [*NETWORKS]
    print("predicted : measured, peak of a training step, on CPU (measured in MB)")
    print(f"{'':<16}", *(f"{name:>20}" for name in RECIPES))
    missed = []
    for name in names:
        graph, sizes = network(name)
        cells = []
        for recipe, how in RECIPES.items():
            taken = measured(graph, sizes, how)
            ratio = predicted(graph, sizes, how) / taken
            fits = LEAST <= ratio <= MOST
            missed += [] if fits else [f"{name} ({recipe})"]
            cells.append(f"{ratio:.3f}{' ' if fits else '!'} {taken / 1e6:7,.1f}")
        print(f"{name:<16}", *(f"{cell:>20}" for cell in cells), flush=True)
    print(f"{LEAST} to {MOST}: {'ok' if not missed else 'MISSED by ' + ', '.join(missed)}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
