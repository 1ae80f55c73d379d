"""A trained network reads other tables by the names and the classes of its own, however these are written.

Tables are drawn at random; the oracle is the module, fed with rows that ``csv.DictReader`` has found by name.
``NETSPEC_MANY=20 pytest tests/train/test_meaning.py`` draws twenty times as many.
"""

from __future__ import annotations

import contextlib
import csv
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from netspec.cli import main
from netspec.diagnostics import NetspecError, SpecError, UsageError
from netspec.train.predict.answers import Predictor
from netspec.train.predict.trained_run import TrainedRun

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
SPEC = """\
netspec: 1
name: rows
inputs: {{features: [N, {width}]}}
network: [linear: {classes}]
train:
  data: {{csv: {{path: own.csv, target: '{target}', classes: true{features}}}}}
  loss: cross_entropy
  optimizer: {{sgd: 0.5}}
  steps: 3
  {prepare}
"""
NAMES = (
    ("a", "b", "c", "d"),
    ("0", "1", "2", "3"),
    ("width (cm)", "größe", "a,b", 'say "x"'),
    ("1.5", "-2", "inf", "x"),
)
CLASSES = (
    (("cat", "dog", "fox"), {}),
    (("-1", "1"), {"1": "1.0", "-1": "-1.0"}),
    (("0", "5"), {"5": "5.00"}),
    (("no", "yes"), {}),
    (("0", "1"), {"0": "False", "1": "true"}),
    (("False", "True"), {"False": "0", "True": "1.0"}),
    (("2", "10", "nan"), {"2": "2.0"}),
)


class Drawn:
    """A table at random, and a network that has been trained on it for three steps."""

    def __init__(self, seed: int):
        self.draw = draw = random.Random(seed)
        self.names = draw.sample(NAMES[seed % len(NAMES)], draw.randint(1, 4))
        self.classes, self.spellings = CLASSES[seed % len(CLASSES)]
        self.target = "y"
        self.rows = self.new_rows(self.classes, 5)
        self.heads = draw.sample([*self.names, "y"], len(self.names) + 1)
        write("own.csv", self.heads, self.rows)
        features = ""
        if draw.random() < 0.3:
            self.names = draw.sample(self.names, len(self.names))
            features = f", features: {[*self.names]!r}"
        else:
            self.names = [name for name in self.heads if name != "y"]
        prepare = draw.choice(["prepare: standardize", ""])
        text = SPEC.format(width=len(self.names), classes=4, target="y", features=features, prepare=prepare)
        Path("rows.yaml").write_text(text)
        assert main(["train", "rows.yaml", "-o", "run", "--set", f"train.seed={seed}"]) == 0

    def new_rows(self, classes: Sequence[str], each: int) -> list[dict[str, str]]:
        """Rows of these classes, with a column besides that is no number."""
        labels = [label for label in classes for _ in range(each)]
        self.draw.shuffle(labels)
        return [
            {name: f"{self.draw.gauss(0, 3):.4g}" for name in self.names} | {"y": label, "note": "?"}
            for label in labels
        ]

    def output(self, rows: Sequence[dict[str, str]], run: TrainedRun) -> torch.Tensor:
        """What the module says of rows, which are found by name and prepared as the training rows were."""
        features = torch.tensor([[float(row[name]) for name in self.names] for row in rows])
        for states in run.states():
            mean, std = states["features"]
            features = ((features - mean) / std).float()
        with torch.no_grad():
            found: torch.Tensor = run.module("torch")(features)
        return found


def write(file: str, heads: Sequence[str], rows: Sequence[dict[str, str]]) -> None:
    with open(file, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(heads)
        writer.writerows([row[head] for head in heads] for row in rows)


@pytest.fixture(params=range(5 * MANY), scope="module")
def drawn(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, without_pictures: None
) -> Iterator[Drawn]:
    with contextlib.chdir(tmp_path_factory.mktemp("rows")):
        yield Drawn(request.param)


def test_other_tables_are_read_by_name(drawn: Drawn):
    (run,) = TrainedRun.find("run")
    predictors = [Predictor(run, runtime) for runtime in ("torch", "onnx")]
    for _ in range(6):
        used = drawn.draw.sample(drawn.classes, drawn.draw.randint(1, len(drawn.classes)))
        rows = drawn.new_rows(used, 3)
        heads = drawn.draw.sample([*drawn.names, "y", "note"], len(drawn.names) + 2)
        with open("new.csv", "w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(heads)
            for row in rows:
                said = drawn.spellings.get(row["y"], row["y"]) if drawn.draw.random() < 0.5 else row["y"]
                writer.writerow([said if head == "y" else row[head] for head in heads])
        with open("new.csv", newline="") as file:
            read = [*csv.DictReader(file)]
        wanted = drawn.output(read, run)
        labels = torch.tensor([drawn.classes.index(row["y"]) for row in rows])
        for written in ("csv: new.csv", "csv: {path: new.csv, target: y, classes: true}"):
            for runtime in ("torch", "onnx"):
                (other,) = TrainedRun.find("run", written)
                found = other.scores(runtime)["rows"]
                assert found["loss"] == pytest.approx(F.cross_entropy(wanted, labels).item(), abs=1e-4)
                assert found["accuracy"] == pytest.approx((wanted.argmax(1) == labels).float().mean().item())
        names = [*drawn.classes, *map(str, range(len(drawn.classes), 4))]
        for predictor in predictors:
            answers = [*predictor.answers("new.csv")]
            assert len(answers) == len(rows)
            for answer, shares in zip(answers, wanted.softmax(1)):
                assert answer.probabilities == pytest.approx(dict(zip(names, shares.tolist())), abs=1e-5)


def test_what_is_missing_or_unknown_is_named(drawn: Drawn):
    (run,) = TrainedRun.find("run")
    missing = drawn.draw.choice(drawn.names)
    rows = drawn.new_rows(drawn.classes, 2)
    write("other.csv", [*(name for name in drawn.names if name != missing), "note", "y"], rows)
    with pytest.raises(UsageError) as fault:
        [*Predictor(run).answers("other.csv")]
    assert f"other.csv has no column `{missing}`" in str(fault.value)
    assert f"has no column `{missing}`" in refused("csv: other.csv")
    rows[3]["y"] = "zzz"
    write("unknown.csv", [*drawn.names, "y"], rows)
    assert refused("csv: unknown.csv") == "unknown.csv, line 5: `y` is `zzz`, which the network was not trained on"


def refused(written: str) -> str:
    """What is said of data that the network cannot be held against."""
    (run,) = TrainedRun.find("run", written)
    with pytest.raises(NetspecError) as fault:
        run.scores("torch")
    assert isinstance(fault.value, SpecError)
    return fault.value.diagnostics[0].message
