"""A training run: the loop, its state, and what it leaves behind. The file to read first."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from netspec.diagnostics import EnvironmentFault, TrainingFault
from netspec.train.checkpoints import Checkpoints
from netspec.train.faults import name_the_layer, out_of_memory, readable, too_large
from netspec.train.feed import Batch
from netspec.train.folder import RunFolder
from netspec.train.measures import better_way
from netspec.train.objective import Objective, shares
from netspec.train.optimizers import build_optimizer, penalised
from netspec.train.progress import Progress
from netspec.train.schedules import build_schedule
from netspec.train.setup import Setup

FLUSH_EVERY = 1.0
"""Seconds between two writes of the steps' losses."""


@dataclass(slots=True)
class State:
    """Where a run is: everything besides weights and optimizer that the rest of it depends on."""

    step: int = 0
    epoch: int = 0
    step_of_epoch: int = 0
    loss_of_epoch: float = 0.0
    seconds: float = 0.0
    best: float | None = None
    best_loss: float = math.inf
    best_epoch: int = 0
    best_step: int = 0
    waited: int = 0
    done: bool = False


@dataclass(slots=True)
class Result:
    """How a run ended. ``scores`` has the parts of the data that were judged, with the best weights."""

    state: State
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    interrupted: bool = False


class Run:
    """One network being trained on one split of the data, into one folder.

    ``setup`` is what the recipe comes to on this machine; the run goes on from the folder's last good checkpoint,
    where there is one, as if it had never been stopped.
    """

    def __init__(self, setup: Setup, folder: RunFolder, progress: Progress, warn: Callable[[str], None]):
        self.setup, self.folder, self.progress, self.warn = setup, folder, progress, warn
        recipe, model = setup.recipe, setup.model
        self.settings = recipe.settings
        self.objective = Objective(
            recipe.losses,
            setup.padding,
            penalised(recipe.optimizer, model, recipe.weight_decay),
            recipe.weight_decay.value if recipe.weight_decay is not None else 0.0,
        )
        self.optimizer = build_optimizer(recipe.optimizer, model, recipe.weight_decay)
        self.steps_per_epoch = setup.train.steps(self.settings.batch)
        self.total = self.settings.steps or (self.settings.epochs or 0) * self.steps_per_epoch
        self.schedule: Any = None
        if recipe.schedule is not None:
            self.schedule = build_schedule(recipe.schedule, self.optimizer, self.total, self.steps_per_epoch)
        self.early = recipe.early_stopping
        self.watched = self.early.metric if self.early is not None else setup.watched
        self.way = better_way(recipe.metrics, self.watched)
        self.selects = setup.fold is None or self.early is not None  # else a fold would choose what it judges
        self.state = State()
        self.best_weights: dict[str, Tensor] | None = None
        self.best_written = 0
        self.checkpoints = Checkpoints(folder.checkpoints, recipe.checkpoint.keep)
        self.pending: list[str] = []
        self.board = board(folder) if self.settings.tensorboard else None
        self.stopping = False

    # The whole

    def go(self) -> Result:
        """Train to the end, or to an interruption; then judge the best weights."""
        self._resume()
        self._began = time.perf_counter() - self.state.seconds
        self._saved = self._flushed = time.perf_counter()
        self.setup.model.train()
        try:
            with self._interruptible(), out_of_memory(self.settings), readable():
                while not self.state.done and not self.stopping:
                    self._epoch()
            self._save()
        finally:
            self.progress.close()
        if not self.state.done:
            return Result(self.state, interrupted=True)
        self._load_best()
        return Result(self.state, self.setup.scores())

    def _epoch(self) -> None:
        """The rest of the present epoch."""
        state, step = self.state, self._stepper()
        for batch in self.setup.train.shuffled(state.epoch, self.settings.batch, skip=state.step_of_epoch):
            loss = step(batch)
            state.step += 1
            state.step_of_epoch += 1
            state.loss_of_epoch += loss
            self.pending.append(f'{{"step": {state.step}, "loss": {loss!r}}}\n')
            self.progress.step(state.step, loss)
            if state.step >= self.total:
                break
            if self._is_due() or self.stopping:
                if state.step_of_epoch < self.steps_per_epoch:
                    self._save()
                if self.stopping and state.step_of_epoch < self.steps_per_epoch:
                    return
        self._end_epoch()

    def _stepper(self) -> Callable[[Batch], float]:
        """The function that takes a step and gives its loss."""
        if self.setup.recipe.optimizer.closure:
            return self._closure_step
        return self._accumulated_step if self.settings.accumulate > 1 else self._step

    # A step

    def _step(self, batch: Batch) -> float:
        loss = self._loss(batch)
        number = loss.item()
        if not math.isfinite(number):
            self._not_finite(batch, number)
        loss.backward()  # type: ignore[no-untyped-call]
        self._move()
        return number

    def _accumulated_step(self, batch: Batch) -> float:
        number, wholes = 0.0, self.objective.counts(batch.targets)
        for part in split(batch, -(-batch.rows // self.settings.accumulate)):
            loss = self._loss(part, shares(self.objective.counts(part.targets), wholes))
            number += loss.item()
            if not math.isfinite(number):
                self._not_finite(part, number)
            loss.backward()  # type: ignore[no-untyped-call]
        self._move()
        return number

    def _closure_step(self, batch: Batch) -> float:
        first: list[float] = []
        backward = self.setup.recipe.optimizer.name != "newton"

        def closure() -> Tensor:
            if backward:
                self.optimizer.zero_grad()
            loss = self._loss(batch)
            if not first:
                first.append(loss.item())
                if not math.isfinite(first[0]):
                    self._not_finite(batch, first[0])
            if backward:
                loss.backward()  # type: ignore[no-untyped-call]
            return loss

        self.optimizer.step(closure)  # type: ignore[arg-type]
        if self.schedule is not None and not self._watches:
            self.schedule.step()
        return first[0]

    def _loss(self, batch: Batch, shares: Mapping[str, float] | None = None) -> Tensor:
        with self.setup.autocast():
            outputs = self.setup.model(*batch.inputs)
        return self.objective(outputs, batch.targets, shares)

    def _move(self) -> None:
        if self.settings.clip is not None:
            nn.utils.clip_grad_norm_(self.setup.model.parameters(), self.settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.schedule is not None and not self._watches:
            self.schedule.step()

    @property
    def _watches(self) -> bool:
        schedule = self.setup.recipe.schedule
        return schedule is not None and schedule.watches

    def _not_finite(self, batch: Batch, number: float) -> None:
        where = name_the_layer(self.setup.model, batch)
        raise TrainingFault(
            f"the loss is {number} at step {self.state.step + 1}: {where}. The last good checkpoint is kept; a smaller "
            "learning rate (`--set train.optimizer.lr=…`), a `schedule` with `warmup`, or `clip: 1.0` may help"
        )

    # An epoch's end

    def _end_epoch(self) -> None:
        state = self.state
        rate = self.optimizer.param_groups[0]["lr"]
        record: dict[str, Any] = {"train": {"loss": state.loss_of_epoch / max(state.step_of_epoch, 1)}}
        if self.settings.evaluate_train:
            record["train"] = self.setup.measure(self.setup.train)
        if self.setup.validation is not None:
            record["validation"] = self.setup.measure(self.setup.validation)
        elif self.setup.recipe.metrics and not self.settings.evaluate_train:
            record["train"] = self.setup.measure(self.setup.train)
        state.epoch, state.step_of_epoch, state.loss_of_epoch = state.epoch + 1, 0, 0.0
        state.seconds = time.perf_counter() - self._began
        judged = record.get("validation", record["train"])
        if self._watches:
            self.schedule.step(judged["loss"])
        self._judge(judged[self.watched], judged["loss"])
        state.done = state.done or state.step >= self.total
        record = {"epoch": state.epoch, "step": state.step, **record, "lr": rate, "seconds": round(state.seconds, 3)}
        self.pending.append(json.dumps(record) + "\n")
        self.progress.epoch(record)
        if self.board is not None:
            for part in ("train", "validation"):
                for name, value in record.get(part, {}).items():
                    self.board.add_scalar(f"{part}/{name}", value, state.step)
            self.board.flush()
        if self._is_due() or self.stopping:
            self._save()

    def _judge(self, value: float, loss: float) -> None:
        """Keep the weights where they are the best so far, and stop where nothing gets better.

        Where what is watched stays the same, as a share of few rows often does, the lower loss is the better one; it is
        no progress that ``patience`` would wait for.
        """
        state, early = self.state, self.early
        margin = early.min_delta if early is not None else 0.0
        better = not self.selects or state.best is None or self.way * (value - state.best) > margin
        better = better and math.isfinite(value)
        state.waited = 0 if better else state.waited + 1
        if better or (value == state.best and loss < state.best_loss):
            state.best, state.best_loss, state.best_epoch, state.best_step = value, loss, state.epoch, state.step
            self.best_weights = {name: tensor.clone() for name, tensor in self.setup.model.state_dict().items()}
        if early is None:
            return
        if early.patience is not None and state.waited >= early.patience:
            state.done = True
        if early.target is not None and self.way * (value - early.target) >= 0:
            state.done = True

    # What is kept

    def _is_due(self) -> bool:
        """Whether it is time to save."""
        due, now = self.setup.recipe.checkpoint, time.perf_counter()
        if now - self._flushed >= FLUSH_EVERY:
            self._flush()
        if due.steps is not None:
            return self.state.step % due.steps == 0
        return due.minutes is not None and now - self._saved >= 60 * due.minutes

    def _flush(self) -> None:
        with too_large(self.folder.metrics), self.folder.metrics.open("a", encoding="utf-8") as file:
            file.writelines(self.pending)
        self.pending, self._flushed = [], time.perf_counter()

    def _save(self) -> None:
        """Write the best weights, the losses and a checkpoint, in this order: the last names what the first have."""
        state = self.state
        state.seconds = time.perf_counter() - self._began
        if self.best_weights is not None and self.best_written != state.best_step:
            self.setup.write_weights(self.best_weights, self.folder.best)
            self.best_written = state.best_step
        self._flush()
        self.checkpoints.save(
            {
                "model": self.setup.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": None if self.schedule is None else self.schedule.state_dict(),
                "state": {name: getattr(state, name) for name in State.__slots__},
                "random": random_state(self.setup.device),
                "recipe": self.setup.fingerprint,
            },
            state.step,
        )
        self._saved = time.perf_counter()

    def _resume(self) -> None:
        saved, faults = self.checkpoints.load()
        for fault in faults:
            self.warn(fault)
        if saved is None:
            if faults:
                raise EnvironmentFault(f"no checkpoint in {self.folder.checkpoints} is whole: start anew")
            return
        if saved["recipe"] != self.setup.fingerprint:
            raise TrainingFault(f"{self.folder.path} was trained with another spec or recipe: start a new run")
        self.setup.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(saved["schedule"])
        self.state = State(**saved["state"])
        if self.state.best is not None and self.folder.best.is_file():
            self.best_weights = self.setup.read_weights(self.folder.best)
            self.best_written = self.state.best_step
        set_random_state(saved["random"], self.setup.device)
        self.folder.cut_metrics(self.state.step)

    def _load_best(self) -> None:
        if self.best_weights is not None:
            self.setup.model.load_state_dict(self.best_weights)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """The first Ctrl-C (or SIGTERM) lets the step end and saves; a second one ends it at once."""

        def stop(number: int, frame: Any) -> None:
            if self.stopping:
                raise KeyboardInterrupt
            self.stopping = True

        try:
            before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread: whoever started it stops it
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def board(folder: RunFolder) -> Any:
    """A writer of TensorBoard's event files. Raises ``EnvironmentFault`` where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        raise EnvironmentFault("`tensorboard: true` needs TensorBoard: `pip install tensorboard`") from None
    return SummaryWriter(folder.path / "tensorboard")


def split(batch: Batch, size: int) -> Iterator[Batch]:
    """The parts of a batch, of ``size`` rows each; the last one perhaps smaller."""
    for start in range(0, batch.rows, size):
        part = slice(start, min(start + size, batch.rows))
        inputs = tuple(None if tensor is None else tensor[part] for tensor in batch.inputs)
        yield Batch(inputs, {name: tensor[part] for name, tensor in batch.targets.items()}, part.stop - part.start)


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The state of the generators that dropout draws from."""
    found = {"cpu": torch.get_rng_state()}
    return found | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def set_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
