"""The tensors of a spec's ``state_dict``, as its graph has them."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.dataclass import dataclass
from netspec.dims import Shape
from netspec.graph import Graph, Node, visits

COUNTED = "num_batches_tracked"
RUNNING = ("running_mean", "running_var")


@dataclass(frozen=True, slots=True)
class SpecTensor:
    """A tensor of a spec: its key, its shape, and whether it is learned; ``tied`` is the key that it is one with.

    ``added`` marks those of the changes that ``lora`` adds: weights without them are whole, too.
    """

    key: str
    shape: Shape
    learned: bool
    tied: str = ""
    added: bool = False

    @property
    def needed(self) -> bool:
        """Return whether it has to come from the weights: a buffer that is not measured has its value from the spec."""
        return (self.learned and not self.added) or self.key.endswith(RUNNING)

    @property
    def module(self) -> str:
        """Return the path of the module that holds it."""
        return self.key.rpartition(".")[0] or self.key


def tensors_of(graph: Graph) -> list[SpecTensor]:
    """Return the tensors of a network in the order of its steps."""
    return [*_tensors(graph)]


def _tensors(graph: Graph) -> Iterator[SpecTensor]:
    added = {key for change in graph.changes for key in (change.down, change.up)}
    for path, step, _, _, shared, _ in visits(graph.body):
        if not isinstance(step, Node) or shared:
            continue
        prefix, ties, learned = path.removesuffix(step.name), dict(step.ties), step.parameters
        for name, shape in step.state.items():
            key = step.key(prefix, name)
            yield SpecTensor(key, shape, name in learned, ties.get(name, ""), key in added)
