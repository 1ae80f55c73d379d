"""The time to import a network of 1,000 layers, without torch.export and the proof, against torch.export's alone.

A pre-activation ResNet of 333 blocks and three convolutions: both run in one process, on the same program, in turn.
"""

from __future__ import annotations

import time

import torch
from pairs import Bar, finish, judge
from torch import nn

from netspec.importer.capture.export import export_module
from netspec.importer.capture.torch_program import read_exported
from netspec.importer.convert import spec_of
from netspec.importer.lower import lower

BAR = Bar(1.0)
BLOCKS, ROUNDS = 333, 3


class Block(nn.Module):
    """Two convolutions and what they are added to."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(torch.relu(self.conv1(self.norm(x))))


def main() -> None:
    """Print the ratio, with quartiles."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *(Block(8) for _ in range(BLOCKS)), nn.Conv2d(8, 8, 1))
    inputs, dynamic = {"input": torch.randn(2, 3, 8, 8)}, {"input": {0: "N"}}
    ratios = []
    for _ in range(ROUNDS):
        start = time.process_time()
        exported = export_module(network, inputs, dynamic)
        middle = time.process_time()
        program = read_exported(exported, "thousand", dynamic)
        spec = spec_of(lower(program), network.state_dict())
        ratios.append((time.process_time() - middle) / (middle - start))
    print("import : torch.export, processor time")
    finish([judge(f"{3 * BLOCKS + 2} layers, {spec.text.count(chr(10))} lines", ratios, BAR)])


if __name__ == "__main__":
    main()
