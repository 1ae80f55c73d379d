"""Modules as their authors write them: what torch.export stumbles over, and what torch has two forms of."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import netspec

IMAGE = {"x": torch.randn(2, 3, 6, 8)}
ROWS = {"x": torch.randn(2, 5, 4)}


class Of(nn.Module):
    """A function of ``x`` as a module, with a layer of its own."""

    def __init__(self, function, layer):
        super().__init__()
        self.function, self.layer = function, layer

    def forward(self, x):
        return self.function(x, self.layer)


def run(x, layer):
    return layer(x)


NORMALIZED = {
    "weight norm": (parametrizations.weight_norm, nn.Conv2d(3, 4, 3), "weight_norm: true", False),
    "weight norm of the whole": (
        lambda x: parametrizations.weight_norm(x, dim=2),
        nn.Conv2d(3, 4, 3),
        "filter2d",
        False,
    ),
    "spectral norm": (parametrizations.spectral_norm, nn.ConvTranspose2d(3, 4, 2), "spectral_norm: true", True),
    "spectral norm by a hook": (nn.utils.spectral_norm, nn.Linear(8, 4), "weight_orig", False),
}


@pytest.mark.parametrize("name", NORMALIZED)
def test_weights_under_normalisation(name):
    wrap, layer, word, trained = NORMALIZED[name]
    spec = netspec.from_torch(Of(run, wrap(layer)), IMAGE)
    assert spec.proof.holds
    assert not spec.proof.left_out
    assert word in spec.text
    assert not trained or "in training" in spec.proof.text()


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_the_older_weight_norm_keeps_its_keys():
    spec = netspec.from_torch(Of(run, nn.utils.weight_norm(nn.Linear(8, 4))), IMAGE)
    assert spec.proof.holds
    assert {"layer.weight_g", "layer.weight_v"} <= spec.module().state_dict().keys()


def whole_pools(x, layer):
    return F.avg_pool2d(x, x.shape[2:]) + F.max_pool2d(x, kernel_size=x.size()[2:])


def encoded(x, layer):
    hidden = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1)
    return layer(x, mask=hidden)


def plain_data(x, layer):
    return torch.ones(x.shape[0], 1, 1).type_as(x.data) + layer(x)


def likely(x, layer):
    return torch.distributions.Normal(layer(x), layer(x).exp()).log_prob(x)


TRACED = {
    "windows as wide as an image": (whole_pools, nn.Identity(), IMAGE, {0: "N", 2: "H", 3: "W"}),
    "a mask for an encoder": (
        encoded,
        nn.TransformerEncoder(
            nn.TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True), 1, enable_nested_tensor=False
        ),
        ROWS,
        {0: "N", 1: "T"},
    ),
    "a tensor's data": (plain_data, nn.Linear(4, 4), ROWS, {0: "N", 1: "T"}),
    "a distribution": (likely, nn.Linear(4, 4), ROWS, {0: "N", 1: "T"}),
}


@pytest.mark.parametrize("name", TRACED)
def test_what_torch_export_cannot_follow(name):
    function, layer, inputs, dynamic = TRACED[name]
    before = (
        torch.distributions.Distribution._validate_args,
        F.max_pool2d,
        nn.modules.transformer._detect_is_causal_mask,
    )
    spec = netspec.from_torch(Of(function, layer), inputs, {"x": dynamic})
    assert spec.proof.holds
    assert len(spec.proof.trials) == 4
    assert spec.model.graph.inputs["x"].shape[0] != 2
    after = torch.distributions.Distribution._validate_args, F.max_pool2d, nn.modules.transformer._detect_is_causal_mask
    assert after == before


class Crossed(nn.Module):
    """Attention of one sequence to another of another width, which hides what is padded."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True, kdim=3, vdim=3)

    def forward(self, x, memory, hidden):
        return self.attention(x, memory, memory, key_padding_mask=hidden, average_attn_weights=False)


def test_sizes_of_one_name_are_one_size():
    inputs = {"x": torch.randn(2, 5, 4), "memory": torch.randn(2, 6, 3), "hidden": torch.zeros(2, 6, dtype=torch.bool)}
    dynamic = {"x": {0: "N", 1: "T"}, "memory": {0: "N", 1: "S"}, "hidden": {0: "N", 1: "S"}}
    spec = netspec.from_torch(Crossed(), inputs, dynamic)
    assert spec.proof.holds
    assert len(spec.proof.trials) == 4


