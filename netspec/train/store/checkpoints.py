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
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from netspec.diagnostics import EnvironmentFault
from netspec.files import remove, replacing, temporary_folder, write_text
from netspec.train.store.claim import guard_inside
from netspec.train.store.snapshot import Snapshot
from netspec.train.world import SINGLE_PROCESS, World

REST = "rest.pt"
DIGESTS = "digests.json"
"""The digests of a divided checkpoint's files, in its folder as in the index."""

NAME = re.compile(r"step-(?P<step>\d{8,})(\.pt|\+*)")
"""The names of checkpoints: nothing else in the folder is ever removed."""

Sizes = Mapping[str, tuple[torch.Size, torch.dtype]]


class Checkpoints:
    """The checkpoints of a run, in a folder. ``index.json`` names them with their SHA-256, the last one last."""

    def __init__(self, folder: Path, keep: int = 2, world: World = SINGLE_PROCESS):
        guard_inside(folder)
        self.folder, self.keep, self.world = folder, keep, world

    def _entries(self) -> tuple[list[dict[str, Any]], list[str]]:
        """Return ``{"name", "step", "sha256": {file: digest}}``, the oldest first, and warnings about the index.

        If it is damaged, or was not written before a kill, these are the checkpoints in the folder that are intact.
        """
        index = self.folder / "index.json"
        faults = []
        try:
            entries = json.loads(index.read_bytes())
            if not isinstance(entries, list) or not all(map(_is_entry, entries)):
                raise ValueError
            return entries, []
        except FileNotFoundError:
            pass
        except OSError as refused:
            raise EnvironmentFault(f"cannot read {index}: {refused.strerror}") from None
        except (ValueError, RecursionError):
            faults = [f"{index} is damaged: the checkpoints beside it are looked through"]
        return self._found(), faults

    def _found(self) -> list[dict[str, Any]]:
        """Return the entries of the checkpoints in the folder that are intact by their own digests."""
        return sorted(self._whole(), key=lambda entry: (entry["step"], entry["name"]))

    def _own(self) -> Iterator[Path]:
        """Yield the checkpoints in the folder, by their names."""
        for path in self.folder.glob("step-*"):
            if NAME.fullmatch(path.name) and not path.is_symlink():
                yield path

    def _whole(self) -> Iterator[dict[str, Any]]:
        """Yield entries of checkpoints that the index does not name: a file is checked by the sums that a zip file has
        of its parts, a folder by the digests in it.
        """
        for path in self._own():
            step = int(NAME.fullmatch(path.name)["step"])  # type: ignore[index]
            try:
                if path.is_dir():
                    digests = json.loads((path / DIGESTS).read_bytes())
                    entry = {"name": path.name, "step": step, "sha256": digests}
                    if _is_entry(entry):
                        yield entry
                    continue
                with zipfile.ZipFile(path) as file:
                    if file.testzip() is None:
                        yield {"name": path.name, "step": step, "sha256": {path.name: digest_of(path)}}
            except (OSError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError):
                continue

    def save(self, snapshot: Snapshot, step: int, sharded: bool = False) -> None:
        """Write a checkpoint, name it in the index, then remove those that are too old.

        Every process calls this. Raises ``EnvironmentFault`` if the disk is full: the last good one is still there.
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
        from netspec.train.distributed.sharding import write_shards

        name = f"step-{step:08}"
        temporary = self.folder / name
        try:
            own = temporary_folder(self.folder / name) if self.world.is_first else temporary
            temporary = self.world.gathered(own)[0]
            if self.world.is_first:
                (temporary / REST).write_bytes(saved(snapshot.rest))
            self.world.wait()
            write_shards(snapshot.tensors, temporary)
            mine = sorted(temporary.iterdir())[self.world.rank :: self.world.size]
            digests = self.world.gathered({each.name: digest_of(each, sync=True) for each in mine})
            if self.world.is_first:
                while (self.folder / name).exists():  # the same step, saved before the run was stopped
                    name += "+"
                together = {f"{name}/{file}": digest for part in digests for file, digest in part.items()}
                write_text(temporary / DIGESTS, json.dumps(together, indent=1))
                os.replace(temporary, self.folder / name)
                self._name(name, step, together)
        except OSError as error:
            raise EnvironmentFault(f"cannot write {temporary}: {error.strerror}") from None

    def _name(self, name: str, step: int, digests: Mapping[str, str]) -> None:
        before = [each for each in self._entries()[0] if each["name"] != name]
        older = before[len(before) - self.keep + 1 :] if self.keep > 1 else []
        entry = {"name": name, "step": step, "sha256": dict(digests)}
        write_text(self.folder / "index.json", json.dumps([*older, entry], indent=1) + "\n")
        named = {each["name"] for each in (*older, entry)}
        for path in self._own():  # those that are too old, and one that a kill has left unnamed
            if path.name not in named:
                remove(path)

    def load(self, places: Callable[[Sizes], dict[str, Tensor]]) -> tuple[Snapshot | None, list[str]]:
        """Return the newest state that is intact, ``None`` if there is none, and warnings about later ones.

        ``places`` makes the tensors that shards are read into, by their sizes; tensors of a single file are read whole,
        on the CPU. Every process calls this.
        """
        entries, faults = self._entries()
        path = self._newest(entries, faults)
        if path is None and entries and (path := self._newest(self._found(), [])) is not None:
            faults.append(f"{self.folder / 'index.json'} is damaged: {path} is whole by its own digests, and used")
        if path is None:
            return None, faults
        try:
            return (self._read_shards(path, places) if path.is_dir() else read_file(path)), faults
        except pickle.UnpicklingError as fault:  # what it names is not called
            message = str(fault).partition("\n")[0]
            raise EnvironmentFault(f"{path} is no checkpoint of netspec's: {message}") from None

    def some_whole(self) -> bool:
        """Return whether a checkpoint is whole, or none has been written yet."""
        entries, _ = self._entries()
        return not entries or any(self._newest(each, []) is not None for each in (entries, self._found()))

    def _newest(self, entries: list[dict[str, Any]], faults: list[str]) -> Path | None:
        """Return the last checkpoint that is as its digests say; append what is wrong with later ones to ``faults``."""
        for entry in reversed(entries):
            wrong = [self._fault(file, digest) for file, digest in self._mine(entry["sha256"])]
            told = [fault for part in self.world.gathered([each for each in wrong if each]) for fault in part]
            if not told:
                return self.folder / str(entry["name"])
            faults += told[:1]
        return None

    def _mine(self, digests: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return the files that this process checks, with their digests."""
        return sorted(digests.items())[self.world.rank :: self.world.size]

    def _fault(self, file: str, digest: str) -> str | None:
        path = self.folder / file
        if not path.is_file():
            return f"{path} is gone"
        try:
            same = digest_of(path) == digest
        except OSError as error:
            raise EnvironmentFault(f"cannot read {path}: {error.strerror}") from None
        if not same:
            return f"{path} is damaged: its digest is another than when it was written"
        return None

    def _read_shards(self, path: Path, places: Callable[[Sizes], dict[str, Tensor]]) -> Snapshot:
        from netspec.train.distributed.sharding import read_shards, shards_in

        tensors = places(shards_in(path))
        read_shards(tensors, path, self.world)
        return Snapshot(tensors, torch.load(path / REST, map_location="cpu", weights_only=True))


def last_saved_step(folder: Path) -> int:
    """Return the step of the last checkpoint in a folder; 0 where there is none."""
    steps = [int(found["step"]) for path in folder.glob("step-*") if (found := NAME.fullmatch(path.name))]
    return max(steps, default=0)


def saved(state: Mapping[str, Any]) -> memoryview:
    """Return a state as the bytes of a file: torch does not tell a full disk apart from its own errors."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return buffer.getbuffer()


def read_file(path: Path) -> Snapshot:
    """Read a checkpoint that is one file."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    return Snapshot(content["tensors"], content["rest"])


def digest_of(path: Path, sync: bool = False) -> str:
    """Return the SHA-256 of a file, written to the disk before if ``sync``."""
    with path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_entry(value: Any) -> bool:
    """Return whether a value is an entry of the index."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and NAME.fullmatch(value["name"]) is not None
        and isinstance(value.get("step"), int)
        and isinstance(value.get("sha256"), dict)
        and bool(value["sha256"])
        and all(isinstance(digest, str) for digest in value["sha256"].values())
        and all(file.partition("/")[0] == value["name"] for file in value["sha256"])
    )
