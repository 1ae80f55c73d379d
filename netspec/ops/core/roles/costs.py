"""The costs of an op: its parameters and its multiply-accumulates."""

from collections.abc import Mapping, Sequence

from netspec.dims import Shape, Size
from netspec.ops.core.roles.signature import OpSignature
from netspec.ops.core.tensors import Tensor


class OpCosts(OpSignature):
    """The role that tells what the op learns and computes.

    Must say: ``parameters``, if it learns; ``buffers``, if its module has such; ``macs``, if it multiplies matrices.
    """

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        """Return the shapes of the learned tensors by torch name: ``{"weight": (64, 3, 7, 7)}``."""
        return {}

    def buffers(self, *inputs: Tensor) -> Mapping[str, Shape]:
        """Return the shapes of the tensors that stand in the ``state_dict`` without being learned, by torch name."""
        return {}

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        """Return the multiply-accumulates of one forward pass, counted as torch's ``FlopCounterMode`` does."""
        return 0
