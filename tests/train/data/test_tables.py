"""Tables: what is written comes back, and every mistake in a file is told at its line.

``NETSPEC_MANY=100 pytest tests/train/data/test_tables.py`` draws a hundred times as many tables.
"""

import csv
import os
import string

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from train.data.reading import fault, fits, read

from netspec.diagnostics import EnvironmentFault
from netspec.recipes.data.files import CSV, Parquet
from netspec.train.data import DataFault, paths

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = st.floats(-(2.0**99), 2.0**99, width=32)
LEFT_OUT = "a value that is missing is to be filled in, or its row left out"
MISSING = "`missing: fill` puts the median of a column there, or its most frequent word; or leave the row out"
MISSING_WORDS = ("nan", "NaN", "NAN", "NA", "null", "NULL")
NO_NUMBERS = "`categories: one_hot`, or `ids`, takes words; `leave_out: [x]` does without"
WORDS = st.text(string.ascii_letters + ' ,"é\n', min_size=1, max_size=5).filter(
    lambda text: text.strip() == text and text not in MISSING_WORDS
)


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
        ("x,y\n1,2\n1,abc\n", "a.csv, line 3: `y` is `abc`, but a number is expected\n"
         "`y` is one of several classes? write `classes: true`"),
        ("x,y\n1,2\nabc,2\n", f"a.csv, line 3: `x` is `abc`, but a number is expected\n{NO_NUMBERS}"),
        ("x,y\n,2\n", f"a.csv, line 2: `x` is empty, but a number is expected\n{MISSING}"),
        ("x,y\nnan,2\n", f"a.csv, line 2: `x` is `nan`, but a number is expected\n{MISSING}"),
        ("x,y\n1,-inf\n", "a.csv, line 2: `y` is `-inf`, but a number is expected"),
        ("x,y\n1e39,1\n", "a.csv, line 2: `x` is `1e39`, but a number is expected"),
        ("x,y\n1,2\n\n1,2,3\n", "a.csv, line 4: 3 values, but the first line names 2 columns"),
        ("Table\n\nx,y\n1,2\n", "a.csv, line 3: 2 values, but the first line names 1 column"),
        ('x,y\n1,2\n1,"2\n', "a.csv, line 3: unexpected end of data"),
        ("x,x,y\n1,2,3\n", "a.csv, line 1: two columns are called `x`\nthe first line names the columns"),
        ("x,z\n1,2\n", "a.csv has no column `y`\nits columns are `x`, `z`"),
        ("y\n1\n", "a.csv has no column besides the target `y`"),
        ("x,y\n", "a.csv has no rows"),
        ("", "a.csv is empty"),
        (f"x,y\n{'long' * 20},1\n", f"a.csv, line 2: `x` is `{'long' * 10}…`, but a number is expected\n{NO_NUMBERS}"),
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
    assert told == f"c.csv, line 3: `y` is empty, but a class is expected\n{LEFT_OUT}"
    told = fault(CSV(path="a.csv", target="y", features=["z"]), tmp_path)
    assert told == "a.csv has no column `z`\nits columns are `x`, `y`"
    told = fault(CSV(path="a.csv", target="features"), tmp_path)
    assert told == "a.csv has no column `features`\nits columns are `x`, `y`"
    names = [f"c{number}" for number in range(785)]
    (tmp_path / "wide.csv").write_text(f"{','.join(names)}\n{','.join('1' for _ in names)}\n")
    told = fault(CSV(path="wide.csv", target="label"), tmp_path)
    assert told.startswith("wide.csv has no column `label`\nits columns are `c0`, `c1`, `c2`, ")
    assert told.endswith(", `c9` and 775 more")


def test_files_that_cannot_be_read(tmp_path):
    assert fault(CSV(path="a.csv", target="y"), tmp_path) == "there is no a.csv\npaths start at the folder of the spec"
    assert fault(CSV(path=str(tmp_path), target="y"), tmp_path) == f"{tmp_path} is a folder, but a file is expected"
    (tmp_path / "a.csv").write_bytes(b"x,y\n1,\xff\n")
    told = "a.csv is not UTF-8: byte 6, in line 2, is 0xff\nsay its encoding, "
    told += "such as `encoding: cp1252` for Windows, or save it as UTF-8"
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
    assert told == f"a.parquet, row 2: `z` is empty, but a number is expected\n{MISSING}"
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x;y\n1;2\n3;4\n", {}), ("x\ty\n1\t2\n3\t4\n", {}), ("x|y\n1|2\n3|4\n", {}),
        ("x  y\n1 2\n3   4\n", {"separator": " "}),
        ("x:y\n1:2\n3:4\n", {"separator": ":"}), ("x;y\n1,0;2\n3;4,0\n", {"decimal": ","}),
        ('"x","y"\n"1"," 2"\n"3 ",4\n', {}),
        ("\ufeffx, y\r\n1, 2\r\n\r\n3, \"4\"\r\n   \r\n\r\n", {}), ("x,y\r1,2\r3,4\r", {}),
        ("x;y\n1.0;2e0\n+3;.4e1\n", {}),
    ],
)  # fmt: skip
def test_tables_are_written_in_many_ways(tmp_path, text, said):
    (tmp_path / "a.csv").write_bytes(text.encode())
    data = read(CSV(path="a.csv", target="y", **said), tmp_path)
    assert data.train.tensors["features"].tolist() == [[1], [3]]
    assert data.train.tensors["y"].tolist() == [2, 4]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x;y\n1,5;2\n",
         "a.csv, line 2: `x` is `1,5`, but a number is expected\nwhere `,` stands before the decimals, say "
         "`decimal: ','`"),
        ("x,y\n1_000,2\n",
         "a.csv, line 2: `x` is `1_000`, but a number is expected\nwrite it with `.` before its decimals, and no mark "
         "between its digits"),
        ("x,y\n50%,2\n",
         "a.csv, line 2: `x` is `50%`, but a number is expected\nwrite shares as numbers, 0.5 for 50%"),
        ("x,y\nNA,2\n", f"a.csv, line 2: `x` is `NA`, but a number is expected\n{MISSING}"),
        ("x,y\n1,2\n,\n", f"a.csv, line 3: `x` is empty, but a number is expected\n{MISSING}"),
        ("# by me\nx,y\n1,2\n",
         "a.csv, line 2: 2 values, but the first line names 1 column\nleave lines of comments out"),
        ('x,y\n1,2\n"a\nb",2\n', f"a.csv, line 4: `x` is `a\\nb`, but a number is expected\n{NO_NUMBERS}"),
        (",x,y\n0,1,2\n",
         "a.csv: a column has no name, as those of the rows' numbers are that pandas writes\ntake it out "
         "(in pandas, write with `index=False`), or name it in `leave_out`"),
        ("x,y\n1,\0\n", "a.csv, line 2 has a zero byte, which no text has\nsave it as UTF-8"),
        (f"x,y\n{'1' * 200000},2\n", "a.csv, line 2: field larger than field limit (131072)"),
    ],
)  # fmt: skip
def test_values_that_are_no_numbers_are_told_with_a_repair(tmp_path, text, told):
    (tmp_path / "a.csv").write_text(text)
    assert fault(CSV(path="a.csv", target="y"), tmp_path) == told


