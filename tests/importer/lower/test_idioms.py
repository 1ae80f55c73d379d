"""Idioms: what several ops do together, and one op says; and what is similar, but is not that."""

from __future__ import annotations

import math

import pytest
import torch
from running import difference, lowered, ops_of
from torch import nn
from torch.nn import functional as F


class ByHand(nn.Module):
    """A function of ``x`` with layers of its own."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function, self.layers = function, nn.ModuleDict(layers)

    def forward(self, x):
        return self.function(x, **self.layers)


class RmsNorm(nn.Module):
    """As transformers has it."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))


class ChannelNorm(nn.LayerNorm):
    """Layer norm of the channels of an image, as torchvision has it."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class GivenLinear(nn.Module):
    """GPT-2's linear layer, whose weight is (in, out)."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(8, 5)), nn.Parameter(torch.randn(5))

    def forward(self, x):
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(*x.shape[:-1], 5)


def attend(x, scale=8**-0.5, mask=None):
    scores = x @ x.transpose(-2, -1) * scale
    return F.dropout((scores if mask is None else scores + mask).softmax(-1), 0.1, False) @ x


def rotate(x, base=500.0):
    powers = 1 / base ** (torch.arange(0, 8, 2, dtype=torch.float32) / 8)
    angles = torch.arange(x.shape[-2])[:, None] * powers
    angles = torch.cat([angles, angles], -1)
    turned = torch.cat([-x[..., 4:], x[..., :4]], -1)
    return x * angles.cos() + turned * angles.sin()


def angles_of(positions, width=8, base=10_000.0):
    return positions[..., None] * base ** (torch.arange(0, width, 2) / -width)


def in_halves(x, base=10_000.0):
    angles = angles_of(torch.arange(x.shape[-2]), x.shape[-1], base)
    a, b = x.chunk(2, -1)
    return torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1)


def in_pairs(x):
    angles = angles_of(torch.arange(x.shape[-2]))
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1).flatten(-2)


def every_two(x):
    angles = angles_of(torch.arange(x.shape[-2])).repeat_interleave(2, -1)
    a, b = x.view(*x.shape[:-1], 4, 2).unbind(-1)
    return x * angles.cos() + torch.stack([-b, a], -1).flatten(-2) * angles.sin()


def before_heads(x):
    angles = angles_of(torch.arange(x.shape[-2]))[:, None]
    a, b = x.transpose(1, 2).chunk(2, -1)
    return torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1).transpose(1, 2)


def as_llama3(x):
    speeds = 10_000.0 ** (torch.arange(0, 8, 2) / -8)
    share = ((speeds * 1000 / (2 * math.pi) - 1) / 3).clamp(0, 1)
    angles = torch.arange(x.shape[-2])[:, None] * (speeds * (share + (1 - share) / 8))
    a, b = x.chunk(2, -1)
    return torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1)


ROTATIONS = {
    "halves": (in_halves, {}),
    "another base": (lambda x: in_halves(x, 500_000.0), {"base": 500_000.0}),
    "pairs": (in_pairs, {"interleaved": True}),
    "every two": (every_two, {"interleaved": True}),
    "the first of more": (lambda x: torch.cat([in_halves(x[..., :4]), x[..., 4:]], -1), {"rotary_dim": 4}),
    "before heads": (before_heads, {}),
    "llama3": (as_llama3, {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 1000}),
}


@pytest.mark.parametrize("name", ROTATIONS)
def test_rotary_embeddings_by_hand(name):
    function, arguments = ROTATIONS[name]
    program = lowered(ByHand(function), HEADS, {"x": {0: "N", 2: "T"}})
    (step,) = program.steps
    assert step.op == "rotary_embedding"
    assert step.reading is not None
    assert step.reading.arguments == arguments
    assert difference(ByHand(function), program, HEADS) < 2e-6


class Placed(nn.Module):
    """Rotary embeddings at given positions, or behind a cache."""

    def forward(self, x, positions=None, past=None):
        if past is not None:
            positions = torch.arange(past.shape[-2], past.shape[-2] + x.shape[-2])
        angles = angles_of(positions)
        angles = angles if angles.dim() == 2 else angles[:, None]
        a, b = x.chunk(2, -1)
        turned = torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1)
        return turned if past is None else torch.cat([past, turned], -2)


