"""Columns of a table that are no numbers: gaps, words, truths and dates; and other tables, read as those that train."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from train.data.reading import fault, read

from netspec.cli import main
from netspec.recipes.data.files import CSV, Parquet
from netspec.recipes.data.table_column import columns_from
from netspec.recipes.transforms import Standardize, StandardizeTargets
from netspec.train.data.batches import own_scale, prepare_transforms
from netspec.train.data.meaning import meaning_of
from netspec.train.data.readers.tables.read import read_csv

TEXT = """\
id;area;colour;built;garden;zip;price
a;10,5;red;2001-03-05;yes;10;1
b;;blue;2001-03-06 07:30;no;20;2
c;30;;2020-12-31;;10;3
d;20;red;;yes;10;4
"""
FILLED: dict[str, Any] = {"decimal": ",", "leave_out": ["id"], "missing": "fill", "date_parts": True}


def table(folder: Path, text: str = TEXT, **keys: Any) -> CSV:
    (folder / "a.csv").write_text(text)
    return CSV(path="a.csv", target="price", **keys)


def test_every_kind_of_column_becomes_numbers(tmp_path: Path) -> None:
    data = read(table(tmp_path, categories="one_hot", categorical=["zip"], **FILLED), tmp_path)
    assert data.names["features"] == (
        *("area", "colour=blue", "colour=red"),
        *("built.year", "built.month", "built.day", "built.weekday", "built.hour", "garden", "zip=10", "zip=20"),
    )
    assert data.train.take(torch.arange(4))["features"].tolist() == [
        [10.5, 0, 1, 2001, 3, 5, 0, 0, 1, 1, 0],
        [20, 1, 0, 2001, 3, 6, 1, 7, 0, 0, 1],
        [30, 0, 1, 2020, 12, 31, 3, 0, 1, 1, 0],
        [20, 0, 1, 2001, 3, 6, 1, 7, 1, 1, 0],
    ]
    assert data.notes == (
        "`colour` one-hot of 2 words",
        "`built` as year, month, day, weekday, hour",
        "`garden` as 0 and 1",
        "`zip` one-hot of 2 words",
        "`area` 1 gap filled with 20",
        "`colour` 1 gap filled with red",
        "`built` 1 gap filled with 2001-03-06T07:30:00",
        "`garden` 1 gap filled with 1",
    )


def test_ids_are_columns_of_their_own(tmp_path: Path) -> None:
    data_set = table(tmp_path, categories="ids", categorical=["zip"], **FILLED)
    data = read(data_set, tmp_path)
    assert data_set.columns() is None
    assert [*data.columns] == ["features", "colour", "zip", "price"]
    rows = data.train.take(torch.arange(4))
    assert (rows["colour"].tolist(), rows["zip"].tolist()) == ([2, 1, 2, 2], [1, 2, 1, 1])
    assert rows["features"].shape == (4, 7)


def test_a_table_of_ids_alone_has_no_features(tmp_path: Path) -> None:
    data = read(table(tmp_path, "kind,price\na,1\nb,2\n", categories="ids"), tmp_path)
    assert [*data.columns] == ["kind", "price"]


def test_other_tables_are_read_as_the_training_rows(tmp_path: Path) -> None:
    keys: dict[str, Any] = {**FILLED, "categories": "one_hot", "categorical": ["zip"]}
    known = meaning_of(read(table(tmp_path, **keys), tmp_path))
    again = columns_from(json.loads(json.dumps([asdict(column) for column in known.table])))
    assert again == known.table
    text = "zip;price;area;colour;built;garden\n20;1;;pink;2000-02-29;true\n30;1;7;blue;2000-01-01;0\n"
    data = read_csv(table(tmp_path, text, **keys), tmp_path, known)
    assert data.train.take(torch.arange(2))["features"].tolist() == [
        [20, 0, 0, 2000, 2, 29, 1, 0, 1, 0, 1],
        [7, 1, 0, 2000, 1, 1, 5, 0, 0, 0, 0],
    ]
    assert data.notes == (
        "`area` 1 gap filled with 20",
        "`colour` is `pink` in 1 row: no training row has that, and it counts as no word",
        "`zip` is `30` in 1 row: no training row has that, and it counts as no word",
    )


def test_what_only_the_test_rows_have_is_told(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("kind,price\nc,1\n")
    text = "kind,price\na,1\nb,2\n"
    data = read(table(tmp_path, text, categories="ids", test="b.csv"), tmp_path)
    assert data.test is not None
    assert data.test.take(torch.tensor([0]))["kind"].tolist() == [0]
    assert data.notes[1] == "b.csv: `kind` is `c` in 1 row: no training row has that, and it counts as no word"


@pytest.mark.parametrize(
    ("text", "keys", "told"),
    [
        ("x,price\n,1\n2,1\n", {},
         "a.csv, line 2: `x` is empty, but a number is expected\n`missing: fill` puts the median of a column there, or "
         "its most frequent word; or leave the row out"),
        ("x,price\nred,1\n", {},
         "a.csv, line 2: `x` is `red`, but a number is expected\n`categories: one_hot`, or `ids`, takes words; "
         "`leave_out: [x]` does without"),
        ("x,price\n2020-01-01,1\n", {},
         "a.csv, line 2: `x` is `2020-01-01`, but a number is expected\n`date_parts: true` makes year, month, day and "
         "weekday of it"),
        ("x,price\n1,1\n2,1\nabc,1\n", {"categories": "one_hot"},
         "a.csv, line 4: `x` is `abc`, but a number is expected\n`na_values` names what stands for a gap, which "
         "`missing: fill` fills; `categorical: [x]` takes all values as words"),
        ("x,price\n,1\n2,1\nabc,1\n3,1\n", {"missing": "fill"},
         "a.csv, line 4: `x` is `abc`, but a number is expected\n`na_values` names what stands for a gap, which "
         "`missing: fill` fills; `categorical: [x]` takes all values as words"),
        ("x;price\n1,5;1\n2,5;1\n", {"categories": "one_hot"},
         "a.csv, line 2: `x` is `1,5`, but a number is expected\nwhere `,` stands before the decimals, say "
         "`decimal: ','`"),
        ("x,price\n2020-02-30,1\n", {"date_parts": True},
         "a.csv, line 2: `x` is `2020-02-30`, but a number is expected\n`categories: one_hot`, or `ids`, takes words; "
         "`leave_out: [x]` does without"),
        ("x,price\n,1\n,2\n", {"missing": "fill"}, "a.csv: `x` has no value in any row\n`leave_out: [x]`"),
        ("x,price\na,1\n,2\n", {"categories": "ids"},
         "a.csv, line 3: `x` is empty, but a word is expected\n`missing: fill` puts the median of a column there, or "
         "its most frequent word; or leave the row out"),
        ("x,price\n1,\n", {"missing": "fill"},
         "a.csv, line 2: `price` is empty, but a number is expected\na value that is missing is to be filled in, or "
         "its row left out"),
        ("x,price\n1,1\n", {"categorical": ["y"]}, "`categorical` names `y`, which is no feature\nfeatures are `x`"),
        ("x,price\n1,1\n", {"leave_out": ["y"]}, "a.csv has no column `y`\nits columns are `x`, `price`"),
        ("x,price\n" + "".join(f"w{number},1\n" for number in range(1001)), {"categories": "one_hot"},
         "a.csv: `x` has 1,001 different words in 1,001 rows, too many for a feature each\n`leave_out: [x]`, or "
         "`categories: ids`"),
    ],
)  # fmt: skip
def test_what_the_keys_do_not_allow_is_told_with_the_key(
    tmp_path: Path, text: str, keys: dict[str, Any], told: str
) -> None:
    assert fault(table(tmp_path, text, **keys), tmp_path) == told


def test_a_known_column_with_values_of_another_kind(tmp_path: Path) -> None:
    known = meaning_of(read(table(tmp_path, "x,price\nyes,1\nno,2\n"), tmp_path))
    with pytest.raises(Exception, match="`x` is `maybe`, but true or false is expected"):
        read_csv(table(tmp_path, "x,price\nmaybe,1\n"), tmp_path, known)
    known = meaning_of(read(table(tmp_path, "x,price\n2020-01-01,1\n", date_parts=True), tmp_path))
    with pytest.raises(Exception, match="`x` is `soon`, but a date such as 2024-05-31 is expected"):
        read_csv(table(tmp_path, "x,price\nsoon,1\n"), tmp_path, known)


def test_parquet_has_dates_and_truths_of_its_own(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    from datetime import date

    columns = {"x": [True, None], "when": [date(2024, 5, 31), date(2023, 1, 1)], "k": ["a", None], "y": [1.0, 2.0]}
    parquet.write_table(arrow.table(columns), tmp_path / "a.parquet")
    keys: dict[str, Any] = {"missing": "fill", "categories": "one_hot", "date_parts": True}
    data = read(Parquet(path="a.parquet", target="y", **keys), tmp_path)
    assert data.train.take(torch.arange(2))["features"].tolist() == [[1, 2024, 5, 31, 4, 1], [1, 2023, 1, 1, 6, 1]]


def test_targets_come_back_to_their_own_scale(tmp_path: Path) -> None:
    data = read(table(tmp_path, "x,price\n1,100\n2,300\n3,800\n"), tmp_path)
    transforms = (Standardize(), StandardizeTargets())
    prepare = prepare_transforms(transforms, data.columns, data.train, torch.arange(3))
    price = data.train.take(torch.arange(3))["price"]
    scaled = prepare[1].changes["price"](price)
    assert scaled.mean().item() == pytest.approx(0, abs=1e-6)
    assert scaled.std(correction=0).item() == pytest.approx(1)
    back = own_scale(prepare, "price")
    assert back is not None
    assert torch.allclose(back(scaled), price)
    assert torch.allclose(back(scaled[:, None]), price[:, None])
    assert own_scale(prepare, "features") is None


SPEC = """\
netspec: 1
name: homes
inputs: {features: [N, 9], zip: {shape: [N], dtype: int64, below: 3}}
network:
  - embedding: {from: zip, num_embeddings: 3, embedding_dim: 2}
  - concat: {from: [features, prev], dim: -1}
  - linear: 1
