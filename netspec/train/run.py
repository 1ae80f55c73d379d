"""A training run: the loop, and what it leaves behind. The file to read first; ``loop`` has its parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from netspec.diagnostics import TrainingFault
from netspec.recipes.schedules import ConstantLR
from netspec.train.faults import told_of_faults
from netspec.train.loop.journal import Journal
from netspec.train.loop.last_epochs import LastEpochs
from netspec.train.loop.learner import Learner
from netspec.train.loop.losses import StepLosses
from netspec.train.loop.requests import Requests
from netspec.train.loop.selection import Selection
from netspec.train.loop.state import State
from netspec.train.loop.step import Stepper
from netspec.train.optimize.averages import Averages
from netspec.train.report.judged.judge import judge, judged_part
from netspec.train.report.judged.judgement import Judgement
from netspec.train.report.progress import Progress
from netspec.train.schedules import build_schedule
from netspec.train.setup import Setup
from netspec.train.stopping import StoppedNow, stopped_by_signals
from netspec.train.store.checkpoints import Checkpoints
from netspec.train.store.folder import RunFolder
from netspec.train.store.metadata import cannot_go_on
from netspec.train.store.snapshot import empty_tensors, random_state, restore, set_random_state, snapshot_of


@dataclass(slots=True)
class Result:
    """The end of a run. ``scores`` has loss and metrics of the best weights for each part of the data; it is empty if
    the run was interrupted. ``judgement`` has what they get wrong, where that can be told.
    """

    state: State
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    judgement: Judgement | None = None
    interrupted: bool = False


class Run:
    """One network being trained on one split of the data, into one folder.

    ``setup`` is the recipe as it is carried out on this machine. The run resumes from the folder's last good
    checkpoint, if there is one, as if it had never been stopped. Each process of the setup's world has a run of its
    own, on its share of the rows; the first one alone writes.
    """

    def __init__(self, setup: Setup, folder: RunFolder, progress: Progress, warn: Callable[[str], None]):
        self.setup, self.folder, self.progress, self.warn = setup, folder, progress, warn
        recipe, model = setup.recipe, setup.model
        self.settings, self.world = recipe.settings, setup.world
        learner = Learner(setup)
        self.strategy, self.optimizer, self.scaler = learner.strategy, learner.optimizer, learner.scaler
        self.steps_per_epoch, self.total = setup.train.steps(self.settings.batch), setup.steps
        planned = setup.extensions.planned
        self.schedule = build_schedule(
            recipe.schedule or ConstantLR(),
            self.optimizer,
            self.total if planned is None else setup.steps_in(planned),
            self.steps_per_epoch,
        )
        self.state = State()
        self.requests = Requests(self.world, recipe.checkpoint.minutes)
        self.losses = StepLosses(setup, self.requests, self._record)
        self.averages = None if recipe.ema is None else Averages(model, recipe.ema)
        self.stepper = Stepper(setup, learner, self.schedule, self.losses, self.averages)
        self.selection = Selection(setup)
        epochs = -(-self.total // self.steps_per_epoch)
        self.last_epochs: LastEpochs | None = None
        if recipe.average is not None:
            self.last_epochs = LastEpochs(setup, recipe.average, folder, self.strategy, epochs)
        self.journal = Journal(folder, self.world, self.settings.logger_names, warn)
        self.checkpoints = Checkpoints(folder.checkpoints, recipe.checkpoint.keep, self.world)
        self._save_every = recipe.checkpoint.steps
        self._began = time.perf_counter()
        self._saved_at: tuple[int, int] | None = None  # epoch and step of the last checkpoint
        self._undefined: set[str] = set()  # metrics that a warning has named

    def go(self) -> Result:
        """Train to the end, or to an interruption; then score the best weights."""
        self._resume()
        self._began = time.perf_counter() - self.state.seconds
        self.requests.saved()
        self.setup.model.train()
        try:
            with stopped_by_signals(self.requests, self.warn), told_of_faults(self.setup):
                with suppress(StoppedNow):
                    self._train()
                self._save()
        finally:
            self.progress.close()
            if not self.state.done:
                self.journal.loggers.close(None)
        if not self.state.done:
            return Result(self.state, interrupted=True)
        self._load_chosen()
        setup = self.setup
        part = judged_part(setup.parts)
        scores = setup.scores()
        self.journal.loggers.close(scores)
        return Result(self.state, scores, judge(setup, part, setup.parts[part]))

    def _train(self) -> None:
        while not self.state.done and not self.requests.stopping:
            if self.train_epoch():
                self.end_epoch()

    def train_epoch(self) -> bool:
        """Take the remaining steps of the present epoch; return whether it is complete, rather than stopped."""
        state, take_step = self.state, self.stepper.function()
        if state.step >= self.total or state.step_of_epoch >= self.steps_per_epoch:
            return True  # it was stopped while this epoch was judged
        for batch in self.setup.train.shuffled(state.epoch, self.settings.batch, skip=state.step_of_epoch):
            state.count_step()
            take_step(batch, state.step)
            if state.step >= self.total:
                break
            if (self._is_due() or self.requests.stopping) and state.step_of_epoch < self.steps_per_epoch:
                self._save()
                if self.requests.stopping:
                    return False
        self.losses.read()
        return True

    def _record(self, step: int, loss: float, counted: float) -> None:
        """Record the loss of a step, the mean over ``counted`` rows or positions."""
        self.state.add_loss(loss, counted)
        self.journal.add_step(step, loss)
        self.progress.step(step, loss)

    def end_epoch(self) -> None:
        """Score the network, keep its weights if they are the best, and save if that is due."""
        state = self.state
        self.scaler.guard(state.step)
        self._synchronise_buffers()
        rate = self.optimizer.param_groups[0]["lr"]
        with self._judged():
            with self.requests.between_steps():
                measured = self._measure()
            scores = measured.get("validation", measured["train"])
            state.start_epoch()
            self.selection.update(state, scores)
        if self.last_epochs is not None:
            self.last_epochs.keep(state.epoch)
        state.seconds = time.perf_counter() - self._began
        self.schedule.epoch(scores["loss"])
        self._warn_of_undefined(scores)
        state.done = state.done or state.step >= self.total
        record = {"epoch": state.epoch, "step": state.step, **measured, "lr": rate, "seconds": round(state.seconds, 3)}
        self.journal.add_epoch(record)
        self.progress.epoch(record)
        self.requests.agree()
        if self._is_due() or self.requests.stopping:
            self._save()

    def _load_chosen(self) -> None:
        """Put the weights that are kept into the network: the best ones, or the mean of those of the last epochs."""
        if self.last_epochs is None:
            self.selection.load()
            return
        self.last_epochs.load(self.state.epoch)
        self.selection.replace(self.state, self.folder, self.strategy)

    def _judged(self) -> AbstractContextManager[None]:
        """Return the context in which the network has the weights that are judged: its own, or their averages."""
        return nullcontext() if self.averages is None else self.averages.applied()

    def _averages(self) -> Mapping[str, Tensor]:
        return {} if self.averages is None else self.averages.tensors

    def _measure(self) -> dict[str, dict[str, float]]:
        """Return loss and metrics by part; of the training rows the mean loss of the steps, unless the recipe asks."""
        setup = self.setup
        measured = {"train": {"loss": self.state.mean_loss()}}
        if self.settings.evaluate_train or (setup.validation is None and setup.recipe.metrics):
            measured["train"] = setup.evaluate(setup.train)
        if setup.validation is not None:
            measured["validation"] = setup.evaluate(setup.validation)
        return measured

    def _warn_of_undefined(self, scores: Mapping[str, float]) -> None:
        """Warn, once each, of metrics that have no value for the rows that are scored."""
        for label in self.setup.evaluator.labels:
            if label not in scores and label not in self._undefined:
                self._undefined.add(label)
                self.warn(f"`{label}` has no value for the rows that are judged: they are too few, or all of one class")

    def _is_due(self) -> bool:
        """Return whether a checkpoint is due, by steps or by the clock."""
        steps = self._save_every
        return self.requests.save_due if steps is None else self.state.step % steps == 0

    def _synchronise_buffers(self) -> None:
        """Give all processes the batch norms' statistics of the first, as each has those of its own rows."""
        self.world.from_first(self.setup.model.buffers())

    def _save(self) -> None:
        """Write the best weights, the losses and a checkpoint, in this order: the last names what the first have."""
        state = self.state
        if self._saved_at == (state.epoch, state.step):
            return
        self.losses.read()
        state.seconds = time.perf_counter() - self._began
        self._synchronise_buffers()
        self.selection.write(state, self.folder, self.strategy)
        self.journal.flush()
        rest = {
            "schedule": self.schedule.state_dict(),
            "state": state.plain(),
            "random": self.world.gathered(random_state(self.setup.device)),
            "recipe": self.setup.fingerprint(),
            "metrics": self.journal.digest(),
            "averaged": 0 if self.averages is None else self.averages.steps,
            "scaler": self.scaler.state_dict(),
        }
        snapshot = snapshot_of(self.setup.model, self.optimizer, self._averages(), rest)
        self.checkpoints.save(snapshot, state.step, self.strategy.sharded)
        self.requests.saved()
        self._saved_at = (state.epoch, state.step)

    def _resume(self) -> None:
        """Restore the last good checkpoint, if there is one.

        Raises ``EnvironmentFault`` if all are damaged, ``TrainingFault`` if they are of another recipe.
        """
        saved = self._restored()
        if saved is None:
            return
        self.state = State(**saved["state"])
        if saved["recipe"] != self.setup.fingerprint():
            earlier = self.setup.extensions.earlier
            at_end = self.state.done and any(length.steps == self.state.step for length in earlier)
            self.state.extend(self.state.step % self.steps_per_epoch if at_end else 0)
        self.schedule.load_state_dict(saved["schedule"], self.state.step)
        self._saved_at = (self.state.epoch, self.state.step)
        self._resume_selection()
        if self.world.rank < len(saved["random"]):
            set_random_state(saved["random"][self.world.rank], self.setup.device)
        if self.world.is_first and (damage := self.journal.resume(self.state.step, saved.get("metrics"))):
            self.warn(damage)
        self.state.done = self.state.done or (self.state.step >= self.total and not self.state.step_of_epoch)
        if not self.state.done:
            self.progress.resumed(self.state.step)

    def _restored(self) -> dict[str, Any] | None:
        """Restore weights and optimizer, and return the rest of the checkpoint; ``None`` if there is no checkpoint."""
        model, averages = self.setup.model, self._averages()
        snapshot, damages = self.checkpoints.load(lambda sizes: empty_tensors(sizes, model, self.optimizer, averages))
        for damage in damages:
            self.warn(damage)
        if snapshot is None:
            if damages:
                raise cannot_go_on(self.folder)
            return None
        earlier = [self.setup.fingerprint(length) for length in self.setup.extensions.earlier]
        if snapshot.rest["recipe"] not in (self.setup.fingerprint(), *earlier):
            raise TrainingFault(f"{self.folder.path} was trained with another spec or recipe: start a new run")
        restore(snapshot, model, self.optimizer, averages, self.strategy)
        if self.averages is not None:
            self.averages.steps = snapshot.rest["averaged"]
        self.scaler.load_state_dict(snapshot.rest.get("scaler", {}))
        return snapshot.rest

    def _resume_selection(self) -> None:
        """Read the best weights; where they are gone, warn and take the present ones until an epoch has ended."""
        state = self.state
        if state.best is None:
            return
        if self.world.most(self.folder.best.is_file()):
            self.selection.read(state, self.folder, self.strategy)
            return
        self.warn(f"{self.folder.best} is gone, the weights of epoch {state.best_epoch}: the best is sought anew")
        with self._judged():
            self.selection.restart(state)
        self._saved_at = None
