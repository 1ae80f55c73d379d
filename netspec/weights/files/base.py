"""A file of tensors: what it holds, by key, and the tensors themselves when they are asked for."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.dims import Shape

if TYPE_CHECKING:
    from torch import Tensor


class TensorFile(ABC):
    """A file of tensors at a ``path``. ``shapes`` says what it holds; nothing in it is run."""

    def __init__(self, path: Path):
        self.path = path

    @property
    @abstractmethod
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each tensor by its key. Raises ``UsageError`` for a file that is not what it should be."""

    @property
    def aliases(self) -> Mapping[str, str]:
        """Keys of ``shapes`` under which a tensor stands once more, with its own."""
        return {}

    @abstractmethod
    def tensors(self, keys: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
        """Yield these tensors, on the CPU, with their keys."""

    def wrong(self, what: str) -> UsageError:
        """Return the error that says what is wrong with the file."""
        return UsageError(f"{self.path} {what}")

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the file."""
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as fault:
            raise EnvironmentFault(f"cannot read {self.path}: {fault.strerror or fault}") from None
