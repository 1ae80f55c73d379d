"""Every op's arguments and defaults are those of its torch class."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from pydantic_core import PydanticUndefined
from torch import nn

from netspec.ops import OPS

INFERRED = {"in_channels", "in_features", "num_features", "num_channels", "device", "dtype"}
LEFT_OUT = {
    "return_indices": "an op with one output has one output",
    "init": "initial values are the spec's `init`",
    "min_value": "deprecated by torch",
    "max_value": "deprecated by torch",
    "recompute_scale_factor": "give a size",
}
ONLY_ZEROS = {"padding_mode": "torch has the argument, but takes `zeros` only"}
OWN_DEFAULTS = {"normalized_shape": "inferred when left out", "dim": "torch's implicit dim is deprecated"}


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.torch])
def test_arguments_and_defaults_are_torchs(name: str) -> None:
    signature = inspect.signature(getattr(nn, str(OPS[name].torch).removeprefix("nn.")))
    left_out = INFERRED | LEFT_OUT.keys() | (ONLY_ZEROS.keys() if "transpose" in name else set())
    wanted = {
        key: None if key in OWN_DEFAULTS and name != "glu" else parameter.default
        for key, parameter in signature.parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) and key not in left_out
    }
    mine: dict[str, Any] = {}
    for key, field in OPS[name].model_fields.items():
        mine[key] = inspect.Parameter.empty if field.default is PydanticUndefined else field.default
        mine[key] = None if key in OWN_DEFAULTS and name != "glu" else mine[key]
    assert mine == wanted


@pytest.mark.parametrize("name", list(OPS))
def test_says_what_it_is(name: str) -> None:
    op = OPS[name]
    assert op.torch or op.functional
    assert op.main is None or op.main in op.model_fields
    assert ": " in op.summary(), "the summary ends in the shapes"
    assert set(op.model_json_schema().get("properties", {})) == set(op.model_fields)
