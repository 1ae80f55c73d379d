"""Checkpoints: written whole or not at all, with digests, and read back only where these are right.

One process writes a file; of a network that is divided among several, each writes its part into a folder, which any
other number of processes can read.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from netspec.diagnostics import EnvironmentFault
from netspec.files import replacing, write_text
from netspec.train.snapshot import Snapshot
from netspec.train.world import ALONE, World

REST = "rest.pt"
Sizes = Mapping[str, tuple[torch.Size, torch.dtype]]


class Checkpoints:
    """The checkpoints of a run, in a folder. ``index.json`` names them, the last one last, with their SHA-256."""

    def __init__(self, folder: Path, keep: int = 2, world: World = ALONE):
        self.folder, self.keep, self.world = folder, keep, world
        if world.is_first:
            for stale in folder.glob(".*"):  # of a process that was killed while writing
                remove(stale)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """``{"name", "step", "sha256": {file: digest}}``, the oldest first. ``EnvironmentFault`` if damaged."""
        index = self.folder / "index.json"
        try:
            found: list[dict[str, Any]] = json.loads(index.read_text()) if index.is_file() else []
        except ValueError:
            raise EnvironmentFault(f"{index} is damaged, which names the checkpoints: start anew") from None
        return found

    def save(self, snapshot: Snapshot, step: int, sharded: bool = False) -> None:
        """Write a checkpoint, then name it in the index, then drop those that are too old.

        Every process calls it. Raises ``EnvironmentFault`` where the disk is full: the last good one is still there.
        """
        if sharded:
            self._save_shards(snapshot, step)
        elif self.world.is_first:
            path = self.folder / f"step-{step:08}.pt"
            data = saved({"tensors": snapshot.tensors, "rest": snapshot.rest})
            with replacing(path) as temporary:
                temporary.write_bytes(data)
            self._name(path.name, step, {path.name: hashlib.sha256(data).hexdigest()})
        self.world.wait()

    def _save_shards(self, snapshot: Snapshot, step: int) -> None:
        from netspec.train.sharding import write_shards

        name = f"step-{step:08}"
        temporary = self.folder / f".{name}"
        try:
            if self.world.is_first:
                remove(temporary)
                temporary.mkdir(parents=True)
                (temporary / REST).write_bytes(saved(snapshot.rest))
            self.world.wait()
            write_shards(snapshot.tensors, temporary)
            mine = sorted(temporary.iterdir())[self.world.rank :: self.world.size]
            digests = self.world.gathered({each.name: digest_of(each, sync=True) for each in mine})
            if self.world.is_first:
                while (self.folder / name).exists():  # the same step, saved before the run was stopped
                    name += "+"
                os.replace(temporary, self.folder / name)
                together = {f"{name}/{file}": digest for part in digests for file, digest in part.items()}
                self._name(name, step, together)
        except OSError as found:
            raise EnvironmentFault(f"cannot write {temporary}: {found.strerror}") from None

    def _name(self, name: str, step: int, digests: Mapping[str, str]) -> None:
        before = [each for each in self.entries if each["name"] != name]
        kept = before[len(before) - self.keep + 1 :] if self.keep > 1 else []
        entry = {"name": name, "step": step, "sha256": dict(digests)}
        write_text(self.folder / "index.json", json.dumps([*kept, entry], indent=1) + "\n")
        named = {each["name"] for each in (*kept, entry)}
        for path in self.folder.glob("step-*"):  # those that are too old, and one that a kill has left unnamed
            if path.name not in named:
                remove(path)

    def load(self, places: Callable[[Sizes], dict[str, Tensor]]) -> tuple[Snapshot | None, list[str]]:
        """The newest state that is whole, and what was wrong with those after it. ``None`` where there is none.

        ``places`` gives, for the sizes of divided tensors, those that are filled with them; tensors of a single file
        come whole, on the CPU. Every process calls it.
        """
        faults: list[str] = []
        for entry in reversed(self.entries):
            found = [self._fault(file, digest) for file, digest in self._mine(entry["sha256"])]
            told = [fault for part in self.world.gathered([each for each in found if each]) for fault in part]
            if told:
                faults += told[:1]
                continue
            path = self.folder / entry["name"]
            try:
                return (self._read_shards(path, places) if path.is_dir() else read_file(path)), faults
            except pickle.UnpicklingError as fault:  # what it names is not called
                message = str(fault).partition("\n")[0]
                raise EnvironmentFault(f"{path} is no checkpoint of netspec's: {message}") from None
        return None, faults

    def _mine(self, digests: Mapping[str, str]) -> list[tuple[str, str]]:
        """The files that this process checks."""
        return sorted(digests.items())[self.world.rank :: self.world.size]

    def _fault(self, file: str, digest: str) -> str | None:
        path = self.folder / file
        if not path.is_file():
            return f"{path} is gone"
        if digest_of(path) != digest:
            return f"{path} is damaged: its digest is another than when it was written"
        return None

    def _read_shards(self, path: Path, places: Callable[[Sizes], dict[str, Tensor]]) -> Snapshot:
        from netspec.train.sharding import read_shards, shards_in

        tensors = places(shards_in(path))
        read_shards(tensors, path, self.world)
        return Snapshot(tensors, torch.load(path / REST, map_location="cpu", weights_only=True))


def saved(state: Mapping[str, Any]) -> memoryview:
    """A state as the bytes of a file: torch does not tell a full disk apart from its own faults."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return buffer.getbuffer()


def read_file(path: Path) -> Snapshot:
    """A checkpoint that is one file."""
    found = torch.load(path, map_location="cpu", weights_only=True)
    return Snapshot(found["tensors"], found["rest"])


def digest_of(path: Path, sync: bool = False) -> str:
    """The SHA-256 of a file; ``sync`` has it on the disk before."""
    with path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