train:
  data: {csv: {path: a.csv, target: price, categories: ids, missing: fill, categorical: [zip], date_parts: true,
    decimal: ",", leave_out: [id, colour]}}
  prepare: [standardize, standardize_targets]
  loss: mse
  metrics: mae
  optimizer: {adam: 0.05}
  epochs: 3
"""


@pytest.mark.slow
def test_a_run_from_a_messy_table_to_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], without_pictures: None
) -> None:
    (tmp_path / "a.csv").write_text(TEXT + TEXT.partition("\n")[2] * 9)
    (tmp_path / "homes.yaml").write_text(SPEC.replace("[N, 9]", "[N, 7]"))
    (tmp_path / "b.csv").write_text("id;area;colour;built;garden;zip\nq;;x;2001-03-05;no;99\n")
    with contextlib.chdir(tmp_path):
        assert main(["train", "homes.yaml", "--devices", "cpu", "-o", "run"]) == 0
        told = capsys.readouterr().out
        assert "`zip` as ids of 2 words, 1 to 2 · `area` 10 gaps filled with 20" in told
        assert main(["evaluate", "run", "--format", "json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["classes"] is None
        scores = told["scores"]["train"]
        assert 0.1 < scores["mae"] < 3  # in the scale of prices, from 1 to 4
        answers = []
        for runtime in ("torch", "onnx"):
            assert main(["predict", "run", "b.csv", "-o", "answers.csv", "--keep", "id", "--runtime", runtime]) == 0
            assert "`zip` is `99` in 1 row: no training row has that" in capsys.readouterr().err
            head, row = Path("answers.csv").read_text().splitlines()
            assert head == "input,id,price"
            answers.append(float(row.rpartition(",")[2]))
    assert answers[0] == pytest.approx(answers[1], abs=1e-4)
    assert 0 < answers[0] < 6
