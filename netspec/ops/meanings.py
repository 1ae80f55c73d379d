"""What the arguments of ops mean, a line each: for ``netspec ops``, the JSON Schema and the language server.

An argument means the same wherever it stands, so one table serves them all; where an op gives a word a meaning of
its own, it is in ``SPECIAL``.
"""

from __future__ import annotations

from netspec.ops.base import Op

MEANINGS = {
    "affine": "whether to learn a scale and a shift for each channel",
    "align_corners": "whether the corners of input and output lie on each other (linear modes only)",
    "alpha": "the scale of the negative side",
    "approximate": "`tanh` computes the tanh approximation",
    "batch_first": "whether the batch comes before time; torch's own default is false",
    "beta": "the exponent of the divisor",
    "bias": "whether to learn a bias",
    "bidirectional": "whether to run backwards too, and join both results",
    "ceil_mode": "whether a window that only partly fits counts too: sizes round up",
    "count_include_pad": "whether the padded zeros count in the mean",
    "dilation": "the step between the elements of a window",
    "dim": "the dimension to work along, counted from 0; negative ones count from the end",
    "dim0": "one of the two dimensions",
    "dim1": "the other dimension",
    "dims": "the input's dimensions in their new order",
    "divisor_override": "divide by this instead of the window's size",
    "downscale_factor": "by how much height and width shrink",
    "dropout": "the probability that an element is dropped",
    "elementwise_affine": "whether to learn a scale (and a shift) for each element",
    "end_dim": "the last dimension that is merged; negative ones count from the end",
    "eps": "added to the variance, against division by zero",
    "groups": "how many groups the channels are split into, each convolved by itself",
    "hidden_size": "the size of the state",
    "inplace": "whether to overwrite the input, as PyTorch's argument of that name",
    "k": "added to the divisor",
    "kernel_size": "the size of the window, one for all spatial dimensions or one for each",
    "lambd": "half the width of the range that gives 0",
    "lower": "the least slope that is drawn",
    "max_val": "the largest value that comes out",
    "min_val": "the least value that comes out",
    "mode": "how new elements are made",
    "momentum": "the weight of a new batch in the running statistics; null averages them all",
    "negative_slope": "the slope of the negative side",
    "nonlinearity": "what bends the new state",
    "normalized_shape": "the sizes of the last dimensions that are normalised; default: the last one's",
    "num_groups": "how many groups the channels are split into",
    "num_layers": "how many layers stand on each other",
    "num_parameters": "1 for a single slope, or the number of channels for one each",
    "out_channels": "how many channels come out",
    "out_features": "the size of the last dimension of the output",
    "output_padding": "added to one side of the output, where a stride leaves its size open",
    "output_size": "the size of the output's spatial dimensions, one for all or one for each",
    "p": "the probability that an element, or a channel, is dropped",
    "pad": "elements added before and after each dimension, in pairs, the last dimension first",
    "padding": "elements added at both sides, one number for all spatial dimensions or one for each",
    "padding_mode": "what is added: zeros, or a repetition of the input",
    "proj_size": "the size that the state is projected to; 0 leaves it",
    "scale_factor": "by how much the spatial dimensions grow, one number for all or one for each",
    "shape": "the sizes of the output; one may be -1, which is worked out",
    "size": "the size of the output's spatial dimensions, one for all or one for each",
    "start_dim": "the first dimension that is merged",
    "stride": "the step from one window to the next",
    "threshold": "the bound between the two sides",
    "track_running_stats": "whether to keep running statistics for evaluation",
    "unflattened_size": "the sizes that the dimension is split into; one may be -1",
    "upper": "the largest slope that is drawn",
    "upscale_factor": "by how much height and width grow",
    "value": "the value that is put there",
}
"""The meaning of each argument by its name."""

SPECIAL = {
    ("rnn", "dropout"): "the probability that an element is dropped between two layers",
    ("gru", "dropout"): "the probability that an element is dropped between two layers",
    ("lstm", "dropout"): "the probability that an element is dropped between two layers",
    ("local_response_norm", "alpha"): "the weight of the mean square in the divisor",
    ("local_response_norm", "size"): "how many neighbouring channels are taken together",
    ("softplus", "beta"): "how sharply it bends",
    ("softplus", "threshold"): "beyond which beta · x is passed on as it is",
    ("concat", "dim"): "the dimension along which the inputs are joined",
    ("stack", "dim"): "where the new dimension stands",
    ("unsqueeze", "dim"): "where the new dimension stands",
    ("rms_norm", "eps"): "added to the mean square, against division by zero",
    ("pad", "mode"): "what is added: a constant, or a repetition of the input",
    ("upsample", "mode"): "how new elements are made from their neighbours",
}
"""The meaning of an argument in one op, where it is not the common one."""


def meaning(op: type[Op], argument: str) -> str:
    """What an argument of an op means; empty where nobody has said."""
    return SPECIAL.get((op.name, argument)) or MEANINGS.get(argument, "")
