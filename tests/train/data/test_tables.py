"""Tables: what is written comes back, and every mistake in a file is told at its line."""

import csv
import string

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from train.data.reading import fault, fits, read

from netspec.diagnostics import EnvironmentFault
from netspec.recipes.data_files import CSV, Parquet
from netspec.train.data import paths

NUMBERS = st.floats(-(2.0**99), 2.0**99, width=32)
MISSING = "a value that is missing is to be filled in, or its row left out"
WORDS = st.text(string.ascii_letters + ' ,"é\n', min_size=1, max_size=5).filter(lambda text: text.strip() == text)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(NUMBERS, NUMBERS, WORDS), min_size=1, max_size=8))
def test_what_is_written_comes_back(tmp_path, rows):
    with (tmp_path / "points.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["x", "kind", "y"])
        writer.writerows((repr(x), kind, repr(y)) for x, y, kind in rows)
    data_set = CSV(path="points.csv", target="kind", classes=True)
    data = read(data_set, tmp_path)
    assert fits(data, data_set)
    found = data.train.take(torch.arange(len(rows)))
    assert found["features"].equal(torch.tensor([[x, y] for x, y, _ in rows]))
    assert [data.words["kind"][label] for label in found["kind"]] == [kind for _, _, kind in rows]
    assert data.words["kind"] == tuple(sorted({kind for _, _, kind in rows}))


def test_features_are_chosen_and_ordered_and_the_target_may_be_real(tmp_path):
    (tmp_path / "a.csv").write_text("\ufeffa,b,c\r\n1,2,3.5\r\n\r\n4,5,-6e1\r\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("c,b,a\n0.5,1,0\n")
    data_set = CSV(path="a.csv", target="c", features=["b", "a"], test="b.csv")
    data = read(data_set, tmp_path)
    assert fits(data, data_set)
    assert data.train.tensors["features"].tolist() == [[2, 1], [5, 4]]
    assert data.train.tensors["c"].tolist() == [3.5, -60]
    assert data.test.tensors["features"].tolist() == [[1, 0]]


def test_classes_that_are_numbers_are_in_their_order(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,10\n1,9\n1,2\n")
    data = read(CSV(path="a.csv", target="y", classes=True), tmp_path)
    assert data.words["y"] == ("2", "9", "10")
    assert data.train.tensors["y"].tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x,y\n1,2\n1,abc\n", "a.csv, line 3: `y` is `abc`, but a number is wanted\n"
         "`y` is one of several classes? write `classes: true`"),
        ("x,y\n1,2\nabc,2\n", "a.csv, line 3: `x` is `abc`, but a number is wanted"),
        ("x,y\n,2\n", f"a.csv, line 2: `x` is empty, but a number is wanted\n{MISSING}"),
        ("x,y\nnan,2\n", f"a.csv, line 2: `x` is `nan`, but a number is wanted\n{MISSING}"),
        ("x,y\n1,-inf\n", "a.csv, line 2: `y` is `-inf`, but a number is wanted"),
        ("x,y\n1e39,1\n", "a.csv, line 2: `x` is `1e39`, but a number is wanted"),
        ("x,y\n1,2\n\n1,2,3\n", "a.csv, line 4: 3 values, but the first line names 2 columns"),
        ('x,y\n1,2\n1,"2\n', "a.csv, line 3: unexpected end of data"),
        ("x,x,y\n1,2,3\n", "a.csv, line 1: two columns are called `x`\nthe first line names the columns"),
        ("x,z\n1,2\n", "a.csv has no column `y`\nits columns are `x`, `z`"),
        ("y\n1\n", "a.csv has no column besides the target `y`"),
        ("x,y\n", "a.csv has no rows"),
        ("", "a.csv is empty"),
        (f"x,y\n{'long' * 20},1\n", f"a.csv, line 2: `x` is `{'long' * 10}…`, but a number is wanted"),
    ],
)  # fmt: skip
def test_mistakes_are_told_at_their_line(tmp_path, text, told):
    (tmp_path / "a.csv").write_text(text)
    assert fault(CSV(path="a.csv", target="y"), tmp_path) == told


def test_classes_and_features_that_are_not_there(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,cat\n1,dog\n")
    (tmp_path / "b.csv").write_text("x,y\n1,cat\n1,cow\n")
    (tmp_path / "c.csv").write_text("x,y\n1,cat\n1,\n")
    data_set = CSV(path="a.csv", target="y", classes=True, test="b.csv")
    assert fault(data_set, tmp_path) == "b.csv, line 3: `y` is `cow`, which is in none of the training rows"
    told = fault(CSV(path="c.csv", target="y", classes=True), tmp_path)
    assert told == f"c.csv, line 3: `y` is empty, but a class is wanted\n{MISSING}"
    told = fault(CSV(path="a.csv", target="y", features=["z"]), tmp_path)
    assert told == "a.csv has no column `z`\nits columns are `x`, `y`"
    told = fault(CSV(path="a.csv", target="features"), tmp_path)
    assert told == "a.csv has no column `features`\nits columns are `x`, `y`"


def test_files_that_cannot_be_read(tmp_path):
    assert fault(CSV(path="a.csv", target="y"), tmp_path) == "there is no a.csv\npaths start at the folder of the spec"
    assert fault(CSV(path=str(tmp_path), target="y"), tmp_path) == f"{tmp_path} is a folder, but a file is wanted"
    (tmp_path / "a.csv").write_bytes(b"x,y\n1,\xff\n")
    told = "a.csv is not UTF-8: byte 6, in line 2, is 0xff\nsave it as UTF-8"
    assert fault(CSV(path="a.csv", target="y"), tmp_path) == told


def test_parquet_is_read_as_csv_is(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({"x": [1, 2], "y": ["b", "a"], "z": [0.5, None]})
    parquet.write_table(table, tmp_path / "a.parquet")
    data_set = Parquet(path="a.parquet", target="y", classes=True, features=["x"])
    data = read(data_set, tmp_path)
    assert fits(data, data_set)
    assert data.train.tensors["features"].tolist() == [[1], [2]]
    assert data.train.tensors["y"].tolist() == [1, 0]
    told = fault(Parquet(path="a.parquet", target="y", classes=True), tmp_path)
    assert told == f"a.parquet, row 1: `z` is empty, but a number is wanted\n{MISSING}"
    (tmp_path / "b.parquet").write_bytes(b"not parquet at all")
    told = fault(Parquet(path="b.parquet", target="y"), tmp_path)
    assert told.startswith("b.parquet cannot be read: Parquet magic bytes not found in footer.")


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(paths, "import_module", missing)
    with pytest.raises(EnvironmentFault) as caught:
        read(Parquet(path="a.parquet", target="y"), tmp_path)
    assert str(caught.value) == "`parquet` needs the package pyarrow: `pip install pyarrow`"
