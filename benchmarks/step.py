"""Step time of compiled networks against hand-written modules: the same weights, the same input, one thread.

The compiled network is the emitted source, run eagerly. Batches and images are small, so that what counts is the
overhead of a layer rather than the arithmetic that both share. Times are CPU time of the process. Two copies of one
module differ by up to 2 % in this measure on a busy machine.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from pairs import Bar, alternate, collector_paused, finish, import_torchvision, judge, ratios, seconds, timed
from torch import Tensor, nn

import netspec

Make = Callable[[], tuple[nn.Module, nn.Module]]

BAR = Bar(1.03)
RESNET = Path(netspec.__file__).parent.parent / "specs" / "resnet.yaml"


class CifarBlock(nn.Module):
    """A residual block as a person writes it; its shortcut has no weights (option A)."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.extra = stride, (width - channels) // 2

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.stride != 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra, self.extra))
        out += x
        return F.relu(out)


class CifarResNet(nn.Module):
    """The CIFAR-10 residual network of ``depth`` layers (He et al. 2015, section 4.2)."""

    def __init__(self, depth: int):
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self.stage(16, 16, blocks, 1)
        self.layer2 = self.stage(16, 32, blocks, 2)
        self.layer3 = self.stage(32, 64, blocks, 2)
        self.linear = nn.Linear(64, 10)

    def stage(self, channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
        first = CifarBlock(channels, width, stride)
        return nn.Sequential(first, *(CifarBlock(width, width, 1) for _ in range(blocks - 1)))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        out = F.adaptive_avg_pool2d(out, 1).flatten(1)
        return self.linear(out)


def narrow_resnet50() -> tuple[nn.Module, nn.Module]:
    """ResNet-50 at an eighth of its width: the spec's text with other numbers, and torchvision's own parts."""
    resnet = import_torchvision().models.resnet

    class Narrow(resnet.ResNet):
        def __init__(self) -> None:
            nn.Module.__init__(self)
            self._norm_layer, self.inplanes, self.dilation, self.groups, self.base_width = nn.BatchNorm2d, 8, 1, 1, 64
            self.conv1 = nn.Conv2d(3, 8, kernel_size=7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(8)
            self.relu = nn.ReLU(inplace=True)
            self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
            self.layer1 = self._make_layer(resnet.Bottleneck, 8, 3)
            self.layer2 = self._make_layer(resnet.Bottleneck, 16, 4, stride=2)
            self.layer3 = self._make_layer(resnet.Bottleneck, 32, 6, stride=2)
            self.layer4 = self._make_layer(resnet.Bottleneck, 64, 3, stride=2)
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.fc = nn.Linear(256, 1000)

    text = RESNET.read_text(encoding="utf-8")
    for wide, narrow in (
        ("[64, 128, 256, 512]", "[8, 16, 32, 64]"),
        ("conv1, out_channels: 64", "conv1, out_channels: 8"),
    ):
        assert text.count(wide) == 1, f"{RESNET} no longer says `{wide}`"
        text = text.replace(wide, narrow)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet.yaml"
        path.write_text(text, encoding="utf-8")
        ours = netspec.load(path, variant="resnet50").module()
    return ours, Narrow()


def resnet18() -> tuple[nn.Module, nn.Module]:
    return netspec.load("resnet18").module(), import_torchvision().models.resnet18()


def resnet1202() -> tuple[nn.Module, nn.Module]:
    return netspec.load("resnet1202").module(), CifarResNet(1202)


NETWORKS = {
    "resnet18": (resnet18, (1, 3, 64, 64), 100),
    "resnet50 of width 1/8": (narrow_resnet50, (2, 3, 64, 64), 200),
    "resnet1202": (resnet1202, (1, 3, 16, 16), 40),
}
"""How each pair is made, the shape of its input, and the rounds."""


def forward(module: nn.Module, x: Tensor) -> Callable[[], object]:
    def step() -> None:
        with torch.no_grad():
            module(x)

    return step


def train(module: nn.Module, x: Tensor) -> Callable[[], object]:
    def step() -> None:
        module(x).square().mean().backward()
        for parameter in module.parameters():
            parameter.grad = None

    return step


def settle(module: nn.Module, x: Tensor) -> None:
    """Give each BatchNorm the statistics of this input: fresh ones let 600 residual blocks grow beyond float32."""
    norms = [each for each in module.modules() if isinstance(each, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    module(x)
    for norm in norms:
        norm.momentum = 0.1


def compare(name: str, make: Make, shape: tuple[int, ...], rounds: int) -> list[bool]:
    torch.manual_seed(0)
    ours, theirs = make()
    x = torch.randn(shape)
    settle(ours, x)
    theirs.load_state_dict(ours.state_dict())
    results = []
    for mode, step in (("forward", forward), ("forward and backward", train)):
        training = step is train
        ours.train(training), theirs.train(training)
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)
        first, second = (partial(timed, step(module, x), collect=False) for module in (ours, theirs))
        first(), second()
        with collector_paused():
            pairs = alternate(first, second, rounds)
        results.append(judge(f"{name}, {mode}", ratios(pairs), BAR, seconds(pairs)))
    return results


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("networks", nargs="*", default=list(NETWORKS), help=f"of {', '.join(NETWORKS)}")
    options.add_argument("--rounds", type=int, help="pairs to time, where the default is not enough")
    given = options.parse_args()
    torch.set_num_threads(1)
    print("compiled : hand-written")
    results = []
    for name in given.networks:
        make, shape, rounds = NETWORKS[name]
        results += compare(name, make, shape, given.rounds or rounds)
    finish(results)


if __name__ == "__main__":
    main()
