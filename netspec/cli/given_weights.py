"""The weights that ``--weights`` names, put into a network's module, and told."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.cli.option_values import weights_of
from netspec.cli.output import warn
from netspec.graph import Graph
from netspec.recipes.weights import WeightsSource

if TYPE_CHECKING:
    from torch import nn

    from netspec.train.predict.trained_run import TrainedRun
    from netspec.weights.load import LoadedWeights


class GivenWeights:
    """The weights of a source for the modules of a graph; ``loaded`` says what was matched, once they are loaded."""

    def __init__(self, graph: Graph, source: WeightsSource):
        self.graph, self.source = graph, source
        self.loaded: LoadedWeights | None = None

    def fill(self, module: nn.Module, complete: bool = False) -> None:
        """Put the weights into a module, and tell in a line what was matched. Raises as ``load_weights``."""
        from netspec.weights.load import load_weights

        self.loaded = load_weights(module, self.graph, self.source, Path(), complete)
        tell_loaded(self.loaded, warn)

    @property
    def record(self) -> dict[str, Any] | None:
        """Return what was loaded from where, as ``build.json`` has it."""
        return None if self.loaded is None else dict(self.loaded.record)


def give_weights(runs: Sequence[TrainedRun], options: Namespace) -> None:
    """Have runs be asked with the weights of ``--weights``, if there are any; each must have all that it needs."""
    source = weights_of(options)
    for run in runs if source is not None else ():
        assert source is not None
        run.other_weights = partial(GivenWeights(run.graph, source).fill, complete=True)


def tell_loaded(loaded: LoadedWeights, tell: Callable[[str], None]) -> None:
    """Tell what was matched, and how more would be."""
    tell(f"weights: {loaded.line}")
    if loaded.advice is not None:
        tell(loaded.advice)
