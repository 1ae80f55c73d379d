"""Dropout: what training leaves out at random, and inference passes on."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from netspec.ops.core.arguments import Probability
from netspec.ops.core.layout import OutputLayout
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor


class LeftOut(Op):
    """Base of what leaves something out at random, with probability p: outside training each is the identity."""

    family = "dropout"
    main = "p"
    stateful = True
    elementwise = True

    p: Probability = 0.5

    def saved(self, run: OpRun) -> Saved:
        if not self.p:
            return Saved()
        output = run.outputs[0]
        return Saved(made=(self.mask_on_cpu(output) if run.on_cpu else self.mask(output),))

    def mask(self, output: Tensor) -> Tensor:
        """The tensors that say which elements stay, in the output's dtype."""
        return output

    def mask_on_cpu(self, output: Tensor) -> Tensor:
        """The same where torch runs on CPU."""
        return self.mask(output)

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        same = self.p == 0 or not run.training
        return (OutputLayout(0, run.strides[0]),) if same else super().output_layout(run)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return inputs[0]


class AnyDropout(LeftOut):
    """Base of the dropouts that torch has."""

    aten_names = MappingProxyType({"train": None})

    inplace: bool = False

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        inplace = ", inplace=True" if self.inplace else ""
        return f"{self.functional}({arguments[0]}, p={self.p}, training=self.training{inplace})"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        return (OutputLayout(0, run.strides[0]),) if self.inplace else super().output_layout(run)


class Dropout(AnyDropout):
    """Zeroes elements with probability p (``torch.nn.Dropout``): any shape."""

    name = "dropout"
    torch = "nn.Dropout"
    functional = "F.dropout"
    batched_over_leading_dims = True

    def mask(self, output: Tensor) -> Tensor:
        """As on CUDA, in one kernel unless it is in place."""
        return output if self.inplace else Tensor(output.shape, "bool")

    def mask_on_cpu(self, output: Tensor) -> Tensor:
        """On CPU it is a product with a mask of real numbers."""
        return output
