"""Fourier transforms, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import bounded, case, cases, check
from ops.several import check_several, each, several

from netspec.dims import Dim
from netspec.ops import ShapeError
from netspec.testing.case import SIZES, OpCase

L = Dim.symbol("L")


@cases(
    case("rfft", "N 3 L"),
    case("rfft", "N L 3", dim=1, norm="ortho"),
    case("rfft", "N 3 400"),
    case("rfft", "9", norm="forward"),
    case("fft", "N 3 L 2"),
    case("fft", "N L 3 2", dim=1, norm="ortho"),
    case("rfft2", "N 3 H W"),
    case("rfft2", "N H 3 W", dim=[3, 1], norm="ortho"),
    case("irfft2", "N 3 H 5 2"),
    case("irfft2", "N 5 H 2", dim=[2, 1], norm="forward"),
    case("fft2", "N H W 2", norm="forward"),
    case("fft2", "N H 3 W 2", dim=[0, 1]),
    case("ifft2", "N H W 2"),
    case("ifft2", "5 7 2", norm="ortho"),
    case("ifft", "N 3 7 2"),
    case("ifft", "L 3 2", dim=0, norm="forward"),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@each(
    several("irfft", "N 3 L 2", None, at=SIZES),
    several("irfft", "N 5 3 2", None, n=9, dim=-2, norm="ortho", at=SIZES),
    several("irfft", "N L 2", "N 2*L", n=L * 2 - 2, at=SIZES),
    several("stft", "N 40", n_fft=8, at=SIZES),
    several("stft", "N 5*L", n_fft=15, hop_length=4, window="hann", normalized=True, at=SIZES),
    several("stft", "5*L", n_fft=16, win_length=9, window="hamming", center=False, at=SIZES),
    several("stft", "N 5*L", n_fft=20, window="blackman", pad_mode="constant", at=SIZES),
    several("istft", "N 9 L 2", None, n_fft=16, window="hann", at=SIZES, counted=False),
    several(
        "istft", "N 9 L 2", "N 3*L", n_fft=16, length=L * 3, window="hamming", normalized=True, at=SIZES, counted=False
    ),
    several("istft", "N 5 6 2", None, n_fft=9, hop_length=3, center=False, at=SIZES, counted=False),
)
def test_several_match_torch(case: OpCase) -> None:
    check_several(case)


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (several("fft", "2 9"), r"fft takes pairs, real and imaginary part, at the end: not \[2, 9\]"),
        (several("irfft", "2 9 2", None, n=9), "irfft makes 9 numbers of 5 pairs, but its input is"),
        (several("rfft", "2 9", dim=2), "dim 2 is out of range for 2 dimensions"),
        (several("stft", "2 40", n_fft=8, win_length=9), "win_length 9 is above n_fft 8"),
        (several("stft", "2 40", n_fft=3), "hop_length must be given"),
        (several("stft", "2 40", n_fft=100), "stft takes a length of at least 51"),
        (several("stft", "2 40", n_fft=100, center=False), "a stretch of 100 does not fit into 40"),
        (several("istft", "2 40 8 2", None, n_fft=8), r"istft takes \[N, 5, stretches, 2\]"),
        (several("istft", "2 5 8 2", None, n_fft=8, length=99), "istft makes at most 18 of a signal"),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        bounded(case.op(), case.tensors())
