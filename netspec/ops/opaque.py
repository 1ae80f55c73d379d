"""The op of a step whose shape is known, and nothing else: what ``opaque`` becomes."""

from typing import Annotated, Any

from netspec.ops.core.arguments import Dtype, Sizes
from netspec.ops.core.op import Op, Unsaid
from netspec.ops.core.tensors import Tensor


class Opaque(Op):
    """Stands for something that no op does: any number of inputs -> shape.

    It is not among the ops that a spec may call: the structure ``opaque`` makes it. Nothing can build it.
    """

    name = "opaque"
    family = "shape"
    ports = ()
    variadic = True
    any_dtype = True
    takes_empty = True

    of: str
    shape: Annotated[Any, Sizes(0, empty=True)]
    dtype: Dtype = "float32"

    @classmethod
    def unsaid(cls) -> tuple[Unsaid, ...]:
        return ("MACs", "memory")

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(self.shape, self.dtype),)

    def detail(self) -> str:
        return self.of
