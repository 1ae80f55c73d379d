"""Every op's arguments and defaults are those of its torch class."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import vision_operators  # noqa: F401  # which lets torchvision be imported
from pydantic_core import PydanticUndefined
from torch import nn

from netspec.ops import OPS, Op
from netspec.train.names import resolve

INFERRED = {
    *("in_channels", "in_features", "num_features", "num_channels", "device", "dtype"),
    *("input_size", "embed_dim", "kdim", "vdim", "in1_features", "in2_features"),
}
LEFT_OUT = {
    "_weight": "initial values are the spec's `init`",
    "_freeze": "the spec's `freeze`",
    "init": "initial values are the spec's `init`",
    "min_value": "deprecated by torch",
    "max_value": "deprecated by torch",
}
ONLY_ZEROS = {"padding_mode": "torch has the argument, but takes `zeros` only"}
OWN_DEFAULTS = {"normalized_shape": "inferred when left out", "dim": "torch's implicit dim is deprecated"}


OWN = {"parameter", "buffer", "learned_positions", "frozen_batch_norm2d"}
"""Ops whose arguments are not those of the class that they are made of."""
BASES = {name: nn.RNNBase for name in ("rnn", "gru", "lstm")}
"""The classes that name the arguments which others pass on as ``*args``."""
ELSEWHERE = {(name, "mode") for name in BASES} | {
    ("rnn", "proj_size"),
    ("gru", "proj_size"),
    ("rnn", "nonlinearity"),
    ("multihead_attention", "is_causal"),
    *(
        (name, kind)
        for name in OPS
        if name.startswith(("conv", "deform", "linear"))
        for kind in ("weight_norm", "spectral_norm")
    ),
    ("layer_norm", "dim"),
    ("rms_norm", "dim"),
}
"""Arguments of LSTM alone on the common base, of RNN alone beside it, and of forward; and what the module knows not."""


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.torch and op.name not in OWN])
def test_arguments_and_defaults_are_torchs(name: str) -> None:
    signature = inspect.signature(BASES.get(name) or resolve(str(OPS[name].torch).replace("nn.", "torch.nn.", 1)))
    left_out = INFERRED | LEFT_OUT.keys() | {*OPS[name].without} | (ONLY_ZEROS.keys() if "transpose" in name else set())
    wanted = {
        key: None if key in OWN_DEFAULTS and name != "glu" else parameter.default
        for key, parameter in signature.parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and key not in left_out
        and (name, key) not in ELSEWHERE
    }
    mine: dict[str, Any] = {}
    for key in OPS[name].model_fields:
        if (name, key) in ELSEWHERE:
            continue
        default = OPS[name].default(key)
        mine[key] = inspect.Parameter.empty if default is PydanticUndefined else default
        mine[key] = None if key in OWN_DEFAULTS and name != "glu" else mine[key]
    assert mine == wanted


@pytest.mark.parametrize("name", list(OPS))
def test_says_what_it_is(name: str) -> None:
    op = OPS[name]
    assert op.torch or op.functional or op.statements is not Op.statements or op.call is not Op.call
    assert op.main is None or op.main in op.model_fields
    assert ": " in op.summary(), "the summary ends in the shapes"
    assert set(op.model_json_schema().get("properties", {})) == set(op.model_fields)