@pytest.mark.parametrize("given", ["positions", "positions of samples", "past"])
def test_rotary_embeddings_by_hand_at_positions(given):
    shape = {"positions": (9,), "positions of samples": (2, 9)}.get(given)
    more = {"positions": torch.randint(0, 50, shape)} if shape else {"past": torch.randn(2, 3, 5, 8)}
    dynamic = {"x": {2: "T"}, "positions": {len(shape) - 1: "T"}} if shape else {"x": {2: "T"}, "past": {2: "P"}}
    program = lowered(Placed(), {**HEADS, **more}, dynamic)
    assert [op for op in ops_of(program) if op not in ("arange", "concat")] == ["rotary_embedding"]
    assert difference(Placed(), program, {**HEADS, **more}) < 2e-6


def repeat_heads(x):
    return x[:, :, None].expand(-1, -1, 3, -1, -1).reshape(x.shape[0], -1, *x.shape[2:])


def behind(x, past=4):
    keys = torch.cat([x, x[..., :past, :]], -2)
    seen = torch.ones(x.shape[-2], keys.shape[-2], dtype=torch.bool).tril(keys.shape[-2] - x.shape[-2])
    return F.scaled_dot_product_attention(x, keys, keys, seen)


def causal(x):
    places = torch.arange(x.shape[-2])
    return places[None, :] <= places[:, None]


FOUND = {
    "gelu": lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))),
    "tanh gelu": lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3)))),
    "fast gelu": lambda x: x * 0.5 * (1 + torch.tanh(x * 0.7978845608028654 * (1 + 0.044715 * x * x))),
    "silu": lambda x: x * torch.sigmoid(x),
    "hardswish": lambda x: x * F.relu6(x + 3) / 6,
    "mish": lambda x: x * torch.tanh(F.softplus(x)),
    "scaled_dot_product_attention": attend,
    "attention with a mask": lambda x: attend(x, 1.0, torch.full((9, 9), -1e4).triu(1)),
    "attention with an empty mask": lambda x: F.scaled_dot_product_attention(x, x, x, causal(x) | ~causal(x)),
    "causal attention": lambda x: F.scaled_dot_product_attention(x, x, x, causal(x)),
    "attention with scores hidden": lambda x: (
        (x @ x.transpose(-2, -1) * 0.5).masked_fill(~causal(x), float("-inf")).softmax(-1) @ x
    ),
    "grouped attention": lambda x: F.scaled_dot_product_attention(
        torch.cat([x, x, x], 1), repeat_heads(x), repeat_heads(x)
    ),
    "rotary_embedding": rotate,
}
OPS_FOUND = {
    "tanh gelu": ["gelu"],
    "fast gelu": ["gelu"],
    "attention with a mask": ["constant", "scaled_dot_product_attention"],
    "attention with an empty mask": ["scaled_dot_product_attention"],
    "causal attention": ["scaled_dot_product_attention"],
    "attention with scores hidden": ["scaled_dot_product_attention"],
    "grouped attention": ["concat", "scaled_dot_product_attention"],
}
HEADS = {"x": torch.randn(2, 3, 9, 8)}
SYMBOLIC = {"x": {0: "N"}}


@pytest.mark.parametrize("name", FOUND)
def test_an_idiom_is_the_op_that_a_person_would_write(name):
    module = ByHand(FOUND[name])
    symbols = {"x": {0: "N", 2: "T"}} if name in ("causal attention", "rotary_embedding") else SYMBOLIC
    program = lowered(module, HEADS, symbols)
    assert difference(module, program, HEADS) < 2e-6
    assert ops_of(program) == OPS_FOUND.get(name, [name])


SIMILAR = {
    "a sigmoid of 1.702 x": (lambda x: x * torch.sigmoid(1.702 * x), {"scale", "sigmoid", "multiply"}),
    "another constant": (lambda x: 0.5 * x * (1 + torch.erf(x / 1.5)), {"scale", "erf", "shift", "multiply"}),
    "a softmax of queries": (
        lambda x: (x @ x.transpose(-2, -1)).softmax(-2) @ x,
        {"transpose", "matmul", "softmax"},
    ),
    "angles the other way round": (
        lambda x: x * torch.arange(9.0)[:, None].sin() + torch.cat([-x[..., 4:], x[..., :4]], -1),
        {"slice", "neg", "concat", "constant", "multiply", "add"},
    ),
}


