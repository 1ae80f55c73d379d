"""The proof of an import: the spec's module, with the original's weights, computes what the original does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from netspec.runtime.trace.layers import Layer
from netspec.runtime.trace.module_values import ModuleValues
from netspec.runtime.trace.replay import trace_layers
from netspec.text.quantities import short_bytes

TOLERANCE = 1e-5
"""The largest difference of an output, relative to its largest value."""
DRAWN = 0.02
"""The standard deviation of parameters that are drawn, as it is when many a network is made."""


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
    """The trials, and the tensors of the original's ``state_dict`` that the spec does not have, or the reverse.

    ``again`` are keys of the original's for tensors that the spec has by other keys. ``constant`` says that every
    output was one number throughout. ``layer`` is the first in which a spec that differs parts from the original.
    """

    trials: list[Trial] = field(default_factory=list)
    left_out: Sequence[str] = ()
    again: Sequence[str] = ()
    missing: Sequence[str] = ()
    refused: list[str] = field(default_factory=list)
    constant: bool = False
    layer: Layer | None = None

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
    def notes(self) -> list[str]:
        """Notes for a reader on the tensors that only the original has, and on a comparison that tells little."""
        notes: list[str] = []
        if self.left_out:
            notes.append(f"the network does not read {_few(self.left_out)}: the spec has no place for them")
        if self.again:
            notes.append(f"{_few(self.again)}: further names of tensors that the spec has under one name")
        if self.constant:
            notes.append("every output was one number throughout, so that the comparison tells little")
        return notes

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
    parameters: Iterable[torch.Tensor] = (),
) -> Proof:
    """Return the proof that the spec's module does what the original does, with its weights.

    ``call`` runs the original on inputs by their names. Both run at ``sizes``, and at two other sizes of the symbolic
    dimensions where the original takes them; in training mode too if it is the module ``trained``. Both draw the same
    random numbers. A difference in training alone is told, and is no failure: the spec is of the network in inference.
    Those of the original's ``parameters`` that are all 0, as of a head that is yet to be trained, are drawn for the
    time: whatever the rest computed, the outputs would be equal.
    """
    needed = 2 * evaluate(Memory(graph).inference_peak, {**graph.sizes, **sizes})
    need_memory(needed, f"running {graph.name} beside its original", "import it at smaller sizes (`--dim`)")
    module = build_module(graph).eval()
    ours = module.state_dict()
    extra = [key for key in weights if key not in ours]
    places = {(weights[key].data_ptr(), weights[key].shape) for key in ours if key in weights}
    again = [key for key in extra if (weights[key].data_ptr(), weights[key].shape) in places]
    proof = Proof(
        left_out=[key for key in extra if key not in again],
        again=again,
        missing=[key for key in ours if key not in weights and not key.endswith("num_batches_tracked")],
    )
    if proof.missing:
        return proof
    with _drawn(parameters, weights):
        module.load_state_dict(ours | {key: value for key, value in weights.items() if key in ours}, strict=True)
        pair = _Pair(graph, module, call, trained)
        for at, tried in enumerate(other_sizes(graph, sizes)):
            if not at or _fits(graph, tried, proof):
                pair.compare(proof, tried)
            if not at and trained is not None and proof.trials:
                pair.compare_in_training(proof, tried)
        wrong = next((trial for trial in proof.trials if not trial.agrees and not trial.training), None)
        if wrong is not None and trained is not None:
            proof.layer = pair.first_apart(trained, wrong.sizes)
    return proof


@contextmanager
def _drawn(parameters: Iterable[torch.Tensor], weights: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Draw the parameters that are all 0, in their places in memory, which the weights share; afterwards they are 0."""
    places = {each.data_ptr() for each in weights.values()}
    empty = [
        parameter.detach()
        for parameter in parameters
        if parameter.is_floating_point()
        and parameter.data_ptr() in places
        and not parameter.is_inference()
        and not parameter.any()
    ]
    chance = torch.Generator().manual_seed(1)
    try:
        for each in empty:
            each.copy_(torch.randn(each.shape, generator=chance) * DRAWN)
        yield
    finally:
        for each in empty:
            each.zero_()


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


