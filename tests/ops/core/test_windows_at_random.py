"""Random windows: netspec and torch accept the same arguments and give the same shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.oracle import infer, torch_result

from netspec.dims import Dim, evaluate_shape
from netspec.ops import OPS, ShapeError, Tensor
from netspec.testing.case import OpCase
from netspec.testing.pytorch import random_module

H, W = Dim.symbol("H"), Dim.symbol("W")
sizes = st.integers(1, 12)


def pair(least: int, most: int) -> st.SearchStrategy[Any]:
    one = st.integers(least, most)
    return one | st.lists(one, min_size=2, max_size=2)


windows = {"kernel_size": pair(1, 5), "stride": pair(1, 4), "padding": pair(0, 3)}
convolutions = {**windows, "out_channels": st.sampled_from([2, 4, 6]), "groups": st.sampled_from([1, 2, 3])}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("conv2d", {**convolutions, "dilation": pair(1, 3), "padding_mode": st.sampled_from(["zeros", "reflect"])}),
        ("conv_transpose2d", {**convolutions, "dilation": pair(1, 3), "output_padding": pair(0, 3)}),
        ("max_pool2d", {**windows, "dilation": pair(1, 3), "ceil_mode": st.booleans()}),
        ("avg_pool2d", {**windows, "ceil_mode": st.booleans(), "count_include_pad": st.booleans()}),
    ],
)
def test_agrees_with_torch(name: str, arguments: Mapping[str, st.SearchStrategy[Any]]) -> None:
    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(st.fixed_dictionaries(dict(arguments)), sizes, sizes)
    def agrees(chosen: dict[str, Any], height: int, width: int) -> None:
        tensor = Tensor((2, 6, height, width))
        op = OPS[name](**chosen)
        try:
            (made,) = infer(op, (tensor,))
        except ShapeError:
            with pytest.raises((RuntimeError, ValueError)):
                torch_result(op, (tensor,), OpCase(OPS[name], (f"2 6 {height} {width}",), chosen))
            return
        with torch.no_grad():
            expected = random_module(op, (tensor,))(torch.zeros(2, 6, height, width))
        assert made.shape == tuple(expected.shape)
        (symbolic,) = op.infer(Tensor((2, 6, H, W)))
        assert evaluate_shape(symbolic.shape, {"H": height, "W": width}) == made.shape

    agrees()
