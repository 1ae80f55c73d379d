"""The small networks that a course begins with: shapes by the textbook's formula, and what their weights mean."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from zoo.networks import compiled

import netspec
from netspec.dims import evaluate_shape
from netspec.graph import Graph

CONVOLUTIONS = {                    # kernel, padding on each side, stride
    "kernel_1x2": ((1, 2), (0, 0), (1, 1)),
    "kernel_3x3": ((3, 3), (0, 0), (1, 1)),
    "padding_1": ((3, 3), (1, 1), (1, 1)),
    "padding_2x1": ((5, 3), (2, 1), (1, 1)),
    "stride_2": ((3, 3), (1, 1), (2, 2)),
    "stride_3x4": ((3, 5), (0, 1), (3, 4)),
    "dilation_2": ((5, 5), (0, 0), (1, 1)),
    "channels_16": ((3, 3), (1, 1), (1, 1)),
    "depthwise": ((3, 3), (1, 1), (1, 1)),
    "pointwise": ((1, 1), (0, 0), (1, 1)),
    "product": ((1, 1), (0, 0), (1, 1)),
}  # fmt: skip
POOLINGS = {
    "max_2": ((2, 2), (0, 0), (1, 1)),
    "avg_2": ((2, 2), (0, 0), (1, 1)),
    "stride_as_kernel": ((3, 3), (0, 0), (3, 3)),
    "padding_1": ((3, 3), (1, 1), (2, 2)),
    "padding_0x1": ((2, 3), (0, 1), (2, 3)),
}
Windows = Mapping[str, tuple[tuple[int, int], ...]]


def spatial(graph: Graph, height: int, width: int) -> dict[str, tuple[int, ...]]:
    """The height and width of every output."""
    sizes = {"N": 1, "H": height, "W": width}
    return {name: tuple(evaluate_shape(each.value.shape, sizes)[2:]) for name, each in graph.outputs.items()}


@pytest.mark.parametrize(("name", "windows"), [("conv_shapes", CONVOLUTIONS), ("pooling", POOLINGS)])
def test_shapes_are_those_of_the_formula(name: str, windows: Windows) -> None:
    graph, _ = compiled(name)
    for image in product(range(5, 12), range(5, 12)):
        made = spatial(graph, *image)
        for output, window in windows.items():
            want = tuple((n - k + 2 * p + s) // s for n, k, p, s in zip(image, *window))
            assert made[output] == want, output


def test_shapes_are_those_that_the_textbook_prints() -> None:
    convolved = spatial(compiled("conv_shapes")[0], 8, 8)
    assert [convolved[name] for name in ("padding_1", "padding_2x1", "stride_2", "stride_3x4")] == [
        (8, 8), (8, 8), (4, 4), (2, 2),
    ]  # fmt: skip
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    made = netspec.load("pooling", channels=2).module()(torch.cat((image, image + 1), 1))
    assert made["stride_as_kernel"].flatten().tolist() == [10, 11]
    assert made["padding_1"].flatten().tolist() == [5, 7, 13, 15, 6, 8, 14, 16]  # channel by channel
    assert made["padding_0x1"].flatten().tolist() == [5, 7, 13, 15, 6, 8, 14, 16]
    assert made["max_2"][0, 0].tolist() == [[5, 6, 7], [9, 10, 11], [13, 14, 15]]
    assert made["avg_2"][0, 0, 0].tolist() == [2.5, 3.5, 4.5]
    assert made["global_avg"].tolist() == [[7.5, 8.5]]


def test_a_one_by_one_convolution_is_a_matrix_product() -> None:
    module = netspec.load("conv_shapes").module()
    pointwise, weights = module.get_submodule("pointwise"), module.get_submodule("product.weights")
    weights.load_state_dict({"weight": pointwise.weight[:, :, 0, 0], "bias": pointwise.bias})
    made = module(torch.randn(3, 2, 6, 7))
    torch.testing.assert_close(made["pointwise"], made["product"])


def trained(module: nn.Module, inputs: Tensor, targets: Tensor, rate: float, steps: int) -> nn.Module:
    """The module after gradient descent on the squared error."""
    optimizer = torch.optim.SGD(module.parameters(), lr=rate, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        mse_loss(module(inputs), targets).backward()
        optimizer.step()
    return module


def test_the_edge_detector_learns_to_subtract_neighbours() -> None:
    image = torch.ones(1, 1, 6, 8)
    image[..., 2:6] = 0
    edges = image[..., :-1] - image[..., 1:]
    assert edges[0, 0, 0].tolist() == [0, 1, 0, 0, 0, -1, 0]
    weight = trained(netspec.load("edge_detector").module(), image, edges, 0.5, 200).get_parameter("0.weight")
    torch.testing.assert_close(weight.detach().flatten(), torch.tensor([1.0, -1.0]), rtol=0, atol=1e-4)


def test_linear_regression_finds_the_line() -> None:
    inputs = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    module = netspec.load("linear_regression").module()
    assert module.get_parameter("0.bias").item() == 0
    trained(module, inputs, inputs @ torch.tensor([[2.0], [-3.4]]) + 4.2, 0.1, 200)
    torch.testing.assert_close(module.get_parameter("0.weight"), torch.tensor([[2.0, -3.4]]), rtol=0, atol=1e-4)
    torch.testing.assert_close(module.get_parameter("0.bias"), torch.tensor([4.2]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("degree", [1, 2, 3, 8])
def test_a_polynomial_is_one(degree: int) -> None:
    module = netspec.load("polynomial", degree=degree).module()
    coefficients = np.random.default_rng(degree).normal(size=degree + 1).astype(np.float32)
    module.load_state_dict(
        {
            "coefficients.bias": torch.tensor(coefficients[:1]),
            "coefficients.weight": torch.tensor(coefficients[None, 1:]),
        }
    )
    points = np.linspace(-1.5, 1.5, 31, dtype=np.float32)
    made = module(torch.tensor(points)[:, None]).detach().numpy()[:, 0]
    np.testing.assert_allclose(made, np.polynomial.polynomial.polyval(points, coefficients), rtol=1e-4, atol=1e-4)
