"""The proof of an import: the spec's module, with the original's weights, computes what the original does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from netspec.analysis.memory import Memory
from netspec.dims import evaluate, symbols
from netspec.graph import Graph
from netspec.importer.trying import first_line
from netspec.runtime.examples import example_inputs
from netspec.runtime.machine import free_memory, need_memory
from netspec.runtime.module import build_module
from netspec.text.quantities import short_bytes

TOLERANCE = 1e-5
"""The largest difference of an output, relative to its largest value."""


@dataclass(frozen=True)
class Trial:
    """Both on the same inputs: ``difference`` is max|Δ| / max|y| over all outputs.

    ``chance`` says that they drew random numbers, from the same seed.
    """

    sizes: Mapping[str, int]
    training: bool
    difference: float
    chance: bool = False

    @property
    def agrees(self) -> bool:
        """Return whether they gave the same, but for rounding."""
        return self.difference <= TOLERANCE  # false where it is no number


@dataclass
class Proof:
    """The trials, and the tensors of the original's ``state_dict`` that the spec does not have, or the reverse."""

    trials: list[Trial] = field(default_factory=list)
    left_out: Sequence[str] = ()
    missing: Sequence[str] = ()
    refused: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Return whether all trials agree and every tensor of the spec has its value from the original."""
        return bool(self.trials) and not self.missing and all(trial.agrees for trial in self.trials)

    def text(self) -> str:
        """Return how well they agree, and at which sizes: ``to 3e-07 at N=2, H=8; N=3, H=9, and in training at …``."""
        inference = _at([trial.sizes for trial in self.trials if not trial.training])
        training = [trial.sizes for trial in self.trials if trial.training]
        seeded = " with the same random numbers" if any(trial.chance for trial in self.trials) else ""
        also = f"; in training{_at(training)}{seeded}, too" if training else ""
        extent = f"to {self.worst:.1g}" if self.worst else "exactly"
        return f"{extent},{inference or ' in inference'}{also}"

    @property
    def worst(self) -> float:
        """The largest difference of all trials."""
        return max((trial.difference for trial in self.trials), default=math.nan)


def prove(
    graph: Graph,
    weights: Mapping[str, torch.Tensor],
    call: Callable[[dict[str, torch.Tensor]], Any],
    sizes: Mapping[str, int],
    trained: nn.Module | None = None,
) -> Proof:
    """Return the proof that the spec's module does what the original does, with its weights.

    ``call`` runs the original on inputs by their names. Both run at ``sizes``, and at two other sizes of the symbolic
    dimensions where the original takes them; in training mode too if it is the module ``trained``, from one seed if
    that draws random numbers then. Two right ones may draw them in another order, so that nothing is told from it
    where they differ.
    """
    needed = 2 * evaluate(Memory(graph).inference_peak, {**graph.sizes, **sizes})
    need_memory(needed, f"running {graph.name} beside its original", "import it at smaller sizes (`--dim`)")
    module = build_module(graph).eval()
    ours = module.state_dict()
    proof = Proof(
        left_out=[key for key in weights if key not in ours],
        missing=[key for key in ours if key not in weights and not key.endswith("num_batches_tracked")],
    )
    if proof.missing:
        return proof
    module.load_state_dict(ours | {key: value for key, value in weights.items() if key in ours}, strict=True)
    parts = [module] if trained is None else [module, trained]
    chance = trained is not None and not draws_nothing(trained)
    for at, tried in enumerate(other_sizes(graph, sizes)):
        if at and not _fits(graph, tried, proof):
            continue
        for training in (False, True) if at == 0 and trained is not None else (False,):
            with _mode(parts, training), torch.no_grad():
                _try(proof, graph, module, call, tried, training, chance)
    return proof


def other_sizes(graph: Graph, sizes: Mapping[str, int]) -> Iterator[Mapping[str, int]]:
    """Yield the sizes to try: the given ones, each dimension one larger, and each twice as large."""
    among = {name for value in graph.inputs.values() for name in symbols(value.shape)}
    names = [*(name for name in graph.sizes if name in among)]
    known = {name: sizes.get(name, graph.sizes.get(name, 2)) for name in names}
    yield known
    if known:
        yield {name: size + 1 for name, size in known.items()}
        yield {name: 2 * size if name != names[0] or not names[1:] else size for name, size in known.items()}


def _fits(graph: Graph, sizes: Mapping[str, int], proof: Proof) -> bool:
    """Return whether the memory is enough for both of them at these sizes; if not, the proof says so."""
    needed, free = 2 * evaluate(Memory(graph).inference_peak, sizes), free_memory()
    if free is None or needed <= free:
        return True
    proof.refused.append(
        f"{_at([sizes])}: both take about {short_bytes(needed)}, and {short_bytes(free)} are free here".strip()
    )
    return False


def draws_nothing(module: nn.Module) -> bool:
    """Return whether a module's training is free of chance, as far as its parts tell."""
    chances = (
        "p",
        "drop_prob",
        "drop_rate",
        "dropout",
        "attention_dropout",
        "dropout_p",
        "p_dropout",
        "hidden_dropout_prob",
    )
    values = (getattr(each, name, 0) for each in module.modules() for name in chances)
    return not any(isinstance(value, float) and value > 0 for value in values)


