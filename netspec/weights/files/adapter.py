"""Changes of low rank by themselves, laid out as Hugging Face's library peft has them: `adapter_model.safetensors` with
its `adapter_config.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.dims import Shape
from netspec.weights.files.base import TensorFile
from netspec.weights.files.safetensors import SafetensorsFile

if TYPE_CHECKING:
    from torch import Tensor

MODEL, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."
"""The beginning of all keys."""
TURNED, STRAIGHT = ".lora_embedding_A", ".lora_embedding_B"
"""The ends of the keys of an embedding's change: the first is stored the other way round."""
LARGEST = 1_000_000
"""Bytes of a configuration."""


def stored_key(key: str, of_embedding: bool) -> str:
    """Return the key in the file for one of the network."""
    if of_embedding:
        key = key.replace(".lora_A.weight", TURNED).replace(".lora_B.weight", STRAIGHT)
    return PREFIX + key


def own_key(stored: str) -> str:
    """Return the key of the network for one in the file."""
    key = stored.removeprefix(PREFIX)
    for end, own in ((TURNED, ".lora_A.weight"), (STRAIGHT, ".lora_B.weight")):
        if key.endswith(end):
            return key.removesuffix(end) + own
    return key


class AdapterFile(TensorFile):
    """The file of changes in a folder, by the keys that the network has for them."""

    def __init__(self, folder: Path):
        super().__init__(folder / MODEL)
        self.file = SafetensorsFile(folder / MODEL)

    @cached_property
    def stored(self) -> Mapping[str, str]:
        """The key in the file of each tensor, by the network's."""
        return {own_key(key): key for key in self.file.shapes}

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each tensor by the network's key."""
        return {own: _turned(stored, self.file.shapes[stored]) for own, stored in self.stored.items()}

    def tensors(self, keys: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
        """Yield these tensors as the network has them."""
        own = {self.stored[key]: key for key in keys}
        for stored, tensor in self.file.tensors([*own]):
            yield own[stored], tensor.t() if stored.endswith(TURNED) else tensor

    @cached_property
    def scale(self) -> float:
        """The number of times that the changes count, alpha/rank."""
        path = self.path.with_name(CONFIG)
        try:
            text = path.read_bytes() if path.stat().st_size <= LARGEST else b""
            found: dict[str, Any] = json.loads(text)
            return float(found["lora_alpha"]) / int(found["r"])
        except OSError as fault:
            raise EnvironmentFault(f"cannot read {path}: {fault.strerror or fault}") from None
        except (ValueError, KeyError, TypeError, ZeroDivisionError, OverflowError, RecursionError):
            raise UsageError(f"{path} is damaged: it has no readable `r` and `lora_alpha`") from None


def _turned(stored: str, shape: Shape) -> Shape:
    return shape[::-1] if stored.endswith(TURNED) else shape
