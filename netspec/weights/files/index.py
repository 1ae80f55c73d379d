"""Indices of weights that are divided among several files, as Hugging Face lays them out."""

from __future__ import annotations

import json
from pathlib import Path

from netspec.diagnostics import EnvironmentFault, UsageError, clipped

INDEX = ".index.json"
FOLDER_FILES = (
    "model.safetensors.index.json",
    "model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors",
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
)
"""The files of weights in a folder as Hugging Face lays it out, those that are looked for first before others."""
LARGEST_INDEX = 64_000_000
"""Bytes of an index."""


def shards_of(index: Path) -> list[Path]:
    """Return the files that an index names, which lie beside it."""
    names = shard_names(index)
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        more = f", as {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UsageError(f"{index} names {missing[0]}, which is not there{more}")
    return [index.parent / name for name in names]


def shard_names(index: Path) -> list[str]:
    """Return the names of the files in an index. Raises ``UsageError`` where they lead out of its folder."""
    try:
        text = index.read_bytes() if index.stat().st_size <= LARGEST_INDEX else b""
        names = [*dict.fromkeys(json.loads(text)["weight_map"].values())]
    except OSError as fault:
        raise EnvironmentFault(f"cannot read {index}: {fault.strerror or fault}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(f"{index} is damaged: it has no readable `weight_map` from keys to files") from None
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise UsageError(f"{index} names a file outside its folder: {clipped(str(name))}")
    if not names:
        raise UsageError(f"{index} names no files")
    return names
