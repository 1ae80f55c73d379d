"""Amounts with a unit, as tables print them: ``20 kB``, ``1.2 MB``, ``3 GiB``, ``417 k``, ``61,706``."""

from __future__ import annotations

import re

QUANTITY = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9][0-9_]*(?:\.[0-9]+)?)\s*(?:([kKMGT]i?)?(B|bytes)?)\Z")
SCALES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
SCALES |= {"ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
UNITS = "GiB, MiB, KiB, GB, MB, kB and B"


def quantity(text: str, of_bytes: bool) -> int | None:
    """The whole number that a text with a unit or with commas means; ``None`` where it is no such text.

    A count has no bytes: ``12M`` is one, ``12MB`` is none. Of bytes the ``B`` may be left out.
    """
    found = QUANTITY.match(text.strip())
    if found is None or (found[3] and not of_bytes) or not (found[2] or found[3] or "," in found[1]):
        return None
    return round(float(re.sub("[_,]", "", found[1])) * SCALES[(found[2] or "").replace("K", "k")])
