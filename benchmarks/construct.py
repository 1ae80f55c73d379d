"""Building ResNet-152 with weights, from a loaded spec, against torchvision's constructor.

Ours includes writing the source and executing it; both fill the same parameters from the same distributions, once.
"""

from __future__ import annotations

import torch
from pairs import Bar, alternate, fastest, finish, import_torchvision, judge, ratios, seconds

import netspec

BAR = Bar(1.0)
ROUNDS = 9


def main() -> None:
    torch.set_num_threads(1)
    build = import_torchvision().models.resnet152
    load = lambda: netspec.load("resnet152").module()  # noqa: E731
    load(), build(weights=None)
    pairs = alternate(lambda: fastest(load, 2), lambda: fastest(lambda: build(weights=None), 2), ROUNDS)
    print("netspec : torchvision")
    finish([judge("resnet152, load and module", ratios(pairs), BAR, seconds(pairs))])


if __name__ == "__main__":
    main()
