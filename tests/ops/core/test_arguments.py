"""Arguments: the values that they take, their errors, and the reading of text in their place."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from netspec.dims import Dim
from netspec.ops import OPS
from netspec.ops.core.arguments import text_rule


def fault(name: str, **arguments: Any) -> str:
    with pytest.raises(ValidationError) as found:
        OPS[name](**arguments)
    (error,) = found.value.errors()
    return str(error["msg"])


@pytest.mark.parametrize(
    ("name", "arguments", "wanted"),
    [
        ("conv2d", {"out_channels": 4, "kernel_size": True}, "an integer of at least 1, or a list of 2 of them"),
        ("conv2d", {"out_channels": 4, "kernel_size": [3]}, "an integer of at least 1, or a list of 2 of them"),
        (
            "conv2d",
            {"out_channels": 4, "kernel_size": 3, "padding": "some"},
            "an integer of at least 0, or a list of 2 of them, or `same`, or `valid`",
        ),
        ("max_pool1d", {"kernel_size": 0}, "an integer of at least 1"),
        (
            "adaptive_avg_pool2d",
            {"output_size": None},
            "an integer of at least 1, or a list of 2 of them (null keeps a size)",
        ),
        ("permute", {"dims": 1}, "a list of integers"),
        ("permute", {"dims": [0, True]}, "a list of integers"),
        ("reshape", {"shape": [2, "N"]}, "a list of sizes, of which one may be -1"),
        ("layer_norm", {"normalized_shape": [4, 0]}, "an integer of at least 1, or a list of them"),
        ("upsample", {"scale_factor": 0}, "a number above 0, or a list of them"),
        ("upsample", {"scale_factor": float("inf")}, "a number above 0, or a list of them"),
        ("leaky_relu", {"negative_slope": float("nan")}, "Input should be a finite number"),
        ("masked_fill", {"value": float("nan")}, "a number, `inf` or `-inf`"),
        ("masked_fill", {"value": True}, "a number, `inf` or `-inf`"),
        ("reduce_sum", {"dim": [0, 1.5]}, "an integer, a list of integers, or null for all dimensions"),
        ("reduce_sum", {"dim": []}, "an integer, a list of integers, or null for all dimensions"),
        ("arange", {"end": 0.5}, "an integer, or a symbolic size"),
        ("constant", {"value": [[1, 2], [3]]}, "lists of equal lengths"),
        ("constant", {"value": "one"}, "a finite number, or lists of them"),
        ("constant", {"value": [float("inf")]}, "a finite number, or lists of them"),
        ("split", {"split_size_or_sections": [2, 0]}, "an integer of at least 1, or a list of sizes"),
        ("expand", {"shape": [2, 0]}, "a list of sizes, where -1 keeps the input's"),
        ("linear", {"out_features": 3.0}, "Input should be a valid integer"),
        ("dropout", {"p": "0.5"}, "Input should be a valid number"),
        ("relu", {"inplace": 1}, "Input should be a valid boolean"),
        ("relu", {"slope": 1}, "Extra inputs are not permitted"),
    ],
)
def test_one_fault_in_words(name: str, arguments: dict[str, Any], wanted: str) -> None:
    assert fault(name, **arguments) == wanted


def test_what_is_kept() -> None:
    assert OPS["conv2d"](out_channels=4, kernel_size=[3, 5]).model_dump()["kernel_size"] == (3, 5)
    assert OPS["conv1d"](out_channels=4, kernel_size=[3]).model_dump()["kernel_size"] == 3
    assert OPS["max_pool2d"](kernel_size=3, stride=None).model_dump()["stride"] is None
    kept = OPS["leaky_relu"](negative_slope=1).model_dump()["negative_slope"]
    assert (kept, type(kept)) == (1.0, float)
    assert OPS["masked_fill"](value=float("-inf")) == OPS["masked_fill"](value="-inf")
    assert OPS["constant"](value=[[1, 2]]).model_dump()["value"] == ((1, 2),)
    op = OPS["reshape"](shape=[Dim.symbol("N"), -1])
    assert hash(op) == hash(OPS["reshape"](shape=[Dim.symbol("N"), -1]))


@pytest.mark.parametrize(
    ("name", "argument", "text", "literal"),
    [
        ("conv2d", "padding", "same", True),
        ("conv2d", "padding", "kernel // 2", False),
        ("conv2d", "padding_mode", "reflect", True),
        ("conv2d", "out_channels", "same", False),
        ("upsample", "mode", "bilinear", True),
        ("reshape", "shape", "N", False),
        ("masked_fill", "value", "-inf", True),
        ("cast", "dtype", "int64", True),
        ("einsum", "equation", "ij,jk->ik", True),
        ("arange", "end", "T", False),
    ],
)
def test_text_is_a_word_or_an_expression(name: str, argument: str, text: str, literal: bool) -> None:
    assert text_rule(OPS[name], argument).takes(text) is literal


def test_json_schema() -> None:
    properties = OPS["max_pool2d"].model_json_schema()["properties"]
    one = {"type": "integer", "minimum": 1}
    many = {"type": "array", "items": one, "minItems": 2, "maxItems": 2}
    assert properties["stride"]["anyOf"] == [one, many, {"type": "null"}]
    assert properties["kernel_size"]["anyOf"] == [one, many]
