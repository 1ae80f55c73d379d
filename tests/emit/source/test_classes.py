"""Which levels share a class: those for which the same is written, but for numbers.

The random ones are held against their graphs, run node by node. ``NETSPEC_MANY=20`` draws twenty times as many.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from random import Random

import pytest
import torch
from random_blocks import MANY, random_spec

from netspec.elaborate.passes.sizes import small_sizes
from netspec.emit.source import emit_source
from netspec.graph import Graph
from netspec.pipeline import compile_spec
from netspec.runtime.examples import example_inputs
from netspec.runtime.interpret import difference_from_graph, interpret
from netspec.runtime.module import build_module

torch.set_num_threads(1)


def compiled(text: str) -> Graph:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.yaml"
        path.write_text(text)
        return compile_spec(path)


def classes(graph: Graph) -> list[str]:
    """The text of each class but the network's, without its name and its docstring."""
    parts = re.split(r"^class \w+", emit_source(graph).text, flags=re.MULTILINE)[1:-1]
    return [re.sub(r'""".*?"""', "", part) for part in parts]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25 * MANY))
def test_a_module_does_what_its_graph_says(seed: int):
    graph = compiled(random_spec(Random(seed)))
    module = build_module(graph)
    assert len({*classes(graph)}) == len(classes(graph))
    inputs = example_inputs(graph, small_sizes(graph))
    for left_out in (set(), {"gate"}):
        given = {name: value for name, value in inputs.items() if name not in left_out}
        assert difference_from_graph(graph, module, given) < 1e-5
        torch.manual_seed(1)
        (made,) = interpret(graph, module.state_dict(keep_vars=True), given, training=True).values()
        torch.manual_seed(1)
        torch.testing.assert_close(module.train()(**given), made, rtol=1e-4, atol=1e-5)


CALLED = """
netspec: 1
name: net
inputs: {{x: [N, T, 8]}}
blocks:
  b:
    params: {{p: {default}}}
    body: [{body}]
network:
  - linear: {{from: x, out_features: 8}}
{calls}"""


def of_block(body: str, *values: object) -> Graph:
    """A block called with each of the values of its parameter."""
    calls = "".join(f"  - b: {{p: {str(value).lower()}}}\n" for value in values)
    return compiled(CALLED.format(body=body, default=str(values[0]).lower(), calls=calls))


@pytest.mark.parametrize(
    ("body", "values", "said"),
    [
        ("linear: 8, dropout: p, add: {from: [input, prev]}", (0.0, 0.1, 0.2), "p=self.p"),
        ("linear: 8, leaky_relu: p, tanh, add: {from: [input, prev]}", (0.0, 0.01, 0.2), "F.leaky_relu(y, self.p)"),
        ("linear: 8, scale: p, add: {from: [input, prev]}", (2.0, 0.1), "y * self.p"),
        ("linear: 8, softplus: {beta: p}, add: {from: [input, prev]}", (1.0, 2.0), "F.softplus(y, beta=self.p)"),
        ("linear: 8, clamp: {max: p * 2}, add: {from: [input, prev]}", (1.5, 2.0), "max=self.max"),
        ("linear: 8, softmax: {dim: p}, add: {from: [input, prev]}", (-1, 1), "F.softmax(y, dim=self.p)"),
        ("linear: 8, relu: {inplace: p}, add: {from: [input, prev]}", (True, False), "inplace=self.p"),
        ("reshape: [N, T, p, -1], flatten: {start_dim: 2}, add: {from: [input, prev]}", (2, 4), "self.p, -1)"),
        ("linear: {name: p, out_features: 8}, dropout: p, add: {from: [input, prev]}", (0.1, 0.2), "self.dropout_p"),
    ],
)  # fmt: skip
def test_levels_that_differ_in_a_number_of_a_function_share_a_class(body: str, values: tuple[object, ...], said: str):
    graph = of_block(body, *values)
    (text,) = classes(graph)
    assert said in text
    agrees(graph)


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ("multihead_attention: {num_heads: 2, is_causal: p}", (True, False, True)),
        ("multihead_attention: {name: m, num_heads: 2, is_causal: true, batch_first: p}", (True, False)),
        ("gru: {name: m, hidden_size: 4, bidirectional: p}, linear: {from: m.last, out_features: 8}, "
         "unsqueeze: 1, add: {from: [input, prev]}", (True, False)),
        ("linear: {name: a, out_features: 8}, "
         "subtract: {from: [\"{'a' if p else 'input'}\", \"{'input' if p else 'a'}\"]}", (True, False)),
        ("linear: 8, gelu: {approximate: \"'tanh' if p else 'none'\"}, add: {from: [input, prev]}", (True, False)),
    ],
)  # fmt: skip
def test_levels_whose_forward_differs_have_a_class_each(body: str, values: tuple[object, ...]):
    graph = of_block(body, *values)
    assert len(classes(graph)) == 2
    agrees(graph)


def agrees(graph: Graph) -> None:
    inputs = example_inputs(graph, small_sizes(graph))
    assert difference_from_graph(graph, build_module(graph), inputs) < 1e-5


def test_what_is_around_a_constructor_stays_where_it_fills_several_lines():
    graph = compiled(
        "netspec: 1\nname: net\ninputs: {x: [N, 8, T]}\nnetwork:\n"
        "  - parameter: {name: places, value: 'range(40)', freeze: true}\n"
        "  - conv1d: {name: a_name_that_is_long, from: x, out_channels: 40, kernel_size: 3, padding: 1, dilation: 1,"
        " groups: 4, bias: false, padding_mode: reflect, weight_norm: true}\n"
        "  - transpose: {dim0: 1, dim1: 2}\n"
        "  - multiply: {from: [prev, places]}\n"
    )
    module = build_module(graph)
    places = module.get_parameter("places")
    assert torch.equal(places, torch.arange(40.0))
    assert not places.requires_grad
    assert "a_name_that_is_long.parametrizations.weight.original0" in module.state_dict()
    agrees(graph)


def test_a_layer_under_a_norm_of_its_weight_shares_no_class_with_one_that_is_not():
    spec = """
netspec: 1
name: net
inputs: {x: [N, 4]}
blocks: {part: {params: {normed: bool}, body: [linear: {name: fc, out_features: 4, weight_norm: normed}, relu]}}
network: [part: {name: first, normed: false}, part: {name: second, normed: true}]
"""
    graph = compiled(spec)
    assert len(classes(graph)) == 2
    assert "second.fc.parametrizations.weight.original0" in build_module(graph).state_dict()
