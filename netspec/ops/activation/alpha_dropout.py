"""Dropout that keeps the mean and the variance, for SELU."""

from netspec.dims import Shape
from netspec.ops.activation.dropout import AnyDropout
from netspec.ops.core.tensors import Tensor, need_rank


class AlphaDropout(AnyDropout):
    """Dropout that keeps mean and variance, for SELU networks (``torch.nn.AlphaDropout``): any shape."""

    name = "alpha_dropout"
    torch = "nn.AlphaDropout"
    functional = "F.alpha_dropout"


class FeatureAlphaDropout(AnyDropout):
    """Alpha dropout of whole channels (``torch.nn.FeatureAlphaDropout``): (N, C, …), kept."""

    name = "feature_alpha_dropout"
    torch = "nn.FeatureAlphaDropout"
    functional = "F.feature_alpha_dropout"

    def output_shape(self, *shapes: Shape) -> Shape:
        need_rank(self.name, shapes[0], 2, 3, 4, 5, layout="[N, C, …]")
        return shapes[0]

    def mask(self, output: Tensor) -> Tensor:
        return Tensor((*output.shape[:2], *(1 for _ in output.shape[2:])), output.dtype)