def test_texts_of_another_encoding_are_told(tmp_path):
    for encoding, told in (
        ("utf-16", "a.csv is not UTF-8, but UTF-16\nsay `encoding: utf-16`, or "),
        ("utf-16-le", "a.csv, line 1 has a zero byte, which no text has\n"),
        ("latin-1", "a.csv is not UTF-8: byte 4, in line 2, is 0xe9\n"
         "say its encoding, such as `encoding: cp1252` for Windows, or "),
    ):  # fmt: skip
        (tmp_path / "a.csv").write_bytes("x,y\né,2\n".encode(encoding))
        assert fault(CSV(path="a.csv", target="y"), tmp_path) == f"{told}save it as UTF-8"
        if "say" in told:
            keys = {"encoding": encoding, "categories": "one_hot"}
            assert read(CSV(path="a.csv", target="y", **keys), tmp_path).names["features"] == ("x=é",)
    assert fault(CSV(path="a.csv", target="y", encoding="ascii"), tmp_path).startswith("a.csv is not in the encoding")


@pytest.mark.parametrize("label", ["nan", "NaN", "NA", "N/A", "null", "NULL", "<NA>", "", "  "])
def test_a_label_that_is_missing_is_no_class(tmp_path, label):
    (tmp_path / "a.csv").write_text(f"x,y\n1,cat\n1,{label}\n")
    told = fault(CSV(path="a.csv", target="y", classes=True), tmp_path)
    assert told.startswith("a.csv, line 3: `y` is ")
    assert told.endswith(f", but a class is expected\n{LEFT_OUT}")


def test_classes_that_look_like_something_else(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,None\n1,Na\n1,no\n1,-1\n1,inf\n")
    assert read(CSV(path="a.csv", target="y", classes=True), tmp_path).words["y"] == ("-1", "Na", "None", "inf", "no")


def test_several_targets(tmp_path):
    (tmp_path / "a.csv").write_text("a,x,b\n1,2,3\n4,5,6\n")
    data_set = CSV(path="a.csv", target=["b", "a"])
    data = read(data_set, tmp_path)
    assert fits(data, data_set)
    assert data.train.tensors["targets"].tolist() == [[3, 1], [6, 4]]
    assert data.train.tensors["features"].tolist() == [[2], [5]]
    data_set = CSV(path="a.csv", target=["b", "a"], classes=True)
    data = read(data_set, tmp_path)
    assert fits(data, data_set)
    assert data.words == {"b": ("3", "6"), "a": ("1", "4")}
    assert data.train.tensors["a"].tolist() == [0, 1]


@settings(max_examples=40 * MANY, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(st.tuples(FINITE, st.integers(-(10**15), 10**15)), min_size=1, max_size=6),
    separator=st.sampled_from(",;\t|"),
    ends=st.sampled_from(["\n", "\r\n"]),
    form=st.sampled_from([repr, lambda number: f"{number:.6e}", lambda number: f' "{number!r}"']),
)  # fmt: skip
def test_numbers_are_what_python_reads(tmp_path, rows, separator, ends, form):
    lines = [f"x{separator}n{separator}y", *(separator.join((form(x), str(n), "1")) for x, n in rows)]
    (tmp_path / "a.csv").write_text(ends.join(lines), newline="")
    wanted = [[float(form(x).strip(' "')), float(n)] for x, n in rows]
    try:
        found = read(CSV(path="a.csv", target="y"), tmp_path).train.tensors["features"]
    except DataFault as fault:
        assert any(abs(x) > 3.4e38 for x, _ in wanted)
        assert "but a number is expected" in fault.message  # noqa: PT017
        return
    assert found.double().numpy() == pytest.approx(np.array(wanted), rel=6e-8, abs=1e-44)