@pytest.mark.parametrize("name", SIMILAR)
def test_what_is_only_similar_stays(name):
    function, ops = SIMILAR[name]
    program = lowered(ByHand(function), HEADS, SYMBOLIC)
    assert difference(ByHand(function), program, HEADS) < 1e-6
    assert set(ops_of(program)) == ops


LAYERS = {
    "rms_norm": (RmsNorm(8), {"eps": 1e-5}),
    "layer_norm": (ChannelNorm(3), {"dim": 1}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_norm_by_hand_keeps_its_weights(name):
    layer, arguments = LAYERS[name]
    module = ByHand(lambda x, layer: layer(x), layer=layer)
    program = lowered(module, HEADS, SYMBOLIC)
    (step,) = program.steps
    assert step.reading is not None
    assert (step.op, step.reading.arguments) == (name, arguments)
    assert step.reading.state["weight"].key == "layers.layer.weight"
    assert difference(module, program, HEADS) < 2e-6


class FrozenNorm(nn.Module):
    """As torchvision's detectors have it."""

    def __init__(self):
        super().__init__()
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, torch.rand(3) + 0.5)

    def forward(self, x):
        weight, bias, mean, var = (each.reshape(1, -1, 1, 1) for each in self.buffers())
        scale = weight * (var + 1e-5).rsqrt()
        return x * scale + (bias - mean * scale)


class FrozenStatistics(FrozenNorm):
    """As netspec's source has it."""

    def forward(self, x):
        weight, bias, mean, var = self.buffers()
        return F.batch_norm(x, mean, var, weight, bias)


@pytest.mark.parametrize("layer", [FrozenNorm(), FrozenStatistics()])
def test_a_frozen_batch_norm_by_hand(layer):
    module = ByHand(lambda x, layer: layer(x), layer=layer)
    program = lowered(module, HEADS, SYMBOLIC)
    (step,) = program.steps
    assert step.op == "frozen_batch_norm2d"
    assert step.reading is not None
    assert {each.key for each in step.reading.state.values()} == set(module.state_dict())


def test_a_linear_map_of_folded_rows_takes_them_as_they_are():
    module = ByHand(lambda x, layer: layer(x), layer=GivenLinear())
    program = lowered(module, HEADS, SYMBOLIC)
    assert ops_of(program) == ["parameter", "parameter", "affine"]
    assert difference(module, program, HEADS) < 2e-6


def test_a_sum_of_many_is_one():
    total = ByHand(lambda x: x + x.sin() + x.cos() + x.tanh() + x.exp())
    program = lowered(total, HEADS, SYMBOLIC)
    assert ops_of(program) == ["sin", "cos", "tanh", "exp", "add"]
    assert difference(total, program, HEADS) == 0
    program = lowered(ByHand(lambda x: x + x.sin() + x.cos()), HEADS, SYMBOLIC)
    assert ops_of(program).count("add") == 2


def test_concatenations_that_grow_join_the_one_before():
    def dense(x):
        new = x + 1
        newer = torch.cat([x, new], 1) * 2
        return torch.cat([x, new, newer], 1)

    program = lowered(ByHand(dense), HEADS, SYMBOLIC)
    assert ops_of(program) == ["shift", "concat", "scale", "concat"]
    assert program.steps[-1].reading is not None
    assert len(program.steps[-1].reading.inputs) == 2
    assert difference(ByHand(dense), program, HEADS) == 0


def test_what_is_overwritten_twice_is_joined_once_a_part():
    def overwritten(x, fc):
        made = fc(x)
        made[:, 1:] += x[:, 1:]
        made[:, 1:, 2:] += x[:, 1:, 2:]
        return made[:, :1], made

    module, x = ByHand(overwritten, fc=nn.Linear(6, 6)), {"x": torch.randn(2, 5, 6)}
    program = lowered(module, x)
    assert ops_of(program).count("concat") == 2
    assert difference(module, program, x) == 0


@pytest.mark.parametrize(
    ("part", "joins"),
    [
        (slice(0, 4), 0), (slice(1, 3), 0), (slice(5, 7), 0), (slice(4, None), 0), (slice(-1, None), 0),
        (slice(0, 4, 2), 0), (slice(3, 5), 1),
    ],
    ids=str,
)  # fmt: skip
def test_a_range_of_a_concatenation_is_one_of_the_part_that_it_lies_in(part: slice, joins: int):
    module = ByHand(lambda x, fc: torch.cat([fc(x), x.relu()], -1)[..., part].sigmoid(), fc=nn.Linear(3, 4))
    x = {"x": torch.randn(2, 3)}
    program = lowered(module, x)
    assert ops_of(program).count("concat") == joins
    assert difference(module, program, x) < 1e-6


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kinds", ["self", "cross"])
def test_multihead_attention_is_one_step(batch_first, kinds):
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=batch_first)

        def forward(self, x, y):
            key = x if kinds == "self" else y
            return self.attention(x, key, key, need_weights=False)[0] + y.sum()

    module, inputs = Attending(), {"x": torch.randn(4, 6, 8), "y": torch.randn(4, 6, 8)}
    program = lowered(module, inputs, {name: {1 - batch_first: "N"} for name in inputs})
    assert "multihead_attention" in ops_of(program)
    step = next(step for step in program.steps if step.op == "multihead_attention")
    assert step.reading is not None
    assert {each.key for each in step.reading.state.values()} == set(module.state_dict())
    assert difference(module, program, inputs) < 2e-6


