"""A U-Net of diffusion by hand, as ``improved-diffusion`` has it: its layers have the names of its checkpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def time_embedding(steps: Tensor, width: int) -> Tensor:
    half = width // 2
    speeds = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
    angle = steps[:, None].float() * speeds[None]
    return torch.cat((angle.cos(), angle.sin()), dim=-1)


def convolution(before: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(before, width, 3, padding=1)


class ResBlock(nn.Module):
    def __init__(self, before: int, width: int, embedded: int, scale_shift: bool = False):
        super().__init__()
        self.scale_shift = scale_shift
        self.in_layers = nn.Sequential(nn.GroupNorm(32, before), nn.SiLU(), convolution(before, width))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedded, 2 * width if scale_shift else width))
        self.out_layers = nn.Sequential(nn.GroupNorm(32, width), nn.SiLU(), nn.Dropout(0.1), convolution(width, width))
        nn.init.zeros_(self.out_layers[3].weight)
        nn.init.zeros_(self.out_layers[3].bias)
        self.skip_connection = nn.Identity() if before == width else nn.Conv2d(before, width, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        made, told = self.in_layers(x), self.emb_layers(embedding)[..., None, None]
        if self.scale_shift:
            scale, shift = told.chunk(2, dim=1)
            made = self.out_layers[1:](self.out_layers[0](made) * (1 + scale) + shift)
        else:
            made = self.out_layers(made + told)
        return self.skip_connection(x) + made


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.norm = heads, nn.GroupNorm(32, width)
        self.qkv, self.proj_out = nn.Conv1d(width, 3 * width, 1), nn.Conv1d(width, width, 1)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        count, width, places = flat.shape
        q, k, v = self.qkv(self.norm(flat)).reshape(count * self.heads, -1, places).chunk(3, dim=1)
        weights = torch.softmax(q.transpose(1, 2) @ k / math.sqrt(width // self.heads), dim=-1)
        seen = (v @ weights.transpose(1, 2)).reshape(count, width, places)
        return x + self.proj_out(seen).reshape(x.shape)


class Down(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.op = nn.Conv2d(width, width, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.op(x)
        return made


class Up(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.conv = convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv(F.interpolate(x, scale_factor=2.0))
        return made


class Timed(nn.Sequential):
    """A sequential whose residual blocks are told the time."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:  # type: ignore[override]
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, ResBlock) else layer(x)
        return x


class DiffusionUNet(nn.Module):
    def __init__(
        self,
        width: int,
        multiples: Sequence[int],
        depth: int,
        attending: Sequence[int],
        out: int = 3,
        heads: int = 1,
        scale_shift: bool = False,
    ):
        super().__init__()
        self.width, time = width, 4 * width
        self.time_embed = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
        self.input_blocks, now, skipped = nn.ModuleList([Timed(convolution(3, width))]), width, [width]

        def layers(before: int, level: int) -> list[nn.Module]:
            made = multiples[level] * width
            block = ResBlock(before, made, time, scale_shift)
            return [block, Attention(made, heads)] if level in attending else [block]

        for level, multiple in enumerate(multiples):
            for _ in range(depth):
                self.input_blocks.append(Timed(*layers(now, level)))
                now = multiple * width
                skipped.append(now)
            if level < len(multiples) - 1:
                self.input_blocks.append(Timed(Down(now)))
                skipped.append(now)
        middle = [ResBlock(now, now, time, scale_shift) for _ in range(2)]
        self.middle_block = Timed(middle[0], Attention(now, heads), middle[1])
        self.output_blocks = nn.ModuleList()
        for level in reversed(range(len(multiples))):
            for at in range(depth + 1):
                parts = layers(now + skipped.pop(), level)
                now = multiples[level] * width
                self.output_blocks.append(Timed(*parts, *([Up(now)] if level > 0 and at == depth else [])))
        self.out = nn.Sequential(nn.GroupNorm(32, now), nn.SiLU(), convolution(width, out))
        nn.init.zeros_(self.out[2].weight)
        nn.init.zeros_(self.out[2].bias)

    def forward(self, x: Tensor, steps: Tensor) -> Tensor:
        embedding = self.time_embed(time_embedding(steps, self.width))
        skipped = []
        for block in self.input_blocks:
            x = block(x, embedding)
            skipped.append(x)
        x = self.middle_block(x, embedding)
        for block in self.output_blocks:
            x = block(torch.cat((x, skipped.pop()), dim=1), embedding)
        made: Tensor = self.out(x)
        return made
