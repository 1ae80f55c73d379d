"""Loggers have what the run's own files have: TensorBoard, and Weights & Biases and MLflow by stand-ins for them.

The stand-ins take what the real functions take (wandb 0.31, mlflow 3.17), which is held against them where they are
installed; there a run also reports to them, as they work without a server.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from train import small

from netspec.cli import main
from netspec.diagnostics import EnvironmentFault
from netspec.train.report.loggers import flat

Epochs = list[dict[str, Any]]


def epochs_of(folder: Path) -> Epochs:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "epoch" in line]


def told(epoch: dict[str, Any]) -> dict[str, float]:
    parts = {f"{part}/{name}": value for part in ("train", "validation") for name, value in epoch[part].items()}
    return parts | {"lr": epoch["lr"]}


def test_the_scores_of_every_epoch_are_on_the_board(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    small.begin(small.graph(tmp_path, loggers="tensorboard", metrics="[accuracy]"), tmp_path / "run").go()
    board = EventAccumulator(str(tmp_path / "run/tensorboard")).Reload()
    epochs = epochs_of(tmp_path / "run")
    assert {*board.Tags()["scalars"]} == {*told(epochs[0])}
    for tag in told(epochs[0]):
        shown = [(event.step, event.value) for event in board.Scalars(tag)]
        assert shown == [(epoch["step"], pytest.approx(told(epoch)[tag])) for epoch in epochs]


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_without_it_a_run_says_what_to_install(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(EnvironmentFault) as found:
        small.begin(small.graph(tmp_path, loggers=name), tmp_path / "run")
    assert str(found.value) == f"`loggers: {name}` needs the package {name}: `pip install 'netspec[{name}]'`"


def test_without_it_no_folder_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    run = tmp_path / "run"
    assert main(["train", "xor", "--set", "train.loggers=mlflow", "--devices", "cpu", "-o", str(run)]) == 3
    assert not run.exists()


class Wandb:
    """Weights & Biases, as far as a run calls it."""

    def __init__(self) -> None:
        self.begun: list[dict[str, Any]] = []
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.summary: dict[str, float] = {}
        self.ended: list[int | None] = []
        self.id = "abc123"

    def init(self, *, project: str, name: str, config: dict[str, Any], dir: str, id: str | None, resume: str) -> Wandb:
        self.begun.append({"project": project, "name": name, "config": config, "id": id, "resume": resume})
        return self

    def log(self, data: dict[str, float], step: int | None = None) -> None:
        assert step is not None
        self.logged.append((step, data))

    def finish(self, exit_code: int | None = None) -> None:
        self.ended.append(exit_code)


class Client:
    """MLflow's client, as far as a run calls it."""

    experiments: dict[str, str] = {}
    params: dict[str, str] = {}
    metrics: dict[str, list[tuple[int | None, float]]] = {}
    statuses: list[str] = []

    def get_experiment_by_name(self, name: str) -> Any:
        found = self.experiments.get(name)
        return None if found is None else SimpleNamespace(experiment_id=found)

    def create_experiment(self, name: str) -> str:
        return self.experiments.setdefault(name, f"e{len(self.experiments)}")

    def create_run(self, experiment_id: str, run_name: str | None = None) -> Any:
        assert experiment_id in self.experiments.values()
        return SimpleNamespace(info=SimpleNamespace(run_id=f"of {run_name}"))

    def update_run(self, run_id: str, status: str | None = None) -> None:
        self.statuses.append(f"{run_id}: {status}")

    def log_param(self, run_id: str, key: str, value: Any) -> None:
        self.params[key] = value

    def log_metric(self, run_id: str, key: str, value: float, step: int | None = None) -> None:
        self.metrics.setdefault(key, []).append((step, value))

    def set_terminated(self, run_id: str, status: str | None = None) -> None:
        self.statuses.append(f"{run_id}: {status}")


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Wandb:
    found = Wandb()
    module = ModuleType("wandb")
    module.init = found.init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    return found


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    class Fresh(Client):
        experiments: dict[str, str] = {}
        params: dict[str, str] = {}
        metrics: dict[str, list[tuple[int | None, float]]] = {}
        statuses: list[str] = []

    tracking = ModuleType("mlflow.tracking")
    tracking.MlflowClient = Fresh  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.tracking", tracking)
    return Fresh


