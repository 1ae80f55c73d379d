"""The functions that weights start with, those of ``torch.nn.init``."""

from __future__ import annotations

from collections.abc import Mapping

from netspec.elaborate.passes.init_rules import ALONE, FUNCTIONS, TEXTS
from netspec.reference.word import Json, WordArgument

DOCS = {
    "uniform": "Evenly spread between `a` and `b`.",
    "normal": "Normally distributed, with `mean` and standard deviation `std`.",
    "trunc_normal": "Normally distributed, with what lies outside `a` to `b` drawn again.",
    "constant": "The same number everywhere.",
    "ones": "Ones.",
    "zeros": "Zeros.",
    "eye": "The identity matrix, for weights of two dimensions.",
    "dirac": "Convolutions that pass their input on, channel by channel.",
    "xavier_uniform": "Evenly spread, with the variance 2·gain²/(fan_in + fan_out) (Glorot and Bengio 2010).",
    "xavier_normal": "Normally distributed, with the variance 2·gain²/(fan_in + fan_out) (Glorot and Bengio 2010).",
    "kaiming_uniform": "Evenly spread, with the variance gain²/fan, where `nonlinearity` and `a` give the gain "
    "(He et al. 2015).",
    "kaiming_normal": "Normally distributed, with the variance gain²/fan, where `nonlinearity` and `a` give the gain "
    "(He et al. 2015).",
    "orthogonal": "An orthogonal matrix, times `gain` (Saxe et al. 2013).",
    "sparse": "Normally distributed, with the share `sparsity` of each column zero (Martens 2010).",
}
ARGUMENT_DOCS = {
    "a": "the least value",
    "b": "the largest value",
    "mean": "the mean",
    "std": "the standard deviation",
    "val": "the number",
    "groups": "the number of groups of channels, each an identity of its own",
    "gain": "a factor, which makes up for the nonlinearity that follows",
    "mode": "keep the variance of the outputs (`fan_in`) or of the gradients (`fan_out`)",
    "nonlinearity": "the activation that follows, for its gain",
    "sparsity": "the share of each column that is zero",
}
SLOPE = "the negative slope of the `leaky_relu` that follows"


def rule_arguments(function: str) -> Mapping[str, WordArgument]:
    """Return the arguments of an initialisation by name."""
    alone = ALONE.get(function, next(iter(FUNCTIONS[function]), None))
    made = {}
    for name, default in FUNCTIONS[function].items():
        holds: Json = {"enum": list(TEXTS[name])} if name in TEXTS else {"type": "number"}
        if default is not float:
            holds["default"] = default
        doc = SLOPE if name == "a" and function.startswith("kaiming") else ARGUMENT_DOCS[name]
        made[name] = WordArgument(name, doc, holds, default is float, name == alone)
    return made
