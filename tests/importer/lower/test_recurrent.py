"""Recurrent layers and cells of torch, with a length that stays symbolic."""

from __future__ import annotations

import pytest
import torch
from importer.lower.running import lowered, ops_of, run
from torch import nn

DYNAMIC = {"x": {0: "N", 1: "T"}}


class Last(nn.Module):
    """The last state of both directions."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.layer = kind(4, 3, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        output, state = self.layer(x)
        state = state[0] if isinstance(state, tuple) else state
        return output, torch.cat([state[-2], state[-1]], dim=1)


class Steps(nn.Module):
    """Two steps of a cell."""

    def __init__(self, kind: type[nn.Module], bias: bool) -> None:
        super().__init__()
        self.cell = kind(4, 4, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = (x + 1, x + 2) if isinstance(self.cell, nn.LSTMCell) else x + 1
        state = self.cell(self.cell(x, state)[0] if isinstance(state, tuple) else x, state)
        return state[0] if isinstance(state, tuple) else state


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_layer_keeps_its_length_and_gives_its_last_state(kind: type[nn.Module]) -> None:
    module, x = Last(kind), torch.randn(2, 7, 4)
    program = lowered(module, {"x": x}, DYNAMIC)
    assert ops_of(program) == [kind.__name__.lower()]
    assert [str(size) for size in program.inputs["x"].shape] == ["N", "T", "4"]
    longer = torch.randn(3, 9, 4)
    made = run(program, module.state_dict(), {"x": longer})
    for want, have in zip(module(longer), made.values()):
        torch.testing.assert_close(have, want)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_a_cell_is_read(kind: type[nn.Module], bias: bool) -> None:
    module, x = Steps(kind, bias), torch.randn(2, 4)
    program = lowered(module, {"x": x}, {"x": {0: "N"}})
    made = run(program, module.state_dict(), {"x": x})
    torch.testing.assert_close(*made.values(), module(x))