@pytest.mark.parametrize("masked", ["padding", "mask", "both", "causal"])
def test_masks_of_multihead_attention_are_its_inputs(masked):
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x, hidden, ahead):
            ahead = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1) if masked == "causal" else ahead
            masks = {"padding": (hidden, None), "mask": (None, ahead)}.get(masked, (hidden, ahead))
            return self.attention(x, x, x, masks[0], False, masks[1])[0]

    hidden, ahead = torch.arange(6).expand(4, 6) > 3, torch.ones(6, 6, dtype=torch.bool).triu(2)
    module, inputs = Attending(), {"x": torch.randn(4, 6, 8), "hidden": hidden, "ahead": ahead}
    program = lowered(module, inputs, {"x": {0: "N"}, "hidden": {0: "N"}})
    assert ops_of(program) == ["multihead_attention"]
    assert difference(module, program, inputs) < 2e-6


def test_sines_and_cosines_of_each_place():
    def placed(x):
        angles = angles_of(torch.arange(x.shape[-2]))
        return x + torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)

    for symbols in (SYMBOLIC, {"x": {2: "T"}}):
        program = lowered(ByHand(placed), HEADS, symbols)
        assert ops_of(program) == ["sinusoidal_positions"]
        assert difference(ByHand(placed), program, HEADS) < 2e-6


def test_a_matrix_of_ones_on_its_diagonal_is_said_as_such():
    program = lowered(ByHand(lambda x: x @ torch.eye(8)), HEADS, SYMBOLIC)
    assert ops_of(program) == ["eye", "matmul"]
    assert difference(ByHand(lambda x: x), program, HEADS) == 0


def buckets(distance, bidirectional):
    """As transformers' T5 has them."""
    side, exact = (16, 8) if bidirectional else (32, 16)
    made = (distance > 0).long() * side if bidirectional else torch.zeros_like(distance)
    far = distance.abs() if bidirectional else -torch.min(distance, torch.zeros_like(distance))
    grown = exact + (torch.log(far.float() / exact) / math.log(128 / exact) * (side - exact)).long()
    return made + torch.where(far < exact, far, torch.min(grown, torch.full_like(grown, side - 1)))


@pytest.mark.parametrize("bidirectional", [True, False])
def test_biases_by_distance(bidirectional):
    def scores(x, biases):
        places = torch.arange(x.shape[-2])
        return x @ x.transpose(-2, -1) + biases(buckets(places[None, :] - places[:, None], bidirectional)).permute(
            2, 0, 1
        )

    module = ByHand(scores, biases=nn.Embedding(32, 3))
    program = lowered(module, HEADS, {"x": {0: "N", 2: "T"}})
    assert difference(module, program, HEADS) < 1e-6
    (step,) = (step for step in program.steps if step.op == "relative_position_buckets")
    assert step.reading is not None
    assert step.reading.arguments == ({} if bidirectional else {"bidirectional": False})
