"""The backward pass through what each op writes agrees with differences of its outputs."""

from __future__ import annotations

import pytest
from ops.all_cases import CASES

from netspec.testing.case import OpCase
from netspec.testing.gradients import check_gradients

NOT_TORCHS_OWN = {
    "upsample(size=82)-N1L",
    "upsample(scale_factor=41)-N1L",
    "upsample(scale_factor=[2.5,47])-N1HW",
    "upsample(size=61,mode=nearest-exact)-N1L",
    "upsample(size=55,mode=nearest-exact)-N1L",
    "masked_fill(value=-inf)-NTS-TSbool",
    "pad(pad=[2,1],value=-inf)-N3L",
}
"""Where torch rounds a ratio otherwise in its forward pass than in its backward pass; and infinities."""
OF_ONE_INPUT = {"roi_align", "roi_pool"}
"""Ops whose other inputs get no gradients, though the outputs depend on them."""


@pytest.mark.parametrize(
    "case", [case for case in CASES if str(case) not in NOT_TORCHS_OWN and case.name not in OF_ONE_INPUT], ids=str
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of even windows and of mixed masks
def test_gradients_match_differences(case: OpCase) -> None:
    check_gradients(case)