class _Pair:
    """The original and the spec's module, which run on the same inputs and draw the same random numbers."""

    def __init__(
        self, graph: Graph, module: nn.Module, call: Callable[[dict[str, torch.Tensor]], Any], trained: nn.Module | None
    ):
        self.graph, self.module, self.call = graph, module, call
        self.parts = [module] if trained is None else [module, trained]

    def compare(self, proof: Proof, sizes: Mapping[str, int]) -> None:
        """Run both in inference, and add the trial to the proof, or the reason why the original refused the sizes."""
        with _mode(self.parts, False):
            expected = self._original(proof, sizes, "")
            if expected is not None:
                proof.constant = _is_constant(expected) and (proof.constant or not proof.trials)
                proof.trials.append(Trial(sizes, False, self._difference(proof, expected, sizes)))

    def first_apart(self, original: nn.Module, sizes: Mapping[str, int]) -> Layer | None:
        """Return the first layer that parts from the original's module of its name, if there is one."""
        inputs, held = example_inputs(self.graph, sizes, seed=1), ModuleValues(original, self.call)
        try:
            held.run(inputs)
            sides = ("the spec", "the original")
            return trace_layers(self.graph, self.module.state_dict(), inputs, held.values, sides, sizes).first
        except Exception:  # whatever the original's own code raises: that the two differ is told in any case
            return None

    def compare_in_training(self, proof: Proof, sizes: Mapping[str, int]) -> None:
        """Run both in training, and add the trial to the proof, or what sets them apart."""
        with _mode(self.parts, True):
            expected = self._original(proof, sizes, "in training")
            if expected is None:
                return
            difference = self._difference(proof, expected, sizes)
        seeds = range(2, 3 if difference <= TOLERANCE else 7)
        trial = Trial(sizes, True, difference, chance=any(self._draws(sizes, expected, seed) for seed in seeds))
        if trial.agrees:
            proof.trials.append(trial)
        elif trial.chance:
            proof.refused.append("in training: it draws random numbers, in another order")
        else:
            proof.refused.append("in training: the original computes something else then; the spec is for inference")

    def _draws(self, sizes: Mapping[str, int], expected: Sequence[torch.Tensor], seed: int) -> bool:
        """Return whether the original gives something else in training with another seed."""
        with _mode(self.parts, True):
            return not _distance(expected, self._run(self.call, sizes, seed)) <= TOLERANCE

    def _original(self, proof: Proof, sizes: Mapping[str, int], mode: str) -> list[torch.Tensor] | None:
        try:
            return self._run(self.call, sizes)
        except Exception as reason:  # whatever the original's own code raises at a size that it does not take
            proof.refused.append(f"{mode}{_at([sizes])}: {first_line(reason)}".strip())
            return None

    def _difference(self, proof: Proof, expected: Sequence[torch.Tensor], sizes: Mapping[str, int]) -> float:
        try:
            return _distance(expected, self._run(lambda inputs: self.module(*inputs.values()), sizes))
        except RuntimeError as reason:  # such as an index out of range
            proof.refused.append(f"the spec{_at([sizes])}: {first_line(reason)}")
            return math.inf

    def _run(
        self, call: Callable[[dict[str, torch.Tensor]], Any], sizes: Mapping[str, int], seed: int = 1
    ) -> list[torch.Tensor]:
        inputs = example_inputs(self.graph, sizes, seed=1)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return _flat(call(inputs))


def _is_constant(outputs: Sequence[torch.Tensor]) -> bool:
    """Return whether every output is one number throughout."""
    return bool(outputs) and all(each.numel() > 1 and bool((each == each.flatten()[0]).all()) for each in outputs)


def _few(keys: Sequence[str]) -> str:
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")


def _at(trials: Sequence[Mapping[str, int]]) -> str:
    sizes = [", ".join(f"{name}={size}" for name, size in trial.items()) for trial in trials]
    where = "; ".join(dict.fromkeys(each for each in sizes if each))
    return f" at {where}" if where else ""


@contextmanager
def _mode(modules: Sequence[nn.Module], training: bool) -> Iterator[None]:
    """Both in training or in inference; afterwards each of their parts is as it was, and so are their buffers."""
    modes = [(each, each.training) for module in modules for each in module.modules()]
    buffers = [(buffer, buffer.clone()) for module in modules for buffer in module.buffers()]
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


def _distance(expected: Sequence[torch.Tensor], actual: Sequence[torch.Tensor]) -> float:
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
