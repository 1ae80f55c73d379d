"""A training run: the loop, its state, and what it leaves behind. The file to read first."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor, nn

from netspec.diagnostics import EnvironmentFault, TrainingFault, UsageError
from netspec.recipes.schedules import Constant
from netspec.train.data.batches import Batch, split
from netspec.train.distributed.strategies import Alone, Judged, Replicated
from netspec.train.errors import enough_rows, name_the_layer, out_of_memory, readable, too_large
from netspec.train.optimize.metrics import better_way
from netspec.train.optimize.objective import Objective, shares
from netspec.train.optimizers import build_optimizer, penalised
from netspec.train.report.progress import Progress, board
from netspec.train.schedules import build_schedule
from netspec.train.setup import Setup
from netspec.train.stopping import stopped_by_signals
from netspec.train.store.checkpoints import Checkpoints
from netspec.train.store.folder import RunFolder
from netspec.train.store.snapshot import places, random_state, restore, set_random_state, taken

FLUSH_EVERY = 1.0
"""Seconds between two writes of the steps' losses."""


@dataclass(slots=True)
class State:
    """Where a run is: everything besides weights and optimizer that the rest of it depends on.

    ``loss_of_epoch`` is the sum over what counted in its steps, ``counted_of_epoch`` how much that was. ``best`` is the
    best value so far of what is watched, ``progress`` the last one that was better by the margin of early stopping.
    """

    step: int = 0
    epoch: int = 0
    step_of_epoch: int = 0
    loss_of_epoch: float = 0.0
    counted_of_epoch: float = 0.0
    seconds: float = 0.0
    best: float | None = None
    best_loss: float = math.inf
    best_epoch: int = 0
    best_step: int = 0
    progress: float | None = None
    waited: int = 0
    done: bool = False


class Taken(NamedTuple):
    """A step that has been taken: the loss of its batch, and how many rows or places that is the mean of."""

    loss: float
    counted: float


@dataclass(slots=True)
class Result:
    """How a run ended. ``scores`` has the parts of the data that were judged, with the best weights."""

    state: State
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    interrupted: bool = False


