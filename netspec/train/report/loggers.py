"""Loggers: the programs besides netspec's own files that a run reports its scores to, each a package of its own."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from netspec.diagnostics import EnvironmentFault
from netspec.train.store.folder import RunFolder

IDS = "loggers.json"
"""The file of a run with the names that its loggers have given it, by which a resumed run goes on there."""

MOST_IN_VALUE = 500
"""Characters of a value that MLflow takes."""

Values = Mapping[str, float]


class Logger(ABC):
    """Base of every logger. One is opened before the first step; ``id`` is what its program calls the run, if that
    gives it a name.
    """

    name: str
    package: str
    id: str | None = None

    @abstractmethod
    def add(self, step: int, values: Values) -> None:
        """Report numbers at a step, such as ``train/loss``."""

    @abstractmethod
    def close(self, scores: Values | None) -> None:
        """Report the ``scores`` of the best weights, and that the run has ended; ``None`` where it was interrupted."""


class TensorBoard(Logger):
    """Writes event files into the folder `tensorboard` of the run."""

    name, package = "tensorboard", "tensorboard"

    def __init__(self, folder: RunFolder, facts: Mapping[str, Any], id: str | None):
        from torch.utils.tensorboard import SummaryWriter

        self.writer: Any = SummaryWriter(folder.path / "tensorboard")

    def add(self, step: int, values: Values) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def close(self, scores: Values | None) -> None:
        self.writer.close()


class WeightsAndBiases(Logger):
    """Reports to Weights & Biases, in a project of the network's name; with ``WANDB_MODE=offline`` into the run."""

    name, package = "wandb", "wandb"

    def __init__(self, folder: RunFolder, facts: Mapping[str, Any], id: str | None):
        import wandb

        self.run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT", facts.get("model", "netspec")),
            name=title_of(folder),
            config={"recipe": facts.get("recipe", {}), "parameters": facts.get("parameters", {})},
            dir=str(folder.path),
            id=id,
            resume="allow",
        )
        self.id = self.run.id

    def add(self, step: int, values: Values) -> None:
        self.run.log(dict(values), step=step)

    def close(self, scores: Values | None) -> None:
        for name, value in (scores or {}).items():
            self.run.summary[f"best/{name}"] = value
        self.run.finish(exit_code=0 if scores is not None else 1)


class MLflow(Logger):
    """Reports to MLflow, in an experiment of the network's name, wherever MLflow keeps its runs."""

    name, package = "mlflow", "mlflow"

    def __init__(self, folder: RunFolder, facts: Mapping[str, Any], id: str | None):
        from mlflow.tracking import MlflowClient

        self.client: Any = MlflowClient()
        if id is not None:
            self.id = id
            self.client.update_run(id, status="RUNNING")
            return
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", facts.get("model", "netspec"))
        experiment = self.client.get_experiment_by_name(name)
        place = self.client.create_experiment(name) if experiment is None else experiment.experiment_id
        self.id = self.client.create_run(place, run_name=title_of(folder)).info.run_id
        told = {"parameters": facts.get("parameters", {}), **facts.get("recipe", {})}
        for key, value in flat(told):
            self.client.log_param(self.id, key, str(value)[:MOST_IN_VALUE])

    def add(self, step: int, values: Values) -> None:
        for name, value in values.items():
            self.client.log_metric(self.id, name, value, step=step)

    def close(self, scores: Values | None) -> None:
        for name, value in (scores or {}).items():
            self.client.log_metric(self.id, f"best/{name}", value)
        self.client.set_terminated(self.id, "FINISHED" if scores is not None else "KILLED")


LOGGERS: Mapping[str, type[Logger]] = {each.name: each for each in (TensorBoard, WeightsAndBiases, MLflow)}


class Loggers:
    """The loggers of a run. One that fails after it has been opened is warned of and left out: training goes on.

    Raises ``EnvironmentFault`` if a package is not installed, or its program cannot be reached.
    """

    def __init__(self, names: Sequence[str], folder: RunFolder, warn: Callable[[str], None]):
        self.warn = warn
        self.open: list[Logger] = []
        if not names:
            return
        ids = self._ids(folder)
        facts = folder.facts() if folder.begun else {}
        for name in names:
            with _opened(name):
                self.open.append(LOGGERS[name](folder, facts, ids.get(name)))  # type: ignore[call-arg]
        found = {each.name: each.id for each in self.open if each.id is not None}
        if found and found != ids:
            folder.write(IDS, {"ids": found})

    def _ids(self, folder: RunFolder) -> dict[str, str]:
        """Return the names that loggers have given the run before, if it has been begun."""
        try:
            return dict(folder.read(IDS)["ids"]) if (folder.path / IDS).is_file() else {}
        except EnvironmentFault as fault:
            self.warn(f"{fault}: the run begins anew in its loggers")
            return {}

    def add(self, step: int, values: Values) -> None:
        """Report numbers at a step to each."""
        self._each(lambda logger: logger.add(step, values))

    def close(self, scores: Mapping[str, Values] | None) -> None:
        """End each, with the scores by part, if the run has come to its end."""
        told = None if scores is None else dict(_by_part(scores))
        self._each(lambda logger: logger.close(told))
        self.open = []

    def _each(self, act: Callable[[Logger], None]) -> None:
        for logger in [*self.open]:
            try:
                act(logger)
            except Exception as fault:  # another program's, of whatever kind: it is not what the run is for
                self.open.remove(logger)
                self.warn(f"`{logger.name}` has failed, and gets nothing more of this run: {fault}")


def guard_packages(names: Sequence[str]) -> None:
    """Guard: the packages of loggers are installed. Raises ``EnvironmentFault``."""
    for name in names:
        with _opened(name):
            import_module(LOGGERS[name].package)


@contextmanager
def _opened(name: str) -> Iterator[None]:
    """Report why a logger cannot be opened as an ``EnvironmentFault``."""
    try:
        yield
    except ModuleNotFoundError:
        raise EnvironmentFault(
            f"`loggers: {name}` needs the package {LOGGERS[name].package}: `pip install 'netspec[{name}]'`"
        ) from None
    except Exception as fault:
        help = "; `wandb login` signs in, `WANDB_MODE=offline` does without" if name == "wandb" else ""
        raise EnvironmentFault(f"`loggers: {name}` cannot be opened: {fault}{help}") from None


def values_of(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of an epoch's record by part and name, with the learning rate."""
    parts = {part: record[part] for part in ("train", "validation") if part in record}
    return {**dict(_by_part(parts)), "lr": record["lr"]}


def _by_part(scores: Mapping[str, Values]) -> Iterator[tuple[str, float]]:
    for part, values in scores.items():
        for name, value in values.items():
            yield f"{part}/{name}", value


def title_of(folder: RunFolder) -> str:
    """Return the name of a run for people: its folder, with the one that this is in."""
    return "/".join(folder.path.absolute().parts[-2:])


def flat(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield settings by the path of their keys: ``optimizer.adam.lr``."""
    if isinstance(value, Mapping):
        for key, inside in value.items():
            yield from flat(inside, f"{above}.{key}" if above else str(key))
    else:
        yield above, value
