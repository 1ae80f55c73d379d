"""What papers and textbooks print of these networks, and forms that no library carries against code written by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo.networks import compiled, on_meta
from zoo.vision import difference, randomised

from netspec.graph import Node, walk
from netspec.pipeline import compile_spec


@pytest.mark.parametrize("padding", [0, 1])
def test_alexnet_for_fashion_mnist_walks_as_printed(padding: int) -> None:
    graph = compile_spec("alexnet_d2l", overrides={"padding": padding})
    nodes = [step for _, step, _ in walk(graph.body) if isinstance(step, Node)]
    sizes = [step.outputs[0].shape[2] for step in nodes if step.op.name in ("conv2d", "max_pool2d")]
    assert sizes == [54, 26, 26, 12, 12, 12, 12, 5]
    assert next(step.outputs[0].shape[1] for step in nodes if step.op.name == "flatten") == 6400


def test_alexnet_with_padding_brings_9216_numbers_to_the_first_linear_layer() -> None:
    graph, _ = compiled("alexnet")
    linears = [step for _, step, _ in walk(graph.body) if isinstance(step, Node) and step.op.name == "linear"]
    assert [step.parameters["weight"] for step in linears] == [(4096, 9216), (4096, 4096), (1000, 4096)]


@pytest.mark.parametrize(
    ("name", "depth"), [("resnet20", 20), ("resnet110", 110), ("preresnet164", 164), ("vgg19", 19)]
)
def test_the_number_in_a_name_counts_layers_with_weights(name: str, depth: int) -> None:
    graph, _ = compiled(name)
    layers = [
        path
        for path, step, _ in walk(graph.body)
        if isinstance(step, Node) and step.op.family in ("convolution", "linear")
    ]
    assert len([path for path in layers if "projection" not in path]) == depth


class Pair(nn.Module):
    """Two layers of a CIFAR residual network; the shortcut skips every second pixel and adds empty channels."""

    def __init__(self, before: int, width: int, stride: int):
        super().__init__()
        self.stride, self.extra = stride, (width - before) // 2
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        empty = x.new_zeros(len(x), self.extra, *y.shape[2:])
        return F.relu(y + torch.cat((empty, x[:, :, :: self.stride, :: self.stride], empty), 1))


class Bottleneck(nn.Module):
    """Three layers of a pre-activation residual network."""

    def __init__(self, before: int, width: int, stride: int):
        super().__init__()
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm2d(before), nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(before, width, 1, stride, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.projection = nn.Conv2d(before, 4 * width, 1, stride, bias=False) if before != 4 * width else None

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.bn1(x))
        y = self.conv3(F.relu(self.bn3(self.conv2(F.relu(self.bn2(self.conv1(active)))))))
        return y + (x if self.projection is None else self.projection(active))


class Residual(nn.Module):
    """A residual network for CIFAR-10, after or before its activations."""

    def __init__(self, block: type[nn.Module], count: int, before_activation: bool):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        wider = 4 if before_activation else 1
        self.layer1 = self._stage(block, count, 16, 16, wider)
        self.layer2 = self._stage(block, count, 16 * wider, 32, wider)
        self.layer3 = self._stage(block, count, 32 * wider, 64, wider)
        self.before_activation = before_activation
        if before_activation:
            self.bn, self.fc = nn.BatchNorm2d(256), nn.Linear(256, 10)
        else:
            self.bn1, self.linear = nn.BatchNorm2d(16), nn.Linear(64, 10)

    @staticmethod
    def _stage(block: type[nn.Module], count: int, before: int, width: int, wider: int) -> nn.Sequential:
        stride = 1 if width == 16 else 2
        return nn.Sequential(block(before, width, stride), *(block(wider * width, width, 1) for _ in range(count - 1)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        if self.before_activation:
            x = F.relu(self.bn(self.layer3(self.layer2(self.layer1(x)))))
            return self.fc(x.mean((2, 3)))
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(x)))))
        return self.linear(x.mean((2, 3)))


@pytest.mark.parametrize(
    ("name", "block", "count", "before_activation"),
    [("resnet20", Pair, 3, False), ("resnet44", Pair, 7, False), ("preresnet164", Bottleneck, 18, True)],
)
def test_cifar_networks_compute_what_the_papers_describe(
    name: str, block: type[nn.Module], count: int, before_activation: bool
) -> None:
    theirs = randomised(Residual(block, count, before_activation)).eval()
    ours = on_meta(name).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    for height, width in ((32, 32), (19, 26)):
        images = torch.randn(2, 3, height, width)
        with torch.no_grad():
            assert difference(theirs(images), ours(images)) < 1e-5