class Both(nn.Module):
    """Reads two inputs."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x, y):
        return self.left(x).tanh() * self.right(y)


def test_a_level_that_runs_again_on_two_inputs_is_a_block():
    spec = netspec.from_torch(Of(lambda x, both: both(x, x + 1) - both(2 * x, x), Both()), ROWS)
    assert spec.proof.holds
    assert "- share: {step: layer, from: [" in spec.text


class Unpooled(nn.Module):
    """Puts maxima back to where they were, at a size that pooling does not tell."""

    def forward(self, x):
        y, places = F.max_pool2d(x, 2, return_indices=True)
        return F.max_unpool2d(y, places, 2, output_size=x.size())


class OwnTensors(nn.Module):
    """A batch norm by a function, and a buffer that each run changes."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(3))
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("spread", torch.ones(3))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count += 1
        return F.batch_norm(x, self.mean, self.spread, self.gain, None, self.training) + self.count


def test_max_pooling_is_undone_by_its_places():
    spec = netspec.from_torch(Unpooled(), {"x": torch.randn(2, 3, 5, 7)}, {"x": {0: "N", 2: "H"}})
    assert spec.proof.holds
    assert "max_unpool2d" in spec.text


def test_functions_of_own_tensors_and_buffers_that_change():
    spec = netspec.from_torch(OwnTensors(), IMAGE)
    assert spec.proof.holds
    assert "in training" in spec.proof.text()


def test_narrow_integers_are_wider():
    spec = netspec.from_torch(Of(lambda x, _: x.float() / 255, None), {"x": torch.zeros(2, 3, dtype=torch.uint8)})
    assert spec.proof.holds
    assert spec.notes == ["`x` is uint8, which the spec takes as int32"]
    assert "dtype: int32" in spec.text


def test_further_names_of_a_tensor_are_told():
    module = nn.ModuleDict({"first": nn.Linear(3, 3)})
    module["second"] = nn.Sequential(module["first"], nn.ReLU())
    module.forward = lambda x: module["second"](x)
    spec = netspec.from_torch(module, {"x": torch.randn(2, 3)})
    assert spec.proof.holds
    assert "further names" in spec.notes[0]


class Spline(nn.Module):
    """Has two weights of its own, one of which a function reads as that of a layer."""

    def __init__(self):
        super().__init__()
        self.base, self.scale = nn.Parameter(torch.randn(4, 4)), nn.Parameter(torch.randn(4))

    def forward(self, x):
        return F.linear(x, self.base) + x * self.scale


def test_weights_of_one_name_in_two_levels_are_two():
    spec = netspec.from_torch(nn.Sequential(Spline(), nn.ReLU(), Spline()), {"input": torch.randn(2, 4)})
    assert spec.proof.holds
    assert "share" not in spec.text
    assert spec.notes == []


class TableOfTwoWays(nn.Embedding):
    """An embedding whose ``forward`` does more than its ``plain``, which does what an embedding does."""

    def forward(self, ids):
        return super().forward(ids.clamp(max=7)) * 2.0

    def plain(self, ids):
        return super().forward(ids)


class ReadsTwoWays(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.mix = TableOfTwoWays(9, 4), nn.Linear(4, 4)

    def forward(self, ids):
        return self.mix(self.table(ids)).relu() + self.table.plain(ids.flip(1))


class Twofold(nn.Module):
    """A level that reads its input twice, and runs one of its layers twice."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.other(self.other(self.one(x)) - x)


class Unlike(nn.Module):
    """Lists of layers that do not do the same, each of which reads what the one before makes twice."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Sequential(nn.Linear(4, 4), each, Twofold()) for each in (nn.Tanh(), nn.GELU())]
        )
        self.layers.append(Twofold())

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class NormOnce(nn.Module):
    """A norm of the channels, which is read as it is and with the channels in front again."""

    def __init__(self):
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(3), nn.Linear(3, 3)

    def forward(self, image):
        rows = self.norm(image.permute(0, 2, 3, 1))
        return (self.mix(rows) * rows).permute(0, 3, 1, 2) + rows.permute(0, 3, 1, 2)


SHARING = {
    "a step without a name": (nn.Sequential(ReadsTwoWays()), {"input": torch.randint(0, 9, (2, 5))}, 1),
    "in the second of a list": (Unlike(), {"x": torch.randn(2, 4)}, 3),
    "a norm that is not doubled": (NormOnce(), {"image": torch.randn(2, 3, 6, 8)}, 0),
}


@pytest.mark.parametrize("name", SHARING)
def test_what_runs_again_is_shared_where_it_can_be_seen(name):
    module, inputs, shares = SHARING[name]
    spec = netspec.from_torch(module, inputs)
    assert spec.proof.holds
    assert spec.text.count("share:") == shares
    assert not spec.notes
