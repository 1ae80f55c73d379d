"""The ops, and all that an op of one's own is made of.

    from netspec.ops import Pointwise

    class Erfc(Pointwise):
        '''1 − erf(x): any shape.'''

        name = "erfc"
        functional = "torch.erfc"

        def onnx(self, builder, *inputs, tensors):
            return builder.op("Sub", builder.constant(1.0, tensors[0].dtype), builder.op("Erf", inputs[0]))

A module with such classes is named with ``--plugin``, or offered by an installed package as an entry point of the
group ``netspec.plugins``; ``netspec.testing.check_op`` holds an op against torch and onnxruntime. The names in
``__all__`` are public; whatever else is in this package may change.

- ``OPS`` maps spec keys to classes. ``Op`` is the base class of all; its roles (``help(Op)``) say what an op must say
  and what it may. ``Activation``, ``Pointwise`` and ``Elementwise`` are bases of ops of one input, and of several.
- ``Tensor`` is the shape and dtype of an input, ``Dim`` a symbolic size; ``product``, ``floor_div`` and ``ceil_div``
  compute with them. ``ShapeError`` refuses inputs; ``Bound``, ``InputRange``, ``known``, ``need_rank`` and ``axis_of``
  say which ones.
- ``Argument`` and those derived from it are types of arguments: ``kernel_size: Annotated[Any, PerDimension(2, 1)]``.
- ``LowRank`` is the change of a weight that `lora` adds.
- ``OpRun``, ``Saved`` and ``OutputLayout`` speak of memory, ``AccessWindow`` of receptive fields, ``Constructor``,
  ``ForwardCall`` and ``assigned`` of PyTorch's source, ``OnnxBuilder`` of ONNX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from netspec.dims import Dim, Shape, Size, ceil_div, floor_div, product
from netspec.ops.core.arguments import (
    Argument,
    Axes,
    Dtype,
    Extent,
    Listed,
    Natural,
    Nested,
    Number,
    OneOrMany,
    PerDimension,
    Positive,
    Probability,
)
from netspec.ops.core.layout import OutputLayout
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import AccessWindow
from netspec.ops.core.roles.low_rank import LowRank
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.signature import Family
from netspec.ops.core.roles.torch_form import Constructor, ForwardCall, assigned
from netspec.ops.core.tensors import HALVES, Bound, InputRange, ShapeError, Tensor, axis_of, known, need_rank
from netspec.ops.registry import OPS

if TYPE_CHECKING:
    from netspec.ops.activation.base import Activation
    from netspec.ops.math.arithmetic import Elementwise
    from netspec.ops.math.pointwise import Pointwise

__all__ = [
    "HALVES",
    "OPS",
    "AccessWindow",
    "Activation",
    "Argument",
    "Axes",
    "Bound",
    "Constructor",
    "Dim",
    "Dtype",
    "Elementwise",
    "Extent",
    "Family",
    "ForwardCall",
    "InputRange",
    "Listed",
    "LowRank",
    "Natural",
    "Nested",
    "Number",
    "OneOrMany",
    "OnnxBuilder",
    "Op",
    "OpRun",
    "OutputLayout",
    "PerDimension",
    "Pointwise",
    "Positive",
    "Probability",
    "Saved",
    "Shape",
    "ShapeError",
    "Size",
    "Tensor",
    "assigned",
    "axis_of",
    "ceil_div",
    "floor_div",
    "known",
    "need_rank",
    "product",
]

_BASES = {"Activation": "activation.base", "Elementwise": "math.arithmetic", "Pointwise": "math.pointwise"}


def __getattr__(name: str) -> Any:
    """Import a base class of one family's ops when it is asked for: most specs need few families."""
    if name not in _BASES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_BASES[name]}"), name)
