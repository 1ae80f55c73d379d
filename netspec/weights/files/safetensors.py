"""Safetensors: a header of JSON, and the numbers behind it. netspec's own hold a digest of themselves."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import EnvironmentFault
from netspec.dims import Shape
from netspec.files import replacing
from netspec.weights.files.base import TensorFile

if TYPE_CHECKING:
    from torch import Tensor

SEAL = "sha256"
"""The name of the text that holds the digest of all the rest."""
TIED = "tied"
"""The name of the text that says which keys are left out as they are another's: JSON, a key by a key."""

EPOCH = "epoch"
"""The name of the text that says which epoch of a run the weights are of."""

LONGEST = 100_000_000
"""Bytes of a header."""
BITS = {
    "F4": 4,
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
}
"""The bits of a number of each type."""


class SafetensorsFile(TensorFile):
    """A file of safetensors."""

    @cached_property
    def header(self) -> Mapping[str, Any]:
        """The header, which is checked against the length of the file."""
        try:
            with self.path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                size = self.path.stat().st_size
                if size < 8 or length > LONGEST:
                    raise self.wrong("is no file of safetensors: it does not begin with the length of a header")
                if 8 + length > size:
                    raise self.wrong(f"is cut off: its header has {length:,} bytes, and the file {size:,}")
                text = file.read(length)
        except OSError as fault:
            raise EnvironmentFault(f"cannot read {self.path}: {fault.strerror or fault}") from None
        try:
            header = json.loads(text)
            held = {str(key): entry for key, entry in header.items() if key != "__metadata__"}
            ends = [_end(entry) for entry in held.values()]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self.wrong("is damaged, or no file of safetensors: its header cannot be read") from None
        end = 8 + length + max(ends, default=0)
        if end != size:
            done = "is cut off" if size < end else "is damaged"
            raise self.wrong(f"{done}: by its header it has {end:,} bytes, and there are {size:,}")
        return dict(header)

    @cached_property
    def texts(self) -> dict[str, str]:
        """The texts that the file holds beside its tensors."""
        found = self.header.get("__metadata__", {})
        return {str(key): str(text) for key, text in found.items()} if isinstance(found, dict) else {}

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """The keys that are left out as they are another's."""
        try:
            found = json.loads(self.texts.get(TIED, "{}"))
            return {str(key): str(own) for key, own in found.items() if own in self.header}
        except (ValueError, AttributeError):
            return {}

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each tensor by its key, tied ones under each of their names."""
        own = {key: tuple(entry["shape"]) for key, entry in self.header.items() if key != "__metadata__"}
        return own | {key: own[other] for key, other in self.aliases.items()}

    def tensors(self, keys: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
        """Yield these tensors. Raises ``EnvironmentFault`` where the file is not as netspec has written it."""
        import safetensors

        if SEAL in self.texts:
            whole = read_weights(self.path)
            yield from ((key, whole[key]) for key in keys)
            return
        try:
            with safetensors.safe_open(self.path, framework="pt") as file:
                for key in keys:
                    yield key, file.get_tensor(key)
        except (OSError, safetensors.SafetensorError) as fault:
            raise EnvironmentFault(f"cannot read {self.path}: {fault}") from None


def _end(entry: Mapping[str, Any]) -> int:
    """The end of a tensor, behind the header. Raises ``ValueError`` where its parts contradict one another."""
    start, end = (int(each) for each in entry["data_offsets"])
    shape = entry["shape"]
    whole = all(isinstance(size, int) and size >= 0 for size in shape)
    if not whole or not 0 <= start <= end or end - start != math.prod(shape) * BITS[entry["dtype"]] // 8:
        raise ValueError("a tensor is not as long as its shape and type say")
    return end


def write_tensors(tensors: Mapping[str, Tensor], path: Path, texts: Mapping[str, str] = {}) -> None:
    """Write tensors and the texts ``said`` as safetensors. Raises ``EnvironmentFault``."""
    import safetensors
    import safetensors.torch

    copies = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": "pt", **texts, SEAL: _digest(copies, texts)}
    with replacing(path) as temporary:
        try:
            safetensors.torch.save_file(copies, temporary, metadata=metadata)
        except safetensors.SafetensorError as fault:  # it tells a full disk in words of its own
            raise EnvironmentFault(f"cannot write {path}: {fault}") from None


def read_tensors(path: Path, what: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the texts of a file of netspec's. Raises ``EnvironmentFault`` if it is gone or damaged."""
    import safetensors

    if path.is_file():
        _ = SafetensorsFile(path).header  # which tells what is wrong with one that is cut off
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


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights in a file of a run, tied ones under each of their names. Raises ``EnvironmentFault``."""
    tensors, texts = read_tensors(path, "the weights")
    try:
        return tensors | {name: tensors[own] for name, own in json.loads(texts.get(TIED, "{}")).items()}
    except (ValueError, KeyError, AttributeError):
        raise damaged(path) from None


def damaged(path: Path) -> EnvironmentFault:
    """Return the error about a file that is not as the run has written it."""
    return EnvironmentFault(f"{path} is damaged: it is another than when the run wrote it")


def _digest(tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> str:
    import torch

    sha256 = hashlib.sha256(repr(sorted((key, text) for key, text in texts.items())).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha256.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()
