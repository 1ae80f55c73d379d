"""Initial values: PyTorch's distributions, the spec's rules, seeds by path, each tensor filled once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import netspec

RULES = """\
netspec: 1
name: ruled
inputs: {x: [N, 3, 8, 8]}
network:
  - conv2d: {name: a, out_channels: 4, kernel_size: 3}
  - batch_norm2d: {name: b}
  - conv2d: {name: c, out_channels: 400, kernel_size: 3}
  - flatten
  - linear: {name: head, out_features: 200}
init:
  conv2d.weight: {normal: {mean: 5, std: 0.5}}
  conv2d.bias: zeros
  head.*: {constant: 0.25}
  head.bias: {uniform: {a: 2, b: 3}}
"""


@pytest.fixture
def ruled(tmp_path: Path) -> Path:
    path = tmp_path / "ruled.yaml"
    path.write_text(RULES)
    return path


def test_rules_are_followed_and_later_ones_win(ruled: Path):
    module = netspec.load(ruled).module()
    assert module.c.weight.mean().item() == pytest.approx(5, abs=0.05)
    assert module.c.weight.std().item() == pytest.approx(0.5, abs=0.05)
    assert not module.c.bias.any()
    assert (module.head.weight == 0.25).all()
    assert module.head.bias.min() >= 2
    assert module.head.bias.max() <= 3
    assert (module.b.weight == 1).all()
    assert (module.b.running_var == 1).all()


def test_a_number_by_itself_is_how_far_a_normal_distribution_spreads(ruled: Path):
    ruled.write_text(RULES.replace("{normal: {mean: 5, std: 0.5}}", "{normal: 0.01}"))
    weight = netspec.load(ruled).module().c.weight
    assert weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert weight.mean().item() == pytest.approx(0, abs=0.001)


def test_a_parameter_that_is_a_step_is_named_by_its_path_alone(tmp_path: Path):
    path = tmp_path / "bare.yaml"
    path.write_text(
        "netspec: 1\nname: bare\ninputs: {x: [N, 4]}\n"
        "network: [{parameter: {name: scale, shape: [4], init: ones}}, {parameter: {name: table, shape: [4, 4]}}, "
        "{parameter: {name: shift, shape: [4]}}, {matmul: {from: [x, table]}}, {multiply: {from: [prev, scale]}}, "
        "{add: {from: [prev, shift]}}]\n"
        "init: {shift: {constant: 3}, parameter.: {constant: 2}}\n"
    )
    state = netspec.load(path).module().state_dict()
    assert [*map(float, (state["scale"][0], state["table"][0, 0], state["shift"][0]))] == [1, 2, 2]


def test_the_standalone_source_follows_the_same_rules(ruled: Path):
    namespace: dict = {}
    exec(netspec.load(ruled).source(), namespace)
    module = namespace["Ruled"]()
    assert module.c.weight.mean().item() == pytest.approx(5, abs=0.05)
    assert (module.head.weight == 0.25).all()
    assert module.head.bias.min() >= 2


def test_a_seed_gives_the_same_values_and_leaves_torch_alone():
    state = torch.random.get_rng_state()
    first, again, other = (netspec.load("resnet20").module(seed=seed) for seed in (3, 3, 4))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters()))
    assert not torch.equal(first.conv1.weight, other.conv1.weight)


def test_a_parameter_depends_on_its_path_alone():
    small, large = netspec.load("resnet20").module(), netspec.load("resnet32").module()
    assert torch.equal(small.layer2[0].conv1.weight, large.layer2[0].conv1.weight)


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.Linear, nn.BatchNorm2d])
def test_defaults_are_those_of_torch(kind: type[nn.Module]):
    """The same module built by torch's own constructor, from the same generator state, has the same values."""
    spec = netspec.load("lenet_batch_norm")
    module = spec.module(seed=0)
    from netspec.runtime.initialize import parameter_seed

    path, ours = next((path, each) for path, each in module.named_modules() if type(each) is kind)
    arguments = {
        nn.Conv2d: lambda: (ours.in_channels, ours.out_channels, ours.kernel_size),
        nn.Linear: lambda: (ours.in_features, ours.out_features),
        nn.BatchNorm2d: lambda: (ours.num_features,),
    }[kind]()
    with torch.random.fork_rng():
        torch.manual_seed(parameter_seed(0, f"{path}.weight"))
        theirs = kind(*arguments)
    assert torch.equal(ours.weight, theirs.weight)
    assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), theirs.buffers()))


