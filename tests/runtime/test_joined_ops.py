"""Networks of two to four ops, on onnxruntime with all of its optimisations: it joins neighbours, not always rightly.

``NETSPEC_MANY=20`` draws twenty times as many.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from random_blocks import MANY

from netspec.diagnostics import SpecError
from netspec.pipeline import compile_spec
from netspec.runtime.module import build_module
from netspec.runtime.onnx.export import export_onnx

torch.set_num_threads(1)

POOLS: list[Any] = [
    {f"{kind}_pool2d": {"kernel_size": 3, "stride": 2, **more}}
    for kind in ("avg", "max")
    for more in ({}, {"ceil_mode": True}, {"padding": 1}, {"padding": 1, "ceil_mode": True})
]
PADS: list[Any] = [
    {"pad": [1, 2, 0, 1]},
    {"pad": [2, 2, 2, 2]},
    {"pad": [3, 3, 3, 3]},
    {"pad": {"pad": [1, 1, 1, 1], "value": 2.0}},
    {"pad": [-1, 0, 0, 1]},
    {"conv_transpose2d": {"out_channels": 4, "kernel_size": 2, "output_padding": 1, "dilation": 2, "bias": False}},
]
OTHERS: list[Any] = [
    "relu",
    "relu6",
    "sigmoid",
    "silu",
    "gelu",
    {"gelu": {"approximate": "tanh"}},
    "hardswish",
    "hardsigmoid",
    "identity",
    {"leaky_relu": 0.2},
    {"hardtanh": {"min_val": -0.5, "max_val": 0.7}},
    {"clamp": {"min": -0.3}},
    {"clamp": {"max": 0.4}},
    {"conv2d": {"out_channels": 4, "kernel_size": 3, "padding": 1}},
    {"conv2d": {"out_channels": 4, "kernel_size": 1, "bias": False}},
    {"conv2d": {"out_channels": 4, "kernel_size": 3, "stride": 2, "groups": 2}},
    {"batch_norm2d": {}},
    {"batch_norm2d": {"affine": False}},
    {"batch_norm2d": {"eps": 0.5}},
    {"batch_norm2d": {"track_running_stats": False}},
    {"group_norm": 2},
    "layer_norm",
    "rms_norm",
    {"softmax": {"dim": 1}},
    {"softmax": {"dim": -1}},
    {"log_softmax": {"dim": 1}},
    {"dropout": 0.5},
    {"transpose": {"dim0": 2, "dim1": 3}},
    {"permute": [0, 2, 3, 1]},
    {"permute": [0, 3, 1, 2]},
    {"flatten": {"start_dim": 2}},
    {"unsqueeze": 1},
    {"slice": {"dim": 2, "start": -2}},
    {"slice": {"dim": 3, "start": -1}},
    {"linear": 5},
    {"linear": {"out_features": 5, "bias": False}},
    {"cast": "float32"},
    {"scale": 1.0},
    {"scale": -0.5},
    {"shift": 0.0},
    {"shift": 3.0},
    {"pow": 2.0},
    {"add": {"from": ["x", "prev"]}},
    {"multiply": {"from": ["prev", "x"]}},
    {"subtract": {"from": ["prev", "x"]}},
    {"concat": {"from": ["x", "prev"]}},
    {"upsample": 2},
    {"adaptive_avg_pool2d": 3},
    {"reduce_mean": {"dim": [2], "keepdim": True}},
    {"reduce_max": {"dim": 1, "keepdim": True}},
    "global_avg_pool",
]
SHAPES = ((2, 7, 6), (2, 8, 8), (1, 5, 5), (2, 1, 1), (1, 6, 1), (3, 9, 4))


def drawn(random: Random) -> list[Any]:
    """Steps; one in three begins with what is joined most often."""
    if random.random() < 0.33:
        return [
            random.choice(PADS),
            random.choice([*POOLS, *OTHERS[13:16]]),
            *random.sample(OTHERS, random.randint(0, 2)),
        ]
    return [random.choice([*OTHERS, *POOLS, *PADS]) for _ in range(random.randint(2, 4))]


@pytest.mark.parametrize("seed", range(50 * MANY))
def test_onnxruntime_joins_nothing_wrongly(seed: int, tmp_path: Path):
    random = Random(seed)
    steps, sizes = drawn(random), random.choice(SHAPES)
    shape = [sizes[0], 4, *sizes[1:]] if random.random() < 0.5 else ["N", 4, "H", "W"]
    spec = {"netspec": 1, "name": "net", "inputs": {"x": shape}, "network": steps}
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    try:
        graph = compile_spec(tmp_path / "net.yaml")
    except SpecError:  # the steps do not fit each other
        return
    module = build_module(graph).eval()
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.7)
            if name.endswith("running_var"):
                tensor.abs_().add_(0.3)
    x = torch.randn(sizes[0], 4, *sizes[1:], generator=generator)
    try:
        with torch.no_grad():
            want = module(x).numpy()
    except RuntimeError:  # an image of these sizes is too small
        return
    path = export_onnx(graph, module, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"x": x.numpy()})
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * np.abs(want).max(initial=1e-2))