class Run:
    """One network being trained on one split of the data, into one folder.

    ``setup`` is what the recipe comes to on this machine; the run goes on from the folder's last good checkpoint,
    where there is one, as if it had never been stopped. Each process of the setup's world has a run of its own, on
    its share of the rows; the first one alone writes.
    """

    def __init__(self, setup: Setup, folder: RunFolder, progress: Progress, warn: Callable[[str], None]):
        self.setup, self.folder, self.progress, self.warn = setup, folder, progress, warn
        recipe, model = setup.recipe, setup.model
        self.settings, self.world = recipe.settings, setup.world
        self.objective = Objective(
            setup.losses,
            setup.padding,
            penalised(recipe.optimizer, model, recipe.weight_decay),
            recipe.weight_decay.value if recipe.weight_decay is not None else 0.0,
        )
        self.strategy = strategy_of(setup, Judged(model, self.objective, setup.autocast))
        self.optimizer = build_optimizer(recipe.optimizer, model, recipe.weight_decay)
        self.steps_per_epoch, self.total = setup.train.steps(self.settings.batch), setup.steps
        schedule = recipe.schedule or Constant()
        self.schedule = build_schedule(schedule, self.optimizer, self.total, self.steps_per_epoch)
        self.early = recipe.early_stopping
        self.watched = self.early.metric if self.early is not None else setup.watched
        self.way = better_way(recipe.metrics, self.watched)
        self.selects = setup.fold is None or self.early is not None  # else a fold would choose what it judges
        self.state = State()
        self.best_weights: dict[str, Tensor] | None = None
        self.best_written = 0
        self.checkpoints = Checkpoints(folder.checkpoints, recipe.checkpoint.keep, self.world)
        self.pending: list[str] = []
        self.written = hashlib.sha256()  # of the losses and scores
        self.board = board(folder) if self.settings.tensorboard and self.world.is_first else None
        self.asked_to_stop = False
        self.agreed_to_stop = self.late = False  # by all processes
        self.undefined: set[str] = set()
        self._saved_at: tuple[int, int] | None = None

    # The whole

    def go(self) -> Result:
        """Train to the end, or to an interruption; then judge the best weights."""
        self._resume()
        self._began = time.perf_counter() - self.state.seconds
        self._saved = self._flushed = time.perf_counter()
        self.setup.model.train()
        try:
            with stopped_by_signals(self), out_of_memory(self.settings), enough_rows(), readable():
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
            loss, counted = step(batch)
            state.step += 1
            state.step_of_epoch += 1
            state.loss_of_epoch += loss * counted
            state.counted_of_epoch += counted
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

    def _stepper(self) -> Callable[[Batch], Taken]:
        """The function that takes a step."""
        if self.setup.recipe.optimizer.closure:
            return self._closure_step
        return self._step if self.settings.accumulate == self.world.size == 1 else self._shared_step

    # A step

    def _step(self, batch: Batch) -> Taken:
        loss = self.strategy(batch)
        number = self._agree(loss.item())
        if not math.isfinite(number):
            self._not_finite(batch, number)
        loss.backward()  # type: ignore[no-untyped-call]
        self._move()
        return Taken(number, self._counts(batch)[self.objective.main])

    def _shared_step(self, batch: Batch) -> Taken:
        """A step of which others have a share: other processes, or parts of the batch that come one after the other."""
        wholes = self.world.sums(*self._counts(batch).values())
        wholes_of = dict(zip(self.objective.terms, wholes))
        number = 0.0
        parts = split(batch, min(self.settings.accumulate, max(batch.whole // self.world.size, 1)))
        for part in parts:
            with self.strategy.gathering(last=part is parts[-1]):
                loss = self.strategy(part, shares(self._counts(part), wholes_of))
                number += loss.item()
                (loss * self.world.size).backward()  # type: ignore[no-untyped-call]  # the mean over processes is taken
        number = self._agree(number)
        if not math.isfinite(number):
            self._not_finite(batch, number)
        self._move()
        return Taken(number, wholes_of[self.objective.main])

    def _counts(self, batch: Batch) -> dict[str, float]:
        """What counts of each output's target; a process without rows of its own has one that does not."""
        return self.objective.counts(batch.targets) if batch.rows else dict.fromkeys(self.objective.terms, 0)

    def _closure_step(self, batch: Batch) -> Taken:
        first: list[float] = []
        backward = self.setup.recipe.optimizer.backward

        def closure() -> Tensor:
            if backward:
                self.optimizer.zero_grad()
            loss = self.strategy(batch)
            if not first:
                first.append(loss.item())
                if not math.isfinite(first[0]):
                    self._not_finite(batch, first[0])
            if backward:
                loss.backward()  # type: ignore[no-untyped-call]
            return loss

        self.optimizer.step(closure)  # type: ignore[arg-type]
        self._agree(first[0])
        self.schedule.step()
        return Taken(first[0], self._counts(batch)[self.objective.main])

    def _agree(self, number: float = 0.0) -> float:
        """A number's sum over all processes, which at the same time agree on whether to stop, and whether to save."""
        now = time.perf_counter()
        if now - self._flushed >= FLUSH_EVERY:
            self._flush()
        minutes = self.setup.recipe.checkpoint.minutes
        late = self.world.is_first and minutes is not None and now - self._saved >= 60 * minutes
        number, stopping, saving = self.world.sums(number, self.asked_to_stop, late)
        self.agreed_to_stop, self.late = bool(stopping), bool(saving)
        return number

    @property
    def stopping(self) -> bool:
        """Return whether the run ends after this step: at once for a process by itself, else when all know of it."""
        return self.asked_to_stop if self.world.size == 1 else self.agreed_to_stop

    def _move(self) -> None:
        if self.settings.clip is not None:
            nn.utils.clip_grad_norm_(self.setup.model.parameters(), self.settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.step()

    def _not_finite(self, batch: Batch, number: float) -> None:
        where = name_the_layer(self.setup.model, batch, self.world)
        raise TrainingFault(
            f"the loss is {number} at step {self.state.step + 1}: {where}. The last good checkpoint is kept; a smaller "
            "learning rate (`--set train.optimizer.lr=…`), a `schedule` with `warmup`, or `clip: 1.0` may help"
        )

    # An epoch's end

    def _end_epoch(self) -> None:
        state = self.state
        self._level()
        rate = self.optimizer.param_groups[0]["lr"]
        record: dict[str, Any] = {"train": {"loss": state.loss_of_epoch / (state.counted_of_epoch or 1)}}
        if self.settings.evaluate_train:
            record["train"] = self.setup.measure(self.setup.train)
        if self.setup.validation is not None:
            record["validation"] = self.setup.measure(self.setup.validation)
        elif self.setup.recipe.metrics and not self.settings.evaluate_train:
            record["train"] = self.setup.measure(self.setup.train)
        state.epoch, state.step_of_epoch = state.epoch + 1, 0
        state.loss_of_epoch = state.counted_of_epoch = 0.0
        state.seconds = time.perf_counter() - self._began
        judged = record.get("validation", record["train"])
        self.schedule.epoch(judged["loss"])
        self._tell_undefined(judged)
        self._judge(judged.get(self.watched, math.nan), judged["loss"])
        state.done = state.done or state.step >= self.total
        record = {"epoch": state.epoch, "step": state.step, **record, "lr": rate, "seconds": round(state.seconds, 3)}
        self.pending.append(json.dumps(record) + "\n")
        self.progress.epoch(record)
        if self.board is not None:
            for part in ("train", "validation"):
                for name, value in record.get(part, {}).items():
                    self.board.add_scalar(f"{part}/{name}", value, state.step)
            self.board.flush()
        self._agree()
        if self._is_due() or self.stopping:
            self._save()

    def _tell_undefined(self, judged: Mapping[str, float]) -> None:
        """Tell, once each, which metrics have no value for the rows that are judged."""
        for label in self.setup.measures.labels:
            if label not in judged and label not in self.undefined:
                self.undefined.add(label)
                self.warn(f"`{label}` has no value for the rows that are judged: they are too few, or all of one class")

    def _judge(self, value: float, loss: float) -> None:
        """Keep the weights where they are the best so far, and stop where nothing gets better.

        Where what is watched stays the same, as a share of few rows often does, the lower loss is the better one; it is
        no progress that ``patience`` would wait for. A value that is not defined is as bad as can be.
        """
        state, early = self.state, self.early
        value = value if math.isfinite(value) else -self.way * math.inf
        if not self.selects or state.best is None or self._rank(value, loss) > self._rank(state.best, state.best_loss):
            state.best, state.best_loss, state.best_epoch, state.best_step = value, loss, state.epoch, state.step
            self.best_weights = {name: tensor.clone() for name, tensor in self.setup.model.state_dict().items()}
        if early is None:
            return
        if state.progress is None or self.way * (value - state.progress) > early.min_delta:
            state.progress, state.waited = value, 0
        else:
            state.waited += 1
        if early.patience is not None and state.waited >= early.patience:
            state.done = True
        if early.target is not None and self.way * (value - early.target) >= 0:
            state.done = True

    def _rank(self, value: float, loss: float) -> tuple[float, float]:
        """What grows as a network gets better."""
        return self.way * value, -loss

    # What is kept

    def _is_due(self) -> bool:
        """Return whether it is time to save."""
        steps = self.setup.recipe.checkpoint.steps
        return self.late if steps is None else self.state.step % steps == 0

    def _flush(self) -> None:
        if self.world.is_first:
            data = "".join(self.pending).encode()
            with too_large(self.folder.metrics):
                self.folder.append_metrics(data)
            self.written.update(data)
        self.pending, self._flushed = [], time.perf_counter()

    def _level(self) -> None:
        """Statistics of batch norms are those of the first process's rows, in all processes, whenever they are used."""
        self.world.from_first(self.setup.model.buffers())

    def _save(self) -> None:
        """Write the best weights, the losses and a checkpoint, in this order: the last names what the first have."""
        state = self.state
        if self._saved_at == (state.epoch, state.step):
            return
        state.seconds = time.perf_counter() - self._began
        self._level()
        if self.best_weights is not None and self.best_written != state.best_step:
            self.setup.write_weights(self.best_weights, self.folder.best, self.strategy)
            self.best_written = state.best_step
        self._flush()
        rest = {
            "schedule": self.schedule.state_dict(),
            "state": {name: getattr(state, name) for name in State.__slots__},
            "random": self.world.gathered(random_state(self.setup.device)),
            "recipe": self.setup.fingerprint,
            "metrics": self.written.hexdigest(),
        }
        snapshot = taken(self.setup.model, self.optimizer, rest)
        self.checkpoints.save(snapshot, state.step, self.strategy.sharded)
        self._saved, self._saved_at = time.perf_counter(), (state.epoch, state.step)

    def _resume(self) -> None:
        model = self.setup.model
        snapshot, faults = self.checkpoints.load(lambda sizes: places(sizes, model, self.optimizer))
        for fault in faults:
            self.warn(fault)
        if snapshot is None:
            if faults:
                raise EnvironmentFault(f"no checkpoint in {self.folder.checkpoints} is whole: start anew")
            return
        saved = snapshot.rest
        if saved["recipe"] != self.setup.fingerprint:
            raise TrainingFault(f"{self.folder.path} was trained with another spec or recipe: start a new run")
        restore(snapshot, model, self.optimizer, self.strategy)
        self.state = State(**saved["state"])
        self.schedule.load_state_dict(saved["schedule"], self.state.step)
        self._saved_at = (self.state.epoch, self.state.step)
        if self.state.best is not None and not self.world.most(self.folder.best.is_file()):
            self._forget_best()
        elif self.state.best is not None:
            best, present = self.setup.read_weights(self.folder.best), model.state_dict()
            self.best_weights = {name: self.strategy.laid_out(tensor, present[name]) for name, tensor in best.items()}
            self.best_written = self.state.best_step
        if self.world.rank < len(saved["random"]):
            set_random_state(saved["random"][self.world.rank], self.setup.device)
        if self.world.is_first:
            self._take_up_metrics(saved.get("metrics"))
        if not self.state.done:
            self.progress.resumed(self.state.step)

    def _take_up_metrics(self, digest: str | None) -> None:
        """Have the losses and scores end where the checkpoint does; what is not as it was written is told."""
        damaged = self.folder.cut_metrics(self.state.step)
        kept = self.folder.metrics.read_bytes() if self.folder.metrics.is_file() else b""
        self.written.update(kept)
        if damaged:
            self.warn(f"{self.folder.metrics} is damaged: {damaged} of its lines are left out")
        elif digest is not None and digest != self.written.hexdigest():
            self.warn(f"{self.folder.metrics} is damaged: it has other numbers than when the run wrote it")

    def _forget_best(self) -> None:
        """Go on where the best weights are gone: those of now are the best, until an epoch has ended."""
        state = self.state
        self.warn(f"{self.folder.best} is gone, the weights of epoch {state.best_epoch}: the best is sought anew")
        state.best, state.best_loss, state.best_epoch, state.best_step = None, math.inf, state.epoch, state.step
        self.best_weights = {name: tensor.clone() for name, tensor in self.setup.model.state_dict().items()}
        self._saved_at = None

    def _load_best(self) -> None:
        if self.best_weights is not None:
            self.setup.model.load_state_dict(self.best_weights)


def strategy_of(setup: Setup, judged: Judged) -> Alone:
    """How the processes of a world share a network. Raises ``UsageError`` where its optimizer does not allow it."""
    world, optimizer, strategy = setup.world, setup.recipe.optimizer, setup.recipe.settings.strategy
    if world.size == 1:
        return Alone(judged)
    if optimizer.closure:
        raise UsageError(f"`{optimizer.name}` evaluates the loss several times a step, which is for one device")
    if strategy == "fsdp":
        from netspec.train.distributed.sharding import Sharded

        return Sharded(judged, setup.device, world)
    return Replicated(judged, all_judged={*setup.graph.outputs} == {*setup.recipe.losses})
