"""A step of training, as far as it takes memory: its losses, its optimizer, and how a batch is divided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from netspec.dataclass import dataclass
from netspec.dims import Shape
from netspec.graph import Graph, Node, visits

if TYPE_CHECKING:
    from netspec.recipes.recipe import Recipe

OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}
"""Numbers that the optimizers known by a name keep for each parameter."""


class ScoreMemory(NamedTuple):
    """The memory of a loss, in bytes for each float32 score, as its class in ``recipes`` says it.

    ``by_pair``: for each pair of scores of a row instead; ``per_class``: the target has a class for all scores of a
    place, else a number for each.
    """

    kept: int
    forward: int
    backward: int
    keeps_scores: bool
    stays: int
    by_pair: bool
    per_class: bool


CROSS_ENTROPY = ScoreMemory(4, 4, 8, keeps_scores=False, stays=0, by_pair=False, per_class=True)
"""The memory of the loss that is assumed where no recipe says one."""


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """A step of training.

    ``states`` are the numbers that the optimizer, and a moving average, keep for each parameter, ``workspace`` those
    that the optimizer has for a moment, of all. ``losses`` has the memory of the loss of each output that is judged;
    ``None``: cross-entropy for all. With several ``parts`` of a batch all of it is there in the pass of each, and
    gradients in all passes but the first; ``shares``: with other processes, which takes a second copy of them.
    """

    states: int
    workspace: int = 0
    losses: Mapping[str, ScoreMemory] | None = None
    parts: int = 1
    shares: bool = False

    @classmethod
    def named(cls, optimizer: str, graph: Graph) -> TrainingStep:
        """Return the step of a fused optimizer, by its name, and of the losses that the graph's recipe has.

        Raises ``KeyError`` for a name that ``OPTIMIZERS`` lacks.
        """
        return cls(OPTIMIZERS[optimizer], losses=None if graph.recipe is None else losses_of(graph.recipe))

    @classmethod
    def of(cls, recipe: Recipe, graph: Graph, device: str) -> TrainingStep:
        """Return the step that a recipe takes on a device, ``cpu`` or ``cuda``."""
        settings, optimizer = recipe.settings, recipe.optimizer
        shares = isinstance(settings.devices, int) and settings.devices > 1
        workspace = 0
        if not optimizer.fused or (shares and settings.strategy == "fsdp"):
            decays = recipe.weight_decay is not None and recipe.weight_decay.value > 0
            workspace = optimizer.workspace(trained_sizes(graph), at_once=device != "cpu", decays=decays)
        states = optimizer.states + (recipe.ema is not None)
        return cls(states, workspace, losses_of(recipe), settings.accumulate, shares)

    def loss(self, output: str) -> ScoreMemory | None:
        """Return the memory of the loss of an output, ``None`` where it is not judged."""
        return CROSS_ENTROPY if self.losses is None else self.losses.get(output)


def losses_of(recipe: Recipe) -> dict[str, ScoreMemory]:
    """Return the memory of the losses of a recipe, by output."""
    return {name: ScoreMemory(*loss.memory, loss.per_class) for name, loss in recipe.losses.items()}


def trained_sizes(graph: Graph) -> list[int]:
    """Return how many numbers each parameter has that is trained, in the order of the module's."""
    found = []
    for _, step, _, _, shared, frozen in visits(graph.body):
        if isinstance(step, Node) and not shared and not frozen:
            tied = dict(step.ties)
            found += [number_of(shape) for name, shape in step.parameters.items() if name not in tied]
    return found


def number_of(shape: Shape) -> int:
    """Return the number of elements of a parameter."""
    number = 1
    for size in shape:
        assert isinstance(size, int), "a parameter's shape is known"
        number *= size
    return number
