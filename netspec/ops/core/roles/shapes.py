"""The shapes and dtypes that an op takes and gives."""

from collections.abc import Iterable
from typing import ClassVar

from netspec.dims import Shape, Size
from netspec.ops.core.roles.signature import OpSignature
from netspec.ops.core.tensors import CARRIERS, Bound, InputRange, ShapeError, Tensor


class OpShapes(OpSignature):
    """The role that tells the outputs from the inputs; sizes may be symbolic.

    Must say: nothing, if the output is as the first input; ``output_shape``, if its shape alone is another one;
    ``infer``, if there are several outputs, or dtypes differ.

    May say: ``any_dtype``, whether it takes integers and booleans too; ``takes_empty``, whether it takes tensors
    without elements; ``skips_absent``, for any number of inputs, whether it does without those that are left out;
    ``torch_lacks``, the dtypes for which torch has no kernel on a CPU; ``input_range``, ``requirements`` and
    ``bounds``, what inputs it takes; ``sizes_read``, which symbolic sizes it must know when it runs.
    """

    any_dtype: ClassVar[bool] = False
    takes_empty: ClassVar[bool] = False
    skips_absent: ClassVar[bool] = False
    torch_lacks: ClassVar[tuple[str, ...]] = ()

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs' shapes and dtypes. Raises ``ShapeError`` where the op cannot take the inputs."""
        for tensor in inputs:
            if not self.any_dtype and "float" not in tensor.dtype:
                raise ShapeError(f"{self.name} takes floating-point numbers, but its input is {tensor.dtype}")
            if tensor.dtype in self.torch_lacks:
                repair = f"write `- cast: {CARRIERS[tensor.dtype]}` before it"
                raise ShapeError(f"torch does not support {self.name} of {tensor.dtype} on a CPU", help=repair)
        return (Tensor(self.output_shape(*(tensor.shape for tensor in inputs)), inputs[0].dtype),)

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape of the only output, whose dtype is the first input's; default: the first input's shape."""
        return shapes[0]

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        """Yield sizes that must be equal, as (left, right, why). Checked before ``infer``, which may rely on them.

        A symbolic pair that is equal for some sizes only becomes a requirement of the network.
        """
        return ()

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        """Yield sizes that must not be too small or too large; that outputs are left something is asked of every op.

        Checked after ``infer``. One that holds for some sizes only becomes a requirement of the network.
        """
        return ()

    def sizes_read(self, *inputs: Tensor) -> Iterable[Size]:
        """Yield the symbolic sizes that the op must know when it runs.

        Where the inputs do not tell them, it gets further ones, behind those of its ports, that do.
        """
        return ()

    def input_range(self, port: str, *inputs: Tensor) -> InputRange | None:
        """Return which whole numbers a port takes, where not all will do."""
        return None