def test_a_run_reports_to_several_and_goes_on_in_them(tmp_path: Path, wandb: Wandb, mlflow: type[Client]):
    graph = small.graph(tmp_path, loggers="[wandb, mlflow]", epochs="2", checkpoint="{steps: 1, minutes: null}")
    cut = small.begin(graph, tmp_path / "run")
    cut.requests.asked_to_stop = True
    assert cut.go().interrupted
    assert wandb.ended == [1]
    scores = small.begin(graph, tmp_path / "run").go().scores
    epochs = epochs_of(tmp_path / "run")
    assert wandb.logged == [(epoch["step"], told(epoch)) for epoch in epochs]
    assert wandb.ended == [1, 0]
    assert wandb.summary["best/test/loss"] == scores["test"]["loss"]
    assert [(each["id"], each["resume"]) for each in wandb.begun] == [(None, "allow"), ("abc123", "allow")]
    name = wandb.begun[0]["name"]
    assert name == f"{tmp_path.name}/run"
    assert mlflow.metrics["train/loss"] == [(epoch["step"], epoch["train"]["loss"]) for epoch in epochs]
    assert mlflow.metrics["best/test/loss"] == [(None, scores["test"]["loss"])]
    assert mlflow.statuses == [f"of {name}: {status}" for status in ("KILLED", "RUNNING", "FINISHED")]


def test_one_that_fails_is_left_out_and_training_goes_on(
    tmp_path: Path, wandb: Wandb, capsys: pytest.CaptureFixture[str]
):
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no space")

    wandb.log = fail  # type: ignore[method-assign]
    run = small.begin(small.graph(tmp_path, loggers="wandb"), tmp_path / "run")
    assert run.go().scores
    out = capsys.readouterr().out
    assert out.count("`wandb` has failed, and gets nothing more of this run: no space") == 1


def test_one_that_cannot_be_opened_is_told_before_the_first_step(
    tmp_path: Path, wandb: Wandb, monkeypatch: pytest.MonkeyPatch
):
    def refuse(**_: Any) -> None:
        raise RuntimeError("api_key not configured")

    sys.modules["wandb"].init = refuse  # type: ignore[attr-defined]
    with pytest.raises(EnvironmentFault, match=r"cannot be opened: api_key not configured; `wandb login` signs in"):
        small.begin(small.graph(tmp_path, loggers="wandb"), tmp_path / "run")


def test_settings_have_the_paths_of_their_keys():
    told = dict(flat({"optimizer": {"adam": {"lr": 0.1}}, "epochs": 3, "prepare": []}))
    assert told == {"optimizer.adam.lr": 0.1, "epochs": 3, "prepare": []}


def taken(function: Callable[..., Any]) -> set[str]:
    return {*inspect.signature(function).parameters} - {"self"}


def test_the_stand_in_is_like_weights_and_biases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wandb = pytest.importorskip("wandb", reason="netspec[wandb] is not installed")
    assert taken(Wandb.init) <= taken(wandb.init)
    assert taken(Wandb.log) <= taken(wandb.Run.log)
    assert taken(Wandb.finish) <= taken(wandb.Run.finish)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    small.begin(small.graph(tmp_path, loggers="wandb"), tmp_path / "run").go()
    (kept,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    content = kept.read_bytes()
    for name in (*told(epochs_of(tmp_path / "run")[0]), "best/test/loss"):
        assert name.encode() in content


def test_the_stand_in_is_like_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tracking = pytest.importorskip("mlflow.tracking", reason="netspec[mlflow] is not installed")
    for name, function in vars(Client).items():
        if inspect.isfunction(function):
            assert taken(function) <= taken(getattr(tracking.MlflowClient, name)), name
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    run = small.begin(small.graph(tmp_path, loggers="mlflow", metrics="[accuracy]"), tmp_path / "run")
    run.go()
    (logger,) = [*json.loads((tmp_path / "run" / "loggers.json").read_text())["ids"].values()]
    client = tracking.MlflowClient()
    for tag in told(epochs_of(tmp_path / "run")[0]):
        found = [(each.step, each.value) for each in client.get_metric_history(logger, tag)]
        assert found == [(epoch["step"], told(epoch)[tag]) for epoch in epochs_of(tmp_path / "run")]
    assert client.get_run(logger).info.status == "FINISHED"
