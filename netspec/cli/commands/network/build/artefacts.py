"""The targets of a build in one folder, with a record of what was built from what and what was verified."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from netspec.cli.given_weights import GivenWeights
from netspec.cli.output import fitted, status, warn
from netspec.diagnostics import UsageError
from netspec.dims import evaluate
from netspec.files import write_text
from netspec.graph import Graph
from netspec.locks import locked
from netspec.plugins import find_target
from netspec.targets import BUILT, Target, WriteOptions, Written, blamed
from netspec.text.quoting import json_text
from netspec.version import __version__

PACKAGES = ("torch", "onnx", "pydantic", "numpy", "onnxruntime-gpu", "onnxruntime")
"""The packages whose versions are recorded, where they are installed."""

RECORD = "build.json"
LOCK = ".build.lock"


def build_all(
    graph: Graph,
    folder: Path,
    options: WriteOptions,
    variant: str | None,
    only: Sequence[str] = (),
    given: GivenWeights | None = None,
) -> int:
    """Write netspec's targets, or ``only`` those named, and say so; gives the exit code.

    ``given`` are the weights that ``options`` fill a module with. Raises ``UsageError`` for a target that there is none
    of, for weights that no target holds, and for a folder with files that are not of a build.
    """
    targets = [find_target(name) for name in dict.fromkeys(only or BUILT)]
    if given is not None and not any(target.needs_torch for target in targets):
        raise UsageError("nothing that is built holds weights: leave --weights out, or build `onnx`, too")
    guard_own(folder, targets)
    with locked(folder, LOCK, "built"):
        return _built(graph, folder, targets, options, variant, given)


def guard_own(folder: Path, targets: Sequence[Target]) -> None:
    """Guard: each file is of one target, and no file of a folder is replaced that is not of a build."""
    writers: dict[str, str] = {RECORD: "build"}
    for target in targets:
        for name in target.files:
            if writers.setdefault(name, target.name) != target.name:
                raise UsageError(f"`{writers[name]}` and `{target.name}` both write {name}: build only one of them")
    if (folder / RECORD).is_file():
        return
    there = [name for target in targets for name in target.files if os.path.lexists(folder / name)]
    if there:
        raise UsageError(
            f"{folder / there[0]} does not belong to a build and is left alone: choose another folder with -o"
        )


def _built(
    graph: Graph,
    folder: Path,
    targets: Sequence[Target],
    options: WriteOptions,
    variant: str | None,
    given: GivenWeights | None,
) -> int:
    _write_record(graph, folder, variant, {})  # from now on, the files beside it are a build's
    written: dict[str, Written] = {}
    for target in sorted(targets, key=lambda each: each.needs_torch):  # what may fail comes last
        with status(f"{target.name}: {target.summary}"), blamed(target):
            written[target.name] = target.write(graph, folder, options)
        for text in written[target.name].warnings:
            warn(text)
    done = {target.name: written[target.name] for target in targets}
    _write_record(graph, folder, variant, done, None if given is None else given.record)
    print()
    files = ", ".join(file.name for each in done.values() for file in each.files)
    print(fitted(f"wrote {folder}/: {files}, {RECORD}", sys.stdout))
    for each in done.values():
        for text in each.notes:
            print(fitted(text, sys.stdout))
    failures = [each.failure for each in done.values() if each.failure is not None]
    for text in failures:
        warn(text)
    return 1 if failures else 0


def _write_record(
    graph: Graph,
    folder: Path,
    variant: str | None,
    written: Mapping[str, Written],
    weights: Mapping[str, Any] | None = None,
) -> None:
    """Write what is built from what, and what was checked; first with nothing ``written``, as a build has begun.

    ``weights`` says where those of the network come from, if from outside.
    """
    onnx = [file.name for each in written.values() for file in each.files if file.suffix == ".onnx"]
    record = {
        "model": graph.name,
        "netspec": __version__,
        "spec": {"file": graph.file, "sha256": graph.digest},
        "variant": variant,
        "parameters": dict(graph.parameters),
        "sizes": dict(graph.sizes),
        "weights": weights,
        "totals": {"params": graph.body.parameter_count, "macs": evaluate(graph.body.macs, graph.sizes)},
        "versions": {"python": platform.python_version(), **_versions()},
        "checks": {name: found for each in written.values() for name, found in each.checks.items()},
        "targets": [*written],
        "onnx": onnx[0] if onnx else None,
    }
    write_text(folder / RECORD, json_text(record, indent=2) + "\n")


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
