"""PyTorch's files: a zip or a bare pickle, of which only tensors and plain values are read, and nothing is run."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from netspec.diagnostics import UsageError, clipped
from netspec.dims import Shape
from netspec.weights.files.base import TensorFile

USUAL = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params")
"""The keys that training programs put a network's weights under, beside those of an optimizer."""
DEEPEST = 3
GLOBAL = re.compile(r"(?:GLOBAL|Unsupported class|Unsupported global:(?: GLOBAL)?) ([\w.]+)")
REDUCED = re.compile(r"function ([\w.]+)")


class PickledFile(TensorFile):
    """A file that ``torch.save`` wrote: a ``state_dict``, or a mapping that holds one.

    Of several mappings of tensors the keys have the path in front: ``model.conv.weight`` and ``ema.conv.weight``.
    """

    @cached_property
    def state(self) -> Mapping[str, Tensor]:
        """The tensors by their keys."""
        return tensors_in(self, self._loaded())

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each tensor by its key."""
        return {key: tuple(tensor.shape) for key, tensor in self.state.items()}

    def tensors(self, keys: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
        """Yield these tensors."""
        yield from ((key, self.state[key]) for key in keys)

    def _loaded(self) -> Any:
        zipped = zipfile.is_zipfile(self.path)
        if zipped:
            self._guard_zip()
        try:
            return torch.load(self.path, map_location="cpu", weights_only=True, mmap=zipped)
        except MemoryError:
            raise
        except Exception as reason:  # a file that is damaged, or none of torch's, fails in many ways
            raise self._refused(reason) from None

    def _guard_zip(self) -> None:
        """Guard: each part of a zip is as its sum says; torch would read other numbers."""
        try:
            with zipfile.ZipFile(self.path) as file:
                parts = file.infolist()
                if any(part.filename.endswith("/constants.pkl") for part in parts):
                    raise self.wrong("is a program of TorchScript, which holds code: save its `state_dict()`")
                bad = file.testzip() if any(part.CRC for part in parts) else None
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, ValueError) as reason:
            raise self.wrong(f"is damaged: {reason}") from None
        if bad is not None:
            raise self.wrong(f"is damaged: the numbers in its part {clipped(bad)} are not those that were saved")

    def _refused(self, reason: Exception) -> UsageError:
        """Return the error about what torch refuses to read."""
        text = str(reason)
        named = GLOBAL.search(text) or REDUCED.search(text)
        if named is not None:
            return self.wrong(
                f"holds objects of Python beside its tensors (`{named[1]}`), which would have to be run: nothing was. "
                "Save its `state_dict()` alone, or as safetensors"
            )
        first = clipped(text.strip().partition("\n")[0], 160) or type(reason).__name__
        return self.wrong(f"is damaged, cut off, or no file of PyTorch's: {first}")


def tensors_in(file: TensorFile, content: Any) -> dict[str, Tensor]:
    """Return the tensors of what a file holds: of its only mapping of tensors, or the one that is usually the network.

    Raises ``UsageError`` where it holds none.
    """
    found: dict[tuple[str, ...], dict[str, Tensor]] = {}
    _gather(content, (), found)
    if not found:
        kind = type(content).__name__
        raise file.wrong(f"holds no weights by their names: it is {'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}")
    usual = [path for path in found if path and path[-1] in USUAL]
    chosen = [*found] if len(found) == 1 else usual
    if len(chosen) == 1:
        return found[chosen[0]]
    return {".".join((*path, key)): tensor for path, held in found.items() for key, tensor in held.items()}


def _gather(content: Any, path: tuple[str, ...], found: dict[tuple[str, ...], dict[str, Tensor]]) -> None:
    """Collect the tensors of mappings whose keys are texts, by where these are."""
    if not isinstance(content, Mapping) or len(path) > DEEPEST or not all(isinstance(key, str) for key in content):
        return
    held = {key: value.detach() for key, value in content.items() if isinstance(value, Tensor)}
    if held:
        found[path] = held
    for key, value in content.items():
        _gather(value, (*path, key), found)
