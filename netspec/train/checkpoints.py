"""Checkpoints: written whole or not at all, with a digest each, and read back only where it is right."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from netspec.files import replacing, write_text


class Checkpoints:
    """The checkpoints of a run, in a folder. ``index.json`` names them, the last one last, with their SHA-256."""

    def __init__(self, folder: Path, keep: int = 2):
        self.folder, self.keep = folder, keep
        for stale in folder.glob(".*"):  # of a process that was killed while writing
            stale.unlink(missing_ok=True)

    @property
    def entries(self) -> list[dict[str, Any]]:
        index = self.folder / "index.json"
        found: list[dict[str, Any]] = json.loads(index.read_text()) if index.is_file() else []
        return found

    def save(self, state: Mapping[str, Any], step: int) -> Path:
        """Write a checkpoint, then name it in the index, then drop those that are too old.

        Raises ``EnvironmentFault`` where the disk is full: the last good one is still there.
        """
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        data = buffer.getbuffer()
        path = self.folder / f"step-{step:08}.pt"
        with replacing(path) as temporary:
            temporary.write_bytes(data)
        entry = {"file": path.name, "step": step, "sha256": hashlib.sha256(data).hexdigest()}
        kept = [each for each in self.entries if each["file"] != path.name][-(self.keep - 1) :] if self.keep > 1 else []
        dropped = {each["file"] for each in self.entries} - {each["file"] for each in kept} - {path.name}
        write_text(self.folder / "index.json", json.dumps([*kept, entry], indent=1) + "\n")
        for name in dropped:
            (self.folder / name).unlink(missing_ok=True)
        return path

    def load(self) -> tuple[dict[str, Any] | None, list[str]]:
        """The newest state that is whole, and what was wrong with those after it. ``None`` where there is none."""
        faults: list[str] = []
        for path, digest in self._newest_first():
            if not path.is_file():
                faults.append(f"{path} is gone")
                continue
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != digest:
                faults.append(f"{path} is damaged: its digest is another than when it was written")
                continue
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True), faults
        return None, faults

    def _newest_first(self) -> Iterator[tuple[Path, str]]:
        for entry in reversed(self.entries):
            yield self.folder / entry["file"], entry["sha256"]
