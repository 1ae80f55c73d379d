"""A device as tests have it: each piece of work takes a launch, and then a time in proportion to its size."""

from __future__ import annotations

import math
from itertools import product

from netspec.analysis.step_time import KINDS, DeviceRecord, WorkTable

SIZES = (1, 64, 4096)
LAUNCH, EACH = 1e-6, 1e-9


def made_device() -> DeviceRecord:
    work = {}
    for kind, axes in KINDS.items():
        grid = [*product(*(SIZES for _ in axes))]
        times = [LAUNCH + EACH * math.prod(size**power for size, power in zip(sizes, axes.values())) for sizes in grid]
        work[kind] = WorkTable(dict.fromkeys(axes, SIZES), times, [3 * each for each in times])
    return DeviceRecord("Abacus", "cpu", "2.11.0", 1, "processor", "2026-01-01T00:00:00+00:00", work)
