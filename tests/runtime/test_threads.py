"""Several threads at once: each gets what it would get alone, and torch's own random numbers are nobody's."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import netspec

NAMES = ("mlp", "lenet", "nin")


@pytest.fixture(autouse=True)
def _hasty() -> Iterator[None]:
    """Threads take turns a hundred times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(before)


def together(work: Callable[[int], Any], count: int = 8) -> list[Any]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(work, range(count)))


def digest(module: nn.Module) -> str:
    made = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        made.update(name.encode() + tensor.double().numpy().tobytes())
    return made.hexdigest()


@pytest.mark.parametrize("dtype", [None, torch.float64, torch.bfloat16])
def test_weights_are_those_of_the_seed(dtype: torch.dtype | None):
    def work(turn: int) -> str:
        return digest(netspec.load(NAMES[turn % 3]).module(device="cpu", dtype=dtype, seed=turn % 2))

    assert together(work) == [work(turn) for turn in range(8)]


def test_every_rule_draws_from_a_generator_of_its_own(tmp_path: Path):
    rules = ["normal", "trunc_normal", "xavier_uniform", "kaiming_normal", "orthogonal", "{sparse: {sparsity: 0.3}}"]
    specs = []
    for number, rule in enumerate(rules):
        specs.append(tmp_path / f"{number}.yaml")
        layer = f"linear: {{out_features: 60, init: {{weight: {rule}}}}}"
        specs[-1].write_text(f"netspec: 1\nname: n{number}\ninputs: {{x: [N, 50]}}\nnetwork: [{layer}, {layer}]\n")

    def work(turn: int) -> str:
        return digest(netspec.load(specs[turn % len(specs)]).module(seed=1))

    assert together(work, 12) == [work(turn) for turn in range(12)]


def test_a_module_leaves_torchs_random_numbers_as_they_were():
    state = torch.get_rng_state()
    for seed in (0, 1):
        netspec.load("lenet").module(seed=seed)
        assert torch.equal(torch.get_rng_state(), state)


def test_others_who_draw_meanwhile_change_nothing():
    alone = digest(netspec.load("nin").module(seed=1))

    def work(turn: int) -> str:
        if turn % 2:
            torch.manual_seed(turn)
            torch.rand(200_000)
            return alone
        return digest(netspec.load("nin").module(seed=1))

    assert set(together(work)) == {alone}


def test_tables_sources_files_and_data_are_those_of_one_thread(tmp_path: Path):
    def work(turn: int) -> tuple[str, ...]:
        model = netspec.load(NAMES[turn % 2])
        file = model.export(tmp_path / f"{turn}.onnx", model.module(seed=turn % 2))
        images = model.data().test[:][0]
        return str(model.shapes()), model.source(), hashlib.sha256(file.read_bytes()).hexdigest(), str(images.sum())

    assert together(work, 6) == [work(turn) for turn in range(6)]
