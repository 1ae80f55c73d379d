"""Images that are unlike those of training, which a network answers all the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from netspec.text.quoting import visible
from netspec.train.data import Meaning
from netspec.train.data.meaning import brightness_of

FAR = 4.0
"""Standard deviations from the mean brightness of the training images above which an image is told."""
FINEST = 0.02
"""The least that counts as a standard deviation, as a share of the range of the numbers."""


def unlike(meaning: Meaning, names: Sequence[str], rows: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield a warning for the images of each column that are much brighter or darker than those of training.

    ``names`` has a name for each row, which the first of them is called by.
    """
    for name, tensor in rows.items():
        if name not in meaning.brightness:
            continue
        mean, spread = meaning.brightness[name]
        low, high = meaning.ranges.get(name, (0.0, 1.0))
        far = FAR * max(spread, FINEST * (high - low))
        found = brightness_of(tensor)
        others = ((found - mean).abs() > far).nonzero().flatten()
        if not len(others):
            continue
        first = int(others[0])
        own = float(found[first])
        more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
        what = "are" if more else "is"
        how = "brighter" if own > mean else "darker"
        subject = f"{visible(str(names[first]))}{more} {what} much {how} than the images of training"
        told = f"{subject} (mean {own:.2f}, theirs {mean:.2f})"
        negative = abs(low + high - own - mean) <= far
        yield told + (": dark and light are swapped, give the negative" if negative else ": the answer may mean little")
