"""The folder of a run: what was trained, from what, and how it went."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from netspec import __version__
from netspec.diagnostics import UsageError
from netspec.files import write_text
from netspec.quoting import json_text

PACKAGES = ("torch", "torchmetrics", "numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "safetensors", "pydantic")


class RunFolder:
    """The files of a run.

    ``run.json`` has the spec's name and digest, the parameters and the recipe with every default; ``environment.json``
    versions and machine; ``metrics.jsonl`` a line for each step (``{"step", "loss"}``) and each epoch (``{"epoch",
    "step", "train", "validation", "lr", "seconds"}``); ``result.json`` how it ended.
    """

    def __init__(self, path: Path):
        self.path = path
        self.metrics = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoints"
        self.best = path / "best.safetensors"

    @staticmethod
    def new(parent: Path) -> RunFolder:
        """The next free folder under a network's: ``runs/lenet/3``."""
        taken = [int(each.name) for each in parent.glob("[0-9]*") if each.name.isdecimal()]
        number = max(taken, default=0) + 1
        while True:
            try:
                (parent / str(number)).mkdir(parents=True)
            except FileExistsError:
                number += 1
                continue
            return RunFolder(parent / str(number))

    @staticmethod
    def find(run: str, parent: Path) -> RunFolder:
        """The folder of a run by its path, its number, or ``last``. Raises ``UsageError`` where there is none."""
        if run == "last":
            numbers = sorted(int(each.name) for each in parent.glob("[0-9]*") if each.name.isdecimal())
            if not numbers:
                raise UsageError(f"there is no run in {parent}/ yet")
            return RunFolder(parent / str(numbers[-1]))
        for path in (Path(run), parent / run):
            if RunFolder(path).begun:
                return RunFolder(path)
        raise UsageError(f"there is no run `{run}`: neither a folder with a run.json, nor one in {parent}/")

    @property
    def begun(self) -> bool:
        """Whether a run has been started here."""
        return (self.path / "run.json").is_file()

    @property
    def ended(self) -> bool:
        """Whether a run has come to its end here."""
        return (self.path / "result.json").is_file()

    def begin(self, spec_text: str, facts: Mapping[str, Any]) -> None:
        """Write what the run starts from."""
        write_text(self.path / "spec.yaml", spec_text)
        write_text(self.path / "environment.json", _json(environment()))
        write_text(self.path / "run.json", _json(facts))

    def drop_empty(self) -> None:
        """Remove the folder if nothing has been written into it."""
        with suppress(OSError):
            self.path.rmdir()

    def facts(self) -> dict[str, Any]:
        """What ``run.json`` says. Raises ``UsageError`` where a link leads out of the folder: a run is its own."""
        here = Path(os.path.realpath(self.path))
        for each in self.path.rglob("*"):
            if each.is_symlink() and not Path(os.path.realpath(each)).is_relative_to(here):
                raise UsageError(f"{each} is a link that leads out of the run: put what it means into the folder")
        return self._read("run.json")

    def result(self) -> dict[str, Any]:
        """What ``result.json`` says."""
        return self._read("result.json")

    def environment(self) -> dict[str, Any]:
        """What ``environment.json`` says."""
        return self._read("environment.json")

    def _read(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        return found

    def finish(self, result: Mapping[str, Any]) -> None:
        write_text(self.path / "result.json", _json(result))

    def cut_metrics(self, step: int) -> None:
        """Drop the lines of steps that a resumed run takes again, and one that was torn."""
        if self.metrics.is_file():
            lines = [line for line in self.metrics.read_text(encoding="utf-8").splitlines() if _step(line) <= step]
            write_text(self.metrics, "".join(line + "\n" for line in lines))


def _step(line: str) -> float:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _json(value: Mapping[str, Any]) -> str:
    return json_text(value, indent=2) + "\n"


def environment() -> dict[str, Any]:
    """Versions and the machine, without its name."""
    found = {"netspec": __version__, "python": platform.python_version(), "platform": sys.platform}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    cuda = torch.cuda.is_available()
    return {
        "versions": found,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "devices": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())] if cuda else [],
    }
