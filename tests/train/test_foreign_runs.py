"""The folder of a run, and data, from a stranger: nothing in them is called."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.recipes.data.files import HuggingFace
from netspec.text.quoting import shell
from netspec.train.data import DataFault
from netspec.train.data.readers.hubs import HARMLESS, guard_format
from netspec.train.distributed.sharding import read_shards, shards_in, write_shards
from netspec.train.store.checkpoints import Checkpoints
from netspec.train.store.folder import NEEDED, RunFolder
from netspec.train.store.metadata import Asked, going_on
from netspec.train.world import SINGLE_PROCESS


class Calls:
    """What a pickle calls when it is read: it makes a folder."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def written(folder: Path) -> None:
    """A checkpoint in parts, named by its index."""
    part = folder / "step-00000001"
    part.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_shards({"a": torch.ones(3, 2), "b": torch.tensor(True), "c": torch.zeros(2).bfloat16()}, part)
    torch.save({"rest": 1}, part / "rest.pt")
    named(folder)


def named(folder: Path) -> None:
    """Write the index of a folder as it is now."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "index.json"]
    digests = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    entry = {"name": "step-00000001", "step": 1, "sha256": digests}
    (folder / "index.json").write_text(json.dumps([entry]))


def load(folder: Path) -> Any:
    found, faults = Checkpoints(folder).load(
        lambda sizes: {name: torch.empty(size, dtype=dtype) for name, (size, dtype) in sizes.items()}
    )
    assert not faults
    return found


def test_parts_are_read_as_they_were_written(tmp_path: Path):
    written(tmp_path)
    assert shards_in(tmp_path / "step-00000001")["c"] == (torch.Size([2]), torch.bfloat16)
    tensors = {"a": torch.zeros(3, 2), "b": torch.tensor(False), "c": torch.ones(2).bfloat16()}
    read_shards(tensors, tmp_path / "step-00000001", SINGLE_PROCESS)
    assert tensors["a"].sum() == 6
    assert tensors["b"]
    assert tensors["c"].sum() == 0


@pytest.mark.parametrize("place", ["whole", "planner_data", "storage_data", "storage_meta", "version"])
def test_an_index_calls_nothing(place: str, tmp_path: Path):
    written(tmp_path)
    index, called = tmp_path / "step-00000001/.metadata", tmp_path / "CALLED"
    metadata = pickle.loads(index.read_bytes())
    if place != "whole":
        setattr(metadata, place, Calls(called))
    index.write_bytes(pickle.dumps(Calls(called) if place == "whole" else metadata))
    named(tmp_path)
    with pytest.raises(EnvironmentFault, match=r"step-00000001 is no checkpoint of netspec's: it names posix.mkdir"):
        load(tmp_path)
    assert not called.exists()


def test_bytes_in_an_index_would_be_unpickled_and_are_refused(tmp_path: Path):
    from torch.distributed.checkpoint.metadata import BytesStorageMetadata

    written(tmp_path)
    index = tmp_path / "step-00000001/.metadata"
    metadata = pickle.loads(index.read_bytes())
    metadata.state_dict_metadata["a"] = BytesStorageMetadata()
    index.write_bytes(pickle.dumps(metadata))
    named(tmp_path)
    with pytest.raises(EnvironmentFault, match="BytesStorageMetadata"):
        load(tmp_path)


@pytest.mark.parametrize("file", ["step-00000001/rest.pt", "step-00000001"])
def test_a_checkpoint_in_one_file_calls_nothing(file: str, tmp_path: Path):
    called = tmp_path / "CALLED"
    if file.endswith("rest.pt"):
        written(tmp_path)
    torch.save({"tensors": {}, "rest": Calls(called)}, tmp_path / file)
    named(tmp_path)
    with pytest.raises(EnvironmentFault, match="is no checkpoint of netspec's"):
        load(tmp_path)
    assert not called.exists()


def test_data_are_read_by_what_calls_nothing():
    asked = HuggingFace(path="folder")
    for name in HARMLESS:
        guard_format(f"datasets.packaged_modules.{name}.{name}", asked)
    for module in ("datasets.packaged_modules.pandas.pandas", "datasets_modules.datasets.x.x", "csv"):
        with pytest.raises(DataFault, match="may run what the files hold"):
            guard_format(module, asked)


@pytest.mark.parametrize("name", ["checkpoints", "best.safetensors", "sources/block.yaml"])
def test_a_run_is_in_its_own_folder(name: str, tmp_path: Path):
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (run / name).parent.mkdir(parents=True)
    facts = dict.fromkeys(NEEDED["run.json"])
    (run / "run.json").write_text(json.dumps(facts))
    assert RunFolder(run).facts() == facts
    (run / name).symlink_to(elsewhere)
    with pytest.raises(UsageError, match=f"{name} is a link that leads out of the run"):
        RunFolder(run).facts()


def test_what_is_to_be_pasted_is_quoted(tmp_path: Path):
    folder = RunFolder(tmp_path / "a b\x1b'$(x)")
    told = going_on(folder)
    assert told.isprintable()
    assert told.startswith("netspec train --resume $'")
    words = Asked("-s.yaml", None, ("word=$(touch x)\x1b",)).words()
    assert shell(words) == "./-s.yaml --set $'word=$(touch x)\\x1b'"