class RandomFills(TorchDispatchMode):
    """Counts the random fills that reach torch's kernels, by the tensor's memory."""

    def __init__(self):
        super().__init__()
        self.counts: Counter[int] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket in (torch.ops.aten.normal_, torch.ops.aten.uniform_):
            self.counts[args[0].data_ptr()] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["resnet18", "lenet"])
def test_each_parameter_is_filled_once(name: str):
    with RandomFills() as fills:
        module = netspec.load(name).module()
    random = {
        parameter.data_ptr()
        for each in module.modules()
        if isinstance(each, (nn.Conv2d, nn.Linear))
        for parameter in each.parameters()
    }
    assert set(fills.counts) == random
    assert set(fills.counts.values()) == {1}


def test_attention_starts_as_torch_s_does(tmp_path: Path):
    """``nn.MultiheadAttention`` sets values of the layer inside it: zero biases, after that layer's own."""
    path = tmp_path / "attention.yaml"
    path.write_text(
        "netspec: 1\nname: attention\ninputs: {x: [N, T, 16]}\nnetwork:\n"
        "  - multihead_attention: {name: attn, num_heads: 2, from: [x, x, x]}\n"
    )
    module = netspec.load(path).module().attn
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(16, 2)
    assert not module.in_proj_bias.any()
    assert not module.out_proj.bias.any()
    for ours, other in zip(module.parameters(), theirs.parameters()):
        assert ours.std().item() == pytest.approx(other.std().item(), rel=0.2, abs=1e-9)


def test_a_rule_for_one_op_leaves_another_of_the_same_class_alone(tmp_path: Path):
    """Learned positions are an ``nn.Embedding`` too."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "netspec: 1\nname: net\ninputs: {ids: {shape: [N, T], dtype: int64, below: 9}}\ndims: {T: 4}\n"
        "network:\n  - embedding: {name: words, num_embeddings: 9, embedding_dim: 4}\n"
        "  - learned_positions: {name: places, max_length: 16}\n"
        "init: {embedding.weight: {constant: 3.0}}\n"
    )
    module = netspec.load(path).module()
    assert (module.get_parameter("words.weight") == 3).all()
    assert not (module.get_parameter("places.weight") == 3).any()


NORMED = """\
netspec: 1
name: normed
inputs: {x: [N, 16, 8, 8]}
network:
  - conv2d: {name: plain, out_channels: 64, kernel_size: 3}
  - conv2d: {name: norms, out_channels: 64, kernel_size: 3, weight_norm: true}
  - conv_transpose2d: {name: up, out_channels: 32, kernel_size: 3, spectral_norm: true}
  - flatten
  - linear: {name: head, out_features: 10, spectral_norm: true}
"""


def test_normed_weights_start_as_torchs(tmp_path: Path):
    path = tmp_path / "normed.yaml"
    path.write_text(NORMED)
    module = netspec.load(path).module()
    theirs = nn.utils.parametrizations.weight_norm(nn.Conv2d(64, 64, 3))
    assert module.norms.weight.std().item() == pytest.approx(theirs.weight.std().item(), rel=0.05)
    again = netspec.load(path).module().state_dict()
    assert all(tensor.equal(again[key]) for key, tensor in module.state_dict().items())
    module.eval()
    for layer, dim in ((module.up, 1), (module.head, 0)):
        matrix = layer.weight.movedim(dim, 0).flatten(1)
        assert torch.linalg.matrix_norm(matrix, 2).item() == pytest.approx(1, rel=0.1)
    theirs = nn.utils.parametrizations.spectral_norm(nn.ConvTranspose2d(64, 32, 3))
    theirs.load_state_dict(module.up.state_dict())
