"""The meaning of numbers, by the arguments that they are: which may be the same quantity, and what to call it."""

from __future__ import annotations

import keyword

FAMILIES = {
    "width": {
        "d_model",
        "dim_feedforward",
        "embedding_dim",
        "expanded_channels",
        "groups",
        "hidden",
        "hidden_size",
        "input_channels",
        "num_features",
        "out_channels",
        "out_features",
        "squeeze_channels",
    },
    "window": {"kernel_size", "padding", "dilation"},
    "size": {"shape", "unflattened_size", "size", "output_size", "start", "end", "length", "pad", "shifts"},
}
"""The arguments whose numbers may be one quantity."""
NAMES = {
    "value": "values",
    "out_channels": "width",
    "out_features": "features",
    "embedding_dim": "width",
    "hidden_size": "hidden",
    "num_heads": "heads",
    "kernel_size": "kernel_size",
    "p": "dropout",
    "count": "depth",
    "num_embeddings": "vocab",
    "unflattened_size": "size",
    "shape": "size",
    "normalized_shape": "size",
}
TAKEN = ("name", "from", "init", "freeze", "recompute", "state_key", "shape", "prev")
"""The words that mean something else where a parameter is read."""


def family(word: str) -> str:
    """Return what numbers of an argument measure: only those of one family are compared."""
    return next((name for name, words in FAMILIES.items() if word in words), word)


def makes_width(word: str) -> bool:
    """Return whether an argument says how wide the output is."""
    return family(word) == "width" and word != "groups"


def is_likely(word: str, value: object, default: object) -> bool:
    """Return whether a number is what a reader takes an argument for that is not given."""
    return value == default or (word == "kernel_size" and value == 3)


def parameter_name(word: str) -> str:
    """Return what to call a number that an argument takes."""
    name = NAMES.get(word, word)
    return f"{name}_" if keyword.iskeyword(name) or name in TAKEN else name
