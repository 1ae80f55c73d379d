"""FSDP2: a network sharded among processes, and its checkpoints, which are torch's distributed ones."""

from __future__ import annotations

import pickle
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta, TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from netspec.runtime.compile import repeated_blocks
from netspec.train.distributed.strategies import ModelWithLoss, Strategy
from netspec.train.world import World

PARTS = {
    "pathlib": ("PosixPath", "WindowsPath"),
    "torch": ("Size",),
    "torch.serialization": ("_get_layout",),
    "torch.distributed.checkpoint.filesystem": ("_StorageInfo",),
    "torch.distributed.checkpoint.metadata": (
        "ChunkStorageMetadata",
        "Metadata",
        "MetadataIndex",
        "StorageMeta",
        "TensorProperties",
        "TensorStorageMetadata",
        "_MEM_FORMAT_ENCODING",
    ),
}
"""The classes that the index of a checkpoint of tensors consists of, by module."""


class FSDP(Strategy):
    """Every process keeps a shard of each block's parameters, gradients and optimizer state, and gathers a block's
    parameters only while it runs: torch's ``fully_shard``. It is constructed before the optimizer.
    """

    sharded = True

    def __init__(self, module: ModelWithLoss, device: torch.device, world: World):
        mesh = init_device_mesh(device.type, (world.size,))
        for parameter in module.model.parameters():
            parameter.data = parameter.data.contiguous()  # it is divided by rows: only inputs have their channels last
        for block in own_blocks(module.model):
            fully_shard(block, mesh=mesh)
        fully_shard(module.model, mesh=mesh)
        super().__init__(module)

    @contextmanager
    def gradient_sync(self, last: bool) -> Iterator[None]:
        root = self.module.model
        assert isinstance(root, FSDPModule)
        root.set_requires_gradient_sync(last)
        yield

    def full_tensor(self, tensor: Tensor) -> Tensor:
        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    def placed_like(self, tensor: Tensor, like: Tensor) -> Tensor:
        tensor = tensor.to(like.device)
        if not isinstance(like, DTensor) or isinstance(tensor, DTensor):
            return tensor
        return distribute_tensor(tensor, like.device_mesh, like.placements)


def own_blocks(model: nn.Module) -> list[nn.Module]:
    """Return the repeated blocks of a network that share no parameter with what is outside of them.

    Others are sharded with the whole network, whose parameters are gathered while any of it runs.
    """
    uses = Counter(id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False))

    def is_own(block: nn.Module) -> bool:
        inside = Counter(id(parameter) for _, parameter in block.named_parameters(remove_duplicate=False))
        return all(uses[each] == count for each, count in inside.items())

    return [block for block in repeated_blocks(model) if is_own(block)]


def write_shards(tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Write the shards of tensors that this process has into a file of its own in a folder.

    Raises ``OSError`` if one of the processes could not.
    """
    try:
        save(dict(tensors), storage_writer=FileSystemWriter(folder))
    except CheckpointException as error:
        faults = [fault for fault, _ in error.failures.values()]
        raise next((fault for fault in faults if isinstance(fault, OSError)), error) from None


class Shards(FileSystemReader):
    """Reads such a folder. torch unpickles its index, which could name any function to be called; this does not."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        with open(self._get_metadata_path(kwargs.get("rank")), "rb") as file:
            metadata: Metadata = Index(file).load()
        metadata.storage_meta = StorageMeta(load_id=self.load_id)
        return metadata


class Index(pickle.Unpickler):
    """Unpickles the index of a checkpoint, which consists of ``PARTS`` and dtypes. Raises ``UnpicklingError`` for
    others.

    It has tensors only: bytes would be unpickled in their turn.
    """

    def find_class(self, module: str, name: str) -> Any:
        is_dtype = module == "torch" and isinstance(vars(torch).get(name), torch.dtype)
        if is_dtype or name in PARTS.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def shards_in(folder: Path) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """Return size and dtype of every tensor in such a folder."""
    entries = Shards(folder).read_metadata().state_dict_metadata
    return {
        name: (entry.size, entry.properties.dtype)
        for name, entry in entries.items()
        if isinstance(entry, TensorStorageMetadata)
    }


def read_shards(tensors: Mapping[str, Tensor], folder: Path, world: World) -> None:
    """Fill tensors from a folder, however many processes wrote it and however the tensors are sharded now."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")  # as is right for a single process
        load(dict(tensors), storage_reader=Shards(folder), no_dist=world.size == 1)
