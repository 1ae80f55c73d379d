"""Calls of another library, ATen's or ONNX's, as an op reads them to find out whether it is what they do."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from netspec.dims import Shape


class ForeignTensor:
    """A tensor of a foreign program; compared by identity.

    ``key`` is its name in the ``state_dict``, if it is a parameter (``learned``) or a buffer. ``constant`` holds the
    values, as a numpy array, where they are known before anything runs.
    """

    __slots__ = ("constant", "dtype", "key", "learned", "shape")

    def __init__(self, shape: Shape, dtype: str, key: str = "", learned: bool = False, constant: Any = None):
        self.shape, self.dtype = shape, dtype
        self.key, self.learned = key, learned
        self.constant = constant

    def transposed(self) -> "ForeignTensor":
        """Return a matrix with known values the other way round, as the same key has it elsewhere."""
        return ForeignTensor(self.shape[::-1], self.dtype, self.key, self.learned, self.constant.T)

    def __repr__(self) -> str:
        return f"<{self.key or 'tensor'} {self.dtype} {list(self.shape)}>"


class ForeignCall(NamedTuple):
    """One call: ``arguments`` by the names of its schema, tensors among them as ``ForeignTensor``.

    ``name`` is that of ATen's operator without its overload (``conv2d``) or of ONNX's node (``Conv``). Arguments that
    are left out are not among ``arguments``, if their default is ``None`` or the schema's.
    """

    name: str
    arguments: Mapping[str, Any]
    outputs: tuple[ForeignTensor | None, ...]

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.name}({arguments})"

    def tensor(self, name: str) -> ForeignTensor | None:
        """Return the tensor that an argument is; ``None`` where it is none."""
        value = self.arguments.get(name)
        return value if isinstance(value, ForeignTensor) else None

    def without(self, *names: str) -> "ForeignCall":
        """Return the call without these arguments."""
        return self._replace(arguments={name: each for name, each in self.arguments.items() if name not in names})


class OpReading(NamedTuple):
    """A foreign call as an op: its arguments, its inputs in the order of its ports, its own tensors by torch's names.

    ``outputs`` are the tensors of the call by the op's outputs, ``None`` for one that nothing reads.
    """

    arguments: Mapping[str, Any]
    inputs: tuple[ForeignTensor | None, ...]
    state: Mapping[str, ForeignTensor]
    outputs: tuple[ForeignTensor | None, ...]

    def saying(self, **arguments: Any) -> "OpReading":
        """Return the reading with these arguments too; those that are ``None`` are left out."""
        known = {**self.arguments, **arguments}
        return self._replace(arguments={name: value for name, value in known.items() if value is not None})


def number_of(value: Any) -> float | None:
    """Return the number that an argument of a node is: a plain one, or the only one of a constant that is no weight."""
    if isinstance(value, ForeignTensor):
        known = value.constant is not None and not value.learned and value.constant.size == 1
        return float(value.constant.reshape(-1)[0]) if known else None
    return float(value) if isinstance(value, (int, float)) else None


def exactly(value: float) -> float:
    """Return the short decimal number that one of single precision stands for: 1e-05 for 9.99999974e-06."""
    return float(f"{value:.7g}")


def own_tensors(**tensors: ForeignTensor | None) -> dict[str, ForeignTensor]:
    """Return those that are given, by torch's names of them."""
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def is_weight(value: Any, rank: int | None = None) -> bool:
    """Return whether an argument of a node is a tensor with known values, of this number of dimensions."""
    known = isinstance(value, ForeignTensor) and value.constant is not None
    return known and rank in (None, len(value.shape))
