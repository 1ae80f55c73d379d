"""Nodes that no op is alone, as several that are: of older versions of ONNX, and those that do many things at once."""

from __future__ import annotations

from collections.abc import Mapping

from netspec.importer.capture.onnx.rewrites.arithmetic import cast_to, divided, gemm, norm, softmax, subtracted, summed
from netspec.importer.capture.onnx.rewrites.layout import (
    bordered,
    cut,
    flattened,
    one_by_one,
    reshaped,
    sliced,
    transposed,
)
from netspec.importer.capture.onnx.rewrites.older import (
    arithmetic,
    cast_like,
    group_norm,
    hard_sigmoid,
    of_onnxruntime,
    shrunk,
    thresholded,
    to_depth,
    to_space,
    transposed_conv,
    unit_length,
    upsampled,
)
from netspec.importer.capture.onnx.rewrites.rewriting import Rewrite, Rewriting
from netspec.importer.capture.onnx.rewrites.sequences import attention, recurrent
from netspec.importer.capture.onnx.rewrites.windows import padded, resized
from netspec.ops.core.foreign import ForeignCall


def simpler(call: ForeignCall, version: int) -> list[ForeignCall]:
    """Return the calls that a node of this version of ONNX is, each of which an op may be."""
    rewrite = REWRITES.get(call.name)
    return [call] if rewrite is None else [*rewrite(Rewriting(call, version))]


REWRITES: Mapping[str, Rewrite] = {
    "Sub": subtracted,
    "Div": divided,
    "Gemm": gemm,
    "Squeeze": one_by_one,
    "Unsqueeze": one_by_one,
    "Slice": sliced,
    "Flatten": flattened,
    "Reshape": reshaped,
    "Transpose": transposed,
    "Split": cut,
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "ReduceL1": norm,
    "ReduceL2": norm,
    "ReduceSumSquare": norm,
    "ReduceLogSum": norm,
    "Conv": padded,
    "MaxPool": padded,
    "AveragePool": padded,
    "Pad": bordered,
    "Sum": summed,
    "Mean": summed,
    "Max": summed,
    "Min": summed,
    "Concat": summed,
    "Cast": cast_to,
    "Resize": resized,
    "Attention": attention,
    "LSTM": recurrent,
    "GRU": recurrent,
    "RNN": recurrent,
    "Add": arithmetic,
    "Mul": arithmetic,
    "Pow": arithmetic,
    "Upsample": upsampled,
    "HardSigmoid": hard_sigmoid,
    "ThresholdedRelu": thresholded,
    "Shrink": shrunk,
    "LpNormalization": unit_length,
    "CastLike": cast_like,
    "GroupNormalization": group_norm,
    "DepthToSpace": to_space,
    "SpaceToDepth": to_depth,
    "ConvTranspose": transposed_conv,
    "com.microsoft.Gelu": of_onnxruntime,
    "com.microsoft.FastGelu": of_onnxruntime,
}
