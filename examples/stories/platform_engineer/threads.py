"""Build networks with seeds of their own in eight threads, as a service does, and compare them with lone ones."""

from concurrent.futures import ThreadPoolExecutor

import torch

import netspec

model = netspec.load("specs/geräte.yaml")


def weights(seed: int) -> torch.Tensor:
    """All weights of the network with a seed."""
    return torch.cat([each.flatten() for each in model.module(seed=seed).parameters()])


alone = [weights(seed) for seed in range(8)]
with ThreadPoolExecutor(8) as pool:
    together = list(pool.map(weights, range(8)))
same = sum(torch.equal(one, other) for one, other in zip(alone, together))
print(f"{same} of 8 threads have the weights of their seed")
