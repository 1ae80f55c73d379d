"""Networks that no library carries, against code written by hand as their authors have it: keys, values, gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo.vision import difference, randomised

import netspec


class GraphConvolution(nn.Module):
    def __init__(self, before: int, width: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(before, width)), nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        return adjacency @ (x @ self.weight) + self.bias


class Gcn(nn.Module):
    """As ``pygcn`` has it."""

    def __init__(self) -> None:
        super().__init__()
        self.gc1, self.gc2 = GraphConvolution(12, 16), GraphConvolution(16, 7)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        return F.log_softmax(self.gc2(F.relu(self.gc1(x, adjacency)), adjacency), dim=1)


class Siamese(nn.Module):
    """As figure 4 of the paper has it."""

    def __init__(self) -> None:
        super().__init__()
        sizes, layers = [(1, 64, 10), (64, 128, 7), (128, 128, 4)], []
        for before, width, kernel in sizes:
            layers += [nn.Conv2d(before, width, kernel), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Conv2d(128, 256, 4), nn.ReLU(), nn.Flatten(), nn.Linear(9216, 4096), nn.Sigmoid()]
        self.twin, self.head = nn.Sequential(*layers), nn.Linear(4096, 1)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return torch.sigmoid(self.head((self.twin(first) - self.twin(second)).abs()))


class Main(nn.Module):
    def __init__(self, layers: list[nn.Module]):
        super().__init__()
        self.main = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.main(x)
        return made


def generator() -> nn.Module:
    """As the example of PyTorch has it, eight channels wide next to the image."""
    layers: list[nn.Module] = []
    for at, (before, width) in enumerate([(100, 64), (64, 32), (32, 16), (16, 8)]):
        stride = 1 if at == 0 else 2
        layers += [
            nn.ConvTranspose2d(before, width, 4, stride, stride - 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
    return Main([*layers, nn.ConvTranspose2d(8, 3, 4, 2, 1, bias=False), nn.Tanh()])


def discriminator() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 8, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for width in (16, 32, 64):
        layers += [nn.Conv2d(width // 2, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width), nn.LeakyReLU(0.2)]
    return Main([*layers, nn.Conv2d(64, 1, 4, bias=False), nn.Sigmoid()])


class Stn(nn.Module):
    """The matrix that turns points of this size, as ``pointnet.pytorch`` has it."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size
        self.conv1, self.conv2, self.conv3 = nn.Conv1d(size, 64, 1), nn.Conv1d(64, 128, 1), nn.Conv1d(128, 1024, 1)
        self.fc1, self.fc2, self.fc3 = nn.Linear(1024, 512), nn.Linear(512, 256), nn.Linear(256, size * size)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm1d(64), nn.BatchNorm1d(128), nn.BatchNorm1d(1024)
        self.bn4, self.bn5 = nn.BatchNorm1d(512), nn.BatchNorm1d(256)

    def forward(self, x: Tensor) -> Tensor:
        made = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        made = F.relu(self.bn3(self.conv3(made))).amax(2)
        made = self.fc3(F.relu(self.bn5(self.fc2(F.relu(self.bn4(self.fc1(made)))))))
        turn = made.view(-1, self.size, self.size) + torch.eye(self.size)
        return torch.bmm(x.transpose(2, 1), turn).transpose(2, 1)


class Features(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stn, self.fstn = Stn(3), Stn(64)
        self.conv1, self.conv2, self.conv3 = nn.Conv1d(3, 64, 1), nn.Conv1d(64, 128, 1), nn.Conv1d(128, 1024, 1)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm1d(64), nn.BatchNorm1d(128), nn.BatchNorm1d(1024)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fstn(F.relu(self.bn1(self.conv1(self.stn(x)))))
        x = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(x)))))
        return x.amax(2)


class PointNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.feat = Features()
        self.fc1, self.fc2, self.fc3 = nn.Linear(1024, 512), nn.Linear(512, 256), nn.Linear(256, 40)
        self.bn1, self.bn2 = nn.BatchNorm1d(512), nn.BatchNorm1d(256)

    def forward(self, points: Tensor) -> Tensor:
        x = F.relu(self.bn2(self.fc2(F.relu(self.bn1(self.fc1(self.feat(points)))))))
        return F.log_softmax(self.fc3(x), dim=1)


class Dlrm(nn.Module):
    """As ``dlrm`` of Facebook Research has it, with one value of each category."""

    def __init__(self) -> None:
        super().__init__()
        self.emb_l = nn.ModuleList(nn.EmbeddingBag(50, 4, mode="sum") for _ in range(3))
        self.bot_l = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())
        self.top_l = nn.Sequential(nn.Linear(4 + 6, 7), nn.ReLU(), nn.Linear(7, 1), nn.Sigmoid())

    def forward(self, dense: Tensor, categories: Tensor) -> Tensor:
        x = self.bot_l(dense)
        found = [table(categories[:, at : at + 1]) for at, table in enumerate(self.emb_l)]
        vectors = torch.cat([x, *found], dim=1).view(len(x), -1, 4)
        products = torch.bmm(vectors, vectors.transpose(1, 2))
        rows, columns = torch.tril_indices(4, 4, offset=-1)
        made: Tensor = self.top_l(torch.cat([x, products[:, rows, columns]], dim=1))
        return made


CASES: dict[str, tuple[Callable[[], nn.Module], dict[str, Any], tuple[tuple[int, ...], ...]]] = {
    "gcn": (Gcn, {"features": 12}, ((5, 12), (5, 5))),
    "siamese": (Siamese, {}, ((2, 1, 105, 105), (2, 1, 105, 105))),
    "dcgan_generator": (generator, {"width": 8}, ((2, 100, 1, 1),)),
    "dcgan_discriminator": (discriminator, {"width": 8}, ((2, 3, 64, 64),)),
    "dlrm": (Dlrm, {"numbers": 5, "tables": 3, "rows": 50, "width": 4, "bottom": [8], "top": [7]}, ((2, 5), (2, 3))),
    "pointnet": (PointNet, {}, ((2, 3, 17),)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_the_code_does(name: str) -> None:
    made, parameters, shapes = CASES[name]
    theirs = randomised(made()).eval()
    ours = netspec.load(name, **parameters).module().eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    inputs = [torch.randn(shape, generator=torch.Generator().manual_seed(0)) for shape in shapes]
    inputs = [each + at for at, each in enumerate(inputs)]
    if name == "dlrm":
        inputs[1] = (inputs[1].abs() * 10).long()
    want, got = theirs(*inputs), ours(*inputs)
    assert difference(want, got) < 1e-5
    for each in (want, got):
        each.square().mean().backward()
    for key, parameter in theirs.named_parameters():
        assert parameter.grad is not None
        assert (parameter.grad - ours.get_parameter(key).grad).abs().max() <= 1e-4 * parameter.grad.abs().max(), key
