"""YOLOv8 by hand, from the published architecture: its layers have the names of its checkpoints."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

Size = int | tuple[int, int]


class Conv(nn.Module):
    def __init__(self, before: int, width: int, kernel: Size = 3, stride: Size = 1):
        super().__init__()
        padding = kernel // 2 if isinstance(kernel, int) else tuple(each // 2 for each in kernel)
        self.conv = nn.Conv2d(before, width, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=1e-3, momentum=0.03)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.silu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, width: int, shortcut: bool):
        super().__init__()
        self.cv1, self.cv2, self.shortcut = Conv(width, width), Conv(width, width), shortcut

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.cv2(self.cv1(x))
        return x + made if self.shortcut else made


class C2f(nn.Module):
    def __init__(self, before: int, width: int, depth: int, shortcut: bool = False):
        super().__init__()
        self.cv1, self.cv2 = Conv(before, 2 * (width // 2), 1), Conv((2 + depth) * (width // 2), width, 1)
        self.m = nn.ModuleList(Bottleneck(width // 2, shortcut) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.cv1(x).chunk(2, dim=1))
        for pair in self.m:
            parts.append(pair(parts[-1]))
        made: Tensor = self.cv2(torch.cat(parts, dim=1))
        return made


class Sppf(nn.Module):
    def __init__(self, before: int, width: int, kernel: int = 5):
        super().__init__()
        self.cv1, self.cv2 = Conv(before, before // 2, 1), Conv(4 * (before // 2), width, 1)
        self.pool = nn.MaxPool2d(kernel, 1, kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.cv1(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        made: Tensor = self.cv2(torch.cat(parts, dim=1))
        return made


class Dfl(nn.Module):
    """The mean of the distances 0 to 15, weighed by a softmax of what is said of each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(16, 1, 1, bias=False).requires_grad_(False)
        self.conv.weight.data = torch.arange(16.0).view(1, 16, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        count = x.shape[2]
        return self.conv(x.view(-1, 4, 16, count).transpose(1, 2).softmax(1)).view(-1, 4, count)


class Detect(nn.Module):
    def __init__(self, widths: tuple[int, int, int], classes: int):
        super().__init__()
        said, scored = max(16, widths[0] // 4, 64), max(widths[0], min(classes, 100))
        self.cv2 = nn.ModuleList(self.branch(width, said, 64) for width in widths)
        self.cv3 = nn.ModuleList(self.branch(width, scored, classes) for width in widths)
        self.dfl = Dfl()

    @staticmethod
    def branch(before: int, width: int, out: int) -> nn.Sequential:
        return nn.Sequential(Conv(before, width), Conv(width, width), nn.Conv2d(width, out, 1))

    def forward(self, levels: list[Tensor]) -> Tensor:
        sides = torch.cat([branch(level).flatten(2) for branch, level in zip(self.cv2, levels)], dim=2)
        scores = torch.cat([branch(level).flatten(2) for branch, level in zip(self.cv3, levels)], dim=2)
        anchors, strides = [], []
        for level, stride in zip(levels, (8, 16, 32)):
            height, width = level.shape[2:]
            rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
            anchors.append(torch.stack((columns, rows), dim=-1).view(-1, 2))
            strides.append(torch.full((height * width,), stride))
        at, (before, after) = torch.cat(anchors).T, self.dfl(sides).chunk(2, dim=1)
        low, high = at - before, at + after
        boxes = torch.cat(((low + high) / 2, high - low), dim=1) * torch.cat(strides)
        return torch.cat((boxes, scores.sigmoid()), dim=1)


class Yolo(nn.Module):
    """The layers in their published order; each reads the one before, and some one or two further back."""

    def __init__(self, depth: float = 0.33, width: float = 0.25, widest: int = 1024, classes: int = 80):
        super().__init__()
        a, b, c, d, e = (math.ceil(min(each, widest) * width / 8) * 8 for each in (64, 128, 256, 512, 1024))
        few, many = max(round(3 * depth), 1), max(round(6 * depth), 1)
        place = nn.Identity
        layers = [
            *(Conv(3, a, stride=2), Conv(a, b, stride=2), C2f(b, b, few, True)),
            *(Conv(b, c, stride=2), C2f(c, c, many, True), Conv(c, d, stride=2), C2f(d, d, many, True)),
            *(Conv(d, e, stride=2), C2f(e, e, few, True), Sppf(e, e)),
            *(nn.Upsample(scale_factor=2), place(), C2f(e + d, d, few)),
            *(nn.Upsample(scale_factor=2), place(), C2f(d + c, c, few)),
            *(Conv(c, c, stride=2), place(), C2f(c + d, d, few)),
            *(Conv(d, d, stride=2), place(), C2f(d + e, e, few)),
            Detect((c, d, e), classes),
        ]
        self.model = nn.ModuleList(layers)

    def forward(self, image: Tensor) -> Tensor:
        joined = {11: 6, 14: 4, 17: 12, 20: 9}
        made: list[Tensor] = []
        for at, layer in enumerate(self.model):
            read = made[-1] if made else image
            if at == 22:
                return layer([made[15], made[18], made[21]])
            made.append(torch.cat((read, made[joined[at]]), dim=1) if at in joined else layer(read))
        raise AssertionError("the last layer detects")