def _try(
    proof: Proof,
    graph: Graph,
    module: nn.Module,
    call: Callable[[dict[str, torch.Tensor]], Any],
    sizes: Mapping[str, int],
    training: bool,
    chance: bool,
) -> None:
    """Run both, and add the trial to the proof, or the reason why the original refused the sizes."""
    inputs = example_inputs(graph, sizes, seed=1)
    try:
        expected = _flat(_seeded(lambda: call(inputs)))
    except Exception as reason:  # whatever the original's own code raises at a size that it does not take
        proof.refused.append(f"{'in training' * training}{_at([sizes])}: {first_line(reason)}".strip())
        return
    actual = _flat(_seeded(lambda: module(*inputs.values())))
    trial = Trial(sizes, training, _difference(expected, actual), training and chance)
    if trial.chance and not trial.agrees:
        proof.refused.append("in training: its dropout draws random numbers")
    else:
        proof.trials.append(trial)


def _seeded(run: Callable[[], Any]) -> Any:
    """Run something that may draw random numbers, from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return run()


def _at(trials: Sequence[Mapping[str, int]]) -> str:
    sizes = [", ".join(f"{name}={size}" for name, size in trial.items()) for trial in trials]
    where = "; ".join(dict.fromkeys(each for each in sizes if each))
    return f" at {where}" if where else ""


@contextmanager
def _mode(modules: Sequence[nn.Module], training: bool) -> Iterator[None]:
    """Both in training or in inference; afterwards each of their parts is as it was, and so are their buffers."""
    modes = [(each, each.training) for module in modules for each in module.modules()]
    buffers = [(buffer, buffer.clone()) for module in modules for buffer in module.buffers()] if training else []
    for each, _ in modes:
        each.training = training  # an exported program refuses `train()`
    try:
        yield
    finally:
        for each, mode in modes:
            each.training = mode
        for buffer, before in buffers:
            buffer.copy_(before)


def _flat(outputs: Any) -> list[torch.Tensor]:
    return [each for each in torch.utils._pytree.tree_leaves(outputs) if isinstance(each, torch.Tensor)]


def _difference(expected: Sequence[torch.Tensor], actual: Sequence[torch.Tensor]) -> float:
    if len(expected) != len(actual) or any(one.shape != two.shape for one, two in zip(expected, actual)):
        return math.inf
    worst = 0.0
    for one, two in zip(expected, actual):
        one, two = one.double(), two.double()
        same = (one == two) | (one.isnan() & two.isnan())
        gap = torch.where(same, 0.0, (one - two).abs())
        scale = one[one.isfinite()].abs().max().item() if one.isfinite().any() else 1.0
        worst = max(worst, (gap.max().item() if gap.numel() else 0.0) / (scale or 1.0))
        if gap.isnan().any():
            return math.nan
    return worst
