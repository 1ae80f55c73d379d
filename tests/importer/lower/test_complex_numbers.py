"""Complex numbers, whose parts the language has: turned pairs are a rotary embedding, transforms those of pairs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from importer.lower.running import lowered, ops_of, run
from torch import Tensor, nn

import netspec
from netspec import UsageError


class Doing(nn.Module):
    def __init__(self, what: Callable[[Tensor], Tensor]):
        super().__init__()
        self.what = what

    def forward(self, x: Tensor) -> Tensor:
        return self.what(x)


class Turned(nn.Module):
    """Pairs as Llama's first code turns them."""

    def __init__(self) -> None:
        super().__init__()
        angles = torch.outer(torch.arange(16.0), 10000 ** -(torch.arange(0, 8, 2) / 8))
        self.register_buffer("turns", torch.polar(torch.ones_like(angles), angles), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * self.turns[: x.shape[1]]).flatten(2).type_as(x)


def test_pairs_turned_as_complex_numbers_are_a_rotary_embedding() -> None:
    module, x = Turned(), torch.randn(2, 6, 8)
    program = lowered(module, {"x": x}, {"x": {0: "N", 1: "T"}})
    assert ops_of(program) == ["rotary_embedding"]
    torch.testing.assert_close(*run(program, {}, {"x": x}).values(), module(x))


@pytest.mark.parametrize(
    ("what", "ops"),
    [
        (lambda x: torch.fft.fft(x, dim=1).real, ["zeros", "stack", "fft", "select"]),
        (lambda x: torch.fft.fftn(x, dim=(1, 2)).imag, ["zeros", "stack", "fft2", "select"]),
        (lambda x: torch.fft.irfft2(torch.fft.rfft2(x), s=(6, 8)), ["rfft2", "irfft2"]),
        (lambda x: torch.view_as_real(torch.fft.ifft2(torch.fft.fft2(x))), ["zeros", "stack", "fft2", "ifft2"]),
    ],
)
def test_transforms_are_those_of_pairs(what: Callable[[Tensor], Tensor], ops: list[str]) -> None:
    module, x = Doing(what), torch.randn(2, 6, 8)
    program = lowered(module, {"x": x}, {"x": {0: "N"}})
    assert ops_of(program) == ops
    torch.testing.assert_close(*run(program, {}, {"x": x}).values(), module(x))


@pytest.mark.parametrize(
    "what",
    [
        lambda x: torch.fft.rfft(x).abs(),
        lambda x: torch.view_as_real(torch.fft.rfft(x).conj() * 3.0 - torch.fft.rfft(x) / 2.0),
        lambda x: (torch.polar(x.exp(), x) + torch.complex(x, -x)).transpose(1, 2).imag,
        lambda x: (torch.fft.rfft(x) * torch.fft.rfft(x)[:, :1]).real,
    ],
)
def test_arithmetic_is_that_of_the_parts(what: Callable[[Tensor], Tensor]) -> None:
    module, x = Doing(what), torch.randn(2, 6, 8)
    program = lowered(module, {"x": x}, {"x": {0: "N"}})
    torch.testing.assert_close(*run(program, {}, {"x": x}).values(), module(x))


def test_what_has_no_rule_is_named() -> None:
    with pytest.raises(UsageError, match=r"no op does what `angle` does"):
        netspec.from_torch(Doing(lambda x: torch.fft.rfft(x).angle()), {"x": torch.randn(2, 6)})
