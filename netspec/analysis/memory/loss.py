"""The losses, at the end of the forward pass and the beginning of the backward pass."""

from __future__ import annotations

from typing import NamedTuple

from netspec.analysis.memory.running import LevelSummary
from netspec.analysis.memory.step import ScoreMemory, TrainingStep
from netspec.analysis.memory.storage import PlacedTensor
from netspec.dataclass import dataclass
from netspec.dims import Size, product
from netspec.graph import Graph


class TermMemory(NamedTuple):
    """The bytes of the loss of one output: its ``target``, what it keeps, some of which stays until the end of the
    step, and what either pass has for a moment.
    """

    target: Size
    kept: Size
    stays: Size
    forward: Size
    backward: Size


@dataclass(frozen=True, slots=True)
class LossPass:
    """The losses of all outputs, in bytes beside those that the network keeps.

    These are the ``targets``, and all that is there at each of the ``moments`` in which the losses are worked out, and
    gone back through; ``stays`` is there until the end of the step.
    """

    targets: list[Size]
    moments: list[list[Size]]
    stays: list[Size]


def loss_pass(step: TrainingStep, graph: Graph, run: LevelSummary) -> LossPass:
    """Return the memory of the losses of a run of the network."""
    terms: list[TermMemory] = []
    scores: list[Size] = []
    kept: list[Size] = []
    for name, output in zip(graph.body.output_names, run.outputs):
        if output is None:
            continue
        placed, home = output
        own: Size = 0 if isinstance(home, int) or home.kept else home.size
        loss = step.loss(name)
        scores.append(own)
        if loss is not None and placed.needs:
            terms.append(term(loss, placed))
            kept.append(own if loss.keeps_scores and placed.tensor.dtype == "float32" else 0)
    others = [[each.kept for at, each in enumerate(terms) if at != own] for own in range(len(terms))]
    moments = [scores, *([*scores, each.forward, *rest] for each, rest in zip(terms, others))]
    moments += [[*kept, each.kept, each.backward, *rest] for each, rest in zip(terms, others)]
    return LossPass([each.target for each in terms], moments, [each.stays for each in terms])


def term(loss: ScoreMemory, placed: PlacedTensor) -> TermMemory:
    """Return the memory of the loss of one output: of scores in float32, to which lower precisions are cast."""
    shape = placed.tensor.shape
    count, low = product(shape), placed.tensor.dtype != "float32"
    copy: Size = 4 * count if low else 0
    target: Size = 4 * count
    if loss.per_class:
        target = 8 * product(shape[:1] + shape[2:] if len(shape) > 3 else shape[:-1])
    count = count * shape[-1] if loss.by_pair else count
    kept = loss.kept * count + (copy if loss.keeps_scores else 0)
    cast = placed.size if low and loss.backward <= 4 else 0  # the gradient, in both precisions
    return TermMemory(target, kept, loss.stays * count, loss.forward * count + copy, loss.backward * count + cast)
