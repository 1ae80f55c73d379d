"""The lines that ops write for ``forward`` survive torch.export with dynamic sizes, and torch.compile in one graph."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
import torch
from ops.several import each, several
from torch import nn

from netspec.dims import Dim
from netspec.runtime.own_modules import op_scope
from netspec.testing.case import OpCase
from netspec.testing.pytorch import lines_of, random_module

N, T = Dim.symbol("N"), Dim.symbol("T")
LARGE = {"N": 3, "T": 6, "S": 5}


def as_module(case: OpCase) -> nn.Module:
    """The op alone in a module, its lines as ``forward``; gives all outputs."""
    op, tensors = case.op(), case.tensors()
    count = len(op.output_names(*tensors))
    names = ", ".join("abcdefgh"[at] for at, tensor in enumerate(tensors) if tensor is not None)
    lines = lines_of(op, tensors, [f"y{at}" for at in range(count)])
    results = "".join(f"y{at}, " for at in range(count))
    body = "\n    ".join([*lines, f"return ({results})"])
    variables = op_scope(op, self=SimpleNamespace(training=False))
    exec(f"def forward(self, {names}):\n    {body}", variables)
    module = type("Alone", (nn.Module,), {"forward": variables["forward"]})()
    if op.torch:
        module.op = random_module(op, tensors)
    return module.eval()


CASES = [
    several("embedding", "N T int64<9", num_embeddings=9, embedding_dim=4),
    several("scaled_dot_product_attention", "N 2 T 4", "N 2 S 4", "N 2 S 4", "T S bool"),
    several("multihead_attention", "N T 8", None, None, None, None, num_heads=2, is_causal=True),
    several("learned_positions", "N T 4", None, max_length=64),
    several("sinusoidal_positions", "N T 4", None),
    several("rotary_embedding", "N T 4", None),
    several("causal_mask", "N T 4", "N S 4"),
    several("arange", "N T", end=T),
    several("expand", "1 1 4", "N T", shape=[N, T, -1]),
    several("constant", "N T", value=[1, 2]),
    several("chunk", "N T 4", chunks=2, dim=2),
    several("slice", "N T 4", dim=1, start=1),
    several("gru_cell", "N 4", "N 6", hidden_size=6),
    several("parameter", shape=[1, 4]),
    several("topk", "N T 4", k=2),
    several("take", "N T 4", "S 2 int64<4", dim=2),
    several("scatter", "N T 4", "N T 4 int64<4", "N T 4", dim=2, reduce="sum"),
    several("sliding_windows", "N T 4", dimension=1, size=2),
    several("meshgrid", "N", "T"),
    several("diagonal", "N T T", dim1=1, dim2=2),
    several("eye", "N T", n=T),
    several("linspace", "N T", start=0, end=1, steps=T),
    several("einsum", "N T 4", "S 4", equation="...a,sa"),
]


# torch itself unrolls recurrent layers over time, so their length is fixed
@each(*CASES, several("lstm", "N 6 4", None, None, None, hidden_size=6, bidirectional=True))
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_exports(case: OpCase) -> None:
    module = as_module(case)
    values = [value for value in case.values(LARGE) if value is not None]
    dynamic = [
        {at: torch.export.Dim.AUTO for at, size in enumerate(tensor.shape) if isinstance(size, Dim)}
        for tensor in case.tensors()
        if tensor is not None
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, tuple(values), dynamic_shapes=tuple(dynamic) or None)
    other = [value for value in case.values({"N": 2, "T": 9, "S": 7}) if value is not None]
    torch.testing.assert_close(program.module()(*other), module(*other))


@each(*CASES)
def test_compiles_in_one_graph(case: OpCase) -> None:
    module = as_module(case)
    compiled = torch.compile(module, fullgraph=True, backend="eager", dynamic=True)
    for sizes in (LARGE, {"N": 2, "T": 9, "S": 7}):
        values = [value for value in case.values(sizes) if value is not None]
        torch.testing.assert_close(compiled(*values), module(*values))
