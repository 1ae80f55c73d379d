"""Functions that torch has in several operators, and an op in one."""

from __future__ import annotations

import pytest
import torch
from importer.lower.running import lowered, ops_of, run
from torch import nn


@pytest.mark.parametrize(("size", "shape"), [(5, (2, 7, 3, 3)), (4, (2, 7, 3, 3)), (3, (2, 7, 4))])
def test_local_response_norm_is_one_op(size: int, shape: tuple[int, ...]) -> None:
    module, x = nn.LocalResponseNorm(size, alpha=0.3, beta=0.6, k=2.0), torch.randn(shape)
    program = lowered(module, {"input": x}, {"input": {0: "N"}})
    assert ops_of(program) == ["local_response_norm"]
    torch.testing.assert_close(*run(program, {}, {"input": x}).values(), module(x))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("many", [1, 3])
def test_bags_of_one_size_are_rows(mode: str, many: int) -> None:
    module, rows = nn.EmbeddingBag(9, 4, mode=mode), torch.randint(0, 9, (5, many))
    program = lowered(module, {"input": rows}, {"input": {0: "N"}})
    assert ops_of(program) == ["embedding_bag"]
    torch.testing.assert_close(*run(program, module.state_dict(), {"input": rows}).values(), module(rows))
