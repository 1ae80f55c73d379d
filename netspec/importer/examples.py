"""Examples of a module's inputs, as ``--input`` writes them: ``image=[N, 3, H, W]``, as a spec's ``inputs`` would."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from netspec.dataclass import dataclass
from netspec.diagnostics import SpecError, UsageError
from netspec.syntax.nodes import ListNode, MapNode, SyntaxNode

EXAMPLE = 2
"""The size of a batch that is not given: torch.export takes a size of 1 for a fixed one."""

IMAGE, SEQUENCE = 64, 16
"""The sizes of the other symbolic dimensions that are not given, in images and elsewhere."""


@dataclass(frozen=True)
class InputExample:
    """An input by its name, or its path in a list or a dictionary: sizes that are numbers or names of symbolic
    dimensions, and whole numbers below a bound; or a value that is no tensor.
    """

    name: str
    shape: Sequence[int | str]
    dtype: str = "float32"
    below: int = 2
    value: Any = None

    def __str__(self) -> str:
        return f"{self.name}=[{', '.join(map(str, self.shape))}]"

    def dynamic(self) -> dict[int, str]:
        """Return the symbolic dimensions by their numbers."""
        return {at: size for at, size in enumerate(self.shape) if isinstance(size, str)}

    def defaults(self) -> dict[str, int]:
        """Return sizes for the symbolic dimensions: 2 for the first, 64 for those of images, 16 for others."""
        image = len(self.shape) >= 4 and self.dtype.startswith(("float", "bfloat"))
        return {
            size: EXAMPLE if at == 0 else IMAGE if image and at >= 2 else SEQUENCE
            for at, size in self.dynamic().items()
        }

    def example(self, sizes: Mapping[str, int]) -> Any:
        """Return the value, or else a random tensor, as ``tensor`` does."""
        return self.tensor(sizes) if self.value is None else self.value

    def tensor(self, sizes: Mapping[str, int]) -> Any:
        """Return a random tensor; ``sizes`` are those of the symbolic dimensions.

        Raises ``EnvironmentFault`` where it is larger than the memory that is left.
        """
        import torch

        from netspec.runtime.machine import need_memory

        shape = [sizes.get(size, EXAMPLE) if isinstance(size, str) else size for size in self.shape]
        dtype = getattr(torch, self.dtype)
        need_memory(prod(shape) * max(4, dtype.itemsize), f"an example of `{self.name}`", "give it smaller sizes")
        if dtype.is_floating_point:
            return torch.randn(shape).to(dtype)
        return torch.randint(0, 2 if dtype == torch.bool else self.below, shape).to(dtype)


def read_example(text: str) -> InputExample:
    """Return the input that a text describes. Raises ``UsageError`` with the form that it should have."""
    from netspec.pipeline import read_value

    name, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[^\W\d]\w*(\.\w+)*", name.strip()):
        raise UsageError(f"--input {text}: {FORM}")
    if re.fullmatch(r"\s*[\w\s]+(,[\w\s]*)*\s*", value):
        value = f"[{value}]"  # the brackets of a plain list may be left out
    try:
        node = read_value(name, value)
    except SpecError as error:
        raise UsageError(f"--input {text}: {error.diagnostics[0].message}; {FORM}") from None
    said = plain_value(node) if node is not None else None
    described = said if isinstance(said, dict) else {"shape": said}
    if described.keys() == {"value"} and described["value"] is not None:
        return InputExample(name.strip(), (), value=described["value"])
    unknown = set(described) - {"shape", "dtype", "below"}
    shape = described.get("shape")
    if unknown or not isinstance(shape, list) or not all(map(_is_size, shape)):
        raise UsageError(f"--input {text}: {FORM}")
    dtype = described.get("dtype", "int64" if "below" in described else "float32")
    if dtype not in DTYPES:
        raise UsageError(f"--input {text}: dtype is one of {', '.join(DTYPES)}")
    below = described.get("below", 256 if dtype == "uint8" else 2)
    if not isinstance(below, int) or below < 1:
        raise UsageError(f"--input {text}: `below` is a whole number from 1")
    return InputExample(name.strip(), shape, dtype, below)


FORM = (
    "an input is written `image=[N, 3, 224, 224]`, or `ids={shape: [N, T], dtype: int64, below: 50257}`; "
    "one in a list or a dictionary `states.0=[1, N, 64]`, and what is no tensor `steps={value: 3}`"
)
DTYPES = ("float16", "bfloat16", "float32", "float64", "uint8", "int32", "int64", "bool")


def plain_value(node: SyntaxNode) -> Any:
    """Return the value of a node: lists, mappings and scalars of Python."""
    if isinstance(node, ListNode):
        return [plain_value(item) for item in node.items]
    if isinstance(node, MapNode):
        return {key.text: plain_value(value) for key, value in node.entries}
    return node.value


def _is_size(size: Any) -> bool:
    if isinstance(size, str):
        return size.isidentifier()
    return isinstance(size, int) and not isinstance(size, bool) and size >= 0
