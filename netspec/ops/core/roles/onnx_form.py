"""The ONNX nodes that an op becomes."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar, Protocol

from netspec.ops.core.roles.signature import OpSignature
from netspec.ops.core.tensors import CARRIERS, HALVES, Tensor


class OnnxBuilder(Protocol):
    """The writer of an op's ONNX nodes. Values are opaque; ``None`` stands for an input left out."""

    def op(self, op_type: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; return its output, or a tuple of them when ``outputs`` is above one.

        An op that is not ONNX's own is written with its domain, ``com.mine::Scan``: whoever runs the file registers it.
        """

    def has(self, kind: str) -> bool:
        """Return whether the file's opset has nodes of a kind: where it has not, an op is written of others.

        How an older opset spells nodes that it has, the builder knows.
        """

    def exported(self, op: Any, inputs: Sequence[Any], tensors: Sequence[Tensor]) -> Any:
        """Write the nodes that torch's exporter makes of an op's PyTorch; return the output values as ``onnx`` does."""

    def parameter(self, name: str) -> Any:
        """Return the initializer of this op's own parameter or buffer, by its torch name; ``None`` if it has none."""

    def turned(self, name: str, part: tuple[int, int] | None = None) -> Any:
        """Return an initializer that is the parameter transposed, or ``part`` 0 of so many parts of its rows.

        It is ``None`` for a parameter that other ops read as it is.
        """

    def part(self, name: str, at: int, count: int) -> Any:
        """Return an initializer that is one of equal parts of a parameter; ``None`` as of ``turned``."""

    def gates(self, name: str, rows: Sequence[Sequence[str]], order: Sequence[int]) -> Any:
        """Return an initializer made of parameters: each is cut into ``len(order)`` equal blocks along its first
        dimension, which are put in that order; those of a row are joined, and the rows stacked.
        """

    def once(self, key: Hashable, made: Callable[[], Any]) -> Any:
        """Return what ``made`` writes; what was written for the same key in the same graph is not written again."""

    def reads(self, output: int) -> bool:
        """Return whether anything reads the op's output of that number; the value of an unread one may be ``None``."""

    def constant(self, value: Any, dtype: str = "int64") -> Any:
        """Return a constant tensor from a number or nested lists."""

    def cast(self, x: Any, dtype: str) -> Any:
        """Return the value in another dtype, by torch's name of it."""


def as_number(builder: OnnxBuilder, truth: Any, dtype: str) -> Any:
    """Return 1 where a value is true and 0 elsewhere, of a dtype.

    Real numbers are not cast: a tool that writes files in float16 changes constants, and leaves each Cast as it is.
    """
    if dtype.startswith("int"):
        return builder.cast(truth, dtype)
    return builder.op("Where", truth, builder.constant(1.0, dtype), builder.constant(0.0, dtype))


class OpOnnx(OpSignature):
    """The role that writes the op in ONNX.

    May say: ``onnx``, where torch's exporter makes nothing good of the op's PyTorch; ``onnx_lacks``, the dtypes, beside
    the 16-bit ones, for which onnxruntime has no kernel: there the nodes run in another dtype, between casts;
    ``onnx_since``, the first opset of ONNX that has what the nodes do, or ``onnx_opset`` where that depends on the
    arguments; ``onnx_better``, an opset that says it better than those before it, whose forms it has as well, or
    ``onnx_best_opset`` where that depends on the arguments; ``onnx_exact``, that the nodes run in float32 in a file of
    half precision, as those do that torch's autocast runs in it, and those that torch's exporter writes.
    """

    onnx_lacks: ClassVar[tuple[str, ...]] = ()
    onnx_since: ClassVar[int] = 0
    onnx_better: ClassVar[int] = 0
    onnx_exact: ClassVar[bool] = False

    @property
    def onnx_single(self) -> bool:
        """Return whether the nodes run in float32 where the network is in half precision."""
        return self.onnx_exact or type(self).onnx is OpOnnx.onnx

    def onnx_opset(self, *inputs: Tensor | None) -> int:
        """Return the first opset in which the op can be written."""
        return self.onnx_since

    def onnx_best_opset(self) -> int:
        """Return the first opset that says the op as well as any later one."""
        return self.onnx_better

    def carrier(self, dtype: str) -> str:
        """Return the dtype in which the ONNX nodes run for inputs of this one."""
        return CARRIERS[dtype] if dtype in HALVES or dtype in self.onnx_lacks else dtype

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        """Write the nodes that do the op's work; return the output value (a tuple of them for several)."""
        return builder.exported(self, inputs, tensors)
