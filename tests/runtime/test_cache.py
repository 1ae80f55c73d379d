"""A cache of keys and values that the caller may leave out: one spec is the first pass and the steps after it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from places import CASES
from torch import Tensor, nn

import netspec
from netspec.analysis.constraints import size_constraints
from netspec.diagnostics import Source
from netspec.elaborate.passes.sizes import quick_sizes
from netspec.pipeline import compile_loaded, load_source
from netspec.runtime.interpret import interpret
from netspec.runtime.onnx.session import open_session
from netspec.runtime.onnx.verify import export_verified

IDS = torch.arange(24).reshape(2, 12) % 11


@pytest.fixture
def cached() -> netspec.Model:
    return netspec.load(CASES / "passing" / "cache.yaml")


def call(module: nn.Module, *given: Tensor | None) -> dict[str, Tensor]:
    with torch.no_grad():
        made: dict[str, Tensor] = module(*given)
    return made


def test_steps_with_a_cache_are_the_whole_at_once(cached: netspec.Model) -> None:
    module = cached.module().eval()
    whole = call(module, IDS)
    made, logits = call(module, IDS[:, :5]), []
    logits.append(made["logits"])
    for at in range(5, 12):
        made = call(module, IDS[:, at : at + 1], made["keys"], made["values"])
        logits.append(made["logits"])
    torch.testing.assert_close(torch.cat(logits, 1), whole["logits"])
    torch.testing.assert_close(made["keys"], whole["keys"])


def test_without_a_cache_is_with_an_empty_one(cached: netspec.Model) -> None:
    module = cached.module().eval()
    empty = torch.empty(2, 2, 2, 0, 4)
    state = module.state_dict()
    wanted = call(module, IDS)
    for past in (empty, None):
        inputs = {"ids": IDS, "past_keys": past, "past_values": past}
        for made in (call(module, *inputs.values()), interpret(cached.graph, state, inputs)):
            torch.testing.assert_close(made, wanted)


def test_the_onnx_file_takes_an_empty_cache(cached: netspec.Model, tmp_path: Path) -> None:
    assert {sizes["P"] for sizes in quick_sizes(cached.graph)} > {0}
    module = cached.module().eval()
    path, parity = export_verified(cached.graph, module, tmp_path / "cached.onnx")
    assert parity.agrees
    session = open_session(path, ["CPUExecutionProvider"])
    empty = torch.empty(2, 2, 2, 0, 4).numpy()
    first = session.run(None, {"ids": IDS[:, :7].numpy(), "past_keys": empty, "past_values": empty})
    rest = session.run(None, {"ids": IDS[:, 7:].numpy(), "past_keys": first[1], "past_values": first[2]})
    whole = call(module, IDS)["logits"]
    torch.testing.assert_close(torch.cat([torch.tensor(first[0]), torch.tensor(rest[0])], 1), whole)


def test_the_source_says_both(cached: netspec.Model) -> None:
    text = cached.source()
    assert "keys = key if past_key is None else torch.cat((past_key, key), dim=2)" in text
    assert "x = torch.arange(ids.size(1), device=ids.device)" in text
    assert "x = torch.arange(past_keys.size(3), past_keys.size(3) + ids.size(1), device=ids.device)" in text


def test_what_takes_nothing_empty_asks_for_more() -> None:
    text = """
netspec: 1
name: windows
dims: {L: {default: 9, min: 0}}
inputs: {x: [N, 3, L]}
network:
  - relu
  - conv1d: {out_channels: 4, kernel_size: 1}
"""
    graph = compile_loaded(load_source(Source("windows.yaml", text)))
    (constraint,) = size_constraints(graph)
    assert str(constraint) == "L must be at least 1, or the conv1d at line 8 fails"
