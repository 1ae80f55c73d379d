"""Times foretold against measured ones: forward, and a step of training by Adam, of ten networks on this machine's CPU.

The device is measured first, as ``netspec measure-device --threads 1`` does. All is processor time of one thread, which
other programs disturb least; each network is run several times, the networks in turn.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable

import torch

import netspec
from netspec.analysis.step_time import StepTime, read_device
from netspec.runtime.examples import example_inputs
from netspec.runtime.measure_device import measure_device

LEAST, MOST = 0.75, 1.25

WARM = 3
"""Runs before those that are timed: until the C library has found out how much memory a run takes and keeps it."""

NETWORKS = {
    "lenet": {"N": 64},
    "alexnet_d2l": {"N": 4},
    "resnet18": {"N": 2},
    "resnet50": {"N": 1},
    "mobilenet_v2": {"N": 2},
    "vgg11": {"N": 1},
    "densenet121": {"N": 1},
    "unet": {"N": 1, "H": 128, "W": 128},
    "gpt2": {"N": 1, "T": 128},
    "bert": {"N": 1, "T": 128},
    "vit": {"N": 1},
    "lstm_lm": {"N": 32, "T": 35},
}


def steps(name: str, sizes: dict[str, int]) -> tuple[netspec.Model, Callable[[], None], Callable[[], None]]:
    """The model at these sizes, a forward pass of it, and a step of training by Adam."""
    model = netspec.load(name, dims=sizes)
    module, inputs = model.module(), list(example_inputs(model.graph, model.graph.sizes).values())
    optimizer = torch.optim.Adam(module.parameters(), 1e-6)

    def forward() -> None:
        module.eval()
        with torch.no_grad():
            module(*inputs)

    def train() -> None:
        module.train()
        optimizer.zero_grad()
        made = module(*inputs)
        outputs = list(made.values()) if isinstance(made, dict) else [*made] if isinstance(made, tuple) else [made]
        outputs = [each for each in outputs if each is not None and each.requires_grad]
        torch.autograd.backward(outputs, [torch.ones_like(each) for each in outputs])
        optimizer.step()

    return model, forward, train


def timed(run: Callable[[], None]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("networks", nargs="*", default=None)
    options.add_argument("--device", help="the file of a measured device, instead of measuring this one")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    torch.set_num_threads(1)
    torch.empty(30 * 2**20, dtype=torch.uint8)  # what the C library's allocator has seen once, it gives back less often
    device = read_device(given.device) if given.device else measure_device("cpu", threads=1)
    ratios = {"forward": [], "step": []}
    print("predicted : measured")
    for name in given.networks or NETWORKS:
        model, *runs = steps(name, NETWORKS[name])
        foretold = StepTime(model.graph, device).total
        line = name.ljust(14)
        for (mode, found), run, expected in zip(ratios.items(), runs, foretold):
            for _ in range(WARM):
                run()
            took = statistics.quantiles((timed(run) for _ in range(given.rounds)), n=4)[0]
            found.append(expected / took)
            line += f"  {mode} {1e3 * expected:8.2f} ms : {1e3 * took:8.2f} ms = {expected / took:.2f}"
        print(line, flush=True)
        del model, runs, run
        gc.collect()
    missed = [each for found in ratios.values() for each in found if not LEAST <= each <= MOST]
    for mode, found in ratios.items():
        if len(found) > 1:
            print(mode, "quartiles", *(f"{each:.2f}" for each in statistics.quantiles(found, n=4)))
    print(f"bar {LEAST} to {MOST}: {len(missed)} missed")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
