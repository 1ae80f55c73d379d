"""The selection of the best weights, and early stopping."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

from netspec.train.distributed.strategies import Strategy
from netspec.train.loop.state import State
from netspec.train.optimize.metrics import better_way
from netspec.train.setup import Setup
from netspec.train.store.folder import RunFolder
from netspec.weights.files.safetensors import read_weights


class Selection:
    """Keeps the weights of the best epoch. ``weights`` is a copy of the model's state dict, ``None`` before an epoch
    has ended; ``watched`` is the label of the score that is compared.

    In cross-validation without early stopping the last weights are kept: a fold would choose what it judges.
    """

    def __init__(self, setup: Setup):
        self.setup, self.early = setup, setup.recipe.early_stopping
        self.watched = self.early.metric if self.early is not None else setup.watched
        self.weights: dict[str, Tensor] | None = None
        self._direction = better_way(setup.recipe.metrics, self.watched)
        self._compares = setup.fold is None or self.early is not None
        self._step_on_disk = 0

    def update(self, state: State, scores: Mapping[str, float]) -> None:
        """Keep the present weights if they are the best so far, and end the run if early stopping asks for it.

        Where the watched value stays the same, as a share of few rows often does, the lower loss is better; that is
        no progress for ``patience``. A value that is not defined is the worst.
        """
        value, loss = scores.get(self.watched, math.nan), scores["loss"]
        value = value if math.isfinite(value) else -self._direction * math.inf
        if self._is_better(state, value, loss):
            state.best, state.best_loss, state.best_epoch, state.best_step = value, loss, state.epoch, state.step
            self._copy_weights()
        self._stop_early(state, value)

    def _stop_early(self, state: State, value: float) -> None:
        early = self.early
        if early is None:
            return
        if state.progress is None or self._direction * (value - state.progress) > early.min_delta:
            state.progress, state.waited = value, 0
        else:
            state.waited += 1
        if early.patience is not None and state.waited >= early.patience:
            state.done = True
        if early.target is not None and self._direction * (value - early.target) >= 0:
            state.done = True

    def _is_better(self, state: State, value: float, loss: float) -> bool:
        if state.best is None or not self._compares:
            return True
        return (self._direction * value, -loss) > (self._direction * state.best, -state.best_loss)

    def _copy_weights(self) -> None:
        self.weights = {name: tensor.clone() for name, tensor in self.setup.model.state_dict().items()}

    def write(self, state: State, folder: RunFolder, strategy: Strategy) -> None:
        """Write the best weights, unless the folder has them. Every process calls this."""
        if self.weights is not None and self._step_on_disk != state.best_step:
            self.setup.write_weights(self.weights, folder.best, strategy, state.best_epoch)
            self._step_on_disk = state.best_step

    def read(self, state: State, folder: RunFolder, strategy: Strategy) -> None:
        """Read the best weights of a run that is resumed. Every process calls this."""
        best, present = read_weights(folder.best), self.setup.model.state_dict()
        self.weights = {name: strategy.placed_like(tensor, present[name]) for name, tensor in best.items()}
        self._step_on_disk = state.best_step

    def restart(self, state: State) -> None:
        """Take the present weights for the best ones until an epoch has ended."""
        state.best, state.best_loss, state.best_epoch, state.best_step = None, math.inf, state.epoch, state.step
        self._copy_weights()

    def replace(self, state: State, folder: RunFolder, strategy: Strategy) -> None:
        """Take the present weights in place of the best ones, and write them. Every process calls this."""
        state.best_epoch, state.best_step, self._step_on_disk = state.epoch, state.step, 0
        self._copy_weights()
        self.write(state, folder, strategy)

    def load(self) -> None:
        """Put the best weights into the model."""
        if self.weights is not None:
            self.setup.model.load_state_dict(self.weights)
