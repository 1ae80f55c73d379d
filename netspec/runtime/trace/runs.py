"""The runs of a graph's steps, one by one: where each is, and what it gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from netspec.graph import Graph, Level, Step
from netspec.runtime.fixed_noise import fixed_noise, is_random
from netspec.runtime.interpret import Held, Interpreter
from netspec.runtime.reference import exactly


class TracedStep(NamedTuple):
    """A run of a step: its path, and that of the module that it runs, which another may have.

    ``iterations`` has the numbers of the iterations around it, of the outermost scan first; ``turn`` says how many
    runs that module had before; ``whole`` that files have one value for all the iterations of the innermost scan.
    """

    path: str
    home: str
    iterations: tuple[int, ...]
    turn: int
    whole: bool


LayerValues = Callable[[TracedStep], Sequence[Held] | None]
"""Gives what a step gives on one side; ``None`` where that side does not tell."""


class Walker(Interpreter):
    """Runs a graph, and passes all that its steps give by ``seen``."""

    def __init__(self, state: Mapping[str, Tensor]):
        super().__init__(state, training=False)
        self.names: list[str] = []
        self.iterations: tuple[int, ...] = ()
        self.turns: Counter[str] = Counter()

    def run(self, graph: Graph, inputs: Mapping[str, Held]) -> list[Held]:
        """Return the outputs of a graph, in their order; numbers that it draws are fixed ones."""
        with exactly(), fixed_noise(is_random(graph)):
            return self.level(graph.body, [inputs.get(name) for name in graph.body.input_names], "")

    def step(self, step: Step, inputs: Sequence[Held], home: str, level: Level) -> Sequence[Held]:
        """The outputs of a step, as ``seen`` gives them on."""
        self.names.append(step.name)
        whole = level.phases.get(step) in ("before", "after")
        run = TracedStep(".".join(self.names), home, self.iterations, self.turns[home], whole)
        self.turns[home] += 1
        made = self.seen(run, step, level, inputs, super().step(step, inputs, home, level))
        self.names.pop()
        return made

    def iteration(self, body: Level, at: int, inputs: Sequence[Held], prefix: str) -> list[Held]:
        """The outputs of a scan's body for one step of the sequences."""
        around, self.iterations = self.iterations, (*self.iterations, at)
        made = super().iteration(body, at, inputs, prefix)
        self.iterations = around
        return made

    def seen(
        self, run: TracedStep, step: Step, level: Level, inputs: Sequence[Held], made: Sequence[Held]
    ) -> Sequence[Held]:
        """Return what goes on as the outputs of a step that has made these."""
        return made


class Recorder(Walker):
    """Keeps what every step gives."""

    def __init__(self, state: Mapping[str, Tensor]):
        super().__init__(state)
        self.kept: dict[tuple[str, tuple[int, ...]], Sequence[Held]] = {}

    def seen(
        self, run: TracedStep, step: Step, level: Level, inputs: Sequence[Held], made: Sequence[Held]
    ) -> Sequence[Held]:
        """Keep what a step gives."""
        self.kept[run.path, run.iterations] = made
        return made

    def values(self, run: TracedStep) -> Sequence[Held] | None:
        """Return what the step gave in a run."""
        return self.kept.get((run.path, run.iterations))
