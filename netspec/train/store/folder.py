"""The folder of a run: its spec, its recipe, its metrics and its result."""

from __future__ import annotations

import hashlib
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

from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.files import write_text
from netspec.sources.run_folders import LAST, is_run, last_run, named_run, numbers_in
from netspec.text.quoting import json_text
from netspec.version import __version__
from netspec.weights.files.safetensors import SEAL, damaged

NEEDED = {
    "run.json": ("model", "weights", "spec", "parameters", "recipe", "asked"),
    "result.json": ("scores", "best_epoch", "steps", "seconds", "published"),
    "environment.json": ("versions", "machine", "threads", "devices"),
    "data.json": ("columns", "words"),
    "judgement.json": ("part", "rows", "classes", "confusion", "bins", "pairs", "mistakes"),
    "loggers.json": ("ids",),
}
"""The keys of each file that others rely on."""

PACKAGES = ("torch", "torchmetrics", "numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "safetensors", "pydantic")


class RunFolder:
    """The files of a run.

    ``run.json`` has the spec's name and digest, the parameters and the recipe with every default; ``environment.json``
    versions and machine; ``metrics.jsonl`` a line for each step (``{"step", "loss"}``) and each epoch (``{"epoch",
    "step", "train", "validation", "lr", "seconds"}``); ``result.json`` how it ended; ``judgement.json`` what the best
    weights get wrong. The JSON files have a digest of
    themselves, and one that is damaged is told.
    """

    def __init__(self, path: Path):
        self.path = path
        self.metrics = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoints"
        self.best = path / "best.safetensors"

    @staticmethod
    def new(parent: Path) -> RunFolder:
        """Make the next free folder under a network's: ``runs/lenet/3``. Raises ``EnvironmentFault``."""
        number = max(numbers_in(parent), default=0) + 1
        while True:
            try:
                (parent / str(number)).mkdir(parents=True)
            except FileExistsError:
                number += 1
                continue
            except OSError as error:
                raise EnvironmentFault(f"cannot write {parent / str(number)}: {error.strerror}") from None
            return RunFolder(parent / str(number))

    @staticmethod
    def find(run: str, parent: Path) -> RunFolder:
        """Return the folder of a run by its path, its number, or ``last``. Raises ``UsageError`` if there is none."""
        if run == LAST:
            return RunFolder(last_run(parent))
        for path in (named_run(run), parent / run):
            if RunFolder(path).begun:
                return RunFolder(path)
        raise UsageError(f"there is no run `{run}`: neither a folder with a run.json, nor one in {parent}/")

    @property
    def begun(self) -> bool:
        """Return whether a run has been started here."""
        return is_run(self.path)

    @property
    def ended(self) -> bool:
        """Return whether a run has come to its end here."""
        return (self.path / "result.json").is_file()

    def begin(self, spec_text: str, facts: Mapping[str, Any]) -> None:
        """Write the files that the run starts from."""
        write_text(self.path / "spec.yaml", spec_text)
        self.write("environment.json", environment())
        self.write("run.json", facts)

    def drop_empty(self) -> None:
        """Remove the folder if nothing has been written into it."""
        with suppress(OSError):
            self.path.rmdir()

    def facts(self) -> dict[str, Any]:
        """Return ``run.json``. Raises ``UsageError`` for a link that leads out of the folder, which is a run's own."""
        here = Path(os.path.realpath(self.path))
        for each in self.path.rglob("*"):
            if each.is_symlink() and not Path(os.path.realpath(each)).is_relative_to(here):
                raise UsageError(f"{each} is a link that leads out of the run: put what it means into the folder")
        return self.read("run.json")

    def result(self) -> dict[str, Any]:
        """Return ``result.json``. Raises ``EnvironmentFault`` if it is gone or damaged."""
        return self.read("result.json")

    def environment(self) -> dict[str, Any]:
        """Return ``environment.json``. Raises ``EnvironmentFault`` if it is gone or damaged."""
        return self.read("environment.json")

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write ``result.json``."""
        self.write("result.json", result)

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON file with a digest of itself."""
        sealed = {**value, SEAL: _digest(json.loads(json.dumps(value)))}
        write_text(self.path / name, json_text(sealed, indent=2) + "\n")

    def read(self, name: str) -> dict[str, Any]:
        """Return a JSON file of the run. Raises ``EnvironmentFault`` if it is gone or damaged."""
        path = self.path / name
        try:
            content = json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
        except OSError as fault:
            raise EnvironmentFault(f"cannot read {path}: {fault.strerror}") from None
        except (ValueError, RecursionError):
            raise damaged(path) from None
        if not isinstance(content, dict) or any(key not in content for key in NEEDED[name]):
            raise damaged(path)
        seal = content.pop(SEAL, None)  # older runs have none
        if seal is not None and seal != _digest(content):
            raise damaged(path)
        return content

    def append_metrics(self, data: bytes) -> None:
        """Add lines to ``metrics.jsonl``, never through a link. Raises ``OSError``."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(self.metrics, flags, 0o666), "ab") as file:
            file.write(data)

    def cut_metrics(self, step: int) -> int:
        """Drop the lines after ``step``, and damaged ones; return how many these are.

        One at the end of the file does not count: it was torn as the run was killed.
        """
        if not self.metrics.is_file():
            return 0
        lines = self.metrics.read_bytes().decode(errors="replace").splitlines()
        steps = [step_of(line) for line in lines]
        write_text(
            self.metrics, "".join(f"{line}\n" for line, of in zip(lines, steps) if of is not None and of <= step)
        )
        return steps[:-1].count(None)


def step_of(line: str) -> int | None:
    """Return the step of a line of ``metrics.jsonl``; ``None`` for a damaged line."""
    try:
        record = json.loads(line)
        whole = _is_number(record["loss"]) if "loss" in record else _is_epoch(record)
        return record["step"] if whole and isinstance(record["step"], int) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _is_epoch(record: Mapping[str, Any]) -> bool:
    parts = [record["train"], record.get("validation", {})]
    numbers = [record["epoch"], record["lr"], record["seconds"], *(each for part in parts for each in part.values())]
    return all(map(_is_number, numbers))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def environment() -> dict[str, Any]:
    """Return versions and the machine, without its name."""
    versions = {"netspec": __version__, "python": platform.python_version(), "platform": sys.platform}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    cuda = torch.cuda.is_available()
    return {
        "versions": versions,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "devices": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())] if cuda else [],
    }
