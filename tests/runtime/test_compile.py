"""torch.compile of networks and of their blocks: that it compiles them at all, each size of a block once."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter

import netspec
from netspec.runtime.compile import compile_module, compile_regions

# torch looks at the gradients of what it traces, and warns itself
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
]


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[CompileCounter]:
    """Counts the graphs that are compiled, which run as they are; a limit that is hit is an error."""
    found = CompileCounter()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=found))
    torch._dynamo.reset()
    with torch._dynamo.config.patch(recompile_limit=8, fail_on_recompile_limit_hit=True):
        yield found


def steps(model: nn.Module, *inputs: torch.Tensor) -> None:
    """Two steps of training and an evaluation."""
    for _ in range(2):
        model.train()(*inputs).sum().backward()
    with torch.inference_mode():
        model.eval()(*inputs)


@pytest.mark.parametrize("name", ["lenet", "mlp"])  # an nn.Sequential each
def test_a_whole_network_is_one_graph(counter: CompileCounter, name: str):
    model, image = netspec.load(name).module(), torch.randn(2, 1, 28, 28)
    expected = model(image)
    compile_module(model)
    assert model(image).equal(expected)
    assert counter.frame_count == 1


@pytest.mark.parametrize(
    ("name", "channels", "graphs"),
    [
        ("nin", 1, 4),
        ("vgg11_small", 1, 5),
        ("googlenet_d2l", 1, 12),  # 9 inceptions and 3 convolutions before them, each of another size
        ("resnet18", 3, 7),  # 8 blocks, of which the first two are alike
        ("lenet", 1, 1),  # no block: the whole
    ],
)
def test_each_size_of_a_block_is_compiled_once(counter: CompileCounter, name: str, channels: int, graphs: int):
    model, side = netspec.load(name).module(), {"lenet": 28, "resnet18": 32, "googlenet_d2l": 96}.get(name, 224)
    compile_regions(model)
    model.train()(torch.randn(2, channels, side, side))
    assert counter.frame_count == graphs


BLOCKS = """\
netspec: 1
name: widths
inputs: {x: [N, 4]}
blocks:
  block:
    params: {width: int}
    body: [linear: width, relu]
network:
  - repeat: {count: 10, index: i, body: [block: {width: i + 2}]}
"""


def test_more_sizes_of_a_block_than_torch_compiles_by_itself(counter: CompileCounter, tmp_path: Path):
    (tmp_path / "widths.yaml").write_text(BLOCKS)
    model = netspec.load(tmp_path / "widths.yaml").module()
    compile_regions(model)
    for rows in (6, 3):
        steps(model, torch.randn(rows, 4))
    assert counter.frame_count >= 20


def test_it_copies_and_pickles_as_before(counter: CompileCounter):
    model, image = netspec.load("lenet").module(), torch.randn(1, 1, 28, 28)
    compile_module(model)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert again(image).equal(model(image))
        assert again.state_dict().keys() == model.state_dict().keys()
