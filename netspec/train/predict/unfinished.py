"""Runs that have not come to their end: what they have saved can be asked, and what to do where that is nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from netspec.diagnostics import UsageError
from netspec.train.store.folder import RunFolder
from netspec.train.store.history import read_history
from netspec.train.store.length import RunLength
from netspec.train.store.metadata import going_on
from netspec.weights.files.safetensors import EPOCH, SafetensorsFile

Warn = Callable[[str], None]


def usable_parts(folder: RunFolder, parts: Sequence[Path], warn: Warn) -> list[Path]:
    """Return the parts of a run, its folder or those of its folds, that have weights: all of a run that has ended.

    Of another ``warn`` is called with what they are. Raises ``UsageError`` where no epoch has ended yet.
    """
    if folder.ended:
        return [*parts]
    found = [path for path in parts if RunFolder(path).best.is_file()]
    guard_begun(folder, bool(found))
    some = f"{len(found)} of its {len(parts)} folds have" if len(found) < len(parts) else "it has"
    epochs = [str(epoch) for path in found if (epoch := best_epoch(path))]
    all = RunLength.of(folder.facts()["recipe"]).epochs
    of = f", of epoch {', '.join(epochs)}{f' of {all}' if all else ''}" if epochs else ""
    warn(f"{folder.path} is not finished: these are the best weights that {some} so far{of}{resumed_by(folder)}")
    return found


def guard_ended(folder: RunFolder) -> None:
    """Guard: a run has ended."""
    if not folder.ended:
        raise UsageError(f"{folder.path} is not finished{resumed_by(folder)}")


def guard_begun(folder: RunFolder, has_weights: bool) -> None:
    """Guard: the first epoch of a run has ended, so that there are weights."""
    if not has_weights:
        why = "was stopped in its first epoch, and has no weights to be asked yet"
        raise UsageError(f"{folder.path} {why}{resumed_by(folder)}")


def resumed_by(folder: RunFolder) -> str:
    """Return how the run goes on, as the end of a sentence."""
    return f"; to resume:\n  {going_on(folder)}"


def best_epoch(path: Path) -> int | None:
    """Return the epoch of the best weights in a folder; ``None`` where an older version has written them."""
    text = SafetensorsFile(RunFolder(path).best).texts.get(EPOCH, "")
    return int(text) if text.isdecimal() else None


def outcome_so_far(folder: RunFolder, warn: Warn) -> dict[str, Any]:
    """Return what ``result.json`` would say of the best epoch so far of a run that has not ended.

    Raises ``UsageError`` where no epoch has ended yet.
    """
    own = [each for each in sorted(folder.path.glob("fold-*")) if each.is_dir()] or [folder.path]
    (path, *_) = usable_parts(folder, own, warn)
    epochs = read_history(RunFolder(path)).epochs
    guard_begun(folder, bool(epochs))
    best = best_epoch(path)
    record = next((each for each in epochs if each["epoch"] == best), epochs[-1])
    scores = {part: dict(record[part]) for part in ("train", "validation") if part in record}
    last = epochs[-1]
    return {"scores": scores, "best_epoch": [record["epoch"]], "steps": [last["step"]], "seconds": last["seconds"]}
