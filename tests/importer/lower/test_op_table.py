"""ATen's operators as ops: each by a module that has it, held against that module's own results."""

from __future__ import annotations

from types import MappingProxyType

import pytest
import torch
from running import difference, lowered, ops_of
from torch import nn
from torch.nn import functional as F

from netspec.ops.registry import OPS

X = MappingProxyType({"x": torch.arange(2 * 6 * 8 * 8).reshape(2, 6, 8, 8).sin()})
N = MappingProxyType({"x": {0: "N"}})


class Of(nn.Module):
    """A function as a module, with layers of its own."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function, self.layers = function, nn.ModuleDict(layers)

    def forward(self, x):
        return self.function(x, **self.layers)


class Net(nn.Sequential):
    """Modules in a row, whose input is called ``x``."""

    def forward(self, x):
        return super().forward(x)


def of(function, **layers):
    return Of(function, **layers)


MODULES = {
    "conv2d": nn.Conv2d(6, 4, (3, 5), stride=2, padding=1, groups=2, bias=False),
    "conv_transpose2d": nn.ConvTranspose2d(6, 4, 3, stride=2, groups=2),
    "batch_norm2d": nn.BatchNorm2d(6, eps=1e-3, momentum=0.01),
    "instance_norm2d": nn.InstanceNorm2d(6, affine=True),
    "layer_norm": nn.LayerNorm(8, bias=False),
    "group_norm": nn.GroupNorm(3, 6, affine=False),
    "linear": nn.Linear(8, 3),
    "max_pool2d": nn.MaxPool2d(2, ceil_mode=True),
    "avg_pool2d": nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
    "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d((2, None)),
    "global_avg_pool": of(lambda x: x.mean((2, 3))),
    "reduce_mean": of(lambda x: x.mean(1, keepdim=True)),
    "reduce_sum": of(lambda x: x.sum(dim=(1, -1))),
    "reduce_max": of(lambda x: x.amax(1)),
    "var": of(lambda x: x.var(1, unbiased=False)),
    "softmax": nn.Softmax(dim=1),
    "relu6": nn.ReLU6(),
    "hardtanh": nn.Hardtanh(-2.0, 2.0),
    "leaky_relu": nn.LeakyReLU(0.2),
    "prelu": nn.PReLU(6),
    "gelu": nn.GELU(approximate="tanh"),
    "dropout": nn.Dropout(0.3),
    "dropout2d": nn.Dropout2d(0.3),
    "add": of(lambda x: x + x),
    "subtract": of(lambda x: x - x),
    "shift": of(lambda x: x - 2),
    "scale": of(lambda x: x / 3),
    "concat": of(lambda x: torch.cat([x, x])),
    "stack": of(lambda x: torch.stack([x, x])),
    "flatten": nn.Flatten(),
    "unflatten": of(lambda x: x.reshape(-1, 2, 3, 8, 8)),
    "reshape": of(lambda x: x.reshape(-1, 3, 4, 32)),
    "permute": of(lambda x: x.movedim(1, -1)),
    "transpose": of(lambda x: x.mT),
    "squeeze": of(lambda x: x[:, :1].squeeze(1)),
    "unsqueeze": of(lambda x: x.unsqueeze(-1)),
    "select": of(lambda x: x[:, 2]),
    "slice": of(lambda x: x[..., 1:5:2]),
    "split": of(lambda x: x.split([2, 4], dim=1)[1]),
    "chunk": of(lambda x: x.chunk(2, dim=1)[1]),
    "clamp": of(lambda x: x.clamp(max=0.5)),
    "pow": of(lambda x: x**2),
    "less": of(lambda x: x < 0.5),
    "pad": of(lambda x: F.pad(x, (1, 2, 0, 1), value=3.0)),
    "upsample": nn.Upsample(scale_factor=2, mode="bilinear"),
    "scaled_dot_product_attention": of(lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True)),
    "pixel_shuffle": of(lambda x: F.pixel_shuffle(x[:, :4], 2)),
    "roll": of(lambda x: x.roll((1, 2), (2, 3))),
    "matmul": of(lambda x: x @ x),
}


@pytest.mark.parametrize("name", MODULES)
def test_an_operator_is_the_op_that_computes_the_same(name):
    module = Net(MODULES[name])
    program = lowered(module, X, N)
    assert difference(module, program, X) < 1e-6
    assert name in ops_of(program)
    assert {step.op for step in program.steps} <= {name, "slice"}


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_recurrent_layers(kind):
    layer = kind(5, 4, num_layers=2, bidirectional=True, batch_first=True)
    module = of(lambda x, layer: layer(x)[0], layer=layer)
    inputs = {"x": torch.randn(2, 7, 5)}
    program = lowered(module, inputs, {"x": {0: "N", 1: "T"}})
    assert kind.__name__.lower() in ops_of(program)
    assert difference(module, program, inputs) < 1e-6


def test_a_layer_keeps_its_keys_also_those_that_no_call_names():
    program = lowered(Net(nn.Conv2d(6, 2, 1), nn.BatchNorm2d(2)), X, N)
    (_, norm) = program.steps
    assert norm.reading is not None
    assert {name: each.key for name, each in norm.reading.state.items()} == {
        name: f"1.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    }


def test_a_tensor_of_its_own_is_a_parameter_or_a_buffer_where_it_is_read():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.randn(6, 1, 1))
            self.register_buffer("factor", torch.randn(8))

        def forward(self, x):
            return (x + self.shift) * self.factor

    net = Shifted()
    program = lowered(net, X, N)
    assert ops_of(program) == ["parameter", "add", "buffer", "multiply"]
    assert difference(net, program, X) < 1e-6


def test_what_no_op_says_is_named_with_its_module_and_its_line():
    program = lowered(Net(of(lambda x: torch.linalg.qr(x)[0]), nn.ReLU()), X, N)
    (problem,) = program.problems
    assert "linalg_qr" in str(problem)
    assert " in 0 (Of) at " in str(problem)
    assert ops_of(program) == ["", "relu"]


KNOWN_DEFAULTS = {
    ("padding", "valid"): "which is no padding",
    ("padding_idx", -1): "which is none",
    ("num_classes", -1): "which no op takes, as its size depends on values",
    ("mode", 0): "which is no mode of embedding_bag here, whose reading fails then",
}


def test_defaults_are_those_of_aten():
    """Capture leaves out what is a schema's default: where an op has another one, it says so in ``aten_defaults``."""
    differing = set()
    for kind in OPS.values():
        for operator in kind.operators():
            packet = getattr(torch.ops.aten, operator, None)
            schemas = [] if packet is None else [getattr(packet, each)._schema for each in packet.overloads()]
            for argument in (each for schema in schemas for each in schema.arguments if each.has_default_value()):
                field = kind.aten_names.get(argument.name, argument.name)
                if field not in kind.model_fields or argument.default_value is None:
                    continue
                own = kind.aten_defaults.get(field, kind.model_fields[field].default)
                theirs = argument.default_value
                one = theirs[0] if isinstance(theirs, list) and len(set(theirs)) == 1 else theirs
                if one not in (own, []):
                    differing.add((argument.name, one))
    assert differing == set(KNOWN_DEFAULTS)
