"""Files of tensors that hold a digest of themselves: damage is reported rather than read as other numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from netspec.diagnostics import EnvironmentFault
from netspec.files import replacing
from netspec.train.store.folder import SEAL, damaged


def write_tensors(tensors: Mapping[str, Tensor], path: Path, texts: Mapping[str, str] = {}) -> None:
    """Write tensors and the texts ``said`` as safetensors. Raises ``EnvironmentFault``."""
    copies = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": "pt", **texts, SEAL: _digest(copies, texts)}
    with replacing(path) as temporary:
        try:
            safetensors.torch.save_file(copies, temporary, metadata=metadata)
        except safetensors.SafetensorError as fault:  # it tells a full disk in words of its own
            raise EnvironmentFault(f"cannot write {path}: {fault}") from None


def read_tensors(path: Path, what: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the texts of a file. Raises ``EnvironmentFault`` if it is gone or damaged."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            texts = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as fault:
        raise EnvironmentFault(f"cannot read {what} in {path}: {fault}") from None
    texts.pop("format", None)
    seal = texts.pop(SEAL, None)  # older runs have none
    if seal is not None and seal != _digest(tensors, texts):
        raise damaged(path)
    return tensors, texts


def _digest(tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> str:
    sha256 = hashlib.sha256(repr(sorted((key, text) for key, text in texts.items())).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha256.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()
